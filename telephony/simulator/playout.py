"""What a caller hears, on a playout clock: what is playing, which marks are due, what `clear` returns. PURE.

Time is a number of seconds, passed in as `now`; it must not run backwards. Twilio buffers what it is sent and
plays it in order, one sample after another; where nothing is buffered the line is silent.
Source: Twilio, "Media Streams: WebSocket messages", and error 31931 for the buffer's size.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass

from telephony.audio.g711 import PHONE_RATE

SILENCE = 0xFF
MAX_BUFFERED_S = 600.0
"""Ten minutes; Twilio discards what is beyond (31931)."""
_QUIET = bytes((0xFF, 0x7F, 0xFE, 0x7E))
"""The two zeros of mu-law and the smallest steps beside them."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of sound that played, or will play unless it is cleared."""

    start: int
    """In samples since time zero."""
    payload: bytes

    @property
    def end(self) -> int:
        """One past its last sample."""
        return self.start + len(self.payload)


class Playout:
    """What the caller hears. Times are seconds; the sound's resolution is one sample of 1/8000 s."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        """All that was ever played or is queued, in order, cut short where a `clear` cut it."""
        self.clears: list[float] = []
        """When `clear` came."""
        self.overflows = 0
        """Media messages that did not fit, in whole or in part."""
        self.marks_sent = 0
        self.marks_cleared = 0
        """Marks that came back because of a `clear`."""
        self.heard_until = 0.0
        """End of the last sound that was more than silence, in seconds; may lie ahead."""
        self._end = 0  # sample at which all that is queued will have played
        self._marks: deque[tuple[int, str]] = deque()

    def media(self, now: float, payload: bytes) -> bool:
        """Queue sound. False when the buffer is full and some of it was discarded."""
        start = max(self._end, round(now * PHONE_RATE))
        room = max(0, round((now + MAX_BUFFERED_S) * PHONE_RATE) - start)
        kept = payload[:room]
        if kept:
            self.segments.append(Segment(start, kept))
            self._end = start + len(kept)
            if kept.strip(_QUIET):
                self.heard_until = self._end / PHONE_RATE
        if len(kept) == len(payload):
            return True
        self.overflows += 1
        return False

    def mark(self, now: float, name: str) -> list[str]:
        """Take a mark; returned at once when nothing is queued before it."""
        self.marks_sent += 1
        self._marks.append((self._end, name))
        return self.due(now)

    def clear(self, now: float) -> list[str]:
        """Throw away what has not been played; all outstanding marks come back at once."""
        self.clears.append(now)
        back = self.due(now)
        self.marks_cleared += len(self._marks)
        back += [name for _, name in self._marks]
        self._marks.clear()
        self._cut(now)
        return back

    def _cut(self, now: float) -> None:
        at = round(now * PHONE_RATE)
        while self.segments and self.segments[-1].end > at:
            last = self.segments.pop()
            if last.start < at:
                self.segments.append(Segment(last.start, last.payload[: at - last.start]))
                break
        self._end = min(self._end, at)
        self.heard_until = min(self.heard_until, now)

    def stop(self, now: float) -> None:
        """The stream is over: what has not been played never will be, and no mark comes back any more."""
        self._marks.clear()
        self._cut(now)

    def due(self, now: float) -> list[str]:
        """The marks whose turn has come, in order."""
        names = []
        at = (
            now * PHONE_RATE + 1e-3
        )  # so that the very moment of next_deadline() counts, whatever it was rounded to
        while self._marks and self._marks[0][0] <= at:
            names.append(self._marks.popleft()[1])
        return names

    def next_deadline(self) -> float | None:
        """When the next mark is due; None while there is none."""
        return self._marks[0][0] / PHONE_RATE if self._marks else None

    def buffered_s(self, now: float) -> float:
        """Seconds of sound still to be played."""
        return max(0.0, self._end / PHONE_RATE - now)

    def audible(self, now: float) -> bool:
        """Whether something other than silence is playing or queued."""
        return self.heard_until > now

    def played(self, until: float) -> bytes:
        """The whole of what was heard from time zero until then, mu-law, silence included."""
        return self.window(0, round(until * PHONE_RATE))

    def window(self, first: int, last: int) -> bytes:
        """What is heard from sample `first` up to sample `last`, mu-law, silence included."""
        sound = bytearray([SILENCE]) * max(0, last - first)
        at = max(0, bisect_right(self.segments, first, key=_start_of) - 1)
        for segment in self.segments[at:]:
            if segment.start >= last:
                break
            lead = max(0, first - segment.start)
            piece = segment.payload[lead : last - segment.start]
            begin = segment.start + lead - first
            sound[begin : begin + len(piece)] = piece
        return bytes(sound)


def _start_of(segment: Segment) -> int:
    return segment.start
