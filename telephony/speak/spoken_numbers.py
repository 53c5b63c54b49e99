"""Everything with digits in it: amounts, measures, fractions, ranges, versions, codes, plain numbers. PURE.

A table of patterns, tried in order; the first that matches the word says it. Money, times and codes have
modules of their own.
"""

from __future__ import annotations

import re
import unicodedata

from telephony.speak import spoken_money, spoken_times
from telephony.speak.number_words import (
    cardinal,
    date,
    decimal,
    digits,
    fraction,
    ordinal,
    plural,
    year,
)
from telephony.speak.spoken_codes import (
    code,
    in_groups,
    is_code,
    is_service_number,
    may_be_counted,
    say_international,
    spell,
)
from telephony.speak.spoken_rule import (
    NUMBER,
    Rules,
    Words,
    american,
    at,
    first_said,
    is_number,
    rules,
)
from telephony.speak.spoken_times import MERIDIEM, before_a_year, half, is_month
from telephony.speak.spoken_units import CAPITAL_UNITS, GLUED_UNITS, NO_UNITS, TWO_WORD_UNITS, unit_of

_VULGAR = {
    sign: fraction(int(upper), int(lower))
    for sign in "½¼¾⅓⅔⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"
    for upper, lower in [unicodedata.normalize("NFKC", sign).split("\u2044")]
}
_OTHER_UNITS = ("ºc", "ºf", "º", "μm", "μg")  # signs that look like those of UNITS
_UNIT = "|".join(
    re.escape(unit)
    for unit in sorted({*GLUED_UNITS, *CAPITAL_UNITS, "ºc", "ºf", "º", "μm", "μg"}, key=len, reverse=True)
)
_SIGNS = {"-": "minus ", "+": "plus ", "~": "about ", "≈": "about ", "±": "plus or minus "} | {
    **{"<": "less than ", ">": "more than ", "≤": "at most ", "≥": "at least ", "": ""},
}
_MOST_DIGITS = 40  # more are not an amount that anybody can follow, and too many for int()
_ABOUT_CALLS = frozenset("calls services operators dispatchers emergencies".split())
_MANY = frozenset(
    "people users views downloads followers customers subscribers records rows visitors".split()
)
_SCREENS = frozenset("tv video screen monitor display resolution camera".split())
_NOT_COUNTED = frozenset("was has this always plus across unless less thus its yes perhaps".split())
_COUNTED = frozenset("people men women children percent feet steps percentage units more other".split())


def say(words: Words, index: int) -> str | None:
    """What is said for a word that has to do with numbers; None for any other word."""
    word, before = words[index], at(words, index - 1)
    if sum(map(str.isdigit, word)) > _MOST_DIGITS:
        return code(word, spelled=True) or digits(word)
    meridiem = MERIDIEM.match(word)
    if meridiem and ("." in word or re.search(r"\d$", before)):
        return half(meridiem[1] + "m").strip()
    if word in _VULGAR:
        return ("and " if is_number(before) else "") + _VULGAR[word]
    for behind in (spoken_money.say, spoken_times.hour_behind, _unit_behind):
        said = behind(words, index)
        if said is not None:
            return said
    if not any(letter.isdigit() for letter in word):
        return None
    if is_service_number(words, index) and (
        at(words, index + 1) in _ABOUT_CALLS or not is_counted(words, index)
    ):
        return digits(word)
    return first_said(_RULES, words, index)


