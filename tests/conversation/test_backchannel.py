"""Backchannels and farewells: few words that ask for nothing."""

from __future__ import annotations

import pytest

from telephony.conversation.backchannel import BACKCHANNEL_WORDS, is_backchannel, is_farewell, spoken_words


@pytest.mark.parametrize(
    "text",
    [
        "uh-huh",
        "Okay.",
        "mm-hmm, right",
        "I see",
        "Oh, I see!",
        "that makes sense",
        "you know",
        "Yeah, sure.",
    ],
)
def test_short_acknowledgements_are_backchannels(text: str) -> None:
    assert is_backchannel(text)


@pytest.mark.parametrize(
    "text",
    ["", "no", "yeah but", "okay stop", "I see it", "what", "yes yes yes yes yes", "right, a latte", "I"],
)
def test_a_word_of_ones_own_or_too_many_words_are_not(text: str) -> None:
    assert not is_backchannel(text)


@pytest.mark.parametrize(
    ("text", "farewell"),
    [("Thanks, bye!", True), ("okay, see you", True), ("bye, one more", False), ("", False)],
)
def test_a_farewell_only_answers_a_goodbye(text: str, farewell: bool) -> None:
    assert is_farewell(text) == farewell


def test_words_are_compared_without_case_and_punctuation() -> None:
    assert spoken_words("That’s TWENTY-one, okay?") == ("that's", "twenty-one", "okay")
    assert spoken_words("That’s TWENTY-one, okay?") == spoken_words("that's twenty-one okay")


def test_every_word_that_may_stand_in_one_is_listed() -> None:
    """Redaction leaves these words as they are, so that a tape run again gives the same decisions."""
    for text in ("uh-huh", "got it", "makes sense", "good night", "very good"):
        assert set(spoken_words(text)) <= BACKCHANNEL_WORDS
