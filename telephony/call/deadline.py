"""One timer that follows the conversation's next deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Deadline:
    """`next_at` gives the next deadline by the loop's clock, or None; `passed` is called when it is over."""

    def __init__(self, next_at: Callable[[], float | None], passed: Callable[[], None]) -> None:
        self._next_at = next_at
        self._passed = passed
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._at = 0.0

    def arm(self) -> None:
        """See that the timer fires no later than the next deadline.

        Deadlines mostly move away: a timer that fires too early is armed again, which costs less than moving
        it with each event.
        """
        at = self._next_at()
        if at is None:
            self.stop()
            return
        if self._timer is not None:
            if self._at <= at:
                return
            self._timer.cancel()
        self._timer, self._at = self._loop.call_at(at, self._fired), at

    def stop(self) -> None:
        """Fire no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fired(self) -> None:
        self._timer = None
        at = self._next_at()
        if at is not None and at > self._loop.time():
            self.arm()
        else:
            self._passed()