def _unit_behind(words: Words, index: int) -> str | None:
    """A unit that is a word of its own: "5 kg", "100 km/h", "800 sq. ft.", "3/4 oz"."""
    word, before = words[index], at(words, index - 1)
    bare = word.rstrip(".")
    if bare.lower() in TWO_WORD_UNITS and is_number(before) and unit_of(at(words, index + 1).rstrip(".")):
        return TWO_WORD_UNITS[bare.lower()]
    if before.rstrip(".").lower() in TWO_WORD_UNITS and is_number(at(words, index - 2)):
        before = at(words, index - 2)
    in_feet = word == "in" and at(words, index - 2).lower().rstrip(".") in ("ft", "feet", "foot", "'")
    if (word == "in." or in_feet) and is_number(before):
        return "inch" if before == "1" else "inches"
    if word in ("C", "F") and re.fullmatch(r"[-+]?\d+°|[-+]\d+|degrees?", before):
        degrees = "degrees " if before[-1].isdigit() else ""
        return degrees + ("Celsius" if word == "C" else "Fahrenheit")
    if word in ("K", "M", "B") and is_number(before) and re.fullmatch(r"[a-z]{4,}", at(words, index + 1)):
        return CAPITAL_UNITS[word]
    unit = unit_of(bare)
    if unit is None or (len(bare) == 1 and bare.isupper() and bare not in "LVW"):
        return None
    if re.fullmatch(rf"(?:[-+]|{NUMBER}[-–])?{NUMBER}", before):
        return unit if before.lstrip("+-") == "1" else plural(unit)
    if re.fullmatch(r"\d/\d{1,2}", before) and len(bare) > 1:
        return unit  # three quarters ounce
    if before in _VULGAR or re.fullmatch(r"\d+[½¼¾⅓⅔]", before):
        return unit if before in _VULGAR else plural(unit)
    return None


def _plain(match: re.Match[str], words: Words, index: int) -> str | None:
    """A number by itself: a code, a year, a day of a month, or an amount."""
    text, before, after = match[0], at(words, index - 1), at(words, index + 1)
    if before.lower() in ("version", "v", "release", "chapter", "section") and text.count(".") == 1:
        return " point ".join(_part(part) for part in text.split("."))
    if not text.isdigit():
        return decimal(american(text))
    if len(text) <= 2 and (
        is_month(before) and before[:1].isupper() or is_month(after) and after[:1].isupper()
    ):
        return ordinal(int(text))
    if text[0] == "0" and len(text) > 1:
        return in_groups(text)
    if len(text) == 4 and text.endswith("00") and after == "hours":
        return year(int(text))
    noted = is_code(words, index)
    if is_counted(words, index) and (not noted or may_be_counted(words, index)):
        return cardinal(int(text))
    if noted:
        return in_groups(text)
    if len(text) >= 7:
        return cardinal(int(text)) if text.endswith("00000") and len(text) <= 15 else in_groups(text)
    if len(text) == 4 and (
        "1100" <= text <= "2099" or "1010" <= text and before_a_year(before) and text < "2100"
    ):
        return year(int(text))
    if len(text) in (5, 6) and not text.endswith("00"):
        return digits(text)
    return cardinal(int(text))


def is_counted(words: Words, index: int) -> bool:
    """Whether the word behind says that this is an amount: "2000 users", "12345 km"."""
    after, before = at(words, index + 1), at(words, index - 1)
    if unit_of(after.rstrip(".")) and not (len(after) == 1 and after.isupper()):
        return True
    if before_a_year(before) and re.fullmatch(r"1[1-9]\d\d|20\d\d", words[index]):
        return False
    if after in _COUNTED:
        return True
    plural_noun = re.fullmatch(r"[a-z]{3,}s", after) and after not in _NOT_COUNTED
    return bool(plural_noun) and not after.endswith(("ous", "ss"))


def _part(text: str) -> str:
    """A part of a version's number: 11 is eleven, 04 is zero four."""
    return cardinal(int(text)) if len(text) < 4 and (text[0] != "0" or len(text) == 1) else digits(text)


def _signed(match: re.Match[str], words: Words, index: int) -> str:
    return _SIGNS[match[1]] + decimal(american(match[2]))


def _plus(match: re.Match[str], words: Words, index: int) -> str:
    """A country's prefix where digits follow, else an amount."""
    prefix = at(words, index + 1)[:1].isdigit() or at(words, index - 1).lower() in ("code", "prefix")
    return f"plus {digits(match[1]) if prefix else cardinal(int(match[1]))}"


