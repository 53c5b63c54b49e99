"""Everything with digits in it: prices, times, dates, phone numbers, codes, units, plain numbers.

A table of patterns, tried in order; the first that matches the word says it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from telephony.engine.number_words import (
    MONTHS,
    cardinal,
    clock,
    date,
    decade,
    decimal,
    digits,
    fraction,
    money,
    ordinal,
    plural,
    year,
)
from telephony.engine.spoken_words import CURRENCIES, GLUED_UNITS, NUMBER_IS_A_CODE, SCALES, UNITS

_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
_MERIDIEM = re.compile(r"^([ap])\.?m\.?$", re.IGNORECASE)
_HALF = r"[ap]\.?m\.?"
_MONTH_NAMES = {name.lower() for name in MONTHS} | {
    *("jan. feb. mar. apr. jun. jul. aug. sept. sep. oct. nov. dec.".split()),
    *("jan feb mar apr jun jul aug sept sep oct nov dec".split()),
}
_VULGAR = {"½": "one half", "¼": "one quarter", "¾": "three quarters", "⅓": "one third", "⅔": "two thirds"}
_UNIT = "|".join(sorted((re.escape(unit) for unit in GLUED_UNITS), key=len, reverse=True))

Words = Sequence[str]
Rule = Callable[[re.Match[str], Words, int], str | None]


def say(words: Words, index: int) -> str | None:
    """What is said for a word that has to do with numbers; None for any other word."""
    word = words[index]
    meridiem = _MERIDIEM.match(word)
    if meridiem and ("." in word or _is_number(_at(words, index - 1))):
        return f"{'ay' if meridiem[1].lower() == 'a' else 'pee'} em"
    if word in _VULGAR:
        return ("and " if _is_number(_at(words, index - 1)) else "") + _VULGAR[word]
    trailing = _behind_number(words, index)
    if trailing is not None:
        return trailing
    if not any(letter.isdigit() for letter in word):
        return None
    for pattern, rule in _RULES:
        match = pattern.match(word)
        if match:
            said = rule(match, words, index)
            if said is not None:
                return said
    return None


def _at(words: Words, index: int) -> str:
    return words[index] if 0 <= index < len(words) else ""


def _is_number(word: str) -> bool:
    return bool(re.fullmatch(rf"[$€£¥]?(?:{_NUMBER})|\d{{1,2}}:\d\d", word))


def _behind_number(words: Words, index: int) -> str | None:
    """Units, and the currency that waits behind "$5 million"."""
    word, before = words[index], _at(words, index - 1)
    if word.lower() in SCALES and before[:1] in CURRENCIES:
        return f"{word} {plural(CURRENCIES[before[0]][0])}"
    if re.fullmatch(_NUMBER, before) and (word in UNITS or word.lower() in UNITS and len(word) > 1):
        unit = UNITS.get(word) or UNITS[word.lower()]
        return unit if before == "1" else plural(unit)
    if re.fullmatch(r"\d/\d{1,2}", before) and word.lower() in UNITS and len(word) > 1:
        return UNITS[word.lower()]  # three quarters ounce
    return None


def _plain(match: re.Match[str], words: Words, index: int) -> str | None:
    """A number by itself: a code, a year, a day of a month, or an amount."""
    text, before, after = match[0], _at(words, index - 1).lower(), _at(words, index + 1).lower()
    if "," in text or "." in text:
        return decimal(text)
    if before in _MONTH_NAMES and len(text) <= 2:
        return ordinal(int(text))
    if len(text) <= 2 and after in _MONTH_NAMES:
        return ordinal(int(text))
    if text[0] == "0" and len(text) > 1 or _is_code(words, index) or len(text) >= 7:
        return digits(text)
    if len(text) == 4 and "1100" <= text <= "2099" and after not in UNITS:
        return year(int(text))
    if len(text) in (5, 6) and not text.endswith("00"):
        return digits(text)
    return cardinal(int(text))


def _is_code(words: Words, index: int) -> bool:
    for back in range(1, 4):
        word = _at(words, index - back).lower()
        if word in NUMBER_IS_A_CODE:
            return len(words[index]) >= 3 or back == 1
        if word not in ("number", "is", "in", "of", "#", "no.", "your"):
            return False
    return False


def _price(match: re.Match[str], words: Words, index: int) -> str:
    unit, cent = CURRENCIES[match[1]]
    if match[3]:
        scale = {"k": "thousand", "m": "million", "b": "billion"}[match[3].lower()]
        return f"{decimal(match[2])} {scale} {plural(unit)}"
    if _at(words, index + 1).lower() in SCALES:
        return decimal(match[2])
    return money(match[2], unit, cent)


def _price_each(match: re.Match[str], words: Words, index: int) -> str:
    """ "$5/month"."""
    each = UNITS.get(match[4].lower(), match[4])
    return f"{_price(match, words, index)} {'an' if each[0] in 'aeio' or each == 'hour' else 'a'} {each}"


def _price_range(match: re.Match[str], words: Words, index: int) -> str:
    return f"{decimal(match[2])} to {money(match[3], *CURRENCIES[match[1]])}"


def _time(match: re.Match[str], words: Words, index: int) -> str | None:
    hour, minute = int(match[1]), int(match[2])
    if hour > 24 or minute > 59:
        return None
    half_named = bool(match[3]) or bool(_MERIDIEM.match(_at(words, index + 1)))
    return clock(hour, minute, half_named=half_named) + _half(match[3])


def _time_range(match: re.Match[str], words: Words, index: int) -> str:
    ends = [
        clock(int(match[first]), int(match[first + 1] or 0), half_named=True) + _half(match[first + 2])
        for first in (1, 4)
    ]
    return " to ".join(ends)


def _half(written: str | None) -> str:
    return {"am": " ay em", "pm": " pee em"}.get((written or "").replace(".", "").lower(), "")


def _hour(match: re.Match[str], words: Words, index: int) -> str:
    return cardinal(int(match[1])) + _half(match[2] + "m")


def _phone(match: re.Match[str], words: Words, index: int) -> str:
    groups = re.findall(r"\d+", match[0])
    if len(groups) == 1 and len(groups[0]) >= 10:  # +14155550123
        number = groups[0]
        groups = [part for part in (number[:-10], number[-10:-7], number[-7:-4], number[-4:]) if part]
    said = ", ".join("eight hundred" if group == "800" else digits(group) for group in groups)
    return f"plus {said}" if match[0].startswith("+") else said


def _local_phone(match: re.Match[str], words: Words, index: int) -> str:
    return f"{digits(match[1])}, {digits(match[2])}"


def _area_code(match: re.Match[str], words: Words, index: int) -> str | None:
    """Three digits before "555-0123" or "555 0123" are an area code, "+1" before it the country's."""
    follows = _at(words, index + 1)
    if re.fullmatch(r"\d{3}-\d{4}", follows) or (
        re.fullmatch(r"\d{3}", follows) and re.fullmatch(r"\d{4}", _at(words, index + 2))
    ):
        return digits(match[0]) + ","
    if re.fullmatch(r"\d{4}", follows) and re.fullmatch(r"\d{3}", _at(words, index - 1)):
        return digits(match[0]) + ","
    return None


