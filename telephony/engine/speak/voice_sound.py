"""What a voice's program gives -> clauses that can be put one after another without a click or a hole.

Each clause is trimmed, brought to one level, given the pause that its punctuation asks for, and laid over a
faint room tone, so that its pauses are never digital silence: a line gone dead sounds like a call gone dead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from telephony.engine.packages import not_installed
from telephony.engine.speak.word_times import speech_frames
from telephony.errors import VoiceFailed

Samples = npt.NDArray[np.float32]

LEVEL_DBFS = -20.0  # of the parts with speech: the level that audio.py asks of every voice
_GAIN_DB = (-15.0, 15.0)  # a clause that needs more than this is not speech
_PEAK = 0.89  # -1 dBFS
# Tone of the room: at -72 dBFS it cannot be heard, yet no stretch of it is constant in mu-law, whose smallest
# step is 8 of 32768.
_TONE = 8.0 / 32768

_LEAD_S = 0.020  # kept before the first sound: a soft consonant begins below the threshold
_TAIL_S = 0.060  # kept behind the last one: it dies away
_FADE_IN_S, _FADE_OUT_S = 0.004, 0.012

PAUSE_S = {"": 0.03, ",": 0.12, ";": 0.18, ":": 0.18, ".": 0.28, "?": 0.28, "!": 0.28}
# Behind a text's last clause: the reply's next text follows, or the caller answers; neither should wait.
LAST_PAUSE_S = {**PAUSE_S, ".": 0.15, "?": 0.06, "!": 0.15}

_WINDOW_S, _SEARCH_S = 0.030, 0.012  # WSOLA: two periods of a low voice, and as far as one


@dataclass(frozen=True, slots=True)
class Character:
    """How a voice differs from what its program renders."""

    pitch: float = 1.0
    """Factor of the fundamental and of the formants: 1.2 sounds like a smaller person."""
    pace: float = 1.0
    """Factor of the tempo."""


def shape(linear16: bytes, rate: int, character: Character, speed: float, pause_s: float) -> Samples:
    """A clause ready to be said: trimmed, at its pitch and speed, level, with its pause behind it."""
    raw = np.frombuffer(linear16[: len(linear16) // 2 * 2], dtype="<i2")
    samples = trim(raw.astype(np.float32) / np.float32(32768), rate)
    if not len(samples):
        return samples
    tempo = character.pace * speed
    if abs(tempo / character.pitch - 1.0) > 0.01:
        samples = stretch(samples, rate, character.pitch / tempo)
    if character.pitch != 1.0:
        samples = _resample(samples, character.pitch * rate, rate)
    samples = level(samples, rate)
    samples = fade(samples, rate)
    pause = np.zeros(int(pause_s / speed * rate), dtype=np.float32)
    return add_tone(np.concatenate((samples, pause)))


def _resample(samples: Samples, rate: float, wanted: float) -> Samples:
    try:
        import soxr  # here: most voices never need it, and a deployment may not have it
    except ImportError as error:
        raise VoiceFailed(not_installed(["soxr"])) from error
    return np.asarray(soxr.resample(samples, rate, wanted, "HQ"), dtype=np.float32)


def to_linear16(samples: Samples) -> bytes:
    """Floats in -1 to 1 as signed 16-bit little-endian samples."""
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes()


def trim(samples: Samples, rate: int) -> Samples:
    """Without the silence before and behind, but with the soft edges of the sounds."""
    spoken = np.flatnonzero(speech_frames(samples, rate))
    if not len(spoken):
        return samples[:0]
    start = int(spoken[0] * 0.010 * rate - _LEAD_S * rate)
    stop = int((spoken[-1] + 1) * 0.010 * rate + _TAIL_S * rate)
    return samples[max(0, start) : stop]


def level(samples: Samples, rate: int) -> Samples:
    """At one level whatever the voice and the length of the clause."""
    spoken = speech_frames(samples, rate)
    size = int(rate * 0.010)
    frames = samples[: len(spoken) * size].reshape(-1, size)[spoken]
    if not len(frames):
        return samples
    power = float(np.sqrt(np.mean(np.square(frames, dtype=np.float64))))
    gain = 10 ** (float(np.clip(LEVEL_DBFS - 20 * np.log10(power), *_GAIN_DB)) / 20)
    peak = float(np.max(np.abs(samples)))
    return samples * np.float32(min(gain, _PEAK / peak))


def fade(samples: Samples, rate: int) -> Samples:
    """The two ends brought to nothing, so that no step is left where clauses meet."""
    samples = samples.copy()
    fade_in = min(int(_FADE_IN_S * rate), len(samples) // 2)
    fade_out = min(int(_FADE_OUT_S * rate), len(samples) // 2)
    samples[:fade_in] *= np.linspace(0, 1, fade_in, dtype=np.float32)
    samples[len(samples) - fade_out :] *= np.linspace(1, 0, fade_out, dtype=np.float32)
    return samples


def _make_tone() -> Samples:
    return np.random.default_rng(8000).normal(0.0, _TONE, 65_521).astype(np.float32)


_ROOM_TONE = _make_tone()  # the same in every run: a text's audio can be compared with itself


def add_tone(samples: Samples) -> Samples:
    """With the room's tone under it."""
    return samples + np.resize(_ROOM_TONE, len(samples))


def stretch(samples: Samples, rate: int, factor: float) -> Samples:
    """`factor` times as long at the same pitch: windows laid over each other where they fit best (WSOLA)."""
    half = int(_WINDOW_S * rate / 2)
    search = int(_SEARCH_S * rate)
    window = np.hanning(2 * half + 1)[:-1].astype(np.float32)
    padded = np.concatenate((np.zeros(search + half), samples, np.zeros(2 * half + search))).astype(
        np.float32
    )
    length = int(len(samples) * factor)
    out = np.zeros(length + 3 * half, dtype=np.float32)
    at = search  # where the window last taken begins
    for begin in range(0, length + half, half):
        wanted = search + int(begin / factor)
        if begin:
            follows = padded[at + half : at + 2 * half]  # what would come next if nothing were stretched
            low = min(max(0, wanted - search), len(padded) - 2 * half - 1)
            high = min(wanted + search + half, len(padded) - half)
            near = np.correlate(padded[low:high], follows, "valid")
            wanted = low + int(np.argmax(near))
        at = min(wanted, len(padded) - 2 * half)
        out[begin : begin + 2 * half] += padded[at : at + 2 * half] * window
    return out[half : half + length]