def _percent(match: re.Match[str], words: Words, index: int) -> str:
    return f"{_signed(match, words, index)} {'per mille' if match[3] == '‰' else 'percent'}"


def _percent_range(match: re.Match[str], words: Words, index: int) -> str:
    return f"{decimal(american(match[1]))} to {decimal(american(match[2]))} percent"


def _fraction(match: re.Match[str], words: Words, index: int) -> str | None:
    upper, lower, before = int(match[1]), int(match[2]), at(words, index - 1)
    if not lower:
        return None
    if at(words, index + 1).lower() in ("stars", "points", "people", "questions"):
        return f"{cardinal(upper)} out of {cardinal(lower)}"
    dated = before.lower().rstrip(".") in spoken_times.DAY_NAMES or before.lower() in (
        "on",
        "by",
        "until",
        "due",
    )
    if dated and 1 <= upper <= 12 and 1 <= lower <= 31:
        return date(upper, lower)
    if (lower in (2, 3, 4, 8, 16, 32) and upper < lower) or (upper == 1 and lower <= 10):
        return ("and " if before.isdigit() else "") + fraction(upper, lower)
    if 1 <= upper <= 12 and 1 <= lower <= 31:
        return date(upper, lower)
    if 12 < upper <= 31 and 1 <= lower <= 12 and not upper == lower:
        return date(lower, upper)
    return None


def _over(match: re.Match[str], words: Words, index: int) -> str:
    """ "120/80", a blood pressure."""
    return f"{cardinal(int(match[1]))} over {cardinal(int(match[2]))}"


def _is_lettered(text: str, number: str, after: str) -> bool:
    """Whether a letter behind a whole number is not a unit: "exit 12B", but "12B people", "1.2B"."""
    return text in ("A", "B", "T") and "." not in number and not re.fullmatch(r"[a-z]{4,}|", after)


def _measure(match: re.Match[str], words: Words, index: int) -> str | None:
    sign, number, text = match[1], american(match[2]), match[3]
    after = at(words, index + 1)
    if text in NO_UNITS or _is_lettered(text, number, after):
        return None
    if text == "m" and after in _MANY:
        return f"{_SIGNS[sign]}{decimal(number)} million"
    if text.lower() == "k" and at(words, index + 1).lower() in _SCREENS:
        return f"{decimal(number)} kay"
    name = CAPITAL_UNITS.get(text) or GLUED_UNITS.get(text.lower().replace("º", "°").replace("μ", "µ"))
    if name is None:
        return None
    scale = name in ("thousand", "million", "billion", "trillion")
    return f"{_SIGNS[sign]}{decimal(number)} {name if number == '1' or scale else plural(name)}"


def _measure_per(match: re.Match[str], words: Words, index: int) -> str | None:
    """ "100km/h", "5m/s"."""
    unit = unit_of(f"{match[2]}/{match[3]}")
    if unit is None:
        return None
    return f"{decimal(american(match[1]))} {unit if match[1] == '1' else plural(unit)}"


def _host(match: re.Match[str], words: Words, index: int) -> str:
    """ "192.168.0.1:8080"."""
    said = " dot ".join(digits(part) for part in match[1].split("."))
    return f"{said} colon {digits(match[2])}" if match[2] else said


def _version(match: re.Match[str], words: Words, index: int) -> str:
    """ "v2.0.1", "192.168.0.1"."""
    parts = match[2].split(".")
    said = " point ".join(_part(part) for part in parts)
    stage = re.fullmatch(r"[-]?([a-z]*)[-.]?(\d*)", match[3] or "", re.IGNORECASE)
    if stage and match[3]:
        name = spell(stage[1]) if stage[1].lower() == "rc" else stage[1]
        said = f"{said} {name} {_part(stage[2]) if stage[2] else ''}"
    return f"version {said}" if match[1] and at(words, index - 1).lower() != "version" else said


