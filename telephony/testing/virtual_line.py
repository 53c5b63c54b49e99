"""The line of a virtual call: how late what is sent arrives, and what is lost of it. PURE."""

from __future__ import annotations

from collections.abc import Callable

FRAME_MS = 20


class VirtualLine:
    """Two ways with delays in seconds; neither changes the order of what is sent on it."""

    def __init__(
        self,
        way_out: Callable[[float], float],
        way_back: Callable[[float], float],
        lose_frame: Callable[[], bool],
        drift_ppm: float,
    ) -> None:
        """`drift_ppm`: how much faster than ours the playout clock runs."""
        self.rate = 1 + drift_ppm / 1e6
        """Seconds of the playout clock in one of ours."""
        self._out, self._back = way_out, way_back
        self._lose_frame = lose_frame
        self._last_out = self._last_back = 0.0

    def out_s(self, now: float) -> float:
        """How long what is sent now takes until it plays."""
        self._last_out = max(self._last_out, now + self._out(now))
        return self._last_out - now

    def back_s(self, now: float) -> float:
        """How long what is sent back now takes to us."""
        self._last_back = max(self._last_back, now + self._back(now))
        return self._last_back - now

    def newest_frame_ms(self, playout_now: float) -> int:
        """The timestamp of the newest of the caller's frames that was not lost."""
        frame = int(playout_now * 50)
        while frame and self._lose_frame():
            frame -= 1
        return frame * FRAME_MS
