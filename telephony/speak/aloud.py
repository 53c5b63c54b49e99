"""A phrase as it is written, and as a voice is given it: "$4.50" is "four dollars and fifty cents". PURE.

Voices read figures, dates and addresses each in its own way, and often wrongly. Read here, every voice says
the same. What the voice reports of its words is reported of the written ones: the ledger knows no others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from telephony.events import WordTime
from telephony.speak.pronunciations import NONE, Pronunciations
from telephony.speak.text_normalization import spoken_form

KEPT = 2048
"""Phrases that are remembered: a script says the same ones again and again."""
_WORD = re.compile(r"\S+")
_LANGUAGE = re.compile(r"-([a-z]{2})$")


@dataclass(frozen=True, slots=True)
class Aloud:
    """One phrase."""

    written: tuple[str, ...]
    """Its words as they are written."""
    spoken: str
    """What the voice is given."""
    ends: tuple[int, ...]
    """For each written word, how many words of `spoken` have been said when it has been said."""

    def times(self, words: Sequence[WordTime]) -> tuple[WordTime, ...]:
        """When each written word is said, from the times of the spoken ones; those are the first ones, where
        the phrase broke off. Empty where they are not the words that the voice was given."""
        if len(words) > len(self.spoken.split()):
            return ()
        times: list[WordTime] = []
        begin = last = 0
        for text, end in zip(self.written, self.ends, strict=True):
            if end > len(words):
                break
            said = words[begin:end]
            first, last = (said[0].start, said[-1].end) if said else (last, last)
            times.append(WordTime(text, first, last, all(w.estimated for w in said)))
            begin = end
        return tuple(times)

    def written_of(self, text_spoken: str) -> str:
        """The written words that are wholly in the first words of `spoken`."""
        said = len(text_spoken.split())
        return " ".join(w for w, end in zip(self.written, self.ends, strict=True) if end <= said)


def is_english(voice: str) -> bool:
    """Whether a voice speaks English: a name that ends in no other language's code (`aura-2-sirio-es`)."""
    language = _LANGUAGE.search(voice)
    return language is None or language[1] == "en"


@lru_cache(KEPT)
def aloud(text: str, english: bool = True, pronunciations: Pronunciations = NONE) -> Aloud:
    """A phrase, read aloud. In another language than English its figures are left to the voice."""
    written = _WORD.findall(text)
    if not english and not pronunciations.words:
        return as_it_is(text)
    said = list(_said(text)) if english else written
    if pronunciations.words:
        own = [pronunciations.said(word) for word in written]
        said = [usual if word is None else word for word, usual in zip(own, said, strict=True)]
    if not any(char.isalnum() for words in said for char in words):
        return as_it_is(text)
    ends = tuple(accumulate(len(words.split()) for words in said))
    return Aloud(tuple(_WORD.findall(text)), " ".join(filter(None, said)), ends)


def as_it_is(text: str) -> Aloud:
    """A phrase that the voice is given as it is written."""
    words = tuple(_WORD.findall(text))
    return Aloud(words, text, tuple(range(1, len(words) + 1)))


def _said(text: str) -> Iterator[str]:
    """What is said for each word of the text: its parts ("9-5" has three) with the pauses between them."""
    tokens = spoken_form(text)
    at = 0
    for word in _WORD.finditer(text):
        parts: list[str] = []
        while at < len(tokens) and tokens[at].start < word.end():
            token = tokens[at]
            if token.spoken:
                parts.append(token.spoken + token.pause)
            elif token.pause and parts and parts[-1][-1:].isalnum():
                parts[-1] += token.pause
            at += 1
        yield " ".join(parts)