def _dictated(match: re.Match[str], words: Words, index: int) -> str | None:
    """Digits with dashes that are not a range: "123-45-6789", and "4521-03" after "order"."""
    groups = re.findall(r"\d+", match[0])
    zero = any(group[0] == "0" and len(group) > 1 for group in groups)
    falling = max(map(len, groups)) > 3 and int(groups[0]) >= int(groups[1])
    if len(groups) == 2 and not zero and not falling and not is_code(words, index):
        return None
    return ", ".join(digits(group) for group in groups)


def _range(match: re.Match[str], words: Words, index: int) -> str | None:
    """Two amounts of any kind: "5kg–10kg", "9:00-17:00", "1990s–2000s", "-5–3°C"."""
    low, high = match[1], match[2]
    if re.fullmatch(r"\d{3}0'?s", low) and re.fullmatch(r"\d0'?s", high):
        high = f"'{high}"
    ends = [say([low], 0), say([high], 0)]
    return None if None in ends else f"{ends[0]} to {ends[1]}"


def _either(match: re.Match[str], words: Words, index: int) -> str | None:
    """ "68°F/20°C"."""
    ends = [say([match[1]], 0), say([match[2]], 0)]
    return None if None in ends else f"{ends[0]} or {ends[1]}"


def _and_more(match: re.Match[str], words: Words, index: int) -> str | None:
    """ "10M+"."""
    said = say([match[1]], 0)
    return None if said is None else f"{said} plus"


def _short_number(match: re.Match[str], words: Words, index: int) -> str:
    if at(words, index - 1).lower() in ("press", "dial", "hit", "enter") and match[0][0] == "#":
        return f"pound {digits(match[1])}"
    return f"number {cardinal(int(match[1])) if len(match[1]) <= 2 else digits(match[1])}"


def _star(match: re.Match[str], words: Words, index: int) -> str:
    return f"star {digits(match[1])}{' pound' if match[0].endswith('#') else ''}"


def _vanity(match: re.Match[str], words: Words, index: int) -> str:
    """ "1-800-FLOWERS"."""
    said = []
    for part in re.split(r"[-. ()]+", match[0].strip("()")):
        if part.isdigit():
            said.append("eight hundred" if part == "800" else digits(part))
        else:
            said.append(
                part.lower() if re.search(r"[aeiouy]", part.lower()) and part.isalpha() else code(part)
            )
    return ", ".join(said)


def _extension(match: re.Match[str], words: Words, index: int) -> str | None:
    is_behind = re.search(r"\d$", at(words, index - 1)) or match[1].lower().startswith("ext")
    return f"extension {digits(match[2])}" if is_behind else None


def _figure(match: re.Match[str], words: Words, index: int) -> str:
    """ "No.5", "p.12", "fig.3"."""
    names = {"no": "number", "p": "page", "pp": "pages", "fig": "figure", "ch": "chapter", "vol": "volume"}
    return f"{names[match[1].lower()]} {cardinal(int(match[2]))}"


def _prefixed(match: re.Match[str], words: Words, index: int) -> str | None:
    """ "mid-1990s", "pre-2020", "Catch-22"."""
    said = say([match[1], match[2]], 1)
    return None if said is None else f"{match[1]} {said}"


def _hyphened(match: re.Match[str], words: Words, index: int) -> str:
    """ "2-bedroom", "30-year-old", "2.5-inch"."""
    return f"{decimal(american(match[1]))} {match[2].replace('-', ' ')}"


def _ordinal(match: re.Match[str], words: Words, index: int) -> str:
    return ordinal(int(match[1].replace(",", "")))


def _height(match: re.Match[str], words: Words, index: int) -> str:
    """ "5'10"."""
    return f"{_count(match[1])} {'foot' if match[1] == '1' else 'feet'} {_count(match[2])}"


def _count(number: str) -> str:
    """A length or width; four digits in pairs: 1920 is nineteen twenty."""
    return year(int(number)) if "1010" <= number <= "2999" and len(number) == 4 else cardinal(int(number))


