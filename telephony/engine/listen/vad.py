"""Voice activity, per 80 ms block of 8 kHz audio: Silero's probability, behind three gates.

Silero v6 finds no speech in ringback, dial tones and hold music, but a few things must be kept from it:

* DTMF: digits pressed in mid-sentence are speech to no one; their samples are silenced for every model.
* Far voices: a coffee shop is full of real speech. What is hardly louder than the room is not the caller, and
  what begins a turn must be clearer speech there than on a quiet line.
* Its own memory: after long silence the network can stop responding (0.15 for a clear sentence, 0.95 from a
  fresh state), so the state is made new every 2 s in which nobody speaks.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from telephony.engine.listen.features import Floats
from telephony.engine.listen.onnx import load_network

RATE: Final = 8000
BLOCK: Final = 640  # samples: 80 ms
_CHUNK: Final = 256  # samples that Silero takes at 8 kHz: 32 ms
_CONTEXT: Final = 32  # samples before them that it wants again
_RESET_BLOCKS: Final = 25  # 2 s
_FRAME: Final = 160  # samples: 20 ms, the step at which DTMF is looked for

SPEECH_ON: Final = 0.5
SPEECH_OFF: Final = 0.35
"""Silero's probability at which speech begins, and below which it has ended (measured: speech.md, "M")."""

_LOUD_ON: Final = 0.4
_LOUD_OFF: Final = 0.25
_FAR_ABOVE_DB: Final = 20.0
"""On a quiet line: letters and digits said alone reach no more than 0.4 to 0.8, music and tones 0.3."""
_SURE_QUIET: Final = 0.7
_SURE_NOISY: Final = 0.96
_NOISY_DB: Final = -52.0
_SURE_DB: Final = 10.0
"""In noise a caller is soon clear (0.96) and 10 dB over the room at once; its voices are hardly ever both."""
_LOUD: Final = 0.6  # 0.4 on a quiet line
_LOUD_DB: Final = 18.0
"""Or much louder than the room, clear or not."""
_SURE_BLOCKS: Final = 12  # of speech in a row make sure of a faint caller, too
_SURE_MEAN: Final = 0.9

GATE_DB: Final = 6.0
_LOUD_RUN: Final = 0.95  # speech that goes on and is as clear as this needs no gate: words have soft parts
_FLOOR_LOWEST_DB: Final = -66.0  # digital silence must not open the gate to the codec's own noise
_FLOOR_BLOCKS: Final = 75  # 6 s of what is not speech, however long ago
_FLOOR_PERCENTILE: Final = 25.0
_NOT_SPEECH: Final = 0.2

_DTMF_HZ: Final = (697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0)
_DTMF_SHARE: Final = 0.80  # of the frame's energy that the best row and column hold together
_DTMF_EACH: Final = 0.12  # and each of them alone: Q.24 allows 8 dB of twist
_DTMF_LOUD: Final = 1e-5  # mean square, -50 dBFS


