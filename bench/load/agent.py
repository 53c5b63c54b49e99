"""An agent that answers at once, each time with words that were never said before."""

from __future__ import annotations

from collections.abc import AsyncIterator

from telephony.reply.agent import Manners, Notes, Said, Say, Turn


class Instant:
    """Two seconds of speech, as the stand-in says it. No phrase memory can know it."""

    manners = Manners(greeting=Say(""), silence=(), fillers=(), bridge="", acknowledge=())

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        """One sentence."""
        yield f"This is answer number {turn.index} of call {turn.call.call_id[:6]}."
