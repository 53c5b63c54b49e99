"""Whether what the caller says is our own voice, back over their loudspeaker. PURE.

An echo repeats our words in our order, each a little after it was played: by the line's round trip and the
room. A person who repeats an option just offered ("small", after "small, medium or large?") repeats it later
than that, and says only the one. Times are in seconds of the call's clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from functools import lru_cache

from telephony.base.frozen import frozen
from telephony.conversation.backchannel import spoken_words
from telephony.deepgram.flux_messages import TurnInfo

EARLIEST_S = -0.3
"""Word times are estimates: a word may seem to come back before it was played."""
LATEST_S = 1.2
"""The longest delay of an echo: 0.3 s of line either way and a slow loudspeaker. Later it is the caller."""
SHADOWED_S = 0.5
"""Nobody repeats a word so soon after it began; a loudspeaker does."""
SOUND_SHARE = 0.55
"""Share of an echo's sound that is ours (conversation/acoustic_echo.py). Two voices reach 0.3 by chance."""
LEAST_WORDS = 3
"""Fewer words are an echo only if they come so soon."""
LEAST_LETTERS = 4
SHARE = 0.7
"""A recognizer mishears an echo: this share of its words must be ours."""
ALIKE = 0.7
"""Words as like as "latte" and "lattes", "espresso" and "expresso" are the same, misheard."""

_SENTENCE = re.compile(r"[^.?!]*\?")
_ALTERNATIVES = re.compile(r",|\bor\b", re.IGNORECASE)
_AROUND = frozenset(
    "a an the please one um uh er you do we i i'd i'll like want will would have take get it it's is that "
    "that's with and yes yeah ok okay for me my just".split()
)
"""Words around an answer that do not say which one is chosen."""


@frozen
class OwnWord:
    """A word and when it was said or played; None where that is not known."""

    text: str
    at: float | None


def timed(text: str, at: float | None) -> list[OwnWord]:
    """The words of one token ("twenty-one," is one; "uh huh" two), all at its time."""
    return [OwnWord(word, at) for word in spoken_words(text)]


def is_echo(caller: Sequence[OwnWord], ours: Sequence[OwnWord], offered: Iterable[str] = ()) -> bool:
    """Whether the caller's words are ours. `offered`: what they may choose from, which is not an echo."""
    if not caller or not ours or _goes_on(caller, ours):
        return False
    if len(caller) < LEAST_WORDS:
        sure = sum(len(word.text) for word in caller) >= LEAST_LETTERS
        sure = sure and all(word.at is not None for word in caller)
        ours_again = sure and _common(caller, ours, SHADOWED_S) == len(caller)
    else:
        ours_again = _common(caller, ours, LATEST_S) >= SHARE * len(caller)
    return ours_again and not names_one([word.text for word in caller], offered)


def without_echo(info: TurnInfo, until_s: float) -> TurnInfo:
    """A turn without the words before this second of its connection: a caller's own follow our echo."""
    words = info.words
    ours = [w.start is not None and w.end is not None and (w.start + w.end) / 2 < until_s for w in words]
    count = ours.index(False) if False in ours else len(ours)
    if not count:
        return info
    written = info.transcript.split()
    if len(written) != len(words):
        written = [word.word for word in words]
    return replace(info, transcript=" ".join(written[count:]), words=words[count:])


def may_be_echo(caller: Sequence[OwnWord], ours: Sequence[OwnWord]) -> bool:
    """Whether a turn's first words may be the beginning of an echo: each is ours, at its time."""
    known = [word for word in caller if word.at is not None]
    return bool(known) and _common(known, ours, LATEST_S) == len(caller)


def names_one(words: Sequence[str], offered: Iterable[str]) -> bool:
    """Whether `words` name one of what was offered, and nothing else."""
    said = [word for word in words if word not in _AROUND]
    chosen = [option for option in offered if said and set(said) <= set(spoken_words(option))]
    return bool(chosen)


def alternatives(text: str) -> list[str]:
    """What a text offers to choose from: "small", "medium" and "large" of "Small, medium or large?"."""
    found = []
    for question in _SENTENCE.findall(text):
        if re.search(r"\bor\b", question, re.IGNORECASE):
            found += [piece for piece in _ALTERNATIVES.split(question.strip(" ?")) if piece.strip()]
    return found


def _goes_on(caller: Sequence[OwnWord], ours: Sequence[OwnWord]) -> bool:
    """Whether the caller's words go on when nothing of ours can come back any more."""
    played = [word.at for word in ours if word.at is not None]
    if len(played) < len(ours):
        return False
    return sum(word.at is not None and word.at > max(played) + LATEST_S for word in caller) > 1


def _common(caller: Sequence[OwnWord], ours: Sequence[OwnWord], latest_s: float) -> int:
    """How many of the caller's words are ours, in order and in time (a longest common subsequence)."""
    row = [0] * (len(ours) + 1)
    for word in caller:
        diagonal = 0
        for j, own in enumerate(ours, 1):
            above = row[j]
            same = _within(word, own, latest_s) and (word.text == own.text or _alike(word.text, own.text))
            row[j] = max(row[j], row[j - 1], diagonal + 1 if same else 0)
            diagonal = above
    return row[-1]


def _within(word: OwnWord, own: OwnWord, latest_s: float) -> bool:
    if word.at is None or own.at is None:
        return True
    return EARLIEST_S <= word.at - own.at <= latest_s


@lru_cache(4096)
def _alike(a: str, b: str) -> bool:
    """Whether these two, which are not the same, may be one word misheard."""
    if min(len(a), len(b)) < 4:
        return False
    letters = len(a) + len(b)
    shared = sum([min(a.count(letter), b.count(letter)) for letter in set(a)])
    # No order of the letters makes them more alike than this. Most words end here, at a tenth of the cost.
    return 2 * shared >= ALIKE * letters and SequenceMatcher(None, a, b, autojunk=False).ratio() >= ALIKE
