"""Digits and letters are found in what callers say, and not in what they do not."""

from __future__ import annotations

import pytest

from telephony.reply.understanding import corrected, digits, letters, plain


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("four one five five five five zero one three two", "4155550132"),
        ("nine four one oh seven", "94107"),
        ("415-555-0132", "4155550132"),
        ("double five triple zero", "55000"),
        ("thirty three four six ninety two", "334692"),
        ("twelve hundred", "1200"),
        ("it's twenty twelve", "2012"),
        ("um my number is five", "5"),
        ("no digits here", ""),
    ],
)
def test_digits_are_found_however_they_are_dictated(text: str, found: str) -> None:
    assert digits(plain(text)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("S M I T H", "smith"),
        ("that's T I L L E Y", "tilley"),
        ("S. M. I. T. H.", "smith"),
        ("t as in tango i double l e y", "tilley"),
        ("kilo alpha nine", "ka"),
        ("are you why", ""),
        ("I am a teapot", ""),
    ],
)
def test_letters_are_found_where_a_word_is_spelled(text: str, found: str) -> None:
    assert letters(plain(text)) == found


def test_only_words_close_to_the_script_s_are_corrected() -> None:
    assert (
        corrected("a smal expresso latter on", ["small", "espresso", "latte"]) == "a small espresso latter on"
    )


def test_plain_text_has_no_capitals_and_no_punctuation() -> None:
    assert plain("  I’d like TWO — 'lattes', please!  ") == "i'd like two lattes please"
