"""The last seconds of one stream's audio, as the models want it: samples, mel power, and where speech was."""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np

from telephony.engine.listen.features import HOP, MELS, RATE, WINDOW, Floats, mel_power
from telephony.engine.listen.recognized import BLOCK_S

KEEP_S: Final = 20.0
"""The longest stretch that any model reads (15 s), and room before it."""

_SPOKEN: Final = 0.35  # the probability from which a block counts as spoken, for the times of words
_SLACK: Final = int(5.0 * RATE)  # forget in steps, not sample by sample


class SpeechTrack:
    """Where speech was in the last 20 s, by block."""

    def __init__(self) -> None:
        self._blocks: deque[tuple[float, float]] = deque(maxlen=round(KEEP_S / BLOCK_S))

    def add(self, end_s: float, probability: float) -> None:
        """The block that ends at `end_s`, seconds of the stream."""
        self._blocks.append((end_s, probability))

    def spans(self, start_s: float, end_s: float) -> list[tuple[float, float]]:
        """The blocks with speech between two moments, as stretches of time."""
        return [
            (max(start_s, block_end_s - BLOCK_S), block_end_s)
            for block_end_s, probability in self._blocks
            if probability >= _SPOKEN and start_s < block_end_s <= end_s + 1e-6
        ]

    def weakest_s(self, since_s: float) -> float:
        """Where speech is least likely: the best place for a cut. The newest blocks are left out."""
        near = [(probability, end_s) for end_s, probability in self._blocks if end_s > since_s]
        return min(near[:-3] or near)[1] - BLOCK_S / 2


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
