"""What a caller hears of a recording, and that they can have it stopped. PURE.

Whether this is enough is a question of law, which differs by place; this only does what the settings say.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from telephony.record.objection import objects
from telephony.reply.agent import Agent, Note, Notes, Said, Say, Turn, Wording
from telephony.reply.polarity import answered

STOPPED = "All right, the recording is stopped and deleted. Please go on."
STOPPED_BEFORE = "The recording is stopped already, and it is deleted. Please go on."


def announced(wording: Wording, notice: str) -> Wording:
    """The wording with a notice before the greeting, which is said to its end whatever the caller says."""
    if not notice:
        return wording
    text = f"{notice} {wording.greeting.text}".strip()
    return replace(wording, greeting=Say(text, interruptible=False))


class MayStopRecording:
    """An agent around another one: a caller who objects to being recorded is not recorded any more.

    `words` are understood besides what `objection` understands. `notice` is what callers hear first: in
    the turn after it, "I don't agree to that" is about the recording, and so is "no" where it asks.
    """

    def __init__(self, agent: Agent, words: Sequence[str], notice: str = "") -> None:
        self._agent = self.__wrapped__ = agent
        self._notice = notice
        self._asks = notice.rstrip().endswith("?")
        spoken = "|".join(r"\s+".join(map(re.escape, word.split())) for word in words)
        self._words = re.compile(rf"\b(?:{spoken})\b", re.IGNORECASE) if words else None

    def objects(self, said: str, noticed: bool = False) -> bool:
        """Whether a caller who says this, perhaps right after the notice, does not want to be recorded."""
        own = self._words is not None and self._words.search(said.replace("\u2019", "'")) is not None
        if not noticed or not self._notice:
            return own or objects(said)
        denied = self._asks and answered(said, self._notice).yes is False
        return own or denied or objects(said, noticed=True)

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        """As the agent's own, unless it is about the recording."""
        first = not any(line.who == "caller" and line.text for line in turn.history)
        if self.objects(turn.text, noticed=first):
            if notes.get("recorded") is False:
                yield STOPPED_BEFORE
            else:
                yield Note(recorded=False)
                yield STOPPED
            return
        async for one in self._agent.reply(turn, notes):
            yield one