def _dtmf_probe() -> Floats:
    """Cosines and sines of the eight tones over a frame; (160, 16)."""
    time = np.arange(_FRAME) / RATE
    angle = 2.0 * np.pi * np.outer(time, np.array(_DTMF_HZ))
    return np.concatenate([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


_PROBE: Final = _dtmf_probe()


def dtmf_frames(block: Floats) -> list[bool]:
    """Which 20 ms frames of the samples carry a DTMF digit."""
    frames = block[: len(block) // _FRAME * _FRAME].reshape(-1, _FRAME)
    mean_square = np.mean(frames**2, axis=1)
    parts = frames @ _PROBE
    # A sine of amplitude A gives (A N / 2)^2 here and a mean square of A^2 / 2.
    tones = (parts[:, :8] ** 2 + parts[:, 8:] ** 2) * (2.0 / _FRAME**2)
    row, column = tones[:, :4].max(axis=1), tones[:, 4:].max(axis=1)
    total = np.maximum(mean_square, 1e-12)
    hit = (
        (row + column > _DTMF_SHARE * total)
        & (np.minimum(row, column) > _DTMF_EACH * total)
        & (mean_square > _DTMF_LOUD)
    )
    return [bool(value) for value in hit]


class DtmfMask:
    """Silences DTMF in a stream of blocks; a frame beside a digit is its edge and goes with it."""

    def __init__(self) -> None:
        self._last = False

    def apply(self, block: Floats) -> tuple[Floats, bool]:
        """The block without its digits, and whether there were any."""
        hits = dtmf_frames(block)
        if not any(hits) and not self._last:
            return block, False
        masked = block.copy()
        for index in range(len(hits)):
            before = hits[index - 1] if index else self._last
            after = hits[index + 1] if index + 1 < len(hits) else False
            if hits[index] or before or after:
                masked[index * _FRAME : (index + 1) * _FRAME] = 0.0
        found = any(hits) or self._last
        self._last = bool(hits and hits[-1])
        return masked, found


class LevelGate:
    """Tells the caller from the room by level."""

    def __init__(self) -> None:
        self._levels: deque[float] = deque(maxlen=_FLOOR_BLOCKS)
        self.floor_db = _FLOOR_LOWEST_DB
        """The room's level, dBFS: learnt from blocks in which nobody speaks."""

    def above(self, block: Floats, probability: float) -> float:
        """How far the block is above the room, dB; learns from it."""
        level = 10.0 * float(np.log10(float(np.mean(block**2)) + 1e-10))
        if probability < _NOT_SPEECH:
            self._levels.append(level)
            floor = float(np.percentile(np.fromiter(self._levels, float), _FLOOR_PERCENTILE))
            self.floor_db = max(_FLOOR_LOWEST_DB, floor)
        return level - self.floor_db


class Silero:
    """The network, loaded once; its memory is each stream's own."""

    def __init__(self, path: Path) -> None:
        self._session = load_network(path)
        self._rate = np.array(RATE, dtype=np.int64)

    def run(self, samples: Floats, state: Floats) -> tuple[float, Floats]:
        """Probability of speech in 32 samples of context and 256 new ones, and the new state."""
        output, state = self._session.run(None, {"input": samples[None], "state": state, "sr": self._rate})
        return float(output[0, 0]), state


@dataclass(frozen=True, slots=True)
class VadResult:
    """One block after the gates."""

    samples: Floats
    """The block as the models get it: DTMF silenced."""
    probability: float
    """Of speech, 0 to 1; the level gate makes it 0."""
    speech: bool
    """With hysteresis."""
    sure: bool
    """The speech that goes on in this block is the caller's: enough to begin a turn, or to take one up."""


class VoiceActivity:
    """Voice activity of one stream."""

    def __init__(self, silero: Silero) -> None:
        self._silero = silero
        self._state = np.zeros((2, 1, 128), np.float32)
        self._pending = np.zeros(_CONTEXT, np.float32)
        self._mask = DtmfMask()
        self._gate = LevelGate()
        self._quiet_blocks = 0
        self._run: list[float] = []  # the probabilities of the speech that goes on
        self._sure = False

    def receive(self, block: Floats) -> VadResult:
        """Takes 640 samples in -1 to 1."""
        samples, digit = self._mask.apply(block)
        probability = self._probability(samples)
        above_db = self._gate.above(samples, probability)
        if digit or not (above_db >= GATE_DB or (self._run and probability >= _LOUD_RUN)):
            probability = 0.0
        speech = probability >= self._threshold(above_db)
        self._run = [*self._run[-_SURE_BLOCKS:], probability] if speech else []
        self._sure = speech and (self._sure or self._is_sure(probability, above_db))
        self._forget_in_silence(probability)
        return VadResult(samples, probability, speech, self._sure)

    def _threshold(self, above_db: float) -> float:
        """The probability from which this block is speech."""
        if above_db >= _FAR_ABOVE_DB and self._gate.floor_db <= _NOISY_DB:
            return _LOUD_OFF if self._run else _LOUD_ON
        return SPEECH_OFF if self._run else SPEECH_ON

    def _is_sure(self, probability: float, above_db: float) -> bool:
        needed = _SURE_NOISY if self._gate.floor_db > _NOISY_DB else _SURE_QUIET
        loud = _LOUD if self._gate.floor_db > _NOISY_DB else _LOUD_ON
        clear = probability >= needed and above_db >= _SURE_DB
        if clear or (probability >= loud and above_db >= _LOUD_DB):
            return True
        return len(self._run) >= _SURE_BLOCKS and sum(self._run) / len(self._run) >= _SURE_MEAN

    def _probability(self, samples: Floats) -> float:
        """Of the last chunk that ends in this block: it knows most, and the network remembers the others."""
        self._pending = np.concatenate([self._pending, samples])
        probability = 0.0
        while len(self._pending) >= _CONTEXT + _CHUNK:
            probability, self._state = self._silero.run(self._pending[: _CONTEXT + _CHUNK], self._state)
            self._pending = self._pending[_CHUNK:]
        return probability

    def _forget_in_silence(self, probability: float) -> None:
        self._quiet_blocks = self._quiet_blocks + 1 if probability < 0.1 else 0
        if self._quiet_blocks >= _RESET_BLOCKS:
            self._quiet_blocks = 0
            self._state = np.zeros((2, 1, 128), np.float32)
