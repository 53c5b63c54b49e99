"""Hours, dates, years and the spans between two of them, as they are written -> as they are said. PURE."""

from __future__ import annotations

import re

from telephony.speak.number_words import MONTHS, cardinal, clock, date, decade, ordinal, plural, year
from telephony.speak.spoken_rule import Rules, Words, at, rules

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SHORT_DAYS = "mon tue tues wed thu thur thurs fri sat sun".split()
_SHORT_MONTHS = "jan feb mar apr jun jul aug sept sep oct nov dec".split()
DAY_NAMES = {
    **{short: day for short in _SHORT_DAYS for day in DAYS if day.lower().startswith(short)},
    **{day.lower(): day for day in DAYS},
}
MONTH_NAMES = {
    **{short: month for short in _SHORT_MONTHS for month in MONTHS if month.lower().startswith(short)},
    **{month.lower(): month for month in MONTHS},
}
_NAME = "|".join(sorted({*DAY_NAMES, *MONTH_NAMES}, key=len, reverse=True))
_MONTH = "|".join(sorted(MONTH_NAMES, key=len, reverse=True))
_HALF = r"[ap]\.?m\.?"
_CLOCK = r"(\d{1,2})[:.](\d\d)"
_ZONE = r"(?P<zone>z|[-+]\d\d:?\d\d)?"

MERIDIEM = re.compile(r"^([ap])\.?m\.?$", re.IGNORECASE)
NAMED_RANGE = re.compile(rf"^({_NAME})\.?[-–/]({_NAME})\.?$", re.IGNORECASE)
RANGE_DASH = (
    r"(?<=noon)[-–](?=\d)|(?<=midnight)[-–](?=\d)|(?<=\d)[-–](?=(?:noon|midnight)\b)|"
    r"(?<=[ap]m)[-–](?=(?:noon|midnight)\b)|"
    rf"(?<=[ap]m)[-–](?=\d|{_NAME})|(?<=[ap]\.m\.)[-–](?=\d|{_NAME})|(?<=\d)[-–](?=(?:{_NAME})\b(?![-/.]\d))"
    rf"|(?<=day)–(?=(?:{_NAME})\b)|(?<=\b[a-z]{{3}})–(?=(?:{_NAME})\b)|(?<=[a-z])–(?=(?:{_MONTH})\b)"
)
"""A dash between two times or days of which one is a word: "9 AM-5 PM", "May 3–June 5"."""

_BEFORE_A_YEAR = frozenset(
    "in of since by from until till to year early late mid before after around circa about spring summer "
    "autumn fall winter fiscal ad class the and or between through during".split()
) | {*MONTH_NAMES}
_IN_A_DECADE = frozenset("the his her their my your our its early late mid".split())


def is_month(word: str) -> bool:
    return word.lower().rstrip(".") in MONTH_NAMES


def before_a_year(word: str) -> bool:
    """Whether four digits behind this word are a year rather than an amount."""
    return word.lower().rstrip(".") in _BEFORE_A_YEAR or bool(re.fullmatch(r"\d{1,2}(st|nd|rd|th)?", word))


def _kind(word: str) -> str:
    """What a word is the end of a span of; "" for none."""
    bare = word.lower().rstrip(".")
    if bare in DAY_NAMES or is_month(bare):
        return "name"
    if re.fullmatch(r"\d+(st|nd|rd|th)", bare):
        return "ordinal"
    if bare in ("noon", "midnight"):
        return "number"
    return "number" if any(letter.isdigit() for letter in bare) or is_half(word) else ""


def spans(words: Words, index: int) -> str:
    """What a dash that stands alone says between two hours, amounts, days or months: "to", or "minus"."""
    left, right = _kind(at(words, index - 1)), _kind(at(words, index + 1))
    if left == right == "number" and at(words, index + 2) == "=":
        return "minus"
    return "to" if left and right and (left == right or "name" in (left, right)) else ""


def is_half(word: str) -> bool:
    return bool(MERIDIEM.match(word))


def half(written: str | None) -> str:
    """ " ay em" for a.m., " pee em" for p.m., however they are written."""
    return {"am": " ay em", "pm": " pee em"}.get((written or "").replace(".", "").lower(), "")


def _time(match: re.Match[str], words: Words, index: int) -> str | None:
    hour, minute = int(match[1]), int(match[2])
    if hour > 24 or minute > 59:
        return None
    after = at(words, index + 1)
    half_named = bool(match[3]) or is_half(after) or after.lower() in ("hours", "o'clock")
    return clock(hour, minute, half_named=half_named) + half(match[3])


