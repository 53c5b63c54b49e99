"""Whether the event loop runs, and how late it is. PURE."""

from __future__ import annotations

from collections import deque
from statistics import median

TICK_S = 0.1
TICKS = 9  # a second when the loop is quick; when it is 0.2 s late, five late ones take a second and a half


class LoopLagMonitor:
    """The ticks of one loop, every TICK_S. Times are the loop's own seconds."""

    def __init__(self, now: float) -> None:
        self.last = now
        """The time of the last tick."""
        self._late = deque([0.0] * TICKS, maxlen=TICKS)

    def tick(self, due: float, now: float) -> float:
        """A tick came that was due at `due`; returns how late it was, in seconds."""
        self.last = now
        late = max(0.0, now - due)
        self._late.append(late)
        return late

    def lag_s(self) -> float:
        """Median recent lag, in seconds. A median, so that a single long stall does not count."""
        return median(self._late)
