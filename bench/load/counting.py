"""An agent that counts: each sentence has a number, and its memory is all that tells it the next one."""

from __future__ import annotations

from collections.abc import AsyncIterator

from telephony.reply.agent import Note, Notes, Said, Say, Turn, Wording

SENTENCES = 3


class Counting:
    """Three sentences an answer, counted on from those before; which one is next is in its notes."""

    wording = Wording(
        greeting=Say("Welcome, this is number 0."), silence=(), fillers=(), bridge="", acknowledge=()
    )

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        """Sentences that end with their number."""
        first = int(str(notes.get("next", 1)))
        yield Note(next=first + SENTENCES)
        for number in range(first, first + SENTENCES):
            yield f"Here comes a sentence with the number {number}. "
