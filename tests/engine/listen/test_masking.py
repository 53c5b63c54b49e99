"""What a client asked not to see is not told, in text or in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.deepgram.flux_codec import FluxOptions, TurnInfo
from telephony.engine.listen.flux_session import FluxSession
from telephony.engine.listen.masking import masked
from telephony.engine.listen.recognized import Block, RecognizedWord


def words(text: str) -> tuple[RecognizedWord, ...]:
    return tuple(
        RecognizedWord(word, 0.9 - at / 100, at / 1.0, at + 0.5) for at, word in enumerate(text.split())
    )


def text(said: str, *redact: str, profanity: bool = False) -> str:
    return " ".join(word.word for word in masked(words(said), redact, profanity))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("My card is four one five five.", "My card is *."),
        ("It is four, one, five. Five oh two, thanks.", "It is *, thanks."),
        ("Call 415-555-0132 now.", "Call * now."),
        ("Two coffees and one tea.", "Two coffees and one tea."),
        ("A hundred and five dollars", "A * dollars"),
        ("double five oh oh", "double five oh oh"),
        ("double five six", "*"),
        ("four oh oh two and a cake", "* and a cake"),
        ("Room twenty.", "Room twenty."),
        ("One moment. Two minutes, three calls", "One moment. Two minutes, three calls"),
        ("twenty-three eighty", "*"),
        ("code twenty three eighty four please", "code * please"),
        ("a five-star hotel", "a five-star hotel"),
        ("twenty three cakes, twenty-three in all", "twenty three cakes, twenty-three in all"),
    ],
)
def test_long_numbers_become_one_asterisk(said: str, told: str) -> None:
    assert text(said, "numbers") == told


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Two coffees and one tea.", "* coffees and * tea."),
        ("At 7:30, please.", "At *, please."),
        ("Nothing here", "Nothing here"),
        ("oh and then", "oh and then"),
    ],
)
def test_aggressive_numbers_hides_every_one(said: str, told: str) -> None:
    assert text(said, "aggressive_numbers") == told
    assert text(said, "numbers", "aggressive_numbers") == told


def test_a_span_keeps_its_times_and_the_least_confidence() -> None:
    (_, span, _) = masked(words("code four five six please"), ("numbers",), False)
    assert (span.word, span.start, span.end) == ("*", 1.0, 3.5)
    assert span.confidence == pytest.approx(0.87)


def test_swearing_becomes_asterisks_and_nothing_else_does() -> None:
    assert text("Shit, that fucking Scunthorpe class.", profanity=True) == "****, that **** Scunthorpe class."
    assert text("Shit, that fucking thing.") == "Shit, that fucking thing."


@given(st.lists(st.sampled_from("four oh and 7:30, twenty twenty-two. hello double point - 12".split())))
def test_whatever_is_said_no_long_number_is_left(said: list[str]) -> None:
    told = text(" ".join(said), "aggressive_numbers")
    assert not any(c.isdigit() for c in told)
    assert "four" not in told


def test_the_session_tells_only_what_is_masked() -> None:
    """Text and words alike, and an EndOfTurn has the text of its Eager."""
    session = FluxSession(FluxOptions(redact=("numbers",), eager_eot_threshold=0.5), "request")
    said = words("It is four one five.")
    open_turn = Block(8.0, 1.0, True, " ".join(w.word for w in said), said, 0.0, 0.0, False)
    paused = replace(open_turn, audio_end_s=8.08, confidence=0.8, silence_s=0.5, final=True)
    told = [m for b in (open_turn, paused) for m in session.block(b) if isinstance(m, TurnInfo)]
    assert [m.event for m in told] == ["StartOfTurn", "EagerEndOfTurn", "EndOfTurn"]
    assert {(m.transcript, " ".join(w.word for w in m.words)) for m in told} == {("It is *.", "It is *.")}
