"""Speech as the client wants it: its rate, its encoding, in frames of 80 ms. PURE."""

from __future__ import annotations

import audioop
import struct
from collections.abc import Callable, Mapping

from telephony.audio.g711 import Framer, Resampler

FRAME_S = 0.08
"""Length of a binary message, seconds: what the service's captures have (3840 bytes at 24000 Hz)."""

_WAV_TAGS = {"linear16": 1, "alaw": 6, "mulaw": 7}

_ENCODERS: Mapping[str, tuple[int, Callable[[bytes], bytes]]] = {
    "linear16": (2, bytes),
    "mulaw": (1, lambda audio: audioop.lin2ulaw(audio, 2)),
    "alaw": (1, lambda audio: audioop.lin2alaw(audio, 2)),
}
"""Encoding -> bytes a sample, and what makes it of linear16."""


def wav_header(encoding: str, rate: int, length: int) -> bytes:
    """The header of a mono WAV with `length` bytes of audio behind it."""
    tag, width = _WAV_TAGS[encoding], _ENCODERS[encoding][0]
    form = struct.pack("<HHIIHH", tag, 1, rate, rate * width, width, 8 * width)
    if tag != 1:  # a format other than PCM has an extension size and a fact chunk
        form += struct.pack("<H", 0)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    if tag != 1:
        chunks += b"fact" + struct.pack("<II", 4, length // width)
    chunks += b"data" + struct.pack("<I", length)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks) + length) + b"WAVE" + chunks


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
