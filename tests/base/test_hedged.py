"""A second try beside a slow first one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from telephony.base.hedged import hedged

Try = Callable[[], Awaitable[str]]


class Tries:
    """What each try does in turn, and what became of it."""

    def __init__(self, *does: Try) -> None:
        self.does = list(does)
        self.begun = 0
        self.cancelled = 0
        self.discarded: list[str] = []

    async def begin(self) -> str:
        self.begun += 1
        try:
            return await self.does[self.begun - 1]()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def run(self, after_s: float = 0.01) -> str:
        return await hedged(self.begin, after_s, self.discarded.append)


async def quick() -> str:
    return "quick"


async def never() -> str:
    await asyncio.get_running_loop().create_future()
    return "never"


async def refused() -> str:
    raise ConnectionRefusedError("first")


async def test_a_quick_try_stays_alone() -> None:
    tries = Tries(quick)
    assert await tries.run(10) == "quick"
    assert tries.begun == 1


async def test_a_slow_try_gets_another_beside_it_and_is_cancelled() -> None:
    tries = Tries(never, quick)
    assert await tries.run() == "quick"
    assert (tries.begun, tries.cancelled, tries.discarded) == (2, 1, [])


async def test_a_slow_try_that_is_first_all_the_same_wins() -> None:
    second = asyncio.Event()

    async def slow() -> str:
        await second.wait()
        return "slow"

    async def beside() -> str:
        second.set()
        return await never()

    tries = Tries(slow, beside)
    assert await tries.run() == "slow"
    assert tries.cancelled == 1


async def test_what_the_loser_had_won_is_given_back() -> None:
    """Both are done in the same turn of the loop."""
    both = asyncio.get_running_loop().create_future()

    async def first() -> str:
        await both
        return "first"

    async def second() -> str:
        both.get_loop().call_soon(both.set_result, None)
        await both
        return "second"

    tries = Tries(first, second)
    assert await tries.run() == "first"
    assert tries.discarded == ["second"]


async def test_a_failure_at_once_is_final() -> None:
    tries = Tries(refused)
    with pytest.raises(ConnectionRefusedError):
        await tries.run(10)
    assert tries.begun == 1


async def test_a_second_try_that_fails_does_not_end_the_first() -> None:
    failed = asyncio.Event()

    async def slow() -> str:
        await failed.wait()
        return "slow"

    async def fails() -> str:
        failed.set()
        raise ConnectionResetError

    assert await Tries(slow, fails).run() == "slow"


async def test_when_both_fail_the_first_ones_error_is_told() -> None:
    failed = asyncio.Event()

    async def slow() -> str:
        await failed.wait()
        raise ConnectionRefusedError("first")

    async def fails() -> str:
        failed.set()
        raise ConnectionResetError

    with pytest.raises(ConnectionRefusedError):
        await Tries(slow, fails).run()


async def test_a_deadline_ends_both() -> None:
    tries = Tries(never, never)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await tries.run()
    assert (tries.begun, tries.cancelled) == (2, 2)
