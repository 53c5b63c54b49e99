"""Twilio's media frames -> 80 ms chunks, on a clock kept true to Twilio's timestamps. PURE.

Flux's clock is the audio it was given. So what the carrier never received is filled with silence, what
arrives twice or too late is left out, and a stalled line is filled while a turn is open: without audio
nothing, not even Flux's own time-out, would end the turn.

This is the hot path, 50 frames a second for each call: four are grouped before they are decoded, resampled
and sent (conversion.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from telephony.audio import FRAME_SAMPLES, PHONE_RATE, ULAW_SILENCE

CHUNK_SAMPLES = 640
"""80 ms, the chunk that Deepgram strongly recommends: four of Twilio's frames."""
SAMPLES_PER_MS = PHONE_RATE // 1000
STALL_S = 0.5
"""Media missing for so long while a turn is open is replaced by silence (pipecat's figure too)."""
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
    """Samples left out: duplicates, and media that came after silence had taken its place."""
    jumps: int = 0
    """Timestamps that could not be believed."""


class CallerAudio:
    """One call's inbound audio, mu-law in and out."""

    def __init__(self) -> None:
        self.counts = AudioCounts()
        self._pending: list[bytes] = []
        self._held = 0
        self._position = 0
        self._base_ms: int | None = None
        self._heard_at: float | None = None
        self._stall = 0

    @property
    def clock_s(self) -> float:
        """Where the caller's stream is, seconds: all that was taken or filled, held for a chunk or not."""
        return self._position / PHONE_RATE

    @property
    def audio_s(self) -> float:
        """Seconds of audio given out so far."""
        return (self._position - self._held) / PHONE_RATE

    @property
    def missing(self) -> int:
        """Samples until the next chunk is complete."""
        return CHUNK_SAMPLES - self._held

    def receive(self, timestamp_ms: int, ulaw: bytes, now: float) -> Sequence[bytes]:
        """Take one media message; return the chunks it completes (usually none, every fourth time one)."""
        self.counts.frames += 1
        self._heard_at = now
        self._stall = 0
        if self._base_ms is None:
            self._base_ms = timestamp_ms
        ahead = (timestamp_ms - self._base_ms) * SAMPLES_PER_MS - self._position
        if not -FRAME_SAMPLES < ahead < FRAME_SAMPLES:
            ulaw = self._realign(timestamp_ms, ahead, ulaw)
        size = len(ulaw)
        self._pending.append(ulaw)
        self._position += size
        self._held += size
        return _NONE if self._held < CHUNK_SAMPLES else self._chunks()

    def stalled(self, now: float, turn_open: bool) -> Sequence[bytes]:
        """Call every 100 ms or so: while a turn is open and no media comes, silence for Flux's clock."""
        if not turn_open or self._heard_at is None or now - self._heard_at < STALL_S:
            return _NONE
        due = round((now - self._heard_at) * PHONE_RATE) - self._stall
        if due <= 0:
            return _NONE
        self._stall += due
        self.counts.stalled += due
        self._pending.append(_SILENCE * due)
        self._position += due
        self._held += due
        return self._chunks()

    def flush(self) -> list[bytes]:
        """The end of the stream: what is still held, shorter than a chunk."""
        if not self._pending:
            return []
        rest = b"".join(self._pending)
        self._pending.clear()
        self._held = 0
        return [rest]

    def _realign(self, timestamp_ms: int, ahead: int, ulaw: bytes) -> bytes:
        if abs(ahead) > JUMP_SAMPLES:
            self.counts.jumps += 1
            self._base_ms = timestamp_ms - self._position // SAMPLES_PER_MS
        elif ahead > 0:
            self.counts.gaps += 1
            self.counts.filled += ahead
            return _SILENCE * ahead + ulaw
        else:
            old = min(-ahead, len(ulaw))
            self.counts.dropped += old
            return ulaw[old:]
        return ulaw

    def _chunks(self) -> Sequence[bytes]:
        if self._held < CHUNK_SAMPLES:
            return _NONE
        audio = b"".join(self._pending)
        self._pending.clear()
        if len(audio) == CHUNK_SAMPLES:
            self._held = 0
            return (audio,)
        self._held %= CHUNK_SAMPLES
        whole = len(audio) - self._held
        if self._held:
            self._pending.append(audio[whole:])
        return [audio[at : at + CHUNK_SAMPLES] for at in range(0, whole, CHUNK_SAMPLES)]
