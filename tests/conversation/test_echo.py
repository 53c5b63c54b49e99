"""Echoes by their words: ours, in our order, each a little after it was played."""

from __future__ import annotations

import pytest

from telephony.conversation.echo import (
    LATEST_S,
    OwnWord,
    alternatives,
    is_echo,
    may_be_echo,
    names_one,
    timed,
    without_echo,
)
from telephony.deepgram.flux_messages import TurnInfo, Word

OURS = "would you like a small medium or large latte"


def said(text: str, at: float | None = 10.0, each_s: float = 0.3) -> list[OwnWord]:
    """Words, one after another from `at` on."""
    return [OwnWord(word, None if at is None else at + each_s * n) for n, word in enumerate(text.split())]


def test_our_words_a_little_later_are_an_echo_and_much_later_are_not() -> None:
    assert is_echo(said("would you like a small", 10.4), said(OURS))
    assert not is_echo(said("would you like a small", 10.0 + LATEST_S + 0.5), said(OURS))


def test_words_that_were_misheard_are_still_ours_if_most_are_alike() -> None:
    assert is_echo(said("would you light a small medium", 10.3), said(OURS))
    assert not is_echo(said("could we have it with milk", 10.3), said(OURS))


def test_the_order_counts() -> None:
    assert not is_echo(said("large or medium small a like", 10.3, 0.0), said(OURS))


def test_one_or_two_words_are_an_echo_only_at_once_and_with_known_times() -> None:
    at = 10.0 + 0.3 * 4
    assert is_echo([OwnWord("small", at + 0.3)], said(OURS))
    assert not is_echo([OwnWord("small", at + 0.7)], said(OURS))
    assert not is_echo([OwnWord("small", None)], said(OURS))
    assert not is_echo([OwnWord("or", 10.0 + 0.3 * 6 + 0.1)], said(OURS)), "too few letters to be sure"


def test_naming_one_of_what_was_offered_is_a_choice() -> None:
    offered = alternatives("Would you like small, medium or large?")
    caller = [OwnWord("small", 10.0 + 0.3 * 4 + 0.3)]
    assert is_echo(caller, said(OURS)) and not is_echo(caller, said(OURS), offered)


def test_words_that_go_on_after_ours_have_ended_are_the_callers() -> None:
    words = [*said("would you like a", 10.3), *said("I want tea", 10.0 + 0.3 * 9 + LATEST_S + 0.3)]
    assert not is_echo(words, said(OURS))


def test_a_beginning_may_be_an_echo_if_each_word_of_it_is_ours() -> None:
    assert may_be_echo(said("would you", 10.2), said(OURS))
    assert not may_be_echo(said("would stop", 10.2), said(OURS))
    assert not may_be_echo(said("would you", None), said(OURS)), "without times nothing is known"


@pytest.mark.parametrize(
    ("words", "one"),
    [("the large one please", True), ("large or small", False), ("please", False), ("a latte", False)],
)
def test_a_choice_names_one_option_and_nothing_else(words: str, one: bool) -> None:
    assert names_one(words.split(), ["small", "large"]) == one


def test_alternatives_are_read_out_of_questions_with_or() -> None:
    assert [text.strip() for text in alternatives("Fine. Small, medium or large?")] == [
        "Small",
        "medium",
        "large",
    ]
    assert alternatives("Small or large it is.") == [] and alternatives("Is that all?") == []


def test_the_callers_own_words_are_left_of_a_turn_that_begins_with_our_echo() -> None:
    words = tuple([Word(w, 0.9, n * 0.5, n * 0.5 + 0.4) for n, w in enumerate("how can i no stop".split())])
    info = TurnInfo("EndOfTurn", 0, "How can I, no, stop.", words, 0.8, 0.0, 3.0, "model", 1)
    assert without_echo(info, 1.5).transcript == "no, stop."
    assert without_echo(info, 0.0) == info
    assert without_echo(info, 9.0).transcript == ""


def test_one_token_may_be_two_words_at_one_time() -> None:
    assert timed("Uh huh.", 3.0) == [OwnWord("uh", 3.0), OwnWord("huh", 3.0)]
