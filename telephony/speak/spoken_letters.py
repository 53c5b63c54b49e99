"""Words, initials, Roman numerals and addresses: what is made of letters, as it is said. PURE."""

from __future__ import annotations

import re
from collections.abc import Sequence

from telephony.speak import spoken_numbers
from telephony.speak.number_words import cardinal, digits, ordinal
from telephony.speak.spoken_codes import code, is_spelled, named_as, spell
from telephony.speak.spoken_rule import at
from telephony.speak.spoken_times import DAY_NAMES, MONTH_NAMES, NAMED_RANGE, is_month
from telephony.speak.spoken_words import (
    ABBREVIATIONS,
    ADDRESS_SIGNS,
    ADDRESS_WORDS,
    COUNTED_BY_ROMANS,
    LETTERED,
    LETTERS,
    RULERS,
    SAID_AS_WORDS,
    SPELLED_DOMAINS,
    STREETS,
    TITLES,
)

INITIALS = re.compile(r"^([A-Za-z]\.){2,}$")
NAME_ABBREVIATIONS = {
    "mar.": "March", "jun.": "June", "jul.": "July", "sat.": "Saturday", "sun.": "Sunday", "fig.": "figure",
}  # fmt: skip
_EMAIL = re.compile(r"^(mailto:)?[\w.+~-]+@[\w-]+(\.[\w-]+)+$")
_URL = re.compile(
    r"^(https?://)?([\w-]+\.)+[a-z]{2,}(:\d+)?([/?#]\S*)?$|^(https?://|localhost:)\S+$", re.IGNORECASE
)
_NO_ADDRESS = re.compile(r"^[a-z]\.[a-z]\.?$|\.[A-Z][a-z]|^[A-Z][a-z]*\.[A-Z]|^\d")
_SPELLED_NAME = re.compile(r"^[A-Za-z0-9](-[A-Za-z0-9]){2,}$")
_CAPITALS = re.compile(r"^([A-Z]{2,})('?s)?$")
_JOINED = re.compile(r"^[A-Z]+(&[A-Z]+)+$")
_MIXED = re.compile(r"^(?=.*[A-Za-z])(?=.*\d)[A-Za-z0-9]+$")
_CODE = re.compile(r"^(?=.*[A-Z])(?=.*\d)[A-Z0-9]+([-/._:#][A-Z0-9]+)*$")
_SEAT = re.compile(r"^\d+[A-Z]$")
_SINGLE_CAPITAL = re.compile(r"^[B-HJ-Z]$")
_ROMAN = re.compile(r"^M{0,3}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})$")
_STREET_NAMES = {*STREETS, *STREETS.values(), "boulevard", "blvd", "way", "parkway"}
_UNSAID = re.compile(r"[^\w\s'.,?!-]", re.UNICODE)
_BEFORE_A_DAY = frozenset("on every by until to from this next".split())
_KEY_WORDS = frozenset("press hit push the then by key with or and a dial enter touch".split())

Words = Sequence[str]


def say(words: Words, index: int, shouted: bool) -> str:
    """What is said for one word, given its neighbours. `shouted`: all of the text is in capitals."""
    word = words[index]
    if not word:
        return ""
    if word in ("#", "*", "<", ">"):
        return _sign(words, index)
    lower = word.lower()
    if lower in ABBREVIATIONS and not _is_initialism(words, index):
        return ABBREVIATIONS[lower]
    if _SEAT.match(word) and (
        named_as(words, index) or at(words, index + 2).rstrip(".").lower() in _STREET_NAMES
    ):
        return code(word)
    number = spoken_numbers.say(words, index)
    if number is not None:
        return number
    for rule in (_by_place, _named, _roman):
        said = rule(words, index)
        if said:
            return said
    if _EMAIL.match(word):
        return address(lower.removeprefix("mailto:"))
    if _URL.match(word) and not _NO_ADDRESS.search(word):
        return address(re.sub(r"^https?://", "", lower).rstrip("/"))
    return _letters(words, index, shouted)


def _is_initialism(words: Words, index: int) -> bool:
    """Whether an abbreviation in capitals is another one: "3% APR." is not April, "CO" not a company."""
    word = words[index]
    if not word.isupper() or not word.rstrip(".").isalpha():
        return False
    dated = at(words, index - 1)[-1:].isdigit() or at(words, index + 1)[:1].isdigit()
    return word.lower() + "." in ABBREVIATIONS or is_month(word) and not dated


def _sign(words: Words, index: int) -> str:
    """A key of the telephone, or a comparison; elsewhere it is markup."""
    word, before, after = words[index], at(words, index - 1), at(words, index + 1)
    if word in "<>":
        compared = before[-1:].isalnum() and after[:1].isdigit()
        return {"<": "is less than", ">": "is more than"}[word] if compared else ""
    return {"#": "pound", "*": "star"}[word] if before.lower() in _KEY_WORDS else ""


def _by_place(words: Words, index: int) -> str:
    """Abbreviations that mean one thing before a name and another behind one."""
    lower, before, after = words[index].lower(), at(words, index - 1), at(words, index + 1)
    named = after[:1].isupper()
    if lower == "dr.":
        return "doctor" if named or not before[:1].isupper() else "drive"
    if lower == "st.":
        return "saint" if named and not before[:1].isupper() else "street"
    if lower == "no.":
        return "number" if after[:1].isdigit() else "no"
    if lower == "ft.":
        return "featuring" if before[:1].isupper() and named else "fort"
    if lower == "min.":
        return "minutes" if before[-1:].isdigit() else "minimum"
    if lower in NAME_ABBREVIATIONS:
        dated = after[:1].isdigit() or lower in ("sat.", "sun.") and (named or bool(before))
        return NAME_ABBREVIATIONS[lower] if dated else lower[:-1]
    if lower in TITLES and after[:1].isdigit():
        return TITLES[lower]
    if lower == "hwy" and after[:1].isdigit():
        return "highway"
    return ""


