"""What a caller's words contain: plain text to match, yes and no, digits, letters, words that were misheard.

A recogniser's capitals and punctuation carry no meaning here, and it mishears now and then; what is done
about that is kept to what cannot turn one answer into another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rapidfuzz.distance import Levenshtein

from telephony.reply.numbers import APART, PAUSE, TIMES, spoken_digits

_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "`": "'"})
_DECIMAL = re.compile(r"(?<![\d.,/])(\d[\d,]*)[./](\d+)(?![\d./])")
"""A decimal point or a fraction, which is not a pause between digits: "3.5", "1/2"; not "415.555.0132"."""
_SIGH = re.compile(r"(?:(?<=^)|(?<=[.?!] ))(?:oh|o), ")
"""It would be a zero before digits."""
_NOT_A_WORD = re.compile(r"[^\w' ]+|_")
_CLAUSE = re.compile(r"([^.,;:!?…—–]+)([.,;:!?…—–]*)")


def plain(text: str) -> str:
    """Lower case, no punctuation but apostrophes inside words, single spaces."""
    text = _DECIMAL.sub(r"\1 point \2", _SIGH.sub("", text.lower().translate(_APOSTROPHES)))
    words = _NOT_A_WORD.sub(" ", APART.sub(rf"\1 {PAUSE} ", text)).split()
    return " ".join(bare for word in words if (bare := word.strip("'")))


def clauses(text: str) -> list[tuple[str, bool]]:
    """The clauses that the punctuation makes, plain, each with whether a question mark ends it."""
    found = [(plain(words), "?" in stop) for words, stop in _CLAUSE.findall(text)]
    return [(words, asked) for words, asked in found if words]


NO_PREFERENCE = re.compile(
    r"\b(?:any|whatever|whichever|don't (?:mind|care)|doesn't matter|either|no preference|regular|normal)\b"
)


# ---- digits


def digits(text: str) -> str:
    """The digits in (plain) `text`, as one string: "four one five", "double five", "two hundred".

    Empty when there are none, and when they could be another number: see `numbers`.
    """
    return spoken_digits(text) or ""


# ---- letters

_LETTERS = {letter: letter for letter in "abcdefghijklmnopqrstuvwxyz"}
_NAMES_OF_LETTERS = {
    word: word[0]
    for word in (
        "alpha bravo charlie delta echo foxtrot golf hotel india juliet juliett kilo lima mike november oscar"
        " papa quebec romeo sierra tango uniform victor whiskey xray yankee zulu"
        " bee dee eff gee jay kay em en pee ess tee zee zed vee"
    ).split()
} | {"see": "c", "sea": "c", "are": "r", "you": "u", "why": "y", "tea": "t", "oh": "o", "eye": "i"}
_NAMES_OF_LETTERS |= {"el": "l", "em": "m", "en": "n", "eff": "f", "ess": "s", "ex": "x", "aitch": "h"}
_NAMES_OF_LETTERS |= {"queue": "q", "cue": "q", "be": "b", "ar": "r"}
_AS_IN = re.compile(r"\b(\w) (?:as in|like|for) \w+")


def letters(text: str) -> str:
    """The longest run of letters spelled in (plain) `text`: "T I L L E Y", "t as in tango", "double l"."""
    best = run = ""
    sure = 0  # letters said as letters: "are you" alone is not a spelling
    times = 1
    for word in [*_AS_IN.sub(r"\1", text.replace("x ray", "xray")).split(), ""]:
        letter = _LETTERS.get(word) or _NAMES_OF_LETTERS.get(word)
        if word in TIMES and run:
            times = TIMES[word]
        elif letter:
            sure += word in _LETTERS or len(word) > 3
            run, times = run + letter * times, 1
        else:
            if sure >= 2 and len(run) > len(best):
                best = run
            run, sure, times = "", 0, 1
    return best


# ---- words misheard

# Words in their own right, one letter from what may be ordered.
_LEFT_ALONE = frozenset("late later latter smell largely sugary america american americans".split())
_SHORTEST = 5  # letters: below it one changed letter is too often another word


def corrected(text: str, vocabulary: Iterable[str]) -> str:
    """The (plain) text with words that nearly are a word of the vocabulary replaced by it ("expresso")."""
    known = sorted({word for word in vocabulary if len(word) >= _SHORTEST})
    return " ".join(_nearest(word, known) for word in text.split())


def _nearest(word: str, known: list[str]) -> str:
    if len(word) < _SHORTEST - 1 or word in known or word in _LEFT_ALONE:
        return word
    for candidate in known:
        allowed = 2 if len(candidate) >= 8 else 1
        if word[0] == candidate[0] and abs(len(word) - len(candidate)) <= allowed:
            if Levenshtein.distance(word, candidate, score_cutoff=allowed) <= allowed:
                return candidate
    return word
