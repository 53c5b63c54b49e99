"""`turn.released()`: an agent waits for the end of the caller's turn, in whatever loop it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from telephony.reply.agent import Agent, CallInfo, Notes, Said, Turn
from telephony.reply.isolation import ThreadedAgent
from telephony.reply.reply_scope import Release
from telephony.reply.runner import run_reply

TURN = Turn("hello", 0, (), None, CallInfo("c"))


class Careful:
    """Has its effect when the turn has ended."""

    def __init__(self, effects: list[str]) -> None:
        self._effects = effects

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        yield "One moment."
        await turn.released()
        self._effects.append("paid")
        yield "Done."


@pytest.mark.parametrize("threaded", [False, True], ids=["loop", "thread"])
@pytest.mark.parametrize("released", [True, False])
async def test_a_draft_waits_and_is_cancelled_where_it_waits(threaded: bool, released: bool) -> None:
    effects: list[str] = []
    agent: Agent = Careful(effects)
    if threaded:
        agent = ThreadedAgent(agent, lambda: Careful(effects), 1)
    begun, release, said = asyncio.Event(), Release(), list[object]()

    def emit(one: object) -> None:
        said.append(one)
        begun.set()

    task = asyncio.create_task(run_reply(agent, 1, TURN, {}, emit, release=release))
    await begun.wait()
    if released:
        release.set()
        await task
        assert effects == ["paid"] and said == ["One moment.", "Done.", None]
    else:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        release.set()
        await asyncio.sleep(0)
        assert effects == [] and said == ["One moment."]
    if isinstance(agent, ThreadedAgent):
        await agent.close()
    assert len(effects) == released


async def test_a_turn_that_is_no_draft_is_released() -> None:
    effects: list[str] = []
    said: list[object] = []
    await run_reply(Careful(effects), 1, TURN, {}, said.append)
    assert effects == ["paid"]
    await TURN.released()
