"""A turn's words out of the decodes of its parts; digits as words, and words as digits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.engine.listen.inverse_text_normalization import in_words, with_digits
from telephony.engine.listen.turn_text import Ending, ending_of, is_spelled
from telephony.engine.listen.turn_words import TurnWords, WordPiece, place


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("4,", "four,"),
        ("2:30", "two thirty"),
        ("2.30pm.", "two thirty pm."),
        ("415-555-0132", "four one five five five five zero one three two"),
        ("$5.50.", "five dollars and fifty cents."),
        ("94107", "nine four one zero seven"),
        ("1984", "nineteen eighty four"),
        ("3,000", "three thousand"),
        ("2nd", "second"),
        ("50%", "fifty percent"),
        ("latte?", "latte?"),
    ],
)
def test_without_numerals_digits_are_spelled_out(written: str, spoken: str) -> None:
    assert " ".join(in_words(written)) == spoken


@pytest.mark.parametrize(
    ("spoken", "digits"),
    [
        ("four, one, five, oh one.", "41501."),
        ("twenty three people", "23 people"),
        ("twenty-three people", "23 people"),
        ("three hundred and", "300 and"),
        ("one thousand two hundred twelve", "1212"),
        ("two thirty pm", "2 30 pm"),
        ("no one, oh", "no one, oh"),
        ("room 4 1 2", "room 412"),
        ("7-3-0-4.", "7304."),
        ("415-555-0132", "415-555-0132"),
        ("It costs five.", "It costs 5."),
    ],
)
def test_with_numerals_number_words_become_digits(spoken: str, digits: str) -> None:
    assert " ".join(text for text, _, _ in with_digits(spoken.split())) == digits


def test_digits_that_were_recognized_as_one_figure_have_times_of_their_own() -> None:
    """They share the speech in the figure's time, pauses left out."""
    placed = place([WordPiece("7304.", 0.9, 1.0, 5.0)], 10.0, [(11.0, 12.0), (14.0, 15.0)], numerals=False)
    assert [word.word for word in placed] == ["seven", "three", "zero", "four."]
    times = [(round(word.start, 2), round(word.end, 2)) for word in placed]
    assert times[0][0] == 11.0 and times[-1][1] == 15.0
    assert all(start < end for start, end in times)
    assert all(after >= before for (_, before), (after, _) in zip(times, times[1:], strict=False))
    assert not any(12.0 < start < 14.0 for start, _ in times)


@given(
    st.lists(st.sampled_from("zero one five ten twenty hundred thousand oh a 7 12 and".split()), max_size=9)
)
def test_digits_take_every_word_once(words: list[str]) -> None:
    found = with_digits(words)
    assert [first for _, first, _ in found[1:]] == [after for _, _, after in found[:-1]]
    assert not words or (found[0][1], found[-1][2]) == (0, len(words))


@given(st.text(alphabet="0123456789$%.,:-/#abst ", max_size=12))
def test_no_digit_is_left_whatever_a_recognizer_writes(written: str) -> None:
    assert not any(letter.isdigit() for word in in_words(written) for letter in word)


def pieces(text: str) -> list[WordPiece]:
    return [WordPiece(word, 0.9) for word in text.split()]


def test_words_without_times_are_spread_over_the_speech_and_skip_its_pauses() -> None:
    words = place(pieces("one two"), 10.0, [(10.5, 11.0), (12.0, 12.5)], numerals=False)
    assert [(round(word.start, 3), round(word.end, 3)) for word in words] == [(10.5, 11.0), (12.0, 12.5)]


def test_times_of_a_recognizer_are_made_absolute_and_end_with_the_speech() -> None:
    timed = [WordPiece("small", 0.9, 0.2, 0.6), WordPiece("latte.", 0.8, 0.6, 3.0)]
    words = place(timed, 5.0, [(5.2, 6.4)], numerals=False)
    assert [(round(word.start, 6), round(word.end, 6)) for word in words] == [(5.2, 5.6), (5.6, 6.4)]


def test_a_figure_becomes_words_that_share_its_confidence() -> None:
    words = place(pieces("room 412"), 0.0, [(0.0, 2.0)], numerals=False)
    assert [word.word for word in words] == ["room", "four", "one", "two"]
    assert {word.confidence for word in words} == {0.9}
    assert [word.word for word in place(pieces("room 412"), 0.0, [(0.0, 2.0)], numerals=True)][-1] == "412"


@given(
    st.lists(st.tuples(st.floats(0, 20), st.floats(0, 20)), max_size=8),
    st.lists(st.floats(0.01, 2), max_size=5),
)
def test_word_times_never_run_backwards(times: list[tuple[float, float]], lengths: list[float]) -> None:
    spans, at = [], 0.0
    for length in lengths:
        spans.append((at, at + length))
        at += length + 0.5
    words = place([WordPiece("w", 0.5, start, end) for start, end in times], 0.0, spans, numerals=False)
    flat = [moment for word in words for moment in (word.start, word.end)]
    assert flat == sorted(flat)


def test_settled_words_stay_and_the_sentence_goes_on_in_lower_case() -> None:
    turn = TurnWords()
    turn.begin(0.0)
    turn.set_open(place(pieces("I want a latte,"), 0.0, [(0.0, 2.0)], numerals=False))
    turn.settle(2.5)
    turn.set_open(place(pieces("And a tea."), 2.5, [(2.6, 3.5)], numerals=False))
    assert turn.text == "I want a latte, and a tea." and turn.start_s == 2.5


def test_a_decode_without_words_takes_nothing_back() -> None:
    turn = TurnWords()
    turn.begin(0.0)
    turn.set_open(place(pieces("Yes."), 0.0, [(0.0, 0.5)], numerals=False))
    turn.set_open([])
    assert turn.text == "Yes."


@pytest.mark.parametrize(
    ("text", "ending"),
    [
        ("", Ending.OPEN),
        ("Yes, please.", Ending.ANSWER),
        ("Yes, a latte.", Ending.OPEN),
        ("a latte and", Ending.UNFINISHED),
        ("four, one, five", Ending.DICTATION),
        ("7304", Ending.DICTATION_GROUP),
        ("nine four one zero seven", Ending.OPEN),
        ("S-M-I", Ending.DICTATION),
        ("S-M-I-T-H", Ending.DICTATION_GROUP),
        ("room four", Ending.OPEN),
    ],
)
def test_how_texts_end(text: str, ending: Ending) -> None:
    assert ending_of(text) is ending


def test_spelling_is_noticed_by_its_second_letter() -> None:
    assert is_spelled("it's S, M") and not is_spelled("it's a") and not is_spelled("Smith")


def test_confirmed_words_stay_as_they_are_written_and_are_known_better() -> None:
    """Times and probability are the better recognizer's; where it counts words otherwise, nothing changes."""
    words, speech = TurnWords(), [(0.0, 1.0)]
    words.set_open(place([WordPiece("A", 0.5), WordPiece("latte.", 0.6)], 0.0, speech, False))
    better = place([WordPiece("a", 0.9, 0.1, 0.3), WordPiece("latte", 0.8, 0.4, 0.9)], 0.0, speech, False)
    words.confirm(better)
    assert words.text == "A latte." and [(w.confidence, w.start) for w in words.words] == [
        (0.9, 0.1),
        (0.8, 0.4),
    ]
    before = words.words
    words.confirm(better[:1])
    assert words.words == before
