"""Whether a caller's few words while we speak are a backchannel ("uh-huh") or an interruption. PURE."""

from __future__ import annotations

import re
from functools import lru_cache

_WORD = re.compile(r"[a-z0-9]+(?:['’-][a-z0-9]+)*")

_TOKEN = 16
"""A text of at most so many letters is most likely one token."""

_ACKNOWLEDGEMENTS = frozenset(
    "uh-huh uhhuh mm-hmm mmhmm mm-hm mhm mhmm mm mmm hm hmm hmmm mhh uh um ah aha oh ooh yeah yep yup yes ya "
    "okay ok kay right sure alright cool nice great good gotcha wow really true exactly absolutely fine "
    "huh er".split()
)
"""Words that, alone, acknowledge and ask for nothing."""

_ACKNOWLEDGING_PHRASES = (
    ("uh", "huh"), ("mm", "hmm"), ("mm", "hm"), ("m", "hm"), ("i", "see"), ("got", "it"), ("all", "right"),
    ("of", "course"), ("makes", "sense"), ("that", "makes", "sense"), ("go", "on"), ("i", "know"),
    ("sounds", "good"), ("very", "good"), ("that's", "right"), ("you", "know"), ("oh", "i", "see"),
)  # fmt: skip
"""Runs of words that acknowledge. A recognizer writes "you know" for many a grunt."""

_CLOSERS = frozenset("bye goodbye bye-bye thanks thank you cheers see ya later good night day have a".split())
"""Words that answer a goodbye and need no answer of their own."""

BACKCHANNEL_WORDS = _ACKNOWLEDGEMENTS.union(_CLOSERS, *_ACKNOWLEDGING_PHRASES)
"""All words of which backchannels and farewells are made."""
MOST_WORDS = 4
"""More words than this are not a backchannel, whatever they are."""


def spoken_words(text: str) -> tuple[str, ...]:
    """The words of a text, lower case, without punctuation."""
    return _words_of(text) if len(text) > _TOKEN else _words_of_token(text)


def _words_of(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.lower().replace("’", "'")))


# A turn's words come again with each Update, four times a second, and ours are compared with them each time.
_words_of_token = lru_cache(2048)(_words_of)


def is_backchannel(text: str) -> bool:
    """Whether `text` is a short acknowledgement: "uh-huh", "okay, right", "I see"."""
    words = spoken_words(text)
    if not words or len(words) > MOST_WORDS:
        return False
    at = 0
    while at < len(words):
        if words[at] in _ACKNOWLEDGEMENTS:
            at += 1
            continue
        run = next((r for r in _ACKNOWLEDGING_PHRASES if words[at : at + len(r)] == r), None)
        if run is None:
            return False
        at += len(run)
    return True


def is_farewell(text: str) -> bool:
    """Whether `text` only answers a goodbye: "thanks, bye"."""
    words = spoken_words(text)
    return bool(words) and all(w in _CLOSERS or w in _ACKNOWLEDGEMENTS for w in words)
