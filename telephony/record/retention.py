"""RETENTION_DAYS: calls are deleted when they are so old, as far as the clock can be believed.

How old a call is only the wall clock knows, and a wall clock may be wrong by a month: after a start without
a network, or by a slip of the hand. What it deletes cannot be brought back, so in doubt nothing is deleted.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from telephony.base.shared_store import SharedStore, SharedStoreFailure
from telephony.record.call_files import DAY_S, CallFiles

log = logging.getLogger(__name__)

SWEEP_S = 3600.0
APART_S = 3600.0
"""So far apart the wall clock and the machine's own may be; a summer's hour changes neither."""
LEAP_S = DAY_S
"""So much time that nobody saw pass may be a clock that is wrong as well as a machine that was off."""
DOUBT_S = DAY_S
"""For so long it is then waited, by the machine's own clock: a wrong one is mostly set right by then."""
KEY = "swept"
KEPT_S = 3650 * DAY_S


def doubt(wall: float, own: float, seen: float | None, trusted_from: float) -> str:
    """Why nothing must be deleted now; empty when the clock can be believed.

    `own` is the shared store's time, which no clock that is set moves; `seen`: when, before now, it was
    surely running, if that is known; `trusted_from`: until when an earlier doubt lasts. In Unix seconds.
    """
    if abs(wall - own) > APART_S:
        return f"the wall clock has moved by {(wall - own) / DAY_S:+.2f} days against the machine's own"
    if seen is not None and own - seen > LEAP_S:
        return f"the clock says that {(own - seen) / DAY_S:.1f} days have passed in which nothing ran"
    if own < trusted_from:
        return f"the clock is believed again in {(trusted_from - own) / 3600:.0f} hours"
    return ""


class Retention:
    """Sweeps one DATA_DIR, now and every hour."""

    def __init__(
        self, keeping: CallFiles, days: int, store: SharedStore, wall: Callable[[], float] = time.time
    ) -> None:
        self._keeping = keeping
        self._days = days
        self._store = store
        self._wall = wall
        self._told = ""

    async def run(self) -> None:
        """For ever; what fails is tried again in an hour."""
        while True:
            try:
                await self.sweep()
            except (SharedStoreFailure, OSError) as error:
                log.error("old calls were not deleted: %s", error)
            await asyncio.sleep(SWEEP_S)

    async def sweep(self) -> int:
        """Delete what is too old, unless there is doubt; how many calls there were."""
        known = await self._store.get(KEY) or {}
        own, newest = self._store.now(), await asyncio.to_thread(self._keeping.newest)
        times = [at for at in (known.get("at"), newest) if at is not None and at <= own + APART_S]
        trusted_from = float(known.get("trusted_from", 0.0))
        why = doubt(self._wall(), own, max(times, default=None), trusted_from)
        if times and own - max(times) > LEAP_S:
            trusted_from = own + DOUBT_S
        await self._store.put(KEY, {"at": own, "trusted_from": trusted_from}, KEPT_S)
        if why:
            if why.partition(" in ")[0] != self._told:  # not again each hour
                log.warning("no old calls are deleted now: %s", why)
            self._told = why.partition(" in ")[0]
            return 0
        self._told = ""
        return await asyncio.to_thread(self._keeping.sweep, self._days, own)
