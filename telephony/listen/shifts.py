"""Where the audio that listening was given and the caller's own clock part. PURE."""

from __future__ import annotations

from collections import deque

KEPT = 32
"""Shifts of long ago are taken together: nothing is heard of their moment any more."""


class Shifts:
    """Turns seconds of the audio that was given into seconds of the caller's stream."""

    def __init__(self) -> None:
        self._shifts: deque[tuple[float, float]] = deque()
        self._before = 0.0
        """What those came to that are not kept one by one."""

    def __bool__(self) -> bool:
        return bool(self._shifts)

    def add(self, at_s: float, seconds: float) -> None:
        """At second `at_s` of what is given `seconds` were put in; below zero: the caller's clock skipped."""
        if self._shifts:
            at, put_in = self._shifts[-1]
            if put_in > 0 < seconds and abs(at + put_in - at_s) < 1e-6:
                self._shifts[-1] = (at, put_in + seconds)
                return
        self._shifts.append((at_s, seconds))
        if len(self._shifts) > KEPT:
            self._before += self._shifts.popleft()[1]

    def caller_s(self, given_s: float) -> float:
        """The caller's second; it stands still for as long as something was put in."""
        at = given_s - self._before
        for begins, seconds in self._shifts:
            if given_s > begins:
                at -= min(seconds, given_s - begins)
        return at
