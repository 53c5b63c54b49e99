"""The digits in what was said: dictated one by one, in groups, or in hundreds and thousands. PURE.

"Four one five", "double oh seven", "nineteen eighty four", "one hundred twenty three", "5,000", "12 hundred"
are right. What could be two numbers is none: "eight hundred five five" is 805, 5 or 800, 55; "four five, no,
four six" was taken back; "three quarters of a million" is not dictated. It must be asked again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_ONES = "zero one two three four five six seven eight nine".split()
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ZEROS = ("oh", "o", "nought", "naught", "nil", "null", "cero")

_VALUES = {word: value for value, word in enumerate(_ONES + _TEENS)}
_VALUES |= {word: 10 * value for value, word in enumerate(_TENS, 2)}
_VALUES |= dict.fromkeys(_ZEROS, 0) | {"niner": 9, "fourty": 40, "ninty": 90}
TIMES = {"double": 2, "triple": 3, "treble": 3, "quadruple": 4}
_SCALES = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}

_FILLERS = frozenset(
    "um uh er erm hmm hm well then dash hyphen space comma the so okay ok yeah it's its is like please "
    "stroke slash area code number my phone line account card uhm mm ah you know i think let me see "
    "that's followed by".split()
)
"""Words between digits that belong to neither side."""
PAUSE = "pause"
"""Stands between "twenty" and "five" that were said apart: 25 or 205."""
_UNCLEAR = frozenset(
    "half halves quarter quarters dozen dozens couple few several point decimal minus negative times "
    "squared or between than not hundreds thousands millions extension ext percent nor except without "
    "over odd something twice thrice".split()
)
"""With one of these a number is not dictated digit by digit, and not simply said."""
_TAKEN_BACK = frozenset(
    "no nope sorry wait actually correction mean meant oops scratch rather instead wrong pardon hold "
    "strike again change make".split()
)
_SOUNDS_LIKE = frozenset("to too for fore ate won tree sex nein tu".split())
"""Between two digits these are as likely a digit that was misheard."""
_ORDINALS = frozenset(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth thirtieth hundredth "
    "thousandth".split()
)
_NO_NUMBER_AFTER = frozenset(
    "moment second sec minute more of thing time day way at is that who which was".split()
)
_NO_NUMBER_BEFORE = frozenset(
    "this that the which another any every some each last no only good other right".split()
)
APART = re.compile(rf"\b({'|'.join(_TENS)})[,.;] +(?=(?:{'|'.join(_ONES[1:])})\b)")
"""Two numbers with a stop between them, which without it would be one."""
_JOINED = re.compile(rf"({'|'.join(_TENS)})({'|'.join(_ONES[1:])})")


@dataclass(frozen=True, slots=True)
class _Part:
    """One word of a number."""

    kind: str
    """digit, teen, tens, figures, hundred, scale, times, and, a"""
    value: int
    figures: str = ""
    """As it was written, with leading zeros, for figures."""


def spoken_digits(text: str) -> str | None:
    """The digits in (plain) `text`; "" when there are none, None when they could be another number."""
    words = _JOINED.sub(r"\1 \2", text).split()
    parts = [_part_of(word) for word in words]
    runs = _runs(words, parts)
    if not runs:
        return ""
    if words[-1] == "and":  # cut off
        return None
    if len(runs) > 1 or _UNCLEAR & set(words) or _is_taken_back(words, parts) or _misheard(words, parts):
        return None
    return _digits_of(runs[0])


def _part_of(word: str) -> _Part | None:
    if word.isdecimal():
        return _Part("figures", int(word), "".join(str(int(figure)) for figure in word))
    if (thousands := re.fullmatch(r"(\d{1,3})k", word)) is not None:
        return _Part("figures", int(thousands[1]) * 1000, f"{int(thousands[1])}000")
    if word in _VALUES:
        value = _VALUES[word]
        return _Part("digit" if value < 10 else "teen" if value < 20 else "tens", value)
    if word in TIMES:
        return _Part("times", TIMES[word])
    if word == "hundred":
        return _Part("hundred", 100)
    return _Part("scale", _SCALES[word]) if word in _SCALES else None


def _runs(words: Sequence[str], parts: Sequence[_Part | None]) -> list[list[_Part]]:
    """Numbers that stand together, with nothing between them but words that mean nothing."""
    runs: list[list[_Part]] = []
    run: list[_Part] = []
    pending: list[_Part] = []
    for at, (word, part) in enumerate(zip(words, parts, strict=True)):
        following = parts[at + 1] if at + 1 < len(parts) else None
        if part is not None and not _is_no_number(words, parts, at):
            run += [*pending, part]
            pending = []
        elif word in ("a", "an", "one") and following and following.kind in ("hundred", "scale"):
            pending.append(_Part("a", 1))
        elif word == "and":
            pending = [*pending, _Part("and", 0)] if run else []
        elif word not in _FILLERS and part is None:
            if run:
                runs.append(run)
            run, pending = [], []
    return [*runs, run] if run else runs


def _is_no_number(words: Sequence[str], parts: Sequence[_Part | None], at: int) -> bool:
    """ "This one", "one moment", "oh, it is": words that only look like digits."""
    before, after = words[at - 1] if at else "", words[at + 1] if at + 1 < len(words) else ""
    if words[at] == "one":
        alone = (at == 0 or parts[at - 1] is None) and (at + 1 == len(words) or parts[at + 1] is None)
        return alone and (before in _NO_NUMBER_BEFORE or after in _NO_NUMBER_AFTER)
    if words[at] not in ("oh", "o"):
        return False
    near = [at for at, word in enumerate(words) if word not in _FILLERS or parts[at]]
    here = near.index(at)
    around = [parts[near[i]] for i in (here - 1, here + 1) if 0 <= i < len(near)]
    return bool(around) and not any(around)


def _is_taken_back(words: Sequence[str], parts: Sequence[_Part | None]) -> bool:
    """Whether digits were corrected: "four five, no, four six"."""
    first = next((at for at, part in enumerate(parts) if part is not None), len(words))
    return bool(_TAKEN_BACK & set(words[first:]))


def _misheard(words: Sequence[str], parts: Sequence[_Part | None]) -> bool:
    """Whether a word beside digits may be one of them: "four to five", "twenty third"."""
    for at, word in enumerate(words):
        last = at - 2 if at > 1 and words[at - 1] == "and" else at - 1
        after_digit = last >= 0 and parts[last] is not None
        before_digit = at + 1 < len(words) and parts[at + 1] is not None
        at_an_end = at + 1 == len(words) or (
            before_digit and (set(words[:at]) <= _FILLERS or word in ("ate", "won", "fore", "tree"))
        )
        if word in _SOUNDS_LIKE and (
            (after_digit and (before_digit or at_an_end)) or (before_digit and at_an_end)
        ):
            return True
        if word == PAUSE and after_digit and before_digit:
            return True
        if after_digit and (word in _ORDINALS or re.fullmatch(r"\d+(?:st|nd|rd|th)", word)):
            return True
    return any(re.fullmatch(r"\d+(?:st|nd|rd|th)", word) for word in words)


# ---- one number


def _digits_of(run: list[_Part]) -> str | None:
    kinds = [part.kind for part in run]
    if "hundred" in kinds or "scale" in kinds:
        return _toll_free(run) or _zeros_and(run)
    if "and" in kinds and len(run) < 6:
        return None  # "five and six"
    return _dictated([part for part in run if part.kind != "and"])


def _dictated(run: list[_Part]) -> str | None:
    """Digits and groups of two, one after another."""
    out: list[str] = []
    at = 0
    while at < len(run):
        part = run[at]
        after = run[at + 1] if at + 1 < len(run) else None
        if part.kind == "times":
            if after is None or after.kind not in ("digit", "figures") or after.value > 9:
                return None
            out.append(str(after.value) * part.value)
            at += 2
        elif part.kind == "tens" and after and after.kind == "digit" and after.value:
            out.append(str(part.value + after.value))
            at += 2
        elif part.kind == "figures":
            if _runs_into(run, at):
                return None
            out.append(part.figures)
            at += 1
        else:
            out.append(str(part.value))
            at += 1
    return "".join(out)


def _runs_into(run: list[_Part], at: int) -> bool:
    """ "100 23" and "20 6" may be 123 and 26; "800 5 5 5" and "800 555" are dictated."""
    figures, rest = run[at].figures, run[at + 1 :]
    if not rest or figures.startswith("0") or len(figures) < 2:
        return False
    short = len(rest[0].figures or str(rest[0].value)) < 3 and not rest[0].figures.startswith("0")
    if rest[0].kind not in ("digit", "teen", "tens", "figures") or not short or not rest[0].value:
        return False
    if len(figures) > 2 and figures.endswith("00"):
        return not _single_digits(rest, 3)
    return len(figures) == 2 and figures[1] == "0" and int(figures) >= 20 and rest[0].value < 10


def _single_digits(rest: Sequence[_Part], least: int) -> bool:
    singles = [
        part for part in rest if part.kind == "digit" or (part.kind == "figures" and len(part.figures) == 1)
    ]
    return len(singles) == len(rest) >= least


def _toll_free(run: list[_Part]) -> str | None:
    """ "One eight hundred, five five five ...": digits follow a round number."""
    at = next((at for at, part in enumerate(run) if part.kind == "hundred"), None)
    if at is None or at == 0 or any(part.kind in ("scale", "and", "a") for part in run):
        return None
    lead, head, rest = run[: at - 1], run[at - 1], run[at + 1 :]
    if head.kind not in ("digit", "figures") or not 1 <= head.value <= 9:
        return None
    if lead and not (len(lead) == 1 and lead[0].value == 1 and head.value in (8, 9)):
        return None
    if any(part.kind == "hundred" for part in rest) or not (lead or rest):
        return None
    if rest and not _single_digits([part for part in rest if part.kind != "times"], 3):
        return None
    digits = _dictated(rest)
    return f"{'1' if lead else ''}{head.value}00{digits}" if digits is not None else None


def _zeros_and(run: list[_Part]) -> str | None:
    """A cardinal number, perhaps with zeros before it: "oh nine hundred"."""
    zeros = 0
    while run[zeros].kind == "digit" and run[zeros].value == 0:
        zeros += 1
    if zeros == 0 or zeros == len(run):
        value = _cardinal(run)
    else:
        value = _cardinal(run[zeros:])
    return None if value is None else "0" * zeros + str(value)


def _cardinal(run: list[_Part]) -> int | None:
    """ "One hundred and twenty three thousand": its value, None when it is not one number."""
    total, at, least = 0, 0, 10**12
    while at < len(run):
        end = next((i for i in range(at, len(run)) if run[i].kind == "scale"), None)
        piece = run[at:end] if end is not None else run[at:]
        scale = run[end].value if end is not None else 1
        if scale >= least or (at and piece and piece[0].kind == "and" and len(piece) == 1):
            return None
        value = _below_thousand(piece, after=at > 0)
        if value is None or (value >= 1000 and (scale != 1 or at > 0)):
            return None
        total += value * scale
        least = scale
        at = end + 1 if end is not None else len(run)
    return total


def _below_thousand(piece: list[_Part], after: bool) -> int | None:
    """The value of a piece between scales; "fifteen hundred forty two" may be above a thousand."""
    if after and piece and piece[0].kind == "and":
        piece = piece[1:]
    if not piece:
        return 1 if not after else None
    at = next((i for i, part in enumerate(piece) if part.kind == "hundred"), None)
    if at is None:
        return _below_hundred(piece, after)
    head = 1 if at == 0 or piece[0].kind == "a" else _below_hundred(piece[:at], False)
    rest = piece[at + 1 :]
    if rest and rest[0].kind == "and":
        rest = rest[1:]
        if not rest:
            return None
    tail = _below_hundred(rest, False) if rest else 0
    if not head or tail is None or (rest and tail == 0):
        return None
    return head * 100 + tail


def _below_hundred(piece: list[_Part], after: bool) -> int | None:
    """Words below a hundred, figures below a thousand; after a scale also "oh five"."""
    if any(part.kind in ("and", "times", "hundred", "scale") for part in piece):
        return None
    if len(piece) == 1:
        part = piece[0]
        if part.kind == "figures" and (len(part.figures) > 3 or part.figures.startswith("0")):
            return None
        return part.value
    if len(piece) != 2:
        return None
    tens, ones = piece
    if tens.kind == "tens" and ones.kind == "digit" and ones.value:
        return tens.value + ones.value
    if after and tens.kind == "digit" and tens.value == 0 and ones.kind == "digit" and ones.value:
        return ones.value
    return None
