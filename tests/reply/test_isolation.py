"""An agent in a thread of its own: what it yields comes as from any other, and what it does stays there."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from telephony import CallInfo, HangUp, Note, Notes, Said, Say, Turn, Wording
from telephony.reply.isolation import ThreadedAgent
from telephony.reply.runner import CLOSE_S, run_reply
from tests.pacing import for_ever, loop_turn, passed, until

TURN = Turn("hello", 0, (), None, CallInfo("c"))
WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


@asynccontextmanager
async def threaded(
    make: Callable[[], Any], most: int = 4, close_s: float = CLOSE_S
) -> AsyncIterator[ThreadedAgent]:
    agent = ThreadedAgent(make(), make, most, close_s)
    try:
        yield agent
    finally:
        await agent.close()


async def run(agent: Any, a: int = 1) -> list[Said | None | Exception]:
    got: list[Said | None | Exception] = []
    await run_reply(agent, 1, TURN, {"a": a}, got.append)
    return got


class Good:
    wording = Wording(greeting=Say("Hi."))

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        yield f"{turn.text}, {WHO.get()}, {notes['a']}."
        async with asyncio.timeout(60):  # lasts over a yield: one task runs the whole reply
            await loop_turn()
            yield Note(a=2)
            yield "main" if threading.current_thread() is threading.main_thread() else "thread"
        yield HangUp()


async def test_everything_comes_in_order_from_another_thread() -> None:
    """With the context of the call, and the agent's wording and name."""
    WHO.set("Anna")
    async with threaded(Good) as agent:
        assert await run(agent) == ["hello, Anna, 1.", Note(a=2), "thread", HangUp(), None]
        assert agent.wording is Good.wording


class Failing:
    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        yield "One."
        raise SystemExit(3) if turn.digits else ZeroDivisionError


async def test_what_fails_there_is_reported_here(caplog: pytest.LogCaptureFixture) -> None:
    async with threaded(Failing) as agent:
        got = await run(agent)
        assert got[0] == "One." and isinstance(got[1], ZeroDivisionError) and len(got) == 2
        assert "test_isolation.Failing: reply 1 failed" in caplog.text
        assert (await run(agent))[0] == "One."  # the thread lives on


class Exiting:
    """Exits in its reply, or in a task of its own."""

    def __init__(self, how: BaseException) -> None:
        self._how = how

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        yield "One."
        if notes["a"] == 1:
            raise self._how
        if notes["a"] == 2:
            await asyncio.gather(self._exit())

    async def _exit(self) -> None:
        raise self._how


@pytest.mark.parametrize("how", [SystemExit(3), KeyboardInterrupt(), BaseException("odd")])
async def test_a_thread_outlives_whatever_is_raised_in_it(how: BaseException) -> None:
    """There is one thread, which all replies share."""
    async with threaded(lambda: Exiting(how), most=1) as agent:
        for a in (1, 2):
            async with asyncio.timeout(5):
                got = await run(agent, a)
            assert got[0] == "One." and type(how).__name__ in str(got[1]) and len(got) == 2
        assert await run(agent, 3) == ["One.", None]


class Unmade:
    made = 0

    def __init__(self) -> None:
        type(self).made += 1
        if threading.current_thread() is not threading.main_thread() and self.made < 3:
            raise RuntimeError("no database")

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        yield "One."


async def test_a_constructor_that_fails_in_its_thread_costs_a_reply() -> None:
    async with threaded(Unmade) as agent:
        assert isinstance((await run(agent))[0], RuntimeError)
        assert await run(agent) == ["One.", None]


class Greedy:
    yielded = 0

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        while True:
            type(self).yielded += 1
            yield "x"


async def test_an_agent_is_no_further_than_what_was_taken() -> None:
    async with threaded(Greedy) as agent:
        iterator = agent.reply(TURN, {})
        for _ in range(5):
            await anext(iterator)
        await passed(0.05)
        assert Greedy.yielded == 5
        await iterator.aclose()  # type: ignore[attr-defined]


class Cleaning:
    started = threading.Event()
    cleaned = threading.Event()

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        try:
            yield "One."
            self.started.set()
            await for_ever()
        finally:
            self.cleaned.set()


async def test_a_cancelled_reply_is_cancelled_there() -> None:
    async with threaded(Cleaning) as agent:
        got: list[Any] = []
        task = asyncio.create_task(run_reply(agent, 1, TURN, {}, got.append))
        assert await asyncio.to_thread(Cleaning.started.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(Cleaning.cleaned.wait, 5) and got == ["One."]


class Blocking:
    """Blocks until it is released."""

    started = threading.Event()
    release = threading.Event()
    threads: set[int] = set()

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        self.threads.add(threading.get_ident())
        if turn.text == "block":
            self.started.set()
            self.release.wait(20)
        yield "One."


@pytest.fixture
def blocking() -> type[Blocking]:
    Blocking.started.clear()
    Blocking.release.clear()
    Blocking.threads.clear()
    return Blocking


async def test_a_blocked_agent_holds_up_neither_the_loop_nor_other_replies(blocking: type[Blocking]) -> None:
    """The others go to other threads, of which there are few."""
    async with threaded(blocking, most=3) as agent:
        block = Turn("block", 0, (), None, CallInfo("c"))
        blocked = asyncio.create_task(run_reply(agent, 1, block, {}, lambda said: None))
        assert await asyncio.to_thread(blocking.started.wait, 5)
        async with asyncio.timeout(10):
            for _ in range(5):
                assert await asyncio.gather(*(run(agent) for _ in range(6))) == [["One.", None]] * 6
        assert not blocked.done() and len(blocking.threads) <= 3
        blocking.release.set()
        await blocked


async def test_a_blocked_reply_is_given_up_at_once_and_named(
    blocking: type[Blocking], caplog: pytest.LogCaptureFixture
) -> None:
    async with threaded(blocking, close_s=0.01) as agent:
        block = Turn("block", 0, (), None, CallInfo("c"))
        task = asyncio.create_task(run_reply(agent, 1, block, {}, lambda said: None))
        assert await asyncio.to_thread(blocking.started.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(0.9):
                await task
        await until(lambda: "Blocking: after 0.01 s a cancelled reply has not ended" in caplog.text)
        blocking.release.set()


async def test_its_threads_end_with_the_server() -> None:
    async with threaded(Good) as agent:
        await asyncio.gather(*(run(agent) for _ in range(3)))
        assert any(thread.name == "agent" for thread in threading.enumerate())
    assert not any(thread.name == "agent" for thread in threading.enumerate())