def _last_four(match: re.Match[str], words: Words, index: int) -> str | None:
    groups = (_at(words, index - 2), _at(words, index - 1))
    return digits(match[0]) if all(re.fullmatch(r"\d{3}", group) for group in groups) else None


def _date(match: re.Match[str], words: Words, index: int) -> str | None:
    month, day = int(match[1]), int(match[2])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    if match[3] is None and month < day <= 10 and _at(words, index + 1) in ("cup", "teaspoon", "of", "inch"):
        return None
    in_year = match[3] and int(match[3]) + (2000 if len(match[3]) == 2 else 0)
    return date(month, day, in_year or None)


def _iso_date(match: re.Match[str], words: Words, index: int) -> str | None:
    month, day = int(match[2]), int(match[3])
    return date(month, day, int(match[1])) if 1 <= month <= 12 and 1 <= day <= 31 else None


def _fraction(match: re.Match[str], words: Words, index: int) -> str | None:
    upper, lower = int(match[1]), int(match[2])
    if (lower in (2, 3, 4, 8, 16) and upper < lower) or (upper == 1 and lower <= 10):
        words_before = _at(words, index - 1)
        return ("and " if words_before.isdigit() else "") + fraction(upper, lower)
    return None


def _measure(match: re.Match[str], words: Words, index: int) -> str | None:
    text = match[2]
    unit = GLUED_UNITS.get(text) or GLUED_UNITS.get(text.lower())
    if unit is None or (text in ("g", "G", "K") and len(text) == 1 and text.isupper() and text != "K"):
        return None
    return f"{decimal(match[1])} {unit if match[1] == '1' or text.lower() == 'k' else plural(unit)}"


def _version(match: re.Match[str], words: Words, index: int) -> str:
    """ "v2.0.1", "192.168.0.1"."""
    said = " point ".join(cardinal(int(part)) for part in match[2].split("."))
    return f"version {said}" if match[1] else said


