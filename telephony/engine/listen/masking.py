"""What `redact` and `profanity_filter` hide of a turn's words. PURE.

A span of numbers becomes one `*`, a swear word `****`, as the service writes them. Dates and other things
that the service finds by their meaning are hidden only as far as they are numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from telephony.engine.listen.inverse_text_normalization import DIGITS
from telephony.engine.listen.recognized import RecognizedWord

AGGRESSIVE = "aggressive_numbers"
"""Every number; `numbers` hides only what has `LONG` digits or more."""
LONG = 3
"""Digits: "any sequence of three or more consecutive numerals" (deepgram docs, "redaction")."""
NUMBER = "*"
PROFANITY = "****"

_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
# Word -> how many digits it stands for; "triple" stands for two of the three in "triple five".
_WEIGHTS = {
    **dict.fromkeys((*DIGITS, "double"), 1),
    **dict.fromkeys((*_TEENS, *_TENS, "hundred", "triple"), 2),
    **dict.fromkeys(("thousand", "million", "billion"), 3),
}
_INSIDE = {"oh": 1, "o": 1, "and": 0, "point": 0, "dash": 0, "hyphen": 0}
"""Of a number only where it stands between its parts: "four oh two", "a hundred and five"."""
_MARK = re.compile(r"[.,?!;:]+$")
_SWEARING = re.compile(
    r"(mother)?fuck(s|ed|er|ers|ing|in)?|(bull|horse)?shit(s|ty|ting)?|bitch(es|ing|y)?|bastards?|cunts?"
    r"|assholes?|arseholes?|dickheads?|wankers?|twats?|pricks?|goddamn(ed)?|motherfucking",
    re.IGNORECASE,
)


def masked(
    words: Sequence[RecognizedWord], redact: Sequence[str], profanity: bool
) -> tuple[RecognizedWord, ...]:
    """The words as the client may see them."""
    shown = list(words)
    if profanity:
        shown = [_decent(word) for word in shown]
    if redact:
        shown = _redacted(shown, 1 if AGGRESSIVE in redact else LONG)
    return tuple(shown)


def _decent(word: RecognizedWord) -> RecognizedWord:
    plain = word.word.strip(".,?!;:\"'")
    return replace(word, word=word.word.replace(plain, PROFANITY)) if _SWEARING.fullmatch(plain) else word


def _redacted(words: list[RecognizedWord], least: int) -> list[RecognizedWord]:
    weights = _weights(words)
    shown: list[RecognizedWord] = []
    at = 0
    while at < len(words):
        after = _run_end(words, weights, at)
        if sum(weight or 0 for weight in weights[at:after]) < least:
            after = max(after, at + 1)
            shown += words[at:after]
        else:
            shown.append(_span(words[at:after]))
        at = after
    return shown


def _run_end(words: Sequence[RecognizedWord], weights: list[int | None], at: int) -> int:
    """Where the number that begins here ends. Marks do not end it: a recognizer puts them between groups."""
    end = at
    while end < len(words):
        if weights[end] is None:
            inside = _INSIDE.get(_plain(words[end].word)) if end > at else None
            if inside is None or not _goes_on(words, weights, end + 1):
                break
            weights[end] = inside
        end += 1
    return end


def _goes_on(words: Sequence[RecognizedWord], weights: Sequence[int | None], at: int) -> bool:
    """Whether a part of a number follows, or more of what stands between two of them ("four oh oh two")."""
    while at < len(words) and weights[at] is None and _plain(words[at].word) in _INSIDE:
        at += 1
    return at < len(words) and weights[at] is not None


def _span(words: Sequence[RecognizedWord]) -> RecognizedWord:
    mark = _MARK.search(words[-1].word)
    return RecognizedWord(
        NUMBER + (mark[0] if mark else ""),
        min(word.confidence for word in words),
        words[0].start,
        words[-1].end,
    )


def _weights(words: Sequence[RecognizedWord]) -> list[int | None]:
    """How many digits each word stands for, None for other words; after "twenty", "three" adds none."""
    weights: list[int | None] = []
    tens = False
    for word in words:
        parts = _plain(word.word).split("-")
        weight: int | None = sum(c.isdigit() for c in word.word) or None
        for part in parts if weight is None and all(part in _WEIGHTS for part in parts) else []:
            digits = _WEIGHTS[part]
            weight = (weight or 0) + (0 if tens and digits == 1 else digits)
            tens = part in _TENS
        tens = tens and weight is not None
        weights.append(weight)
    return weights


def _plain(word: str) -> str:
    return _MARK.sub("", word).strip("\"'()").lower()