_SIGNED = r"([-+~≈±<>≤≥]?)"
_LIKE_A_NUMBER = r"[-+~]?[$€£¥]?\.?\d[^-–]*"
_STAGE = r"[-]?(?:alpha|beta|rc|dev|preview|a|b)[-.]?\d*"

_RULES: Rules = (
    *spoken_money.RULES,
    *rules(
        (r"(\d{3})-(\d{4})", lambda match, words, index: f"{digits(match[1])}, {digits(match[2])}"),
        (r"\+\d{7,15}", lambda match, words, index: say_international(match[0])),
        (r"\+(\d{1,3})", _plus),
        (r"(?:\+?1[-. ])?\(?\d{3}\)?[-. ](?:\d{1,3}-)?(?-i:[A-Z])[-A-Z]{2,}\d*", _vanity),
        (r"(x|ext\.?)(\d{1,6})", _extension),
        (r"(no|p|pp|fig|ch|vol)\.(\d+)", _figure),
        (r"(\d+/\d+)/\d+-\d+", lambda match, words, index: None),
    ),
    *spoken_times.RULES,
    *rules(
        (rf"{_SIGNED}({NUMBER})(%|‰)", _percent),
        (rf"({NUMBER})[-–]({NUMBER})%", _percent_range),
        (r"(\d{1,3})/(\d{1,3})", _fraction),
        (
            r"(\d+)\^(\d+)",
            lambda match, words, index: f"{_count(match[1])} to the power of {_count(match[2])}",
        ),
        (r"(\d{2,3})/(\d{2,3})", _over),
        (r"((?:\d{1,3},)*\d+)(?:st|nd|rd|th)", _ordinal),
        (r"#(\d+)", _short_number),
        (r"#(\d*[A-Z][A-Z\d-]*|[A-Z\d]+(?:-[A-Z\d]+)+)", lambda match, words, index: code(match[1])),
        (r"\*(\d+)#?", _star),
        (r"(\d+)#", lambda match, words, index: f"{digits(match[1])} pound"),
        (NUMBER, _plain),
        (rf"([-+~≈±<>≤≥])({NUMBER})", _signed),
        (r"(\S*°[CF]?)/(\S*°[CF]?)", _either),
        (rf"({NUMBER}[A-Za-z]+)\+", _and_more),
        (rf"({NUMBER})\+", lambda match, words, index: f"{decimal(american(match[1]))} plus"),
        (rf"([-+~≈±<>≤≥]?)({NUMBER})({_UNIT})", _measure),
        (rf"({NUMBER})([a-zµ]+)/([a-z]+[²³]?)", _measure_per),
        (r"(\d)'(\d{1,2})(?:\"|'')?", _height),
        (r"(\d{1,3}(?:\.\d{1,3}){3})(?::(\d+))?", _host),
        (rf"((?-i:v))(\d+(?:\.\d+)*)({_STAGE})?", _version),
        (rf"(v?)(\d+(?:\.\d+){{2,}})({_STAGE})?", _version),
        (rf"(v?)(\d+\.\d+)({_STAGE})", _version),
        (r"\d+(?:-\d+)+", _dictated),
        (rf"({_LIKE_A_NUMBER})[-–](-?{_LIKE_A_NUMBER})", _range),
        (r"(\d{1,2}):(\d{1,2})", lambda match, words, index: f"{_part(match[1])} to {_part(match[2])}"),
        (
            r"(\d+)[x×](\d+)",
            lambda match, words, index: f"{_count(match[1])} by {_count(match[2])}",
        ),
        (rf"({NUMBER})[x×]", lambda match, words, index: f"{decimal(american(match[1]))} times"),
        (
            rf"(\d+)([{''.join(_VULGAR)}])",
            lambda match, words, index: f"{cardinal(int(match[1]))} and {_VULGAR[match[2]]}",
        ),
        (rf"({NUMBER})-((?-i:[a-z]{{2,}}(?:-[a-z]+)*))", _hyphened),
        (r"((?-i:[A-Z]?[a-z]+))-(.*\d.*)", _prefixed),
    ),
)