_RULES: tuple[tuple[re.Pattern[str], Rule], ...] = tuple(
    (re.compile(f"^(?:{pattern})$", re.IGNORECASE), rule)
    for pattern, rule in (
        (rf"([$€£¥])({_NUMBER})([kmb])?", _price),
        (rf"([$€£¥])({_NUMBER})()/([a-z]+)", _price_each),
        (rf"([$€£¥])({_NUMBER})[-–](?:[$€£¥])?({_NUMBER})", _price_range),
        (rf"({_NUMBER})¢", lambda match, words, index: money(f"0.{int(match[1]):02d}", "dollar", "cent")),
        (rf"({_NUMBER})%", lambda match, words, index: f"{decimal(match[1])} percent"),
        (
            rf"({_NUMBER})[-–]({_NUMBER})%",
            lambda match, words, index: f"{decimal(match[1])} to {decimal(match[2])} percent",
        ),
        (rf"(\d{{1,2}}):(\d\d)({_HALF})?", _time),
        (rf"(\d{{1,2}})(?::(\d\d))?({_HALF})?[-–](\d{{1,2}})(?::(\d\d))?({_HALF})", _time_range),
        (rf"(\d{{1,2}}):(\d\d)({_HALF})?[-–](\d{{1,2}}):(\d\d)({_HALF})?", _time_range),
        (r"(\d{1,2})([ap])\.?m\.?", _hour),
        (r"(\d{1,2})/(\d{1,2})/(\d{4}|\d\d)", _date),
        (r"(\d{4})-(\d\d)-(\d\d)", _iso_date),
        (r"(\d{1,2})/(\d{1,2})", _fraction),
        (r"(\d{1,2})/(\d{1,2})()?", lambda match, words, index: _short_date(match)),
        (r"\+?\d{0,3}[-. ]?\(?\d{3}\)?[-. ]\d{3}[-. ]\d{4}|\+\d{10,15}", _phone),
        (r"(\d{3})-(\d{4})", _local_phone),
        (r"\+\d{1,3}", lambda match, words, index: f"plus {digits(match[0])}"),
        (r"\d{3}", _area_code),
        (r"\d{4}", _last_four),
        (r"(\d+)(?:st|nd|rd|th)", lambda match, words, index: ordinal(int(match[1]))),
        (r"'?(\d0)s|(\d{3}0)s", lambda match, words, index: decade(int(match[1] or match[2]))),
        (r"#(\d+)", lambda match, words, index: f"number {_plain_digits(match[1])}"),
        (_NUMBER, _plain),
        (rf"-({_NUMBER})", lambda match, words, index: f"minus {decimal(match[1])}"),
        (rf"\+({_NUMBER})", lambda match, words, index: f"plus {decimal(match[1])}"),
        (rf"({_NUMBER})({_UNIT})", _measure),
        (r"(\d)'(\d{1,2})\"?", lambda match, words, index: f"{_feet(match[1])} {cardinal(int(match[2]))}"),
        (
            r"(1[1-9]\d\d|20\d\d)[-–](1[1-9]\d\d|20\d\d)",
            lambda match, words, index: f"{year(int(match[1]))} to {year(int(match[2]))}",
        ),
        (r"(v?)(\d+(?:\.\d+){2,})", _version),
        (
            rf"({_NUMBER})[-–]({_NUMBER})",
            lambda match, words, index: f"{decimal(match[1])} to {decimal(match[2])}",
        ),
        (r"(\d+)x", lambda match, words, index: f"{cardinal(int(match[1]))} times"),
        (r"(\d+)([½¼¾⅓⅔])", lambda match, words, index: f"{cardinal(int(match[1]))} and {_VULGAR[match[2]]}"),
        (r"(\d+)-([a-z]+)(?:-([a-z]+))?", lambda match, words, index: _hyphened(match)),
    )
)


def _short_date(match: re.Match[str]) -> str | None:
    month, day = int(match[1]), int(match[2])
    return date(month, day) if 1 <= month <= 12 and 1 <= day <= 31 else None


def _feet(number: str) -> str:
    return f"{cardinal(int(number))} {'foot' if number == '1' else 'feet'}"


def _plain_digits(text: str) -> str:
    return cardinal(int(text)) if len(text) <= 2 else digits(text)


def _hyphened(match: re.Match[str]) -> str:
    """ "2-bedroom", "30-year-old"."""
    return " ".join(part for part in (cardinal(int(match[1])), match[2], match[3]) if part)
