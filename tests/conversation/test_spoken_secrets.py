"""Numbers in what people say: found however they are written, and hidden where they are secret."""

from __future__ import annotations

import pytest

from telephony.conversation.spoken_secrets import (
    ANSWER,
    MOST_KNOWN,
    NO_ANSWER,
    Secrets,
    answers_with_a_number,
    is_long,
    without_numbers,
    written_answer,
)
from telephony.conversation.turn_record import REDACTED


def knowing(text: str = "", digits: str = "") -> Secrets:
    secrets = Secrets()
    secrets.add(text, digits)
    return secrets


@pytest.mark.parametrize(
    "said",
    [
        "It ends in 4417.",
        "four four one seven",
        "forty-four seventeen",
        "4 4, um, 1-7",
        "double four one seven",
    ],
)
def test_a_secret_number_is_found_however_it_is_said(said: str) -> None:
    assert REDACTED in knowing(digits="12344417").hide(said)


@pytest.mark.parametrize("said", ["It ends in 4499.", "four", "In 2026 we open at 9."])
def test_other_numbers_stay(said: str) -> None:
    assert knowing(digits="12344417").hide(said) == said


def test_a_short_secret_is_hidden_only_where_it_stands_alone() -> None:
    secrets = knowing(digits="42")
    assert secrets.hide(" 42 ") == REDACTED and secrets.hide("42 lattes") == "42 lattes"


def test_secret_words_are_hidden_wherever_they_turn_up() -> None:
    secrets = knowing("My mother's name is Ada")
    assert secrets.hide("You said: my mother's name is ada. Right?") == f"You said: {REDACTED}. Right?"
    assert not knowing("okay"), "a backchannel gives nothing away"


def test_all_of_a_value_is_searched_and_stays_what_json_has() -> None:
    secrets = knowing(digits="4417")
    value = {"pin 4417": [4417, 12, True, None, ("4417",)], "at": 3.5}
    assert secrets.hide(value) == {f"pin {REDACTED}": [REDACTED, 12, True, None, [REDACTED]], "at": 3.5}


def test_the_next_stream_learns_what_this_one_knew_and_memory_is_bounded() -> None:
    secrets = Secrets()
    for number in range(MOST_KNOWN + 5):
        secrets.add("", str(10_000 + number))
    later = Secrets()
    later.learn(secrets.known())
    assert later.known() == secrets.known() and len(later.known()[0]) == MOST_KNOWN
    assert later.hide("10104") == REDACTED


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("4417", True),
        ("forty two", True),
        ("five please", True),
        ("one second", False),
        ("give me two minutes", False),
        ("hold on", False),
        ("one", False),
    ],
)
def test_a_number_answers_and_one_second_does_not(text: str, answer: bool) -> None:
    assert answers_with_a_number(text) == answer


def test_a_number_is_long_by_all_of_its_digits_and_a_redacted_word_counts_as_long() -> None:
    assert is_long("my number is 123 and then 456", 6) and not is_long("12 345", 6)
    assert is_long(f"{ANSWER}0", 6) and is_long(f"{NO_ANSWER}3-1", 6)


def test_a_redacted_word_says_whether_it_was_an_answer() -> None:
    assert written_answer(f"it is {ANSWER}2") is True
    assert written_answer(f"{NO_ANSWER}0 {NO_ANSWER}1-2") is False
    assert written_answer("it is 12") is None


def test_numbers_in_our_words_are_hidden_without_changing_their_length() -> None:
    """So the voice's phrases are cut at the same places."""
    text = "Is it 4417, Forty two?"
    assert without_numbers(text) == "Is it 0000, Xxxxx xxx?"
