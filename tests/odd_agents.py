"""Agents of users who made a mistake."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from telephony.reply.agent import HangUp, Note, Notes, Said, Transfer, Turn
from tests.flow_agents import PERSON, QUIET
from tests.pacing import block, loop_turn


class Dated:
    """Notes when it was, which no JSON can hold, and transfers."""

    wording = QUIET

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        yield Note(when=datetime.now(UTC))
        yield "One moment."
        yield Transfer(PERSON)


class Large(Dated):
    """Notes a number that orjson cannot write, and transfers."""

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        yield Note(order=2**70)
        yield "One moment."
        yield Transfer(PERSON)


class Failing(Dated):
    """Fails when it has said to whom the caller goes."""

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        yield "One moment."
        yield Transfer(PERSON)
        raise ZeroDivisionError


class Lost(Dated):
    """Transfers to nobody who could be called; says goodbye when it is spoken to again."""

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        if turn.index == 0:
            yield Note(tried=True)
            yield Transfer("hold:a minute:please")
        else:
            yield f"Tried: {notes['tried']}."
            yield HangUp()


class Exiting(Dated):
    """Exits in a task of its own when it is first asked."""

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        if turn.index == 0:
            await asyncio.gather(self._exit())
        yield "Goodbye."
        yield HangUp()

    async def _exit(self) -> None:
        raise SystemExit(3)


class Sleeper:
    """Sleeps for three seconds, in the way that stops an event loop, when it is called at one number."""

    wording = QUIET
    asleep = threading.Event()
    awake = threading.Event()

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        if turn.call.to_number.endswith("99"):
            self.asleep.set()
            block(3.0)
            self.awake.set()
            yield "Good morning."
            yield HangUp()
        else:
            yield "Let me tell you a very long story about a little girl and her mother and a wood. " * 3


class Blocker:
    """Keeps the event loop for a third of a second with each answer."""

    wording = QUIET

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        await loop_turn()
        block(0.3)
        yield "Done."
        yield HangUp()
