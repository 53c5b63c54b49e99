"""An agent that answers at once, each time with words that were never said before."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

from telephony.reply.agent import Notes, Said, Say, Turn, Wording


class Instant:
    """Two seconds of speech, as the stand-in says it. No phrase memory can know it."""

    wording = Wording(greeting=Say(""), silence=(), fillers=(), bridge="", acknowledge=())

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        """One sentence."""
        yield f"This is answer number {turn.index} of call {turn.call.call_id[:6]}."


ANSWERS = 50


class Census:
    """As Instant; one caller is told how many tasks and objects there are in this process."""

    wording = Instant.wording

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        """One sentence."""
        if turn.call.from_number.endswith("111"):
            yield f"There are {len(asyncio.all_tasks())} tasks, {len(gc.get_objects())} objects."
        else:
            # few enough phrases that the memory of phrases is soon full
            yield f"This is answer number {int(turn.call.call_id[:2], 16) % ANSWERS}."