def _dotted_time(match: re.Match[str], words: Words, index: int) -> str | None:
    """ "7.30pm", and "7.30 p.m."; alone it is a number."""
    return _time(match, words, index) if match[3] or is_half(at(words, index + 1)) else None


def _seconds(match: re.Match[str], words: Words, index: int) -> str | None:
    said = _time_of_day(match[1], match[2], match[3])
    return said and said + half(match[4])


def _time_of_day(hour: str, minute: str, second: str | None) -> str | None:
    if int(hour) > 24 or int(minute) > 59 or int(second or 0) > 60:
        return None
    said = clock(int(hour), int(minute), half_named=False)
    if not int(second or 0):
        return said
    unit = "second" if int(second or 0) == 1 else "seconds"
    return f"{said} and {cardinal(int(second or 0))} {unit}"


def _time_range(match: re.Match[str], words: Words, index: int) -> str | None:
    """Two hours of which one is named a.m. or p.m., perhaps by the word behind."""
    named = bool(match[3] or match[6] or is_half(at(words, index + 1)))
    if not named and (not (match[2] and match[5]) or "." in match[0]):
        return None
    ends = []
    for first in (1, 4):
        hour, minute = int(match[first]), int(match[first + 1] or 0)
        if hour > 24 or minute > 59:
            return None
        ends.append(clock(hour, minute, half_named=named) + half(match[first + 2]))
    return " to ".join(ends)


def _hour(match: re.Match[str], words: Words, index: int) -> str:
    return cardinal(int(match[1])) + half(match[2] + "m")


def _hour_and_minute(match: re.Match[str], words: Words, index: int) -> str | None:
    """ "14h30" is an hour of the day, "2h30m" a length of time."""
    if not match[3]:
        return _time(match, words, index)
    hours, minutes = int(match[1]), int(match[2])
    return f"{_counted(hours, 'hour')} {_counted(minutes, 'minute')}"


def _counted(number: int, unit: str) -> str:
    return f"{cardinal(number)} {unit if number == 1 else plural(unit)}"


def _minutes(match: re.Match[str], words: Words, index: int) -> str | None:
    """The minutes of "2h 30m", which are not meters."""
    return _counted(int(match[1]), "minute") if re.fullmatch(r"\d+h", at(words, index - 1)) else None


def _day(month: int, day: int, in_year: int | None = None) -> str | None:
    return date(month, day, in_year) if 1 <= month <= 12 and 1 <= day <= 31 else None


def _date(match: re.Match[str], words: Words, index: int) -> str | None:
    """The American order, month first; the other where only that can be."""
    return _in_order(int(match[1]), int(match[2]), match[3])


def _day_first(match: re.Match[str], words: Words, index: int) -> str | None:
    """ "28.11.2026", as it is written where a point stands between."""
    return _in_order(int(match[2]), int(match[1]), match[3])


def _in_order(month: int, day: int, written_year: str) -> str | None:
    in_year = int(written_year) + (2000 if len(written_year) == 2 else 0)
    return _day(month, day, in_year) or _day(day, month, in_year)


def _iso_date(match: re.Match[str], words: Words, index: int) -> str | None:
    said = _day(int(match[2]), int(match[3]), int(match[1]))
    follows = re.match(r"\d\d:\d\d", at(words, index + 1))
    return f"{said}, at" if said and follows else said


def _iso_month(match: re.Match[str], words: Words, index: int) -> str | None:
    if not 1 <= int(match[2]) <= 12:
        return None
    return f"{MONTHS[int(match[2]) - 1]} {year(int(match[1]))}"


def _month_and_year(match: re.Match[str], words: Words, index: int) -> str:
    return f"{MONTHS[int(match[1]) - 1]} {year(int(match[2]))}"


def _fiscal(match: re.Match[str], words: Words, index: int) -> str:
    """ "FY2026"."""
    return f"{'eff' if match[1].upper() == 'FY' else 'see'} why {year(int(match[2]))}"


def _iso_time(match: re.Match[str], words: Words, index: int) -> str | None:
    """ "2026-11-28T14:30:00Z", with or without signs between."""
    day = _day(int(match[2]), int(match[3]), int(match[1]))
    hour = _time_of_day(match[4], match[5], match[6])
    return f"{day}, at {hour}{_zone(match['zone'])}" if day and hour else None


def _zoned_time(match: re.Match[str], words: Words, index: int) -> str | None:
    """ "T14:30:00+01:00", the time alone."""
    hour = _time_of_day(match[1], match[2], match[3])
    return f"{hour}{_zone(match['zone'])}" if hour else None


