"""Spoken text -> clauses, each rendered in one go: the first one short, so that its audio comes soon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from telephony.speak.text_normalization import SpokenToken

Clause = tuple[SpokenToken, ...]

FIRST_CHARACTERS = 40  # spoken; a first sentence longer than this (about 2.5 s) is cut at its first comma
MOST_CHARACTERS = 160  # about 10 s of speech, 0.6 s to render: the longest wait between two clauses
_LONGEST_WORD = 400  # characters said for one word: garbage, or a number of 60 digits
_ENDS = ".?!"
_CUTS_BEFORE = frozenset("and or but because so which that who when where while if with for to then".split())


def clauses(tokens: Iterable[SpokenToken]) -> Iterator[Clause]:
    """Cut at sentence ends, then where people breathe. Every token is in exactly one clause."""
    first = True
    for sentence in _sentences(tokens):
        rest = sentence
        if first and _characters(rest) > FIRST_CHARACTERS:
            at = next((n for n, token in enumerate(rest[:-1], 1) if token.pause and _says(rest[:n])), None)
            if at and _says(rest[at:]):
                yield rest[:at]
                rest = rest[at:]
        first = first and not _says(sentence)
        while _characters(rest) > MOST_CHARACTERS and len(rest) > 1:
            at = _breath(rest)
            yield rest[:at]
            rest = rest[at:]
        yield rest


def said(clause: Clause) -> str:
    """The clause as a voice gets it, with the punctuation that shapes its melody."""
    words = [f"{token.spoken[:_LONGEST_WORD]}{token.pause}" for token in clause if token.spoken]
    return " ".join(words)


def _sentences(tokens: Iterable[SpokenToken]) -> Iterator[Clause]:
    """Whole sentences; tokens that say nothing join the sentence before, or the next where there is none."""
    sentence: list[SpokenToken] = []
    for token in tokens:
        sentence.append(token)
        if token.pause and token.pause in _ENDS and any(token.spoken for token in sentence):
            yield tuple(sentence)
            sentence = []
    if sentence:
        yield tuple(sentence)


def _says(clause: Clause) -> bool:
    return any(token.spoken for token in clause)


def _characters(clause: Clause) -> int:
    return sum(len(token.spoken) + 1 for token in clause)


def _breath(clause: Clause) -> int:
    """Where to cut a long clause: the last comma that fits, else before a joining word, else anywhere."""
    fits, length = 1, 0
    for number, token in enumerate(clause[:-1], 1):
        length += len(token.spoken) + 1
        if length > MOST_CHARACTERS:
            break
        fits = number
    least = fits // 3  # no crumbs
    by_pause = [n for n in range(fits, least, -1) if clause[n - 1].pause]
    by_word = [n for n in range(fits, least, -1) if clause[n].spoken.lower() in _CUTS_BEFORE]
    return (by_pause or by_word or [fits])[0]
