"""The carrier's media frames -> 80 ms chunks for Flux, on a clock that stays true to their timestamps. PURE.

Flux's clock is the audio it was given. So what the carrier never received is filled with silence, and what
arrives twice is left out. What arrives late is still speech: a frame that another has overtaken is
waited for, and after a stall everything is given that came, faster than it was said. Only a line that stands
still for long in an open turn is filled: without audio nothing, not even Flux's own time-out, would end the
turn. Then, and wherever the two clocks part, `on_shift` gets by how much.

This is the hot path, 50 frames a second for each call: four are grouped before they are decoded, resampled
and sent (conversion.py).
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from telephony.audio.g711 import CHUNK_SAMPLES, FRAME_SAMPLES, PHONE_RATE, ULAW_SILENCE

SAMPLES_PER_MS = PHONE_RATE // 1000
STALL_S = 4.0
"""Media missing for longer while a turn is open is replaced by silence. A carrier sends frames in silence too
(Twilio, "Media Streams"), so none is the network's doing: mostly, they come later."""
OVERTAKEN_SAMPLES = 100 * SAMPLES_PER_MS
"""So much sound behind a gap waits until what is missing comes, or is given up."""
LATE_SAMPLES = 100 * SAMPLES_PER_MS
"""A piece that comes still later is given if it is at least so long; a shorter one, out of its place, would
only spoil the word that it falls into."""
LONGEST_FILL = 10 * PHONE_RATE
"""No turn stays open through so much silence: more would only keep Flux busy."""
JUMP_SAMPLES = 60 * PHONE_RATE
"""A timestamp further off than this is a broken or restarted clock, not a gap."""

_SILENCE = bytes([ULAW_SILENCE])
_NONE: Sequence[bytes] = ()


@dataclass(slots=True)
class AudioCounts:
    """What was not plain media, in samples of 1/8000 s."""

    frames: int = 0
    """Media messages taken."""
    gaps: int = 0
    """Times that the timestamps skipped."""
    filled: int = 0
    """Samples of silence put in for gaps."""
    stalled: int = 0
    """Samples of silence put in because no media came during a turn."""
    dropped: int = 0
    """Samples left out: what came twice, and scraps that came long after silence had taken their place."""
    late: int = 0
    """Samples given after the silence that had taken their place."""
    jumps: int = 0
    """Timestamps that could not be believed."""


