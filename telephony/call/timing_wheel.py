"""The process's pacing clock: one timer for all calls, at absolute deadlines."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from telephony.base.tasks import guarded

log = logging.getLogger(__name__)

TICK_S = 0.020
"""A tick serves one slot; each call is served every `SLOTS` ticks. Spreading the calls over slots keeps the
burst of a tick short: 120 calls at once would write for 3 ms."""
SLOTS = 5


class TimingWheel:
    """Calls each registered function every 100 ms, a fifth of them in each tick of 20 ms."""

    def __init__(self) -> None:
        self._slots: list[dict[int, Callable[[float], None]]] = [{} for _ in range(SLOTS)]
        self._key = 0
        self._at = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, tick: Callable[[float], None]) -> int:
        """Have `tick(loop time)` called from now on; returns the key for `remove`."""
        self._key += 1
        slot = min(self._slots, key=len)
        slot[self._key] = tick
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._due = loop.time() + TICK_S
            self._timer = loop.call_at(self._due, self._tick)
        return self._key

    def remove(self, key: int) -> None:
        for slot in self._slots:
            slot.pop(key, None)
        if self._timer is not None and not any(self._slots):
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._at = (self._at + 1) % SLOTS
        for tick in list(self._slots[self._at].values()):
            guarded(_failed, tick, now)
        # An absolute deadline, so that lateness does not add up; after a long stall none are made up.
        self._due = max(self._due + TICK_S, loop.time())
        if any(self._slots):
            self._timer = loop.call_at(self._due, self._tick)
        else:
            self._timer = None


def _failed(error: Exception) -> None:
    """One call's failing write must not stop the others' audio."""
    log.error("a call's tick failed", exc_info=error)
