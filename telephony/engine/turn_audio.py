"""The last seconds of one stream's audio, as the models want it: samples, mel power, and where speech was."""

from __future__ import annotations

from typing import Final

import numpy as np

from telephony.engine.features import HOP, MELS, RATE, WINDOW, Floats, mel_power

KEEP_S: Final = 20.0
"""The longest stretch that any model reads (15 s), and room before it."""

_SLACK: Final = int(5.0 * RATE)  # forget in steps, not sample by sample


class TurnAudio:
    """Audio by absolute time of the stream; what is older than 20 s is forgotten."""

    def __init__(self) -> None:
        self._samples = np.zeros(0, np.float32)
        self._power = np.zeros((0, MELS), np.float32)
        self._first = 0  # absolute index of the first sample kept; always a whole frame
        # Frames are centred: the first one looks at half a window before the stream began.
        self._edge = np.zeros(WINDOW // 2, np.float32)

    @property
    def end_s(self) -> float:
        """Seconds of the stream received."""
        return (self._first + len(self._samples)) / RATE

    def append(self, samples: Floats) -> None:
        """Audio goes on; `samples` at 8 kHz, in -1 to 1."""
        self._samples = np.concatenate([self._samples, samples])
        edge = np.concatenate([self._edge, samples])
        power = mel_power(edge)
        self._edge = edge[len(power) * HOP :]
        self._power = np.concatenate([self._power, power])
        excess = len(self._samples) - int(KEEP_S * RATE)
        if excess > _SLACK:
            frames = excess // HOP
            self._samples = self._samples[frames * HOP :]
            self._power = self._power[frames:]
            self._first += frames * HOP

    def samples(self, start_s: float, end_s: float | None = None) -> Floats:
        """The samples of a stretch of time."""
        stop = None if end_s is None else self._index(end_s)
        return self._samples[self._index(start_s) : stop]

    def power(self, start_s: float, end_s: float | None = None) -> Floats:
        """The mel power of a stretch of time, a frame per 10 ms; the last one or two may still be missing."""
        stop = None if end_s is None else self._index(end_s) // HOP
        return self._power[self._index(start_s) // HOP : stop]

    def _index(self, at_s: float) -> int:
        return max(0, round(at_s * RATE) - self._first)
