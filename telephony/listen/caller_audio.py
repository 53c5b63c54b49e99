"""Twilio's media frames -> 80 ms chunks for Flux, on a clock kept true to Twilio's timestamps. PURE.

Flux's clock is the audio it was given. So what the carrier never received is filled with silence, what
arrives twice or too late is left out, and a stalled line is filled while a turn is open: without audio
nothing, not even Flux's own time-out, would end the turn.

This is the hot path, 50 frames a second for each call: four are grouped before one decode and one resample.
"""

from __future__ import annotations

from dataclasses import dataclass

from telephony.audio import FRAME_SAMPLES, PHONE_RATE, ULAW_SILENCE, Resampler, ulaw_to_linear16

CHUNK_SAMPLES = 640
"""80 ms, the chunk that Deepgram strongly recommends: four of Twilio's frames."""
SAMPLES_PER_MS = PHONE_RATE // 1000
STALL_S = 0.5
"""Media missing for so long while a turn is open is replaced by silence (pipecat's figure too)."""
JUMP_SAMPLES = 60 * PHONE_RATE
"""A timestamp further off than this is a broken or restarted clock, not a gap."""

_SILENCE = bytes([ULAW_SILENCE])


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
    """One call's inbound audio."""

    def __init__(self, encoding: str = "linear16", sample_rate: int = 16000) -> None:
        """`encoding` linear16 at any rate, or mulaw at 8000. Raises ValueError for anything else."""
        if encoding != "linear16" and (encoding, sample_rate) != ("mulaw", PHONE_RATE):
            raise ValueError(f"the caller's audio cannot be given as {encoding} at {sample_rate}")
        self.counts = AudioCounts()
        self._linear = encoding == "linear16"
        self._resampler = Resampler(PHONE_RATE, sample_rate) if self._linear else None
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

    def receive(self, timestamp_ms: int, ulaw: bytes, now: float) -> list[bytes]:
        """Take one media message; return the chunks it completes (usually none, every fourth time one)."""
        self.counts.frames += 1
        self._heard_at = now
        self._stall = 0
        if self._base_ms is None:
            self._base_ms = timestamp_ms
        ahead = (timestamp_ms - self._base_ms) * SAMPLES_PER_MS - self._position
        if not -FRAME_SAMPLES < ahead < FRAME_SAMPLES:
            ulaw = self._realign(timestamp_ms, ahead, ulaw)
        return self._take(ulaw)

    def stalled(self, now: float, turn_open: bool) -> list[bytes]:
        """Call every 100 ms or so: while a turn is open and no media comes, silence for Flux's clock."""
        if not turn_open or self._heard_at is None or now - self._heard_at < STALL_S:
            return []
        due = round((now - self._heard_at) * PHONE_RATE) - self._stall
        if due <= 0:
            return []
        self._stall += due
        self.counts.stalled += due
        return self._take(_SILENCE * due)

    def flush(self) -> list[bytes]:
        """The end of the stream: what is still held, shorter than a chunk."""
        if not self._pending:
            return []
        rest = self._converted(b"".join(self._pending))
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

    def _take(self, ulaw: bytes) -> list[bytes]:
        self._pending.append(ulaw)
        self._position += len(ulaw)
        self._held += len(ulaw)
        if self._held < CHUNK_SAMPLES:
            return []
        audio = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        self._held %= CHUNK_SAMPLES
        whole = len(audio) - self._held
        self._pending = [audio[whole:]] if self._held else []
        return [self._converted(audio[at : at + CHUNK_SAMPLES]) for at in range(0, whole, CHUNK_SAMPLES)]

    def _converted(self, ulaw: bytes) -> bytes:
        if self._resampler is None:
            return ulaw
        return self._resampler.feed(ulaw_to_linear16(ulaw))
