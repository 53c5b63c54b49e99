"""Both channels of a call, aligned in time, out of what was received and what was sent. PURE.

Time is the caller's stream clock, whose second 0 is its first frame. A caller's frame lies where its
timestamp says. What we send lies where it is played: behind what is still being played, else when it was
sent. A clear takes back what was not played yet. Only what can still change is kept; the rest is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from telephony.audio.g711 import PHONE_RATE
from telephony.audio.wav import MULAW, wav_head

SILENCE = b"\xff"
SETTLED_S = 2.0  # media later than this is lost to the recording, unless all of it was late
STALL_S = 15.0  # no line stood still so long and lived
LEAK_S = 20e-6  # a frame: two clocks that run apart by up to a thousandth stay together


@dataclass(slots=True)
class RecordedPiece:
    """Sound at its place."""

    start: int
    """In samples."""
    sound: bytes


class Recording:
    """What is not written yet of one call's two channels: the caller left, the agent right."""

    def __init__(self) -> None:
        self.taken = 0
        """Samples that were taken."""
        self.muted = False
        """Nothing is recorded now, of either side."""
        self._caller: list[RecordedPiece] = []
        self._agent: list[RecordedPiece] = []
        self._play_end = 0
        self._offset: float | None = None
        self._came = 0.0
        """When the caller's newest frame came, and where it ended."""
        self._newest = 0

    def caller(self, now: float, timestamp_ms: int, sound: bytes) -> None:
        """A frame of the caller has come."""
        lag = now - timestamp_ms / 1000
        if self._offset is None or lag < self._offset:
            self._offset = lag  # the least delayed frame so far knows the clock best
        else:
            self._offset = min(lag, self._offset + LEAK_S)
        start = timestamp_ms * PHONE_RATE // 1000
        self._came, self._newest = now, start + len(sound)
        if not self.muted:
            self._caller.append(RecordedPiece(start, sound))

    def agent(self, now: float, sound: bytes) -> None:
        """We have sent sound."""
        start = max(self._at(now), self._play_end)
        self._play_end = start + len(sound)
        if not self.muted:
            self._agent.append(RecordedPiece(start, sound))

    def clear(self, now: float) -> None:
        """What was sent and not played yet never is."""
        at = self._at(now)
        self._play_end = min(self._play_end, at)
        kept = [RecordedPiece(piece.start, piece.sound[: max(0, at - piece.start)]) for piece in self._agent]
        self._agent = [piece for piece in kept if piece.sound]

    def take(self, now: float, *, all_of_it: bool = False) -> bytes:
        """What is settled since the last time: interleaved mu-law, caller first. At the end, all of it."""
        end = self._at(now) if all_of_it else self._at(now - SETTLED_S)
        if not all_of_it and SETTLED_S / 2 < now - self._came < STALL_S:
            end = min(end, self._newest)  # the line stands still: what was said meanwhile will come
        count = end - self.taken
        if count <= 0:
            return b""
        both = bytearray(SILENCE * (2 * count))
        both[0::2] = _channel(self._caller, self.taken, end)
        both[1::2] = _channel(self._agent, self.taken, end)
        self._caller = [piece for piece in self._caller if piece.start + len(piece.sound) > end]
        self._agent = [piece for piece in self._agent if piece.start + len(piece.sound) > end]
        self.taken = end
        return bytes(both)

    def _at(self, now: float) -> int:
        """This moment on the stream's clock, in samples; 0 before it has begun."""
        return 0 if self._offset is None else max(0, round((now - self._offset) * PHONE_RATE))


def _channel(pieces: list[RecordedPiece], first: int, end: int) -> bytes:
    channel = bytearray(SILENCE * (end - first))
    for piece in pieces:
        begin, stop = max(piece.start, first), min(piece.start + len(piece.sound), end)
        if begin < stop:
            channel[begin - first : stop - first] = piece.sound[begin - piece.start : stop - piece.start]
    return bytes(channel)


def wav_header(data_bytes: int) -> bytes:
    """The header of a two-channel mu-law WAV with so much sound behind it."""
    return wav_head(MULAW, data_bytes, rate=PHONE_RATE, channels=2)
