"""Inverse text normalization (ITN), and its reverse: digits <-> the words that were probably said. PURE.

Recognizers write "4, 1, 5" or "2:30 p.m." as they please; without `numerals` a text has words only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from telephony.speak.number_words import cardinal, ordinal

DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGIT_WORDS: Final = frozenset({*DIGITS, "oh", "o", "double", "triple"})
"""What is said when digits are dictated."""

_SIGNS: Final = {"%": "percent", "&": "and", "#": "number", "+": "plus", "@": "at", "=": "equals"}
_COIN: Final = {
    "$": ("dollar", "cent", "cents"),
    "£": ("pound", "penny", "pence"),
    "€": ("euro", "cent", "cents"),
}
_DIGITS_AND_SIGNS: Final = re.compile(r"[0-9$%&#+@=]")
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
    """One written word as the words it was spoken as; without digits and signs it is returned as it is."""
    if not _DIGITS_AND_SIGNS.search(word):
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


_VALUES: Final = {word: value for value in range(20) for word in [cardinal(value)]} | {
    cardinal(tens): tens for tens in range(20, 100, 10)
}
_SCALES: Final = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_INSIDE: Final = frozenset({"oh", "o"})  # zero, but only between digits


def with_digits(words: Sequence[str]) -> list[tuple[str, int, int]]:
    """Number words as digits (ITN): (text, first word, after the last); other words as they are.

    Digits said one by one become one number ("four one five" -> "415"), "twenty three" is 23. A lone "one"
    stays: it is seldom a number.
    """
    found: list[tuple[str, int, int]] = []
    at = 0
    while at < len(words):
        after = _run_end(words, at)
        text = _digits(words[at:after]) if after > at else ""
        if text:
            found.append((text, at, after))
            at = after
        else:
            found.append((words[at], at, at + 1))
            at += 1
    return found


def _run_end(words: Sequence[str], at: int) -> int:
    """Where the number words that begin at `at` end; a mark that ends a sentence ends them, too."""
    end = at
    while end < len(words):
        plain = _plain(words[end])
        parts = plain.split("-")
        # "7-3-0-4" is dictation; "415-555-0132" is written as it should be.
        known = all(part in _VALUES or (part.isdigit() and len(part) == 1) for part in parts)
        known = known or plain.isdigit()
        if not (known or (end > at and (plain in _SCALES or plain in _INSIDE))):
            break
        end += 1
        if words[end - 1][-1] in ".?!;":
            break
    while end > at and _plain(words[end - 1]) in _INSIDE:
        end -= 1
    return end


def _digits(words: Sequence[str]) -> str:
    """One run of number words as digits; "" where it must stay as it is."""
    parts = [part for word in words for part in _plain(word).split("-")]
    if parts == ["one"]:
        return ""
    mark = words[-1][-1] if words[-1][-1] in ".,?!;:" else ""
    groups = _groups(parts)
    digits_only = all(len(group) == 1 for group in groups) or any(part.isdigit() for part in parts)
    return ("" if digits_only else " ").join(groups) + mark


def _groups(parts: Sequence[str]) -> list[str]:
    """The numbers in a run of number words: "twenty", "three", "five" -> "23", "5"."""
    groups: list[str] = []
    total, current, begun = 0, 0, False
    for part in parts:
        if scale := _SCALES.get(part):
            if scale == 100:
                current = max(1, current) * 100
            else:
                total, current = total + max(1, current) * scale, 0
            begun = True
            continue
        number = 0 if part in _INSIDE else int(part) if part.isdigit() else _VALUES[part]
        if begun and not part.isdigit() and _joins(total, current, number):
            current += number
            continue
        if begun:
            groups.append(str(total + current))
        total, current, begun = 0, number, not part.isdigit()
        if part.isdigit():
            groups.append(part)  # as written, zeros before it included
    return [*groups, str(total + current)] if begun else groups


def _joins(total: int, current: int, number: int) -> bool:
    """Whether a number goes on: twenty + three, three hundred + twelve, two thousand + five."""
    if number == 0:
        return False
    if current == 0:
        return total > 0
    if current % 100 == 0:
        return number < 100
    return current % 10 == 0 and current % 100 >= 20 and number < 10


def _plain(word: str) -> str:
    return re.sub(r"[^\w-]", "", word).lower()
