"""Pacing: the audio that waits for the line, and when it is due. PURE.

Time is passed in as `now`, seconds. Positions are samples of a reply (8,000 a second).
"""

from __future__ import annotations

from typing import TypeAlias

from telephony.audio.g711 import PHONE_RATE
from telephony.base.frozen import frozen

PIECE_SAMPLES = 800
"""100 ms a message: 20 ms pieces cost 25 times the CPU (bench/README.md)."""
LEAD_S = 0.3
"""How far ahead of the caller's ear we send. Little enough that `clear` cuts at once on a lost link's
buffer too, enough to hide a stall of 150 ms."""
MARK_EVERY_SAMPLES = 1600
"""A mark every 200 ms of sent audio: less than the lead, so that whenever audio waits to be played a mark
waits with it, and every `clear` is answered."""


class SpokenStore:
    """The audio of a call's replies, as mu-law bytes, until it is heard or given up."""

    def __init__(self) -> None:
        self._audio: dict[int, bytearray] = {}

    def append(self, reply: int, ulaw: bytes) -> int:
        """Keep more of a reply's audio; returns how many samples of it there are now."""
        audio = self._audio.get(reply)
        if audio is None:
            audio = self._audio[reply] = bytearray()
        audio += ulaw
        return len(audio)

    def read(self, reply: int, start: int, end: int) -> bytes:
        """Samples [start, end) of a reply, as far as they are there."""
        audio = self._audio.get(reply)
        return bytes(audio[start:end]) if audio is not None else b""

    def available(self, reply: int) -> int:
        """How many samples of a reply there are."""
        return len(self._audio.get(reply, b""))

    def drop(self, reply: int) -> None:
        """The audio of a reply is no longer needed."""
        self._audio.pop(reply, None)

    @property
    def samples(self) -> int:
        """Samples kept over all replies: what the call's bound is compared with."""
        return sum(map(len, self._audio.values()))


@frozen
class PacedPiece:
    """Samples [start, end) of a reply are due on the line."""

    reply: int
    start: int
    end: int


@frozen
class Mark:
    """A mark is due behind sample `sample` of a reply. Names are `reply.segment.index`."""

    name: str
    reply: int
    sample: int


Due: TypeAlias = PacedPiece | Mark


class Pacer:
    """Decides when a call's audio is due: ahead of the caller's ear by at most `LEAD_S`."""

    __slots__ = (
        "_available",
        "_ends",
        "_flowing",
        "_index",
        "_next",
        "_play_end",
        "_reply",
        "_since_mark",
        "_segment",
        "underruns",
    )

    def __init__(self) -> None:
        self._reply: int | None = None
        self._segment = 0
        self._index = 0
        self._next = 0
        self._available = 0
        self._ends: list[int] = []
        self._since_mark = 0
        self._play_end = 0.0
        self._flowing = False
        self.underruns = 0
        """Times that a reply went on after what was sent of it had been played."""

    @property
    def reply(self) -> int | None:
        """The reply that is being fed to the line, if any."""
        return self._reply

    def playing_s(self, now: float) -> float:
        """How long what was sent is played for, from now; seconds."""
        return max(0.0, self._play_end - now)

    def play(self, reply: int, start: int, segment: int, available: int, ends: list[int]) -> None:
        """Feed `reply` from sample `start`. `ends`: where its phrases end, as far as is known."""
        self._reply, self._segment, self._index = reply, segment, 0
        self._next, self._available = start, available
        self._ends = [end for end in ends if end > start]
        self._since_mark = 0
        self._flowing = False

    def extend(self, reply: int, available: int) -> None:
        """More audio of a reply is in the store."""
        if reply == self._reply:
            self._available = available

    def phrase_end(self, reply: int, sample: int) -> None:
        """A phrase of a reply ends at `sample`: a mark is due there."""
        if reply == self._reply:
            self._ends.append(sample)

    def stop(self, now: float, cleared: bool) -> None:
        """Feed nothing more. `cleared`: the carrier's buffer was emptied too."""
        self._reply = None
        self._ends = []
        if cleared:
            self._play_end = now

    def due(self, now: float) -> list[Due]:
        """What must be written to the line now, in order."""
        due: list[Due] = []
        reply = self._reply
        if reply is None:
            return due
        while self._next < self._available and self._play_end - now < LEAD_S:
            end = min(self._next + PIECE_SAMPLES, self._available)
            if self._ends:
                end = min(end, max(self._ends[0], self._next + 1))
            due.append(PacedPiece(reply, self._next, end))
            self.underruns += self._flowing and self._play_end < now
            self._flowing = True
            self._play_end = max(now, self._play_end) + (end - self._next) / PHONE_RATE
            self._since_mark += end - self._next
            self._next = end
            if self._at_phrase_end() or self._since_mark >= MARK_EVERY_SAMPLES:
                due.append(self._mark(reply))
        if self._at_phrase_end():
            # The phrase turned out to have ended where all of it was sent already.
            due.append(self._mark(reply))
        return due

    def _at_phrase_end(self) -> bool:
        return bool(self._ends) and self._ends[0] <= self._next

    def _mark(self, reply: int) -> Mark:
        while self._at_phrase_end():
            self._ends.pop(0)
        self._since_mark = 0
        self._index += 1
        return Mark(f"{reply}.{self._segment}.{self._index}", reply, self._next)
