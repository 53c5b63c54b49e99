"""The ledger: which words were heard, and which phrases are complete."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.events import WordTime
from telephony.playback.ledger import WORD_END, Ledger, WordState

WORDS = (WordTime("one", 0, 4000), WordTime("two", 4000, 8000), WordTime("three", 8000, 12000))


def ledger_with_three_words() -> Ledger:
    """A reply of three words of half a second each, all sent at 10.0."""
    ledger = Ledger()
    ledger.add_phrase(1, "one two three")
    ledger.audio(1, 0, 12000)
    ledger.phrase_done(1, 0, WORDS)
    ledger.sent(1, 0, 12000, 10.0)
    ledger.mark_sent("1.1.1", 1, 12000, 10.0)
    return ledger


def states(ledger: Ledger, now: float) -> list[WordState]:
    return [word.state for word in ledger.words(1, now)]


def test_words_are_heard_not_heard_or_uncertain() -> None:
    ledger = ledger_with_three_words()
    assert states(ledger, 10.75) == [WordState.HEARD, WordState.UNCERTAIN, WordState.NOT_HEARD]


def test_a_returned_mark_proves_what_lies_before_it() -> None:
    ledger = ledger_with_three_words()
    assert ledger.mark_played("1.1.1", 11.55)
    assert ledger.heard(1, 11.55).bound_ms == 0
    assert states(ledger, 11.55) == [WordState.HEARD] * 3


def test_marks_that_return_because_of_a_clear_prove_nothing() -> None:
    ledger = ledger_with_three_words()
    ledger.cleared(10.75)
    assert not ledger.mark_played("1.1.1", 10.8)
    assert ledger.heard_text(1, 20.0) == "one"
    assert ledger.resume_point(1, 20.0) == 4000


def test_a_duplicate_or_unknown_mark_changes_nothing() -> None:
    ledger = ledger_with_three_words()
    assert ledger.mark_played("1.1.1", 11.55)
    assert not ledger.mark_played("1.1.1", 11.6)
    assert not ledger.mark_played("9.9.9", 11.6)


def test_a_lost_mark_widens_the_bound_and_the_clock_speaks_in_its_place() -> None:
    ledger = ledger_with_three_words()
    assert ledger.heard(1, 13.0).bound_ms > 1000
    assert not ledger.all_heard(1, 12.4)
    assert ledger.all_heard(1, 12.6)


def test_a_later_mark_proves_earlier_replies_too() -> None:
    ledger = ledger_with_three_words()
    ledger.add_phrase(2, "four")
    ledger.audio(2, 0, 4000)
    ledger.sent(2, 0, 4000, 10.1)
    ledger.mark_sent("2.1.1", 2, 4000, 10.1)
    ledger.mark_played("2.1.1", 12.1)
    assert ledger.heard(1, 12.1).samples == 12000 and ledger.heard(1, 12.1).bound_ms == 0


def test_going_on_after_a_clear_counts_on_from_where_it_was() -> None:
    ledger = ledger_with_three_words()
    ledger.cleared(10.75)
    ledger.sent(1, 4000, 12000, 12.0)
    assert ledger.heard_text(1, 12.0) == "one"
    assert ledger.heard_text(1, 12.6) == "one two"


@given(
    st.lists(st.tuples(st.integers(1, 2000), st.floats(0, 0.4)), min_size=1, max_size=30),
    st.floats(0, 5),
)
def test_never_more_is_heard_than_was_sent_and_never_less_than_a_moment_before(
    pieces: list[tuple[int, float]], later: float
) -> None:
    ledger = Ledger()
    ledger.add_phrase(1, "word")
    now, position, before = 1.0, 0, 0
    for samples, gap in pieces:
        ledger.audio(1, 0, samples)
        ledger.sent(1, position, position + samples, now)
        position += samples
        now += gap
        heard = ledger.heard(1, now).samples
        assert before <= heard <= position
        before = heard
    assert before <= ledger.heard(1, now + later).samples <= position


def test_a_word_may_lack_its_last_moment_and_counts_as_heard() -> None:
    """Else a word that was wholly heard would now and then be said again."""
    ledger = ledger_with_three_words()
    ledger.cleared(10.0 + (4000 - WORD_END + 8) / 8000)
    assert ledger.heard_text(1, 11.0) == "one" and ledger.resume_point(1, 11.0) == 4000


def test_phrases_are_numbered_in_order_and_open_until_the_voice_is_done() -> None:
    ledger = Ledger()
    assert [ledger.add_phrase(1, text) for text in ("First.", "Second.")] == [0, 1]
    assert (
        ledger.is_open(1, 0)
        and ledger.is_open(1, 1)
        and not ledger.is_open(1, 2)
        and not ledger.is_open(2, 0)
    )
    ledger.audio(1, 0, 800)
    ledger.phrase_done(1, 0, ())
    ledger.phrase_done(1, 0, ())
    assert not ledger.is_open(1, 0) and ledger.has_open_phrases(1)
    ledger.audio(1, 1, 400)
    ledger.phrase_failed(1, 1, ())
    assert not ledger.has_open_phrases(1) and ledger.available(1) == 1200


def test_a_phrase_without_a_sound_is_retried_once_and_one_with_sound_never() -> None:
    ledger = Ledger()
    ledger.add_phrase(1, "Silent.")
    ledger.add_phrase(1, "Begun.")
    assert (ledger.retry(1, 0), ledger.retry(1, 0)) == ("Silent.", None)
    ledger.audio(1, 1, 10)
    assert ledger.retry(1, 1) is None


def test_words_of_a_phrase_that_broke_off_are_those_that_lie_in_its_audio() -> None:
    ledger = Ledger()
    ledger.add_phrase(1, "one two three")
    ledger.audio(1, 0, 8000)
    ledger.phrase_failed(1, 0, WORDS)
    assert [word.text for word in ledger.words(1, 1.0)] == ["one", "two"]


@pytest.mark.parametrize("estimated", [True, False])
def test_the_voice_is_asked_what_it_said_only_where_we_have_an_estimate(estimated: bool) -> None:
    ledger = Ledger()
    ledger.add_phrase(1, "one two")
    ledger.audio(1, 0, 8000)
    ledger.phrase_done(
        1, 0, () if estimated else (WordTime("one", 0, 4000, False), WordTime("two", 4000, 8000, False))
    )
    assert ledger.cut_phrases(1) == ({0: "one two"} if estimated else None)


def test_what_has_begun_to_play_may_come_back_as_an_echo_with_its_moment() -> None:
    ledger = ledger_with_three_words()
    assert ledger.played_words(1, 10.5) == [("one", 10.0)]
    assert ledger.played_words(1, 10.6) == [("one", 10.0), ("two", 10.5)]


def test_what_is_saved_counts_as_heard_up_to_a_sample_and_a_moment() -> None:
    ledger = ledger_with_three_words()
    assert not ledger.reaches(1, 4000, 10.4) and ledger.reaches(1, 4000, 10.501 - WORD_END / 8000)


def test_what_is_forgotten_leaves_nothing() -> None:
    ledger = ledger_with_three_words()
    ledger.forget(1)
    assert ledger.words(1, 20.0) == () and ledger.available(1) == 0 and not ledger.has_open_phrases(1)
