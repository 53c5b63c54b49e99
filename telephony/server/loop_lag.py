"""Whether the event loop lives, and how late it is. PURE."""

from __future__ import annotations

from collections import deque
from statistics import median

TICK_S = 0.1  # how often the loop shows that it lives
BEATS = 9  # a second when the loop is quick; when it is 0.2 s late, five late ones take a second and a half


class LoopLagMonitor:
    """The beats of one loop. Moments are the loop's own seconds."""

    def __init__(self, now: float) -> None:
        self.last = now
        """When it beat last."""
        self._late = deque([0.0] * BEATS, maxlen=BEATS)

    def beat(self, due: float, now: float) -> float:
        """A beat that was due came now; returns by how much it was late, seconds."""
        self.last = now
        late = max(0.0, now - due)
        self._late.append(late)
        return late

    def lag_s(self) -> float:
        """By how much it is late of late: the median, since one stall, however long, says nothing."""
        return median(self._late)
