"""What marks and timestamps teach about a line: its delay, jitter and drift. PURE."""

from __future__ import annotations


class LineDelay:
    """What marks and timestamps have taught about the line: delay, jitter, drift."""

    BASE_S = 0.030
    """Even a clean line rounds to 20 ms frames, and the wheel's tick is 20 ms."""
    UNKNOWN_JITTER_S = 0.060
    DRIFT = 0.0005
    """500 ppm: more than any telephone clock measured."""

    def __init__(self) -> None:
        self.least: float | None = None
        self.run_least: dict[int, float] = {}
        self._spread = 0.0
        self._marks = 0
        self._clock_least: float | None = None
        self._clock_spread = 0.0

    def mark(self, run: int, late: float) -> None:
        self._marks += 1
        self.least = late if self.least is None else min(self.least, late)
        self.run_least[run] = min(late, self.run_least.get(run, late))
        self._spread = max(self._spread * 0.98, late - self.run_least[run])

    def clock(self, stream_ms: int, now: float) -> None:
        offset = now - stream_ms / 1000
        if self._clock_least is None:
            self._clock_least = offset
        # The least offset follows a slow drift of either clock.
        self._clock_least = min(offset, self._clock_least + 0.001)
        self._clock_spread = max(self._clock_spread * 0.95, offset - self._clock_least)

    def stretch_delay(self, run: int) -> float:
        """How much later than the model a stretch is playing."""
        if self.least is None or run not in self.run_least:
            return 0.0
        return self.run_least[run] - self.least

    def bound_s(self, run: int, played_s: float) -> float:
        jitter = self._spread if self._marks >= 3 else max(self._spread, self.UNKNOWN_JITTER_S)
        if run not in self.run_least:
            jitter = max(jitter, self._clock_spread, self.BASE_S)
        return self.BASE_S + jitter + min(self._clock_spread, 1.0) + self.DRIFT * played_s
