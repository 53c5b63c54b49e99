"""Time in tests: what happens is waited for. What is a matter of time goes through here, and says so."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable

LOOK_S = 0.005
PATIENCE_S = 10.0


async def loop_turn() -> None:
    """What was ready to run has run."""
    turned = asyncio.Event()
    asyncio.get_running_loop().call_soon(turned.set)
    await turned.wait()


async def for_ever() -> None:
    """Wait until cancelled."""
    await asyncio.Event().wait()


async def until(condition: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    """Let the loop work until something is so; AssertionError when it is not so in time."""

    async def ask() -> bool:
        return condition()

    await until_so(ask, within_s)


async def until_so(ask: Callable[[], Awaitable[bool]], within_s: float = PATIENCE_S) -> None:
    """The same for what has to be asked for: of a file, a process, a server."""
    end = asyncio.get_running_loop().time() + within_s
    while not await ask():
        assert asyncio.get_running_loop().time() < end, f"it did not happen within {within_s:g} s"
        await asyncio.sleep(LOOK_S)


async def passed(seconds: float) -> None:
    """Time has passed: that something does not happen can only be seen in time."""
    await asyncio.sleep(seconds)


async def paced(period_s: float) -> AsyncIterator[int]:
    """Counts from 0 at the pace of a line: n is due n periods after 0, however late the one before was."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for number in itertools.count():
        yield number
        await asyncio.sleep(max(0.0, begun + (number + 1) * period_s - loop.time()))


def block(seconds: float) -> None:
    """What no agent may do: hold the thread, and with it the event loop."""
    time.sleep(seconds)