def _zone(written: str | None) -> str:
    if not written:
        return ""
    if written in "zZ" or not written[1:].replace(":", "").strip("0"):
        return " you tee see"
    return f" you tee see{_offset(written[0], written[1:3], written[-2:])}"


def _offset(sign: str, hours: str, minutes: str) -> str:
    said = f" {'minus' if sign == '-' else 'plus'} {cardinal(int(hours))}"
    return f"{said} {cardinal(int(minutes))}" if int(minutes or 0) else said


def _utc(match: re.Match[str], words: Words, index: int) -> str:
    zone = "you tee see" if match[1].lower() == "utc" else "gee em tee"
    return zone + _offset(match[2], match[3], match[4] or "0")


def _named_date(match: re.Match[str], words: Words, index: int) -> str | None:
    """ "28-Nov-2026"."""
    month = MONTHS.index(MONTH_NAMES[match[2].lower()]) + 1
    return _in_order(month, int(match[1]), match[3])


def _days_of_a_month(match: re.Match[str], words: Words, index: int) -> str | None:
    """The days of "May 3–5"."""
    if not is_month(at(words, index - 1)) and not is_month(at(words, index + 1)):
        return None
    return f"{ordinal(int(match[1]))} to {ordinal(int(match[2]))}"


def _years(match: re.Match[str], words: Words, index: int) -> str:
    low, high = int(match[1]), int(match[2])
    if len(match[2]) == 2:
        high += low // 100 * 100
    return f"{year(low)} to {year(high)}"


def _decade(match: re.Match[str], words: Words, index: int) -> str | None:
    """ "the '90s", "the 1990s"; "30s" alone are seconds."""
    digits = match[2] or match[3]
    before = at(words, index - 1).lower().rstrip("-")
    if len(digits) == 2 and not match[1] and "'" not in match[0] and before not in _IN_A_DECADE:
        return None
    if len(digits) == 4 and digits.endswith("00") and not digits.endswith("000"):
        return f"{cardinal(int(digits) // 100)} hundreds"
    return decade(int(digits))


def hour_behind(words: Words, index: int) -> str | None:
    """ "h" and "hrs" behind an hour of the day, which say nothing more: "at 14:30 h"."""
    is_hour = re.fullmatch(r"\d{1,2}:\d\d", at(words, index - 1))
    return "" if is_hour and words[index].lower() in ("h", "hrs", "uhr") else None


RULES: Rules = rules(
    (rf"(\d{{1,2}}):(\d\d)({_HALF})?h?", _time),
    (rf"(\d{{1,2}})\.(\d\d)({_HALF})?", _dotted_time),
    (rf"(\d{{1,2}}):(\d\d):(\d\d)(?:\.\d+)?({_HALF})?", _seconds),
    (r"(\d{1,2})h(\d\d)(m|min)?", _hour_and_minute),
    (r"(\d{1,2})m", _minutes),
    (rf"(\d{{1,2}})(?:[:.](\d\d))?({_HALF})?[-–](\d{{1,2}})(?:[:.](\d\d))?({_HALF})?", _time_range),
    (r"(\d{1,2})([ap])\.?m\.?", _hour),
    (r"(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d\d)", _date),
    (r"(\d{1,2})\.(\d{1,2})\.(\d{4}|\d\d)", _day_first),
    (r"((?:1[5-9]|20)\d\d)[-/.](\d{1,2})[-/.](\d{1,2})", _iso_date),
    (r"((?:19|20)\d\d)-(0\d|1[012])", _iso_month),
    (r"(0?[1-9]|1[012])/((?:19|20)\d\d)", _month_and_year),
    (r"([FC]Y)((?:19|20)\d\d)", _fiscal),
    (rf"(\d{{4}})-?(\d\d)-?(\d\d)T(\d\d):?(\d\d)(?::?(\d\d)(?:[.,]\d+)?)?{_ZONE}", _iso_time),
    (rf"T?(\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?{_ZONE}", _zoned_time),
    (r"(UTC|GMT)([-+])(\d{1,2})(?::?(\d\d))?", _utc),
    (rf"(\d{{1,2}})[-/. ]({_MONTH})[-/. ](\d{{4}}|\d\d)", _named_date),
    (r"(\d{1,2})(?:st|nd|rd|th)?[-–](\d{1,2})(?:st|nd|rd|th)?", _days_of_a_month),
    (r"(1[1-9]\d\d|20\d\d)[-–](1[1-9]\d\d|20\d\d|\d\d)", _years),
    (r"(')?(\d0)'?s|(\d{3}0)'?s", _decade),
)
