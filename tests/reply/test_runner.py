"""An agent's code may do anything; the call hears of it in order, and never waits for it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from telephony import CallInfo, HangUp, Note, Notes, Said, Transfer, Turn
from telephony.record.consent import MayStopRecording
from telephony.reply.runner import CLOSE_S, MAX_CHARS, STEPS, run_reply
from tests.pacing import block, for_ever, loop_turn

TURN = Turn("hello", 0, (), None, CallInfo("c"))


async def run(agent: Any, **options: Any) -> list[Said | None | Exception]:
    got: list[Said | None | Exception] = []
    await run_reply(agent, 1, TURN, {}, got.append, **options)
    return got


class Good:
    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        yield "One."
        await loop_turn()
        yield Note(a=1)
        yield HangUp()


async def test_everything_comes_in_order_and_none_at_the_end() -> None:
    assert await run(Good()) == ["One.", Note(a=1), HangUp(), None]


class Failing:
    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        yield "One."
        raise RuntimeError("no database")


async def test_an_exception_is_reported_after_what_was_said(caplog: pytest.LogCaptureFixture) -> None:
    got = await run(Failing())
    assert got[0] == "One." and isinstance(got[1], RuntimeError) and len(got) == 2
    assert "test_runner.Failing: reply 1 failed" in caplog.text


class Ending:
    """Ends itself in a way that is not an Exception."""

    def __init__(self, how: BaseException) -> None:
        self._how = how

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        yield "One."
        raise self._how


ENDS = [SystemExit(3), asyncio.CancelledError(), KeyboardInterrupt(), GeneratorExit(), BaseException("odd")]


@pytest.mark.parametrize("how", ENDS)
async def test_an_agent_that_exits_ends_neither_the_server_nor_the_call(how: BaseException) -> None:
    got = await run(Ending(how))
    assert got[0] == "One." and isinstance(got[1], Exception) and len(got) == 2


class Blocking:
    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        block(0.15)
        yield "One."


class BlockingAfterAnAwait:
    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        await loop_turn()
        block(0.15)
        yield "One."


class BlockingBeforeItsGenerator:
    def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        block(0.15)
        return Good().reply(turn, notes)


@pytest.mark.parametrize("agent", [Blocking(), BlockingAfterAnAwait(), BlockingBeforeItsGenerator()])
async def test_code_that_blocks_the_loop_can_be_named(agent: Any) -> None:
    """By what finds the loop late: the agent was in a step since then, wherever in it the code blocks."""
    named: list[str] = []
    due = time.monotonic() + 0.05
    asyncio.get_running_loop().call_later(0.05, lambda: named.extend(STEPS.since(due)))
    await run(agent)
    await loop_turn()
    assert named == [f"{__name__}.{type(agent).__name__}"]
    assert STEPS.since(time.monotonic()) == []


class Returning:
    async def reply(self, turn: Turn, notes: Notes) -> str:
        return "One."


class Nothing:
    def reply(self, turn: Turn, notes: Notes) -> list[str]:
        return ["One."]


class Numbers:
    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Any]:
        yield 1


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        (Returning(), "must `yield` what it says"),
        (Nothing(), "gave list, not an async iterator"),
        (Numbers(), "yielded int; text, Say, Note"),
    ],
)
async def test_an_agent_written_wrongly_is_told_how(agent: Any, reason: str) -> None:
    (error,) = await run(agent)
    assert isinstance(error, TypeError) and reason in str(error)


class Endless:
    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        while True:
            yield "again and again " * 100


async def test_an_agent_that_never_stops_is_stopped_and_does_not_keep_the_loop() -> None:
    got = await run(Endless())
    assert isinstance(got[-1], ValueError) and len(got) <= MAX_CHARS / 1600 + 2


class Cleaning:
    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.cleaned = False

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        try:
            yield "One."
            self.started.set()
            await for_ever()
            yield "Two."
        finally:
            self.cleaned = True


async def test_a_cancelled_reply_is_ended_and_says_no_more() -> None:
    agent, got = Cleaning(), list[Any]()
    task = asyncio.create_task(run_reply(agent, 1, TURN, {}, got.append))
    await agent.started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert agent.cleaned and got == ["One."]


class Stubborn:
    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.release = asyncio.Event()

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        self.started.set()
        while not self.release.is_set():
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                continue
        yield "Too late."


async def test_a_reply_that_swallows_its_cancellation_is_left_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    agent, got = Stubborn(), list[Any]()
    task = asyncio.create_task(run_reply(agent, 1, TURN, {}, got.append))
    await agent.started.wait()
    began = time.perf_counter()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.perf_counter() - began < CLOSE_S + 0.5
    assert "Stubborn: a cancelled reply has not ended" in caplog.text
    agent.release.set()
    (left,) = [other for other in asyncio.all_tasks() if other.get_name() == "reply 1"]
    await left
    assert got == []


async def test_the_agent_s_own_tasks_and_time_outs_work_as_usual() -> None:
    class Careful:
        async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
            try:
                async with asyncio.timeout(0.01):
                    await for_ever()
            except TimeoutError:
                yield "Late."
            async with asyncio.TaskGroup() as group:
                task = group.create_task(asyncio.to_thread(str, "Done."))
            yield task.result()

    assert await run(Careful()) == ["Late.", "Done.", None]


class Wrong:
    """Yields something that may not be yielded between things that may."""

    def __init__(self, *said: object, ends: bool = True) -> None:
        self._said = said
        self._ends = ends

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Any]:
        for one in self._said:
            yield one
        if not self._ends:
            await for_ever()


async def test_what_may_not_be_yielded_is_left_out_with_the_agent_s_name_and_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And the transfer behind it is not lost."""
    got = await run(Wrong("One.", Note(at=b"4111"), Transfer("+14155550132")))
    assert got[:2] == ["One.", Transfer("+14155550132")] and isinstance(got[2], TypeError) and len(got) == 3
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    message = record.getMessage()
    assert "test_runner.Wrong: reply 1, test_runner.py line " in message
    assert "Note(at=...) holds bytes" in message and "4111" not in message


