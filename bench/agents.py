"""The agents that the benches of turn-taking telephone. AGENT=bench.agents:NAME"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from telephony.reply.agent import Notes, Said, Say, Turn, Wording

STORY = (
    "Once there was a small house by the river, and in it lived an old man with his seven cats.",
    "Each morning he went down to the water and looked for the boat of his brother.",
    "The boat had left in spring, with salt and rope and a letter for the king.",
    "Summer came, and the apples in the garden grew red and heavy on the branches.",
    "One of the cats, the grey one, began to sit by the water too, and would not eat.",
    "In autumn the river rose and brought wood and leaves from the mountains.",
    "The old man built a wall of stones, so that the house would stand in winter.",
    "Then snow fell for nine days, and nobody came along the road to the village.",
    "On the tenth day the grey cat jumped up and ran out over the ice.",
    "There was a light on the other side, and somebody was singing an old song.",
)
QUIET = Wording(greeting=Say("Hello there."), silence=(), fillers=(), bridge="", acknowledge=())


class Talkative:
    """Tells a story of three quarters of a minute, whatever is said."""

    wording = QUIET

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        """The whole story, one sentence at a time."""
        for sentence in STORY:
            yield sentence + " "


class Instant:
    """Answers at once, with words that were never said before: no phrase memory knows them."""

    wording = QUIET
    think_s = 0.0

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        """One short sentence."""
        await asyncio.sleep(self.think_s)
        yield f"Answer {turn.index} to call {turn.call.call_id[:4]}."


class Thinking(Instant):
    """The same, 350 ms later: a language model's first word."""

    think_s = 0.35
