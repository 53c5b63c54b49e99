"""Touch tones: finding keys in a caller's sound, and making them. PURE.

A carrier recognizes keys by their tones and reports each one in a message of its own; recordings with tones
in them therefore give the same `dtmf` messages as a real call. Frequencies and tolerances: ITU-T Q.23, Q.24.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from telephony.audio.g711 import PHONE_RATE

LOW = (697, 770, 852, 941)
HIGH = (1209, 1336, 1477, 1633)
KEYS = ("123A", "456B", "789C", "*0#D")
HOP = 80
"""10 ms between looks."""
WINDOW = 205
"""25.6 ms, at which all eight frequencies fall near the middle of their bins (the usual Goertzel length)."""
MIN_LOOKS = 3
"""Looks in a row that make a key: tones under 23 ms must be ignored, of 40 ms accepted (Q.24)."""
MIN_LEVEL = 300.0
"""Amplitude of each of the two tones: -41 dBFS."""
MAX_TWIST = 10.0 ** (8 / 10)
"""One tone may be this much stronger than the other, as power."""
PURITY = 0.75
"""Share of the window's power that lies in the two tones: speech has its power elsewhere as well."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key was pressed."""

    digit: str
    start_s: float
    """Onset of its tone, to 10 ms."""
    known_s: float
    """When a detector that hears it live is sure."""


def find_keys(linear16: bytes) -> list[Key]:
    """All keys in a recording at 8,000 Hz, in order."""
    samples = np.frombuffer(linear16, "<i2").astype(np.float64)
    if len(samples) < WINDOW:
        return []
    looks = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    # The products of all windows take a hundred times the room of the sound: a minute of it at a time.
    minute = 60 * PHONE_RATE // HOP
    digits = [digit for at in range(0, len(looks), minute) for digit in _digits(looks[at : at + minute])]
    keys: list[Key] = []
    run, last = 0, ""
    for index, digit in enumerate(digits):
        run = run + 1 if digit == last and digit else int(bool(digit))
        last = digit
        if run == MIN_LOOKS:
            first, known = (index - MIN_LOOKS + 1) * HOP, index * HOP + WINDOW
            keys.append(Key(digit, round(first / PHONE_RATE, 3), round(known / PHONE_RATE, 3)))
    return keys


def _digits(looks: npt.NDArray[np.float64]) -> list[str]:
    """The key heard in each window, or an empty text."""
    time = np.arange(WINDOW) / PHONE_RATE
    shape = np.hamming(WINDOW)
    waves = np.exp(-2j * np.pi * np.outer(time, (*LOW, *HIGH))) * shape[:, None]
    amplitude = 2 * np.abs(looks @ waves) / shape.sum()
    low, high = amplitude[:, :4], amplitude[:, 4:]
    rows, columns = low.argmax(axis=1), high.argmax(axis=1)
    a, b = low.max(axis=1) ** 2, high.max(axis=1) ** 2
    power = (looks**2).mean(axis=1)
    clear = (a + b) / 2 >= PURITY * np.maximum(power, 1.0)
    loud = (a >= MIN_LEVEL**2) & (b >= MIN_LEVEL**2)
    alike = (a <= MAX_TWIST * b) & (b <= MAX_TWIST * a)
    return [
        KEYS[row][column] if good else ""
        for row, column, good in zip(rows, columns, clear & loud & alike, strict=True)
    ]


def tones(digit: str, seconds: float = 0.16, level: float = 6000.0) -> bytes:
    """The sound of a key as linear16 at 8,000 Hz, with soft edges."""
    row = next(index for index, keys in enumerate(KEYS) if digit in keys)
    column = KEYS[row].index(digit)
    time = np.arange(int(seconds * PHONE_RATE)) / PHONE_RATE
    index = np.arange(len(time))
    edge = np.minimum(1.0, np.minimum(index, index[::-1]) / (0.004 * PHONE_RATE))
    wave = np.sin(2 * np.pi * LOW[row] * time) + np.sin(2 * np.pi * HIGH[column] * time)
    return bytes((level * edge * wave).astype("<i2").tobytes())
