"""How single words are said, where a voice would say them wrongly: "Nguyen" is given to it as "win". PURE."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

LONGEST_WORD = 60
MOST_SPOKEN = 10
"""Words that one written word may be said as."""
_PARTS = re.compile(r"(\W*)(.*?)('s|’s)?(\W*)", re.DOTALL)
_PAUSES = frozenset(".,;:?!…")


@dataclass(frozen=True, slots=True, eq=False)
class Pronunciations:
    """A dictionary of written words. Equal to itself alone, so that it can be looked up by quickly."""

    words: Mapping[str, str] = field(default_factory=dict)
    """What is said for a word; words are in lower case (`casefold`)."""

    def said(self, written: str) -> str | None:
        """What a voice is given for a word with its punctuation; None: it is not in the dictionary."""
        found = _PARTS.fullmatch(written)
        if found is None or not self.words:
            return None
        _, word, possessive, after = found.groups()
        spoken = self.words.get((word + (possessive or "")).casefold())
        if spoken is None and possessive and (owner := self.words.get(word.casefold())):
            spoken = owner + "'s"
        if spoken is None:
            return None
        return spoken + "".join(char for char in after if char in _PAUSES)


def fault_of(written: str, spoken: str) -> str:
    """Why an entry cannot be used; empty when it can."""
    if len(written.split()) != 1 or len(written) > LONGEST_WORD:
        return f"{written!r} must be one word of at most {LONGEST_WORD} characters"
    if not written[0].isalnum() or not written[-1].isalnum():
        return f"{written!r} must begin and end with a letter or a digit"
    if not any(char.isalnum() for char in spoken) or len(spoken.split()) > MOST_SPOKEN:
        return f"what is said for {written!r} must be 1 to {MOST_SPOKEN} words"
    if not spoken.isprintable():
        return f"what is said for {written!r} must be on one line"
    return ""


NONE = Pronunciations()
