"""Whether this process would take a call now and have it go well: what GET /readyz tells, and why not.

Asking costs little: each check is made when somebody asks, at most every few seconds, once for all who
ask meanwhile, and never in the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from telephony.base.shared_store import SharedStore, SharedStoreFailure

log = logging.getLogger(__name__)

CHECKED_S = 3.0
"""For how long an answer is good: load balancers ask every 5 to 10 s."""
DEADLINE_S = 1.5
PROBE = bytes(8192)
"""More than a file system keeps inside an inode, where a small file needs no room (ext4: 60 bytes)."""

Check = Callable[[], Awaitable[str]]
"""What is wrong; empty: nothing."""


@dataclass
class Readiness:
    """The checks of one process. `clock` gives seconds."""

    checks: list[Check]
    clock: Callable[[], float]
    wrong: Sequence[str] = ()
    _checked_at: float = -CHECKED_S
    _checking: asyncio.Task[None] | None = field(default=None, repr=False)

    async def reasons(self) -> Sequence[str]:
        """Why it is not ready; empty when it is."""
        if self._checking is None and self.clock() - self._checked_at >= CHECKED_S:
            self._checking = asyncio.create_task(self._check())
        if self._checking is not None:
            await asyncio.shield(self._checking)
        return self.wrong

    async def _check(self) -> None:
        try:
            found = await asyncio.gather(*(_in_time(check) for check in self.checks))
            wrong = [reason for reason in found if reason]
            if wrong != list(self.wrong):
                log.log(logging.WARNING if wrong else logging.INFO, "ready: %s", "; ".join(wrong) or "yes")
            self.wrong = wrong
        finally:
            self._checked_at, self._checking = self.clock(), None


async def _in_time(check: Check) -> str:
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await check()
    except TimeoutError:
        return f"no answer within {DEADLINE_S:g} s from {getattr(check, '__name__', 'a check')}"


def disk_check(folder: Path) -> Check:
    """Writes a little where calls are kept."""

    async def the_disk() -> str:
        return await asyncio.to_thread(_write, folder)

    return the_disk


def _write(folder: Path) -> str:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:  # without a name: nothing of it can stay
            file.write(PROBE)
    except OSError as error:
        return f"DATA_DIR cannot be written: {error.strerror or error}"
    return ""


def store_check(store: SharedStore) -> Check:
    """Writes something into the shared store."""

    async def the_shared_store() -> str:
        try:
            await store.put("ready", {}, CHECKED_S)
        except SharedStoreFailure as error:
            return f"the shared store fails: {str(error).rpartition(': ')[2]}"
        return ""

    return the_shared_store
