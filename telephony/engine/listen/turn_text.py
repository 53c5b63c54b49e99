"""How a text ends, as far as that tells whether its speaker is done. PURE.

Only what pays: interim transcripts have errors, so a rule looks at endings that recognizers rarely invent.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

from telephony.engine.listen.inverse_text_normalization import DIGIT_WORDS


class Ending(Enum):
    """How a text ends."""

    OPEN = auto()
    """Nothing special: the sound decides."""
    UNFINISHED = auto()
    """A word that wants another one: "and", "the", "my"."""
    DICTATION = auto()
    """Digits or letters one by one, in mid-group: more will come."""
    DICTATION_GROUP = auto()
    """The same, where a group or the whole may be done: 4 digits."""
    WHOLE_NUMBER = auto()
    """As many digits as a telephone number has."""
    ANSWER = auto()
    """A plain answer, or a goodbye, and nothing else."""


# Words after which hardly anybody stops.
_WANTING: Final = frozenset(
    "a an and the or but because so if of to for with from at in my your his her our their is are was "
    "i'm it's that's um uh er erm like than then into about i we they he she".split()
)

_SPELLED: Final = 2  # single letters in a row
_LATE_WORDS: Final = 6
_NAME: Final = 4  # of them may be a whole name
_WORDS_OF_ONE_LETTER: Final = frozenset("aio")
_LETTER: Final = re.compile(r"[a-z]")
_MAYBE_WHOLE: Final = frozenset({5, 7})  # a ZIP code, a local number: the sound decides
_WHOLE: Final = frozenset({10, 11})  # a national number, alone and with the 1 before it
_MOST_DIGITS: Final = 11

_ANSWERS: Final = frozenset(
    (
        "yes",
        "no",
        "nope",
        "yep",
        "yes please",
        "no thanks",
        "no thank you",
        "that's all",
        "that's it",
        "bye",
        "goodbye",
        "bye bye",
        "thank you",
        "thanks",
        "thank you bye",
        "thank you goodbye",
    )
)


def ending_of(text: str) -> Ending:
    """How the text ends."""
    words = _words_of(text)
    if not words:
        return Ending.OPEN
    if " ".join(words) in _ANSWERS:
        return Ending.ANSWER
    digits = _trailing_digits(words)
    if digits >= 2 or (digits == 1 and len(words) == 1):
        return _of_digits(digits)
    letters = _trailing_letters(words)
    if letters >= _SPELLED or (letters == len(words) == 1 and words[0] not in _WORDS_OF_ONE_LETTER):
        return Ending.DICTATION if letters < _NAME else Ending.DICTATION_GROUP
    if words[-1] in _WANTING:
        return Ending.UNFINISHED
    return Ending.OPEN


def is_spelled(text: str) -> bool:
    """Whether letters are being dictated."""
    return _trailing_letters(_words_of(text)) >= _SPELLED


def is_dictated(text: str) -> bool:
    """Whether digits or letters are being dictated: an interim transcript may have the last one wrong."""
    late = _words_of(text)[-_LATE_WORDS:]
    said = [word in DIGIT_WORDS or word.isdigit() or bool(_LETTER.fullmatch(word)) for word in late]
    return sum(said) >= _SPELLED and 2 * sum(said) >= len(late)


def _words_of(text: str) -> list[str]:
    return [word for word in re.split(r"[\s\-]+", re.sub(r"[^\w\s'\-]", " ", text.lower())) if word]


def _of_digits(count: int) -> Ending:
    if count in _WHOLE:
        return Ending.WHOLE_NUMBER
    if count in _MAYBE_WHOLE or count > _MOST_DIGITS:
        return Ending.OPEN
    return Ending.DICTATION_GROUP if count == 4 else Ending.DICTATION


def _trailing_digits(words: list[str]) -> int:
    """How many digits, spoken one by one or written, end the text."""
    count = 0
    for word in reversed(words):
        if word in DIGIT_WORDS:
            count += 1
        elif word.isdigit():
            count += len(word)
        else:
            break
    return count


def _trailing_letters(words: list[str]) -> int:
    count = 0
    for word in reversed(words):
        if not (len(word) == 1 and _LETTER.match(word)):
            break
        count += 1
    return count
