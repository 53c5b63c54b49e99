"""A second try beside a first one that is slow: whichever is done first counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


async def hedged(
    begin: Callable[[], Coroutine[Any, Any, Result]], after_s: float, discard: Callable[[Result], None]
) -> Result:
    """What the first try to succeed gives. The second begins when the first has taken `after_s` seconds.

    A try that fails is final only when no other is under way; a failure before `after_s` is final at once.
    The other try is cancelled; what it had already won goes to `discard`. Raises what the first try raised.
    """
    tries = [asyncio.create_task(begin())]
    winner: asyncio.Task[Result] | None = None
    try:
        await asyncio.wait(tries, timeout=after_s)
        if not tries[0].done():
            tries.append(asyncio.create_task(begin()))
        running = set(tries)
        while winner is None and running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            winner = next((one for one in tries if one in done and one.exception() is None), None)
        return (winner or tries[0]).result()
    finally:
        losers = [one for one in tries if one is not winner]
        for one in losers:
            one.cancel()
        for outcome in await asyncio.gather(*losers, return_exceptions=True):
            if not isinstance(outcome, BaseException):
                discard(outcome)
        tries.clear()  # a task that failed knows this frame by its traceback