async def test_an_agent_around_another_one_is_not_the_one_that_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await run(MayStopRecording(Wrong(1), ["stop"]))
    assert "test_runner.Wrong: reply 1" in caplog.text


async def test_an_agent_that_yields_nothing_but_nonsense_is_ended() -> None:
    got = await run(Wrong(*range(1000)))
    assert len(got) == 1 and isinstance(got[0], TypeError)


async def test_notes_have_a_bound_over_all_of_the_call() -> None:
    notes = {f"n{at}": "x" * 60_000 for at in range(4)}
    got: list[Said | None | Exception] = []
    await run_reply(Wrong(Note(n0="y" * 60_000), Note(n5="x" * 60_000)), 1, TURN, notes, got.append)
    assert got[0] == Note(n0="y" * 60_000) and isinstance(got[1], TypeError) and len(got) == 2


async def test_what_an_agent_does_to_its_notes_changes_nothing_but_its_copy() -> None:
    class Scribbler:
        async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
            items = notes["items"]
            assert isinstance(items, list)
            items.append(b"no JSON")
            yield str(len(items))
            notes["more"] = 1  # type: ignore[index]

    notes: dict[str, Any] = {"items": ["latte"]}
    got: list[Said | None | Exception] = []
    await run_reply(Scribbler(), 1, TURN, notes, got.append)
    assert got[0] == "2" and isinstance(got[1], TypeError) and notes == {"items": ["latte"]}


async def test_a_reply_that_does_not_end_after_its_transfer_is_ended() -> None:
    got = await run(Wrong("One moment.", Transfer("+14155550132"), ends=False), last_s=0.01)
    assert got == ["One moment.", Transfer("+14155550132"), None]
