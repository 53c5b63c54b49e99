"""Speech as the client wants it: its rate, its encoding, in frames of 80 ms. PURE."""

from __future__ import annotations

import audioop
from collections.abc import Callable, Mapping

from telephony.audio.g711 import Framer
from telephony.audio.resampler import Resampler
from telephony.audio.wav import ALAW, MULAW, PCM

FRAME_S = 0.08
"""Length of a binary message, seconds: what the service's captures have (3840 bytes at 24000 Hz)."""

WAV_TAGS = {"linear16": PCM, "alaw": ALAW, "mulaw": MULAW}

_ENCODERS: Mapping[str, tuple[int, Callable[[bytes], bytes]]] = {
    "linear16": (2, bytes),
    "mulaw": (1, lambda audio: audioop.lin2ulaw(audio, 2)),
    "alaw": (1, lambda audio: audioop.lin2alaw(audio, 2)),
}
"""Encoding -> bytes a sample, and what makes it of linear16."""


class SpeechEncoder:
    """Takes a voice's linear16, gives frames."""

    def __init__(self, encoding: str, sample_rate: int) -> None:
        self._width, self._encode = _ENCODERS[encoding]
        self._rate = sample_rate
        self._framer = Framer(int(FRAME_S * sample_rate) * self._width)
        self._resampler: Resampler | None = None
        self._given = 0

    @property
    def bytes_per_second(self) -> int:
        """What a second of it takes."""
        return self._width * self._rate

    @property
    def seconds(self) -> float:
        """Audio given out so far."""
        return self._given / self.bytes_per_second

    def feed(self, linear16: bytes, rate: int) -> list[bytes]:
        """More audio of the voice, at its rate: the frames that are full."""
        frames = []
        if self._resampler is None or self._resampler.from_rate != rate:
            frames += self._drain()
            self._resampler = Resampler(rate, self._rate)
        frames += self._framer.feed(self._encode(self._resampler.feed(linear16)))
        return self._counted(frames)

    def flush(self) -> list[bytes]:
        """The end of a speech: what is left, the last frame as short as it is."""
        frames = [*self._drain(), self._framer.flush()]
        self._resampler = None
        return self._counted([frame for frame in frames if frame])

    def _drain(self) -> list[bytes]:
        return self._framer.feed(self._encode(self._resampler.flush())) if self._resampler else []

    def _counted(self, frames: list[bytes]) -> list[bytes]:
        self._given += sum(map(len, frames))
        return frames
