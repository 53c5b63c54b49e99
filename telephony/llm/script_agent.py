"""A script that leaves some of its work to a model: understanding, or words that the script does not have.

Where a model only understands, it chooses an intent and slots under a JSON schema that is made from the
script, and the script's own words answer: no price and no promise is ever made up. Without an answer from the
model the script's rules understand, and its own words stand in for the model's.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from telephony.llm.answering import answer
from telephony.llm.chat import ChatMessage, ChatRequest, TextDelta
from telephony.llm.errors import ModelFailed, ModelRefused
from telephony.llm.history import messages_of
from telephony.llm.memory import Streams, text_of
from telephony.llm.script_understanding import instructions_of, question_of, schema_of, understood
from telephony.llm.style import SPOKEN_STYLE
from telephony.reply.agent import Notes, Said, Turn, Wording
from telephony.reply.script import ModelSays, Script, Understood
from telephony.reply.scripted import ScriptedAgent
from telephony.speak.spoken_style import SpokenStyle

log = logging.getLogger(__name__)

ANSWER_TOKENS = 200
"""Of an understanding."""


class ScriptWithModel:
    """Follows a script with a model's help."""

    def __init__(self, script: Script, client: Streams) -> None:
        self.scripted = ScriptedAgent(script)
        self.script = script
        self.wording: Wording = script.wording
        self._client = client
        self._instructions = instructions_of(script)
        self._keeps_schemas = True
        """False: the server refuses `response_format`; it is asked in words."""

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        """As `Agent.reply`."""
        taken = None
        if self.scripted.needs_understanding(turn, notes):
            taken = await self._understood(turn, self.scripted.open_slot(notes))
        for said in self.scripted.scripted(turn, notes, taken):
            if not isinstance(said, ModelSays):
                yield said
                continue
            async with aclosing(self._words(turn, said)) as words:
                async for word in words:
                    yield word

    async def _understood(self, turn: Turn, slot: str) -> Understood | None:
        """What the model takes the turn for; None: it does not say."""
        messages: list[ChatMessage] = [
            {"role": "system", "content": self._instructions},
            {"role": "user", "content": question_of(turn, slot)},
        ]
        try:
            text = await self._asked(messages)
        except ModelFailed as error:
            log.warning("call %s: rules understand, not the model: %s", turn.call.call_sid, error)
            return None
        found = understood(self.script, text)
        if found is None:
            log.warning("call %s: the model's understanding does not follow its schema", turn.call.call_sid)
        return found

    async def _asked(self, messages: list[ChatMessage]) -> str:
        schema = schema_of(self.script) if self._keeps_schemas else None
        request = ChatRequest(messages, response_format=schema, max_tokens=ANSWER_TOKENS, temperature=0.0)
        try:
            return await text_of(self._client, request)
        except ModelRefused as error:
            if error.status not in (400, 422) or not self._keeps_schemas:
                raise
            self._keeps_schemas = False
            log.info("%s. It is asked in words from now on", error)
            return await self._asked(messages)

    async def _words(self, turn: Turn, said: ModelSays) -> AsyncGenerator[Said, None]:
        """The model's own words; the script's where it has none."""
        system = f"{said.told}\n\nThe line is for this: {self.script.name}.\n\n{SPOKEN_STYLE}"
        request = ChatRequest([{"role": "system", "content": system}, *messages_of(turn)])
        style, spoken = SpokenStyle(), False
        try:
            async with aclosing(answer(self._client, request)) as parts:
                async for part in parts:
                    if isinstance(part, TextDelta):
                        spoken = bool(style.feed(part.text).strip()) or spoken
                        yield part.text
        except ModelFailed as error:
            log.warning("call %s: the model has no words: %s", turn.call.call_sid, error)
        spoken = bool(style.finish().strip()) or spoken  # what looks like a tool call is not
        if not spoken:
            yield said.otherwise or self.script.fallback[0]
