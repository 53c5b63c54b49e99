"""Child processes that are left in order: killed and reaped, whatever interrupts the waiting.

A child that was killed but not waited for stays a zombie, and its transport is dropped open when the event
loop closes. A cancelled task is the usual way to get there: the second cancellation lands in the first one's
clean-up.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any


async def settled(future: asyncio.Future[Any]) -> None:
    """Returns when `future` is done, however it ends; a cancellation meanwhile is raised after that.

    Only for what ends by itself within moments, such as a process that was killed.
    """
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


async def killed(child: asyncio.subprocess.Process) -> None:
    """Kills `child` if it still runs, and returns when it is reaped."""
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
    await settled(asyncio.ensure_future(child.wait()))


async def ended(child: asyncio.subprocess.Process, within_s: float, late: Callable[[], object]) -> None:
    """Ends a child that stops when its standard input closes; it is killed after `within_s` seconds.

    `late` is called before that.
    """
    if child.stdin is not None:
        child.stdin.close()
    try:
        async with asyncio.timeout(within_s):
            await child.wait()
    except TimeoutError:
        late()
    finally:
        await killed(child)
