"""One level for whatever voice speaks, and a limiter. PURE: reads no clock, does no I/O."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

TARGET_DBFS = -20.0
"""Level of active speech, with room for a voice's peaks below the end of mu-law."""
CEILING = 30_000.0
"""The limiter's peak, -0.8 dBFS: below mu-law's own clip point of 32,124."""
MAX_GAIN_DB = 18.0
MIN_GAIN_DB = -18.0
BLOCK_S = 0.005
"""Level and gain are decided once a block; also all the delay there is."""
GATE_DBFS = -50.0
"""Quieter blocks are never speech."""
GATE_BELOW_DB = 16.0
"""Blocks this far below the speech level are pauses (ITU-T P.56 uses 15.9)."""
SETTLED_BLOCKS = 1200
"""6 s of speech: the level of a voice is known, and not followed any more."""
TRUST_BLOCKS = 12
"""60 ms of imagined speech at the first block's level steady the very first estimates."""
RISE_DB_S = 24.0
FALL_DB_S = 60.0
RECOVER_DB_S = 60.0
"""After the limiter let go."""


class VoiceLevel:
    """What is known of a voice's own level. Shared by all gains of one voice, in one thread."""

    __slots__ = ("heard", "power")

    def __init__(self) -> None:
        self.power = 0.0
        """Mean square of its active speech; 0: none heard yet."""
        self.heard = 0
        """Blocks of active speech heard."""

    @property
    def settled(self) -> bool:
        """Known well enough: the gain is constant from now on, as it is on a mixing desk."""
        return self.heard >= SETTLED_BLOCKS


class AutomaticGain:
    """Brings speech to one active level, and keeps peaks below clipping.

    The gain is a straight line within each 5 ms block and joins the next one's, so it never steps; the
    limiter knows the next block before it gives out this one, so it never clips the beginning of a word.
    What comes out does not depend on how the input was cut. One gain serves one voice: what it learns
    stays over flush(), and serves the voice's other gains if they share a `VoiceLevel`.
    """

    def __init__(self, rate: int, voice: VoiceLevel | None = None) -> None:
        self.delay_s = BLOCK_S
        self._block = max(1, round(rate * BLOCK_S))
        self._ramp = np.arange(1, self._block + 1) / self._block
        self._voice = voice or VoiceLevel()
        # The gain that the level asks for, reached at RISE and FALL; a voice that is known begins with it.
        self._wanted = _gain_for(self._voice.power) if self._voice.settled else 1.0
        self._gain = self._wanted  # gain at the last block border, limiter included
        self._rest = b""

    def feed(self, linear16: bytes) -> bytes:
        """Take linear16, return what is decided: all but the last 5 to 10 ms."""
        data = self._rest + linear16
        # The last whole block stays: the gain at its end depends on the block after it.
        whole = len(data) // (2 * self._block)
        if whole < 2:
            self._rest = data
            return b""
        blocks = np.frombuffer(data, np.int16, whole * self._block).reshape(whole, self._block)
        self._rest = data[2 * self._block * (whole - 1) :]
        return self._apply(blocks).tobytes()

    def flush(self) -> bytes:
        """The end of a phrase: what is still due. What was learnt of the voice stays."""
        rest, self._rest = self._rest, b""
        samples = len(rest) // 2
        if not samples:
            return b""
        pad = -samples % self._block + self._block
        padded = np.frombuffer(rest[: 2 * samples] + bytes(2 * pad), np.int16).reshape(-1, self._block)
        return self._apply(padded).tobytes()[: 2 * samples]

    def _apply(self, samples: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """Level all blocks but the last, which is only looked at."""
        voice = self._voice
        if voice.settled and self._gain == self._wanted == _gain_for(voice.power):
            loudest = max(int(samples.max()), -int(samples.min()))
            if loudest * self._gain <= CEILING:
                # The gain is what it was in each block: the same result, in one multiplication.
                steady: npt.NDArray[np.int16] = np.rint(samples[:-1] * self._gain).astype(np.int16).ravel()
                return steady
        blocks = samples.astype(np.float64)
        peaks = np.abs(blocks).max(axis=1).tolist()
        # whole numbers below 2**53: exact in any order
        powers = (np.einsum("ij,ij->i", blocks, blocks) / self._block).tolist()
        borders = np.array(self._gains(powers, peaks))
        made = blocks[:-1]
        made *= borders[:-1, None] + np.diff(borders)[:, None] * self._ramp
        np.rint(made, out=made)
        # The first block of all has no block before it that could have lowered the gain: clip what is left.
        np.minimum(made, CEILING, out=made)
        np.maximum(made, -CEILING, out=made)
        return made.astype(np.int16).ravel()

    def _gains(self, powers: list[float], peaks: list[float]) -> list[float]:
        """The gain at each border between the blocks: as it was, then after each block but the last.

        One loop of plain numbers: 200 blocks a second of speech, for every call.
        """
        level, heard = self._voice.power, self._voice.heard
        wanted, gain = self._wanted, self._gain
        borders = [gain]
        peak = peaks[0]
        for power, next_peak in zip(powers, peaks[1:], strict=False):
            if heard < SETTLED_BLOCKS and power >= _GATE_POWER and power >= level * _GATE_RATIO:
                if not heard:
                    level, heard = power, TRUST_BLOCKS
                heard += 1
                level += (power - level) / heard
            if level:
                wanted = min(max(_gain_for(level), wanted / _FALL), wanted * _RISE)
            gain = min(wanted, gain * _RECOVER)
            loudest = peak if peak > next_peak else next_peak
            if loudest > _UNCAPPED:
                gain = min(gain, CEILING / loudest)
            peak = next_peak
            borders.append(gain)
        self._voice.power, self._voice.heard = level, heard
        self._wanted, self._gain = wanted, gain
        return borders


def _gain_for(power: float) -> float:
    """The gain that brings active speech of this mean square to the target; 1 where none was heard."""
    return min(max((_TARGET_POWER / power) ** 0.5, _MIN_GAIN), _MAX_GAIN) if power else 1.0


def _db(decibels: float) -> float:
    return float(10.0 ** (decibels / 20))


_MAX_GAIN = _db(MAX_GAIN_DB)
_MIN_GAIN = _db(MIN_GAIN_DB)
_UNCAPPED = CEILING / _MAX_GAIN  # a peak that no gain brings to the ceiling
_RISE = _db(RISE_DB_S * BLOCK_S)
_FALL = _db(FALL_DB_S * BLOCK_S)
_RECOVER = _db(RECOVER_DB_S * BLOCK_S)
_TARGET_POWER = (32768 * _db(TARGET_DBFS)) ** 2
_GATE_POWER = (32768 * _db(GATE_DBFS)) ** 2
_GATE_RATIO = _db(-GATE_BELOW_DB) ** 2
