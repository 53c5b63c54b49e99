"""Text as it is written -> words as a person reads them aloud, each tied to its place in the text. PURE.

    spoken_form("Dr. Lee, 10:05 a.m., $4.50") ->
        Dr. "doctor" · Lee "Lee" · 10:05 "ten oh five" · a.m. "ay em" · $4.50 "four dollars and fifty cents"

Voices read these too, but each in its own way and often wrongly; read here, every voice says the same, and
the words that were heard can be found again in the text that was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from telephony.speak import spoken_letters
from telephony.speak.spoken_codes import joins, say_run
from telephony.speak.spoken_letters import INITIALS, NAME_ABBREVIATIONS
from telephony.speak.spoken_times import RANGE_DASH, spans
from telephony.speak.spoken_units import CURRENCIES, TWO_WORD_UNITS, unit_of
from telephony.speak.spoken_words import ABBREVIATIONS, SENTENCE_ENDERS, TITLES


@dataclass(frozen=True, slots=True)
class SpokenToken:
    """One word of the text, as written and as said."""

    text: str
    """As it stands in the text, punctuation included."""
    start: int
    """Its first character in the text."""
    end: int
    """One past its last character in the text."""
    spoken: str
    """The words to say, without closing punctuation; empty where nothing is said."""
    pause: str = ""
    """The punctuation that follows: "" , ";" ":" "." "?" "!" or ","."""


_WORD = re.compile(r"\S+")
_OPENING = "\"'([{<*_`“‘«#~|•>"  # quotes, brackets and markup: they are seen, not heard
_CLOSING = "\"')]}>*_`”’»,;:.?!…~|"
_PAUSES = {"…": ",", "—": ",", "–": ",", "--": ","}
_DASHES = re.compile(r"(?<=\w)(?:—|–|--)(?=\w)")
_RANGE = "–-"
_STOPPED = {*ABBREVIATIONS, *TITLES, *NAME_ABBREVIATIONS, "dr.", "st.", "no.", "ft.", "min.", "rs.", "in."}
"""What keeps its full stop."""

_SAME = str.maketrans(
    {
        **{"’": "'", "‘": "'", "′": "'", "″": '"'},
        **{"−": "-", "‐": "-", "‑": "-"},
        **{"\u00a0": " ", "\u202f": " ", "\u2009": " "},
    }
)
"""Other signs for what is read alike, each as long as what it stands for."""


def spoken_form(text: str) -> tuple[SpokenToken, ...]:
    """Every word of `text` with what is said for it, in order. Characters of no word are white space."""
    plain = text.translate(_SAME)
    pieces = list(_pieces(plain))
    words = [_bare(plain[start:end]) for start, end in pieces]
    said_here = _said_across(plain, pieces, words)
    shouted = _is_shouted(words)
    tokens: list[SpokenToken] = []
    for index, (start, end) in enumerate(pieces):
        raw, last = plain[start:end], index + 1 == len(words)
        to = raw in _RANGE and spans(words, index)
        spoken = to or said_here.get(index) or spoken_letters.say(words, index, shouted)
        pause = "" if to or _is_unit_within(raw, words, index) else _pause_after(raw, words[index], last)
        if not spoken and pause and tokens and not tokens[-1].pause:  # "yes — no": the dash is a pause
            tokens[-1] = replace(tokens[-1], pause=pause)
        tokens.append(SpokenToken(text[start:end], start, end, " ".join(spoken.split()), pause))
    return tuple(tokens)


def _said_across(plain: str, pieces: Sequence[tuple[int, int]], words: list[str]) -> dict[int, str]:
    """What is said for the words of numbers that have blanks in them; such an amount becomes one word."""
    said: dict[int, list[str]] = {}
    for start, digits in say_run(plain):
        index = next(n for n, piece in enumerate(pieces) if piece[0] <= start < piece[1])
        said.setdefault(index, []).append(digits)
    for start, end, amount in joins(plain):
        inside = [n for n, piece in enumerate(pieces) if start <= piece[0] < end]
        if not said.keys() & set(inside):
            sign_before = inside[0] and words[inside[0] - 1] in CURRENCIES
            spot = inside[0] if sign_before else inside[-1]
            for index in inside:
                words[index] = amount if index == spot else ""
    return {
        index: ", ".join(groups) + ("," if index + 1 in said and not groups[0].startswith("plus") else "")
        for index, groups in said.items()
    }


def _pieces(plain: str) -> Iterator[tuple[int, int]]:
    """Words by white space; a dash between two words separates them too; one that means "to" stands alone."""
    for match in _WORD.finditer(plain):
        start = match.start()
        for dash in re.finditer(f"(?P<to>{RANGE_DASH})|{_DASHES.pattern}", match[0], re.IGNORECASE):
            from_, after = match.start() + dash.start(), match.start() + dash.end()
            if dash["to"]:
                yield start, from_
                yield from_, after
                start = after
            elif not re.match(r"\d", plain[after:]):  # 10–12 is a range
                yield start, after
                start = after
        yield start, match.end()


def _bare(word: str) -> str:
    """The word without the punctuation around it; the full stop of an abbreviation stays."""
    if word in ABBREVIATIONS or word.rstrip(",.;:?!") in ("#", "*", "<", ">"):
        return word if word in ABBREVIATIONS else word.rstrip(",.;:?!")
    word = re.sub(r"(—|–|--)$|^-$|(?<=\d)[.,][-–—]$", "", word)
    signed = re.fullmatch(r"(#\d[\w-]*|[~<>≈±]\d\S*|\*\d+#?)", word.rstrip(_CLOSING))
    if signed and not word.endswith("*"):  # "#5" is a number, "# Heading" is not
        return word.rstrip(_CLOSING)
    left = word.lstrip(_OPENING)
    if word.startswith("'") and re.match(r"\d0s", left):  # '90s
        left = word
    bare = left.rstrip(_CLOSING)
    if word.startswith("(") and re.fullmatch(r"\(\d{3}\)[\d-]*", word.rstrip(",.;:?!")):
        return re.sub(r"[()]", "", word).rstrip(_CLOSING)  # an area code
    if "(" in bare and (bare + ")").lower() in ABBREVIATIONS:  # 401(k)
        return bare + ")"
    stopped = left[: len(bare) + 1]
    if stopped.endswith(".") and (
        stopped.lower() in _STOPPED or stopped in CURRENCIES or INITIALS.match(stopped)
    ):
        return stopped
    quoted = word[:1] in "'\"" and word[:1] == stopped[-1:]
    if re.fullmatch(r"(\d+')?\d+['\"]", stopped) and not quoted:  # 6' 2"
        return stopped
    return bare


def _pause_after(raw: str, bare: str, last: bool) -> str:
    tail = raw[raw.rfind(bare) + len(bare) :] if bare else raw
    for mark in tail:
        if mark in ",;:.?!":
            return mark
        if mark in _PAUSES:
            return ","
    if tail.startswith("--") or raw == "-":
        return ","
    # The full stop of "etc." may be the sentence's too.
    return "." if last and bare.lower() in SENTENCE_ENDERS else ""


def _is_unit_within(raw: str, words: Sequence[str], index: int) -> bool:
    """Whether a full stop ends a unit and no sentence: "800 sq. ft. of floor", "5 lbs. and more"."""
    unit = raw.removesuffix(".").lower()
    behind = words[index + 1][:1] if index + 1 < len(words) else ""
    if re.fullmatch(r"[A-Z]\.", raw) and index and words[index - 1].endswith("."):
        return True  # Dr. J. Smith
    is_unit = raw.endswith(".") and (unit in TWO_WORD_UNITS or unit_of(unit))
    return bool(
        is_unit and index and words[index - 1][-1:].isalnum() and (behind.islower() or behind.isdigit())
    )


def _is_shouted(words: Sequence[str]) -> bool:
    letters = [word for word in words if len(word) > 1 and word.isalpha()]
    return len(letters) > 2 and sum(word.isupper() for word in letters) >= 0.8 * len(letters)
