"""An agent with `reply` can be called on virtual time, as long as it waits for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from telephony import HangUp, Note, Notes, Said, Say, Turn, Wording
from telephony.testing.virtual_agent import AgentWaited
from telephony.testing.virtual_call import VirtualCall


class Counter:
    """Counts its turns, and hangs up after the second."""

    wording = Wording(greeting=Say("Counting."))

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        count = int(str(notes.get("count", 0))) + 1
        yield Note(count=count)
        yield f"Turn {count}."
        if count == 2:
            yield HangUp()


class Sleeper:
    """Waits for a timer, which virtual time does not have."""

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        await asyncio.sleep(0)
        yield "Good morning."


def test_an_agent_is_called_with_its_wording_and_its_notes() -> None:
    call = VirtualCall(Counter())
    call.run(4)
    for _ in range(2):
        call.caller("next one please")
        call.run(4)
    assert call.said_by_agent == ["Counting.", "Turn 1.", "Turn 2."]
    assert call.over


def test_an_agent_that_waits_is_told_that_it_must_not() -> None:
    call = VirtualCall(Sleeper())
    call.run(4)
    with pytest.raises(AgentWaited, match="must not wait"):
        call.caller("hello there")
        call.run(4)
