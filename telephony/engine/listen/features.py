"""Log-mel features as Whisper's family takes them, made from 8 kHz audio as it comes.

Whisper (for final transcripts) and smart-turn (a Whisper encoder inside) are trained on 16 kHz audio, cut
into frames of 400 samples every 160. Telephone audio ends at 4 kHz, so the same frames are taken at 8 kHz
(200 samples every 80): the frequency bins lie at the same 40 Hz, the upper mel filters stay empty, and no
resampler and no second pass over the audio is needed: a frame is made once and used by every decode.
Formulas: Slaney's mel scale (O'Shaughnessy; Auditory Toolbox, 1998) and the papers' log10 with a floor
80 dB under the loudest.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

RATE: Final = 8000
HOP: Final = 80  # 10 ms, as 160 samples at 16 kHz
WINDOW: Final = 200  # 25 ms
MELS: Final = 80
FRAMES_PER_S: Final = RATE // HOP

# Half the samples under the same window give half the amplitude of a 16 kHz transform: a quarter of
# its power.
_POWER_SCALE: Final = 4.0
_FLOOR: Final = 1e-10  # the models' own floor, power


def _mel_to_hertz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Slaney's scale: linear (3 mel per 200 Hz) to 1000 Hz, 27 mel per factor 6.4 above."""
    above = 1000.0 * np.exp(np.log(6.4) / 27.0 * (mel - 15.0))
    return np.where(mel < 15.0, mel * 200.0 / 3.0, above)


def _mel_filters() -> Floats:
    """The lower half (to 4 kHz) of the 80 triangular filters that span 0 to 8 kHz; (80, 101)."""
    top = 15.0 + 27.0 * np.log(8.0) / np.log(6.4)  # 8 kHz in mel
    edges = _mel_to_hertz(np.linspace(0.0, float(top), MELS + 2))
    bins = np.arange(WINDOW // 2 + 1) * (RATE / WINDOW)
    low, mid, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.minimum((bins - low) / (mid - low), (high - bins) / (high - mid))
    filters = np.maximum(0.0, triangles) * (2.0 / (high - low))
    # The bin at 4000 Hz is shared with the mirror image above it, which telephone audio does not have.
    filters[:, -1] = 0.0
    return filters.astype(np.float32)


_FILTERS: Final = _mel_filters()
_HANN: Final = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)


def mel_power(samples: Floats) -> Floats:
    """Mel power of every whole frame of the samples (in -1 to 1); (frames, 80)."""
    count = max(0, (len(samples) - WINDOW) // HOP + 1)
    if count == 0:
        return np.zeros((0, MELS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP][:count]
    spectrum = np.fft.rfft(frames * _HANN, axis=-1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32) * np.float32(_POWER_SCALE)
    return np.asarray(power @ _FILTERS.T, dtype=np.float32)


def log_mel(power: Floats, frames: int, gain: float = 1.0, at_end: bool = False) -> Floats:
    """What a model reads: log10 of the power, floored 80 dB under its maximum, scaled; (80, `frames`).

    `power` shorter than `frames` is padded with silence after it, or before it with `at_end`; of a longer one
    the last frames are taken. `gain` multiplies the samples.
    """
    power = power[-frames:]
    padded = np.zeros((frames, MELS), np.float32)
    if at_end:
        padded[frames - len(power) :] = power
    else:
        padded[: len(power)] = power
    log = np.log10(np.maximum(padded * np.float32(gain * gain), np.float32(_FLOOR)))
    log = np.maximum(log, log.max() - 8.0)
    return np.ascontiguousarray(((log + 4.0) / 4.0).T, dtype=np.float32)
