"""Figures in recognized text -> the words that were probably said. PURE.

Recognizers write "4, 1, 5" or "2:30 p.m." as they please; without `numerals` a text has words only.
"""

from __future__ import annotations

import re
from typing import Final

from telephony.engine.number_words import cardinal, ordinal

DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGIT_WORDS: Final = frozenset({*DIGITS, "oh", "o", "double", "triple"})
"""What is said when digits are dictated."""

_SIGNS: Final = {"%": "percent", "&": "and", "#": "number", "+": "plus", "@": "at", "=": "equals"}
_COIN: Final = {
    "$": ("dollar", "cent", "cents"),
    "£": ("pound", "penny", "pence"),
    "€": ("euro", "cent", "cents"),
}
_FIGURES: Final = re.compile(r"[0-9$%&#+@=]")
_TOKEN: Final = re.compile(
    r"(?P<money>[$£€]\d[\d,]*(?:\.\d\d)?)"
    r"|(?P<clock>\d{1,2}[:.][0-5]\d(?!\d))"
    r"|(?P<ordinal>\d+(?:st|nd|rd|th)\b)"
    r"|(?P<grouped>\d{1,3}(?:,\d{3})+)"
    r"|(?P<decimal>\d+\.\d+)"
    r"|(?P<number>\d+)"
    r"|(?P<sign>[%&#+@=])"
    r"|(?P<letters>[^\W\d_][^\W\d]*)"
    r"|(?P<other>.)"
)


def in_words(word: str) -> list[str]:
    """One written word as the words it was spoken as; without figures and signs it is returned as it is."""
    if not _FIGURES.search(word):
        return [word]
    words: list[str] = []
    for match in _TOKEN.finditer(word):
        kind, text = match.lastgroup or "", match[0]
        if kind == "letters":
            words.append(text)
        elif kind != "other":
            words += _said(kind, text)
        elif words and text in ".,?!;:" and match.end() == len(word):
            words[-1] += text  # a mark ends the word; inside of a number (415-0132) it only parts the groups
    return words


def _said(kind: str, text: str) -> list[str]:
    match kind:
        case "money":
            return _money(text)
        case "clock":
            hour, minute = re.split(r"[:.]", text)
            return [*_cardinal(hour), *_minutes(minute)]
        case "ordinal":
            return _apart(ordinal(int(text[:-2])))
        case "grouped":
            return _cardinal(text)
        case "decimal":
            whole, part = text.split(".")
            return [*_number(whole), "point", *_one_by_one(part)]
        case "sign":
            return [_SIGNS[text]]
    return _number(text)


def _number(text: str) -> list[str]:
    """Up to two digits are a number, more are read one by one; years of this age in pairs."""
    if len(text) <= 2 and not (len(text) == 2 and text[0] == "0"):
        return _cardinal(text)
    if 3 <= len(text) <= 4 and not text[1:].strip("0"):
        return _cardinal(text)  # 100, 3000
    if len(text) == 4 and text[:2] in ("19", "20") and text[2] != "0":
        return [*_cardinal(text[:2]), *_cardinal(text[2:])]
    return _one_by_one(text)


def _one_by_one(text: str) -> list[str]:
    return [DIGITS[int(digit)] for digit in text]


def _minutes(text: str) -> list[str]:
    if text == "00":
        return []
    if text[0] == "0":
        return ["oh", DIGITS[int(text[1])]]
    return _cardinal(text)


def _money(text: str) -> list[str]:
    one, cent, cents = _COIN[text[0]]
    whole, _, part = text[1:].replace(",", "").partition(".")
    words = [*_cardinal(whole), one if int(whole) == 1 else one + "s"]
    if part and int(part):
        words += ["and", *_cardinal(part), cent if int(part) == 1 else cents]
    return words


def _cardinal(text: str) -> list[str]:
    return _apart(cardinal(int(text.replace(",", ""))))


def _apart(words: str) -> list[str]:
    return words.replace("-", " ").split()
