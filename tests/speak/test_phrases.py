"""Phrases start soon, end where a listener expects it, and lose no word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.speak.phrases import FIRST_MAX_CHARS, MAX_CHARS, Phraser, speakable


def phrases(*deltas: str) -> list[str]:
    phraser = Phraser()
    out = [phrase for delta in deltas for phrase in phraser.feed(delta)]
    return out + phraser.finish()


def test_a_reply_known_at_once_is_spoken_by_sentences() -> None:
    assert phrases("A small latte, got it. Anything else?") == ["A small latte, got it.", "Anything else?"]


def test_the_first_clause_is_spoken_while_its_sentence_is_still_coming() -> None:
    phraser = Phraser()
    assert phraser.feed("Let me look that up, ") == []  # what follows the comma may be a digit
    assert phraser.feed("it") == ["Let me look that up,"]
    assert phraser.feed(" takes a moment, I") == []
    assert phraser.feed(" think. ") == ["it takes a moment, I think."]
    assert phraser.finish() == []


def test_a_first_phrase_is_not_so_short_that_a_gap_follows_it() -> None:
    assert Phraser().feed("Sure, I can do") == []


@pytest.mark.parametrize(
    "sentence",
    [
        "That makes 3.50 with tax.",
        "That makes $1,234.50 in all.",
        "Dr. Smith and Mrs. Jones are in today.",
        "We open at 9 a.m. and close at 5 p.m. every day.",
        "Write to jane.doe@example.co.uk for the form.",
        "See www.example.com/help.html for more.",
        "We have tea, e.g. green tea, and coffee.",
        "J. R. Smith called from the U.S. about it.",
        "Your table is No. 5 at St. James.",
        "Our firm is Smith Co. of Boston, Mass.",
        "Version 2.0.1 is out.",
    ],
)
def test_nothing_is_cut_inside_numbers_abbreviations_and_addresses(sentence: str) -> None:
    assert phrases(sentence) == [sentence]
    assert "".join(f"{phrase} " for phrase in phrases(*sentence)).split() == sentence.split()


def test_a_shortened_word_ends_a_sentence_when_a_capital_follows() -> None:
    assert phrases("We close at 5 p.m. Shall I book it?") == ["We close at 5 p.m.", "Shall I book it?"]


def test_no_is_an_answer_before_words_and_a_number_sign_before_digits() -> None:
    assert phrases("The answer is no. Sorry.") == ["The answer is no.", "Sorry."]


def test_a_number_in_groups_stays_whole() -> None:
    text = "Your number is 415, 555, 0132, is that right?"
    assert phrases(*text)[0].startswith("Your number is 415, 555, 0132")


def test_quotes_and_brackets_stay_with_their_sentence() -> None:
    assert phrases('He said "stop." (Really!) Then he left.') == [
        'He said "stop."',
        "(Really!)",
        "Then he left.",
    ]


def test_what_is_written_for_the_eye_is_not_spoken() -> None:
    text = "# Menu\n\n- **Latte** 😀\n- *Mocha* ☕️\n1. First [our site](https://example.com/a_b).\n```\ncode\n```\n---\n"
    assert phrases(text) == ["Menu", "Latte", "Mocha", "1. First our site.", "code"]
    assert speakable("👍🏽 ✅ →") == ""
    assert speakable("2 * 3 is 6, snake_case stays") == "2 * 3 is 6, snake_case stays"
    assert speakable("a<br/>b | c") == "a b c"


def test_marks_of_web_pages_and_sources_are_not_spoken() -> None:
    assert speakable("Fish &amp; chips&nbsp;are &#36;5.[2] Vinegar is free【4:0†menu】. See AT&T;") == (
        "Fish & chips are $5. Vinegar is free. See AT&T;"
    )
    assert speakable("- [x] Booked") == "Booked"
    assert speakable("example.com/?a=1&copy=2") == "example.com/?a=1&copy=2"


def test_a_link_is_kept_whole_however_it_arrives() -> None:
    text = "See [the menu. All of it](https://example.com/menu.html). Good?"
    assert phrases(*text) == ["See the menu. All of it.", "Good?"]


def test_text_without_punctuation_is_cut_between_words() -> None:
    text = "one two three four five six seven eight nine ten " * 12
    cut = phrases(text)
    assert len(cut) > 1 and len(cut[0]) <= FIRST_MAX_CHARS + 10
    assert all(len(phrase) <= MAX_CHARS + 10 for phrase in cut)
    assert " ".join(cut).split() == text.split()


def test_long_text_is_cut_before_a_conjunction_where_there_is_one() -> None:
    text = "I have looked at every coffee that we sell in this shop and none of them is without caffeine now"
    assert phrases(text)[0].endswith("in this shop")


def test_nothing_to_say_gives_no_phrase() -> None:
    assert phrases("") == phrases("  \n ") == phrases("...") == phrases("😀") == []


@given(st.lists(st.text(alphabet="ab A.,!?;:1\n()-'", max_size=12), max_size=20))
def test_no_word_is_lost_repeated_or_moved_however_the_text_arrives(deltas: list[str]) -> None:
    def letters(text: str) -> str:
        return "".join(char for char in text if char.isalnum())

    assert letters("".join(phrases(*deltas))) == letters("".join(deltas))


@given(st.text(max_size=400), st.integers(1, 7))
def test_any_text_in_any_pieces_is_taken(text: str, size: int) -> None:
    for phrase in phrases(*(text[at : at + size] for at in range(0, len(text), size))):
        assert phrase == phrase.strip() and phrase
