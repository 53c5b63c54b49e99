"""A voice for virtual calls: each sample of its audio says which word it belongs to. PURE."""

from __future__ import annotations

from dataclasses import dataclass

from telephony import events as ev
from telephony.playback.word_times import estimate_words

SAMPLES_A_LETTER = 560
"""70 ms a letter: about a person's pace."""
GAP = 120
"""The byte between words; words have the bytes 1 to 100, in turn."""
FIRST_WORDS = 100


@dataclass(frozen=True, slots=True)
class VirtualWord:
    """A word that the voice made, and how it is recognized when it plays."""

    reply: int
    text: str
    samples: int
    number: int
    """Counts the words of the whole call; its byte is `1 + number % 100`."""


class VirtualVoice:
    """Makes audio whose bytes say which word they belong to."""

    def __init__(self, *, exact: bool = True) -> None:
        self.words: list[VirtualWord] = []
        self.ends: dict[int, list[int]] = {}
        """For each reply, where its words end."""
        self._made: dict[int, int] = {}
        self._exact = exact

    def render(self, reply: int, text: str) -> tuple[bytes, tuple[ev.WordTime, ...]]:
        """A phrase's audio, and its word times (none unless the voice is exact)."""
        samples = len(text) * SAMPLES_A_LETTER
        times = estimate_words(text, samples)
        audio = bytearray([GAP]) * samples
        for time in times:
            number = len(self.words)
            self.words.append(VirtualWord(reply, time.text, time.end - time.start, number))
            self.ends.setdefault(reply, []).append(self._made.get(reply, 0) + time.end)
            audio[time.start : time.end] = bytes([1 + number % FIRST_WORDS]) * (time.end - time.start)
        self._made[reply] = self._made.get(reply, 0) + samples
        exact = tuple([ev.WordTime(t.text, t.start, t.end, estimated=False) for t in times])
        return bytes(audio), exact if self._exact else ()
