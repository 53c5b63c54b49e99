"""No child process is left behind, however often the task that ends it is cancelled."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from telephony.base import subprocesses
from tests.pacing import loop_turn

FOR_EVER = "import signal; signal.pause()"


async def test_a_killed_child_is_reaped_through_any_number_of_cancellations() -> None:
    """Before it was, the second cancellation dropped a process that nobody had waited for."""
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", FOR_EVER)
    ending = asyncio.create_task(subprocesses.killed(child))
    await loop_turn()
    while not ending.done():
        ending.cancel()
        await loop_turn()
    assert ending.cancelled()
    assert child.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


async def test_a_child_that_has_ended_is_left_alone() -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "raise SystemExit(3)")
    await child.wait()
    await subprocesses.killed(child)
    assert child.returncode == 3


async def test_waiting_ends_with_the_future_and_then_tells_of_the_cancellation() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(subprocesses.settled(future))
    await loop_turn()
    waiting.cancel()
    await loop_turn()
    assert not waiting.done()
    future.set_result(None)
    with pytest.raises(asyncio.CancelledError):
        await waiting