def _named(words: Words, index: int) -> str:
    """Days, months and streets that are written short without a full stop."""
    word, before, after = words[index], at(words, index - 1), at(words, index + 1)
    lower = word.lower()
    number = after[:1].isdigit() or before[:1].isdigit()
    if word[:1].isupper() and lower not in ("may", "march") and (number or not word.isupper()):
        name = DAY_NAMES.get(lower) or MONTH_NAMES.get(lower)
        across = (
            at(words, index - 2) if not before else before,
            at(words, index + 2) if not after else after,
        )
        beside = any(_is_date_word(other) for other in across)
        if name and (number or beside or before.lower() in _BEFORE_A_DAY):
            return name
    ends = NAMED_RANGE.match(word)
    if ends:
        return (" and " if "/" in word else " to ").join(
            DAY_NAMES.get(end.lower()) or MONTH_NAMES[end.lower()] for end in ends.groups()
        )
    street = lower in STREETS and (before[:1].isupper() or before[:1].isdigit())
    if street and any(part[:1].isdigit() for part in words[max(0, index - 4) : index]):
        return STREETS[lower]
    if word == "A" and before.lower() in LETTERED:
        return LETTERS["a"]
    return ""


def _is_date_word(word: str) -> bool:
    return word.lower().rstrip(".") in DAY_NAMES or is_month(word)


def _roman(words: Words, index: int) -> str:
    """Roman numerals where they can be nothing else: "Henry VIII", "Chapter IV", "World War II"."""
    word, before = words[index], at(words, index - 1)
    numeral = re.sub(r"('s|s)$", "", word)
    if not numeral.isupper() or not _ROMAN.match(numeral):
        return ""
    value = _value(numeral)
    if before.lower() in RULERS and before[:1].isupper():
        return f"the {ordinal(value)}{'s' if word.endswith('s') else ''}"
    if at(words, index + 1).lower() in ("century", "centuries"):
        return ordinal(value)
    if before.lower() in COUNTED_BY_ROMANS:
        return cardinal(value)
    if (
        len(numeral) > 1
        and re.fullmatch(r"[IVX]+", numeral)
        and re.fullmatch(r"[A-Z][a-z]+", before)
        and index > 1
    ):
        return cardinal(value)
    return ""


def _value(numeral: str) -> int:
    values = [{"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}[letter] for letter in numeral]
    return sum(
        -value if any(value < later for later in values[place + 1 : place + 2]) else value
        for place, value in enumerate(values)
    )


def _letters(words: Words, index: int, shouted: bool) -> str:
    """Initials, spelled names, capitals, codes, and ordinary words."""
    word, before = words[index], at(words, index - 1)
    if _JOINED.match(word):  # Q&A
        return " and ".join(spell(part) for part in word.split("&"))
    if INITIALS.match(word):
        return spell(word.replace(".", ""))
    if re.fullmatch(r"[A-Z]{2,4}\.", word):
        return spell(word[:-1])
    if _SPELLED_NAME.match(word):
        return ", ".join(spell(letter) for letter in word if letter != "-")
    capitals = _CAPITALS.match(word)
    dictated = not shouted and named_as(words, index) == "code" and len(word) > 2
    if capitals and dictated and capitals[1].lower() not in SAID_AS_WORDS:
        return spell(capitals[1])
    if capitals and not shouted and is_spelled(capitals[1].lower()):
        return spell(capitals[1]) + ("s" if capitals[2] else "")
    if capitals:
        return word.capitalize() if shouted else capitals[1].lower() + (capitals[2] or "")
    if _SINGLE_CAPITAL.match(word) and not (word == "O" and before == ""):
        return LETTERS[word.lower()]
    if _MIXED.match(word) or _CODE.match(word):
        return code(word, spelled=dictated or bool(re.fullmatch(r"\d{3,4}", at(words, index + 1))))
    parts = re.split(r"[-/]", word)
    if len(parts) > 1 and any(_CAPITALS.match(part) or any(map(str.isdigit, part)) for part in parts):
        return " ".join(say([part], 0, shouted) for part in parts if part)
    word = re.sub(r"/(day|week|month|year|hour|night|person)s?$", r" per \1", word)
    signs = (
        word.replace("²", " squared ")
        .replace("³", " cubed ")
        .replace("&", " and ")
        .replace("@", " at ")
        .replace("_", " ")
    )
    return re.sub(r"\d+", lambda found: f" {_figures(found[0])} ", _UNSAID.sub(" ", signs)).replace(" ,", ",")


def _figures(text: str) -> str:
    return cardinal(int(text)) if len(text) < 3 and text[0] != "0" else digits(text)


def address(text: str) -> str:
    """An e-mail or web address: signs by name, digits one by one, ".io" spelled."""
    said = []
    for part in re.findall(r"[a-z]+|\d|[^a-z\d]", text):
        if part.isdigit():
            said.append(digits(part))
        elif part.isalpha() and part.isascii():
            spelled = len(part) == 1 or part in SPELLED_DOMAINS or not re.search(r"[aeiouy]", part)
            said.append(ADDRESS_WORDS.get(part) or (spell(part) if spelled and part != "com" else part))
        elif part.isalpha():
            said.append(part)
        else:
            said.append(ADDRESS_SIGNS.get(part, ""))
    return " ".join(said)