class CallerAudio:
    """One call's inbound audio, mu-law in and out."""

    def __init__(self, on_shift: Callable[[float, float], None] = lambda at_s, seconds: None) -> None:
        """`on_shift(at_s, seconds)`: from second `at_s` of what was given out, that clock is so much further
        ahead of the caller's own: silence was put in (below zero: time of the caller's was left out)."""
        self.counts = AudioCounts()
        self._on_shift = on_shift
        self._pending: list[bytes] = []
        self._in_chunk = 0
        self._position = 0
        """Of the caller's clock, samples: everything before it was given out, or is pending."""
        self._shift = 0
        """Samples given out beyond the caller's clock."""
        self._base_ms: int | None = None
        self._heard_at: float | None = None
        self._stall = 0
        """Samples put in since the last media."""
        self._early: list[tuple[int, bytes]] = []
        """Media behind a gap: what is missing may have been overtaken."""
        self._early_since = 0.0
        self._fills: deque[tuple[int, int]] = deque(maxlen=8)
        """The newest stretches of the caller's clock that silence was given for."""

    @property
    def clock_s(self) -> float:
        """Where the caller's stream is, seconds: all that was taken or filled, in a chunk or not."""
        return max([self._position, *(start + len(ulaw) for start, ulaw in self._early)]) / PHONE_RATE

    @property
    def audio_s(self) -> float:
        """Seconds of audio given out so far."""
        return (self._position + self._shift - self._in_chunk) / PHONE_RATE

    @property
    def missing(self) -> int:
        """Samples until the next chunk is complete."""
        return CHUNK_SAMPLES - self._in_chunk

    def receive(self, timestamp_ms: int, ulaw: bytes, now: float) -> Sequence[bytes]:
        """Take one media message; return the chunks it completes (usually none, every fourth time one)."""
        self.counts.frames += 1
        self._heard_at = now
        if self._base_ms is None:
            self._base_ms = timestamp_ms
        ahead = (timestamp_ms - self._base_ms) * SAMPLES_PER_MS - self._position
        if self._early or not -FRAME_SAMPLES < ahead < FRAME_SAMPLES:
            self._out_of_line(timestamp_ms, ahead, ulaw, now)
            return self._chunks()
        self._stall = 0
        size = len(ulaw)
        self._pending.append(ulaw)
        self._position += size
        self._in_chunk += size
        return _NONE if self._in_chunk < CHUNK_SAMPLES else self._chunks()

    def stalled(self, now: float, turn_open: bool) -> Sequence[bytes]:
        """Call every 100 ms or so. What is still missing is given up, and a turn that is open must hear
        silence when no media comes for long."""
        if self._heard_at is None:
            return _NONE
        if self._early and now - self._early_since > self._patience() / PHONE_RATE:
            self._close_gaps(0)
        if turn_open and now - self._heard_at >= STALL_S:
            due = round((now - self._heard_at - STALL_S) * PHONE_RATE) - self._stall
            if due > 0:
                self._stall += due
                self.counts.stalled += due
                self._put_in(_SILENCE * due)
        return self._chunks()

    def flush(self) -> list[bytes]:
        """The end of the stream: what is left, shorter than a chunk."""
        self._close_gaps(0)
        if not self._pending:
            return []
        rest = b"".join(self._pending)
        self._pending.clear()
        self._in_chunk = 0
        return [rest]

    # ---- what is not plain media

    def _out_of_line(self, timestamp_ms: int, ahead: int, ulaw: bytes, now: float) -> None:
        if abs(ahead) > JUMP_SAMPLES:
            self._close_gaps(0)
            self.counts.jumps += 1
            self._base_ms = timestamp_ms - self._position // SAMPLES_PER_MS
            self._take(ulaw)
        elif ahead >= FRAME_SAMPLES:
            if not self._early:
                self._early_since = now
            insort(self._early, (self._position + ahead, ulaw))
            self._close_gaps(self._patience())
        elif ahead <= -FRAME_SAMPLES:
            self._come_late(self._position + ahead, ulaw)
        else:
            self._take(ulaw)
            self._close_gaps(self._patience())

    def _patience(self) -> int:
        """How much sound may wait behind a gap: more where the frames are long."""
        longest = max([len(ulaw) for _, ulaw in self._early], default=0)
        return max(OVERTAKEN_SAMPLES, longest * 3 // 2)

    def _close_gaps(self, patience: int) -> None:
        """Take what has its place now; a gap with more than `patience` samples behind it is filled."""
        early = self._early
        while early:
            start, ulaw = early[0]
            if start - self._position >= FRAME_SAMPLES:
                if early[-1][0] + len(early[-1][1]) - start < patience:
                    return
                self._fill(start - self._position)
            early.pop(0)
            old = min(max(0, self._position - start), len(ulaw))
            if old < FRAME_SAMPLES and old < len(ulaw):
                old = 0  # less than a frame is the rounding of the timestamps
            self.counts.dropped += old
            self._take(ulaw[old:])

    def _fill(self, gap: int) -> None:
        """Silence for what never came; what was put in while the line stood still is part of it."""
        known = min(gap, self._stall) + max(0, gap - self._stall - LONGEST_FILL)
        self.counts.gaps += 1
        if known:
            self._shift -= known
            self._on_shift((self._position + self._shift + known) / PHONE_RATE, -known / PHONE_RATE)
            self._position += known
        silence = gap - known
        if silence:
            self.counts.filled += silence
            self._fills.append((self._position, self._position + silence))
            self._take(_SILENCE * silence)

    def _come_late(self, start: int, ulaw: bytes) -> None:
        """Media from before the clock: its end may be new; else it came twice, or silence took its place."""
        new = ulaw[min(self._position - start, len(ulaw)) :]
        old = len(ulaw) - len(new)
        end = start + old
        if old >= LATE_SAMPLES and any(a < end and start < b for a, b in self._fills):
            self.counts.late += old
            self._put_in(ulaw[:old])
            left = [piece for a, b in self._fills for piece in ((a, min(b, start)), (max(a, end), b))]
            self._fills = deque([(a, b) for a, b in left if a < b], self._fills.maxlen)
        else:
            self.counts.dropped += old
        if new:
            self._take(new)
        self._close_gaps(self._patience())

    def _take(self, ulaw: bytes) -> None:
        self._stall = 0
        self._pending.append(ulaw)
        self._position += len(ulaw)
        self._in_chunk += len(ulaw)

    def _put_in(self, ulaw: bytes) -> None:
        """Give out what has no time of its own on the caller's clock."""
        self._on_shift((self._position + self._shift) / PHONE_RATE, len(ulaw) / PHONE_RATE)
        self._pending.append(ulaw)
        self._shift += len(ulaw)
        self._in_chunk += len(ulaw)

    def _chunks(self) -> Sequence[bytes]:
        if self._in_chunk < CHUNK_SAMPLES:
            return _NONE
        audio = b"".join(self._pending)
        self._pending.clear()
        if len(audio) == CHUNK_SAMPLES:
            self._in_chunk = 0
            return (audio,)
        self._in_chunk %= CHUNK_SAMPLES
        whole = len(audio) - self._in_chunk
        if self._in_chunk:
            self._pending.append(audio[whole:])
        return [audio[at : at + CHUNK_SAMPLES] for at in range(0, whole, CHUNK_SAMPLES)]
