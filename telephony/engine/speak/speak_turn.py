"""One speech: the text given so far, what of it was handed to the voice, and when each word is heard. PURE.

A speech ends with Flush; before that only whole sentences are spoken, since the rest may still change.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from telephony.engine.speak.voice_chunk import SpokenWord

_SENTENCE_END = re.compile(r"""[.!?…]["')\]]*\s+(?=\S)|\n+(?=\S)""")
_NO_END = re.compile(
    r"(?:^|[\s(])(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|Mt|No|Nos|Vs|vs|etc|e\.g|i\.e|approx|Ave|Rd|Blvd)\.$"
)
"""Before a full stop that ends no sentence: initials and abbreviations."""


class SpeakTurn:
    """What the service calls a turn: one answer of an agent."""

    def __init__(self, speech_id: str) -> None:
        self.speech_id = speech_id
        self.text = ""
        self.flushed = False
        """All of its text is here."""
        self.flush_asked = False
        """The client said so with a Flush."""
        self.started = False
        """The client has the message that it begins."""
        self.words: list[SpokenWord] = []
        """Words handed to the client as audio; times from the speech's first sample, places in `text`."""
        self._taken = 0

    def take(self) -> tuple[int, str]:
        """The next text to speak and where it begins; empty while there is none that is certain."""
        end = len(self.text) if self.flushed else self._last_sentence_end()
        begin, self._taken = self._taken, max(end, self._taken)
        return begin, self.text[begin : self._taken]

    def spoken(self, words: Sequence[SpokenWord], place: int, begins_s: float) -> None:
        """Words of a text that began at `place`, whose audio began at `begins_s`."""
        self.words += [
            SpokenWord(
                word.text,
                word.start_s + begins_s,
                word.end_s + begins_s,
                word.char_start + place,
                word.char_end + place,
                word.estimated,
            )
            for word in words
        ]

    def split(self, heard_s: float) -> tuple[str, str]:
        """The text of which the sound was heard to its end, and the rest with the space before it."""
        ends = [word.char_end for word in self.words if word.end_s <= heard_s]
        at = max(ends, default=0)
        return self.text[:at], self.text[at:]

    def _last_sentence_end(self) -> int:
        last = 0
        for found in _SENTENCE_END.finditer(self.text, self._taken):
            if not _NO_END.search(self.text[self._taken : found.start() + 1]):
                last = found.end()
        return last
