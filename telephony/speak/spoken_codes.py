"""Telephone numbers, and other digits and letters that the listener writes down one by one. PURE."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import phonenumbers

from telephony.speak.number_words import cardinal, digits
from telephony.speak.spoken_rule import Words, at
from telephony.speak.spoken_units import CURRENCIES
from telephony.speak.spoken_words import CODE_WORDS, LETTERS, PLACE_WORDS, SAID_AS_WORDS, SPELLED

SERVICE_NUMBERS = frozenset(
    "000 061 091 100 101 102 105 108 110 111 112 113 115 116 117 118 119 120 144 190 191 "
    "192 193 211 311 411 511 611 711 811 988 995 997 998 999".split()
) | {"116117", "116123", "116000"}
"""Short numbers that are dialled, by country; read one by one where dialling is spoken of. 911 always is."""

_DIALLED = re.compile(
    r"\b(dial|call|ring|phone|text|emergenc(y|ies)|hotline|helpline|police|ambulance|lifeline|line$|number$|service)",
    re.IGNORECASE,
)
_JUST_DIALLED = re.compile(
    r"\b(?:call|dial|tel|telephone|phone|ring|text|fax|number is)(?: us| me)?(?: at| on)?[.:]? $",
    re.IGNORECASE,
)
_DIALLED_BEFORE = re.compile(r"\b(call|dial|phone|number|tel|ring|text|fax|card|account)\b[^.!?]*$", re.I)
_RUN = re.compile(r"(?<![\w.,/:$€£¥+-])\+?\(?\+?\d[\d ().\-/–\u2011]*\d(?![\w:%°$€£¥]|[.,]\d)")
_ISO_DATE = re.compile(r"\d{4}[-/.]\d\d?[-/.]\d\d?|\d{1,2}[/.-]\d{1,2}[/.-](\d{4}|\d\d)")
_NO_CARRIERS = frozenset(
    "us uk eu un ad bc ce fy usa utc gmt est pst mst cst may jan feb mar apr jun jul aug sep oct nov dec "
    "ps".split()
)
_VERBS_TOO = frozenset("order call text ring phone press enter case ticket box unit".split())
_SKIPPED = frozenset(
    "no number numbers is are was in of # no. your my our or and to the a by for please it's at".split()
)


def say_run(text: str) -> Iterator[tuple[int, str]]:
    """Telephone and card numbers of several groups in a text: (start, digits said) of each group."""
    for match in _RUN.finditer(text):
        groups = [
            (match.start() + found.start(), match.start() + found.end())
            for found in re.finditer(r"\d+", match[0])
        ]
        written = [text[start:end] for start, end in groups]
        if not _is_dictated(match[0], written, text[: match.start()], text[match.end() :]):
            continue
        for number, (start, end) in enumerate(groups):
            said = _group(text[start:end])
            if number == 0 and "+" in match[0]:
                said = f"plus {said}"
            yield start, said


_GROUPED = re.compile(r"(?<![\w.,+-])\d{1,3}(?: \d{3})+(?:[.,]\d+)?(?![\w-]|[.,]\d)")
_MONEY = "|".join(sorted((re.escape(sign) for sign in CURRENCIES), key=len, reverse=True))
_MONEY_BEFORE = re.compile(rf"(?:^|(?<=\W))(?:{_MONEY}) ?$")
_AMOUNT_BEHIND = re.compile(rf" ?(?:{_MONEY}|[%°])(?!\w)| (?:[a-z]+s|people|km|kg|m)\b")


def joins(text: str) -> Iterator[tuple[int, int, str]]:
    """Amounts in which blanks group the thousands, "1 234,56 €": (start, end, "1234.56")."""
    for match in _GROUPED.finditer(text):
        before = text[: match.start()]
        sure = match[0].count(" ") > 1 or match[0].endswith(" 000") and not _is_dialled(before)
        money = _MONEY_BEFORE.search(before) or _AMOUNT_BEHIND.match(text, match.end())
        if match[0][0] != "0" and (sure or money):
            yield match.start(), match.end(), match[0].replace(" ", "").replace(",", ".")


def _group(group: str) -> str:
    return "eight hundred" if group == "800" else digits(group)


def _is_dictated(run: str, groups: Sequence[str], before: str, behind: str) -> bool:
    """Whether groups of digits are one number to be noted down, not a date, a span or a list."""
    count = sum(len(group) for group in groups)
    if len(groups) > 1 and 5 <= count <= 15 and _JUST_DIALLED.search(before):
        return True
    if len(groups) < 2 or not 7 <= count <= 34 or _ISO_DATE.fullmatch(run):
        return False
    if "+" in run or "(" in run:
        return count <= 15
    lengths = [len(group) for group in groups]
    if re.fullmatch(r"\d{1,3}( \d{3})+", run) and run[0] != "0":  # 1 200 000 people: a space groups thousands
        amount = _AMOUNT_BEHIND.match(behind) or _MONEY_BEFORE.search(before)
        return not amount and (not run.endswith(" 000") or _is_dialled(before))
    if len(groups) == 2:
        return _two_groups(run, groups, lengths, before)
    if " - " in run or "–" in run or re.fullmatch(r"\d{1,3}(\.\d{3})+", run):
        return False
    if re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}", run):  # an address of a computer, said with its dots
        return False
    return max(lengths) >= 2


def _two_groups(run: str, groups: Sequence[str], lengths: Sequence[int], before: str) -> bool:
    """ "555-0123", "030 12345678", "1234 5678"; not "2020-2021", "1500 2500.50" or "10.0000"."""
    if "." in run or " - " in run or "–" in run:
        return False
    if run[0] == "0":
        return True
    if lengths in ([3, 4], [4, 4], [5, 5], [5, 6], [4, 3]) and re.search(r"\d[- ]\d", run):
        years = all(len(group) == 4 and "1100" <= group <= "2099" for group in groups)
        return not years
    return _is_dialled(before) and min(lengths) >= 2


def _is_dialled(before: str) -> bool:
    return bool(
        re.search(r"\b(call|dial|phone|number|tel|ring|text|fax|card|account)\b[^.!?]*$", before, re.I)
    )


def say_international(word: str) -> str | None:
    """A telephone number written in one piece, "+442079460958", in the groups of its own country."""
    if not re.fullmatch(r"\+\d{7,15}", word):
        return None
    try:
        known = phonenumbers.parse(word)
    except phonenumbers.NumberParseException:
        return f"plus {in_groups(word[1:])}"
    form = phonenumbers.PhoneNumberFormat.INTERNATIONAL
    groups = re.findall(r"\d+", phonenumbers.format_number(known, form))
    if "".join(groups) != word[1:]:  # a trunk zero that the format leaves out: what is written is said
        return f"plus {in_groups(word[1:])}"
    return "plus " + ", ".join(_group(group) for group in groups)


def in_groups(text: str) -> str:
    """A long row of digits in groups that can be noted down: 4155550123 -> 415, 555, 0123."""
    if not 7 <= len(text) <= 16:
        return digits(text)
    size = 4 if len(text) % 4 == 0 else 3
    last = 3 if len(text) == 9 else 4
    first = (len(text) - last) % size
    starts = [0] if first else []
    starts += range(first, len(text) - last, size)
    ends = [*starts[1:], len(text) - last]
    groups = [text[start:end] for start, end in zip(starts, ends, strict=True)] + [text[-last:]]
    return ", ".join(digits(group) for group in groups)


def named_as(words: Words, index: int) -> str:
    """What the words before call a number: a "code" (a PIN, an order), a "place" (a room, a flight), or "".

    Between may stand "number", "is", "or", and other numbers: "rooms 101 and 204".
    """
    for back in range(1, 6):
        before = at(words, index - back)
        lower = before.lower().rstrip(":.") or before
        if lower in CODE_WORDS:
            return "code"
        if (
            lower in PLACE_WORDS
            or lower.removesuffix("s") in PLACE_WORDS
            or back == 1
            and _is_carrier(before)
        ):
            return "place"
        if lower not in _SKIPPED and not any(letter.isdigit() for letter in before):
            return ""
    return ""


def is_code(words: Words, index: int) -> bool:
    """Whether a number is noted down, digit by digit; a room's or a flight's only from three digits on."""
    beside = (at(words, index - 1), at(words, index + 1))
    just_named = beside[0].lower().rstrip(":.") in CODE_WORDS or any(word.isdigit() for word in beside)
    named = named_as(words, index)
    return bool(named) and (len(words[index]) >= 3 or named == "code" and just_named)


def may_be_counted(words: Words, index: int) -> bool:
    """Whether "order" or "call" before a number may be a verb, as in "order 250 cups"."""
    before = at(words, index - 1).lower()
    return before in _VERBS_TOO


def _is_carrier(word: str) -> bool:
    """ "AA" in "AA 1234", "AB" in "AB 1234": letters that begin a flight's or an order's number."""
    if word.lower() in SAID_AS_WORDS | _NO_CARRIERS or re.fullmatch(r"[QH][1-4]", word):  # Q1 2026
        return False
    return bool(re.fullmatch(r"[A-Z]{2,3}|[A-Z]\d|\d[A-Z]", word))


def is_service_number(words: Words, index: int) -> bool:
    """911; and 112, 311 and others where the text speaks of dialling."""
    word = words[index]
    return word == "911" or word in SERVICE_NUMBERS and any(_DIALLED.match(other) for other in words)


def spell(letters: str) -> str:
    """The names of the letters and digits, one by one."""
    return " ".join(_letter(letter) for letter in letters)


def _letter(letter: str) -> str:
    return LETTERS.get(letter.lower()) or (digits(letter) if letter in "0123456789" else letter)


def is_spelled(lower: str) -> bool:
    """Whether a word in capitals is said letter by letter: FBI, but not NASA."""
    if lower in SPELLED:
        return True
    if lower in SAID_AS_WORDS:
        return False
    return len(lower) <= 3 or not re.search(r"[aeiouy]", lower)


def code(word: str, *, spelled: bool = False) -> str:
    """Letters and digits in one: "B12" -> "bee twelve", "A1B2-C3D4" -> "ay one bee two, see three dee four".

    `spelled`: it is known to be a code, so that no part of it is a word.
    """
    segments = [part for part in re.split(r"[-/._:#]", word) if part]
    letters, figures = re.findall(r"[A-Za-z]+", word), re.findall(r"\d+", word)
    short = len(letters) <= 1 and len(figures) == 1 and len(figures[0]) <= 2 and figures[0][0] != "0"
    as_word = not spelled and len(letters) == 1
    said = []
    for segment in segments:
        parts = []
        for part in re.findall(r"[A-Za-z]+|\d+", segment):
            if part.isdigit():
                parts.append(cardinal(int(part)) if short and not spelled else digits(part))
            elif as_word and len(part) > 2 and not (part.isupper() and is_spelled(part.lower())):
                parts.append(part.lower())
            else:
                parts.append(spell(part))
        said.append(" ".join(parts))
    return (" " if short else ", ").join(said)
