"""What a parked caller hears: ten quiet seconds of slow chords, made here: nothing is fetched. PURE."""

from __future__ import annotations

from functools import cache

import numpy as np

from telephony.audio.g711 import PHONE_RATE
from telephony.audio.wav import write_wav
from telephony.carrier.call_flow import MUSIC_S

C, A_MINOR, F, G = (261.6, 329.6, 392.0), (220.0, 261.6, 329.6), (174.6, 220.0, 261.6), (196.0, 246.9, 293.7)
CHORDS = (C, A_MINOR, F, G)  # in Hz
LEVEL = 0.05  # of full scale, each note: about -22 dBFS together, as loud as our speech
FADE_S = 0.4


@cache
def music() -> bytes:
    """A WAV file, linear16 at 8000 Hz."""
    samples = np.concatenate([_chord(notes, MUSIC_S / len(CHORDS)) for notes in CHORDS])
    return write_wav((samples * 32767).astype("<i2").tobytes(), rate=PHONE_RATE)


def _chord(notes: tuple[float, ...], seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    time = np.arange(int(seconds * PHONE_RATE)) / PHONE_RATE
    sound = sum((np.sin(2 * np.pi * note * time) for note in notes), np.zeros_like(time))
    # Every chord rises from and falls to nothing: no click where it changes, nor where the file begins again.
    shape = np.minimum(1.0, np.minimum(time, seconds - time) / FADE_S)
    faded: np.ndarray[tuple[int], np.dtype[np.float64]] = LEVEL * sound * shape
    return faded
