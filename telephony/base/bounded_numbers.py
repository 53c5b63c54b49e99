"""Numbers of a peer's messages, within what a call can have. PURE.

JSON knows no bounds: 1e308 seconds, NaN (as some libraries write it), "inf" as text and whole numbers of any
length all arrive sooner or later, and none of them can be turned into a position in audio.
"""

from __future__ import annotations

LONGEST_S = 1e6
"""Seconds: eleven days. No call, and no stream, is as long."""
LARGEST = 2**53
"""What every JSON library counts up to exactly."""


def seconds(value: object) -> float:
    """A moment or a length of audio. ValueError for what is not a number, below 0, or beyond any call."""
    if type(value) not in (float, int) or not 0 <= value <= LONGEST_S:  # type: ignore[operator]
        raise ValueError(f"{type(value).__name__} that is not a number of seconds")
    return float(value)  # type: ignore[arg-type]


def share(value: object) -> float:
    """A confidence, 0 to 1. ValueError for anything else."""
    if type(value) not in (float, int) or not 0 <= value <= 1:  # type: ignore[operator]
        raise ValueError(f"{type(value).__name__} that is not a number from 0 to 1")
    return float(value)  # type: ignore[arg-type]


def count(value: object) -> int:
    """A number that counts something. ValueError for anything else."""
    if type(value) is not int or not 0 <= value <= LARGEST:
        raise ValueError(f"{type(value).__name__} that counts nothing")
    return value
