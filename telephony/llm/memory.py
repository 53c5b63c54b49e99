"""What an agent keeps of each call beside its history: tools that were called, and a summary of what is old.

All of it can be lost: a call that goes on in another process has its history, and is summarised again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from telephony.llm.chat import ChatPart, ChatRequest, TextDelta
from telephony.llm.errors import ModelFailed
from telephony.llm.history import Exchange, HistorySummary, messages_of, tokens_of, transcript_of
from telephony.llm.style import SUMMARISE
from telephony.reply.agent import Message, Turn

log = logging.getLogger(__name__)

MOST_CALLS = 10_000
"""Calls that are remembered, should some never be told to be over."""
FILLS = 0.6
"""From this share of the room for the history on, the call is summarised."""
FULL = 0.9
"""At this share what is oldest is left out, summary or not."""
KEPT_LINES = 12
"""The newest lines, which stay as they are."""
LEAST_TOKENS = 1_000
"""For the history, however long the prompt."""
SUMMARY_TOKENS = 400
LEFT_OUT = "what was said before is left out here"


class Streams(Protocol):
    """What of a client is used here: see `client.ChatClient`."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[ChatPart, None]: ...


@dataclass(slots=True)
class CallMemory:
    """One call's."""

    began: datetime
    exchanges: list[Exchange] = field(default_factory=list)
    summary: HistorySummary | None = None
    summarising: asyncio.Task[None] | None = None

    def forget_from(self, number: int) -> None:
        """The answer to this line is made again: what an earlier one called is not its history."""
        self.exchanges = [one for one in self.exchanges if one.after < number]


class Memory:
    """Every call's."""

    def __init__(
        self, client: Streams, context_tokens: int, now: Callable[[], datetime] | None = None
    ) -> None:
        self._client = client
        self._context = context_tokens
        self._now = now or (lambda: datetime.now(UTC))
        self._calls: OrderedDict[str, CallMemory] = OrderedDict()

    def of(self, call_id: str) -> CallMemory:
        """A call's memory; a new one for a new call."""
        known = self._calls.get(call_id)
        if known is None:
            known = self._calls[call_id] = CallMemory(self._now())
            while len(self._calls) > MOST_CALLS:
                self._drop(self._calls.popitem(last=False)[1])
        return known

    def forget(self, call_id: str) -> None:
        """The call is over."""
        known = self._calls.pop(call_id, None)
        if known is not None:
            self._drop(known)

    async def close(self) -> None:
        """Stop what runs."""
        running = [one.summarising for one in self._calls.values() if one.summarising is not None]
        for call_id in list(self._calls):
            self.forget(call_id)
        await asyncio.gather(*running, return_exceptions=True)

    def _drop(self, memory: CallMemory) -> None:
        if memory.summarising is not None:
            memory.summarising.cancel()

    # ---- how full the context is

    def fit(self, memory: CallMemory, turn: Turn, system_tokens: int) -> None:
        """Leave out what is oldest where the context would not hold the call: no summary is ready yet."""
        room = self._room(system_tokens) * FULL
        lines = _since(memory.summary, turn.history)
        while len(lines) > 1 and tokens_of(messages_of(turn, memory.summary, memory.exchanges)) > room:
            oldest = lines[: max(1, len(lines) // 4)]
            lines = lines[len(oldest) :]
            said = memory.summary.text if memory.summary else LEFT_OUT
            memory.summary = HistorySummary(said, oldest[-1].number)
            memory.exchanges = [one for one in memory.exchanges if one.after > oldest[-1].number]

    def keep_short(self, memory: CallMemory, turn: Turn, system_tokens: int) -> None:
        """Begin to summarise a call whose history fills its room, beside the call."""
        lines = _since(memory.summary, turn.history)[:-KEPT_LINES]
        if memory.summarising is not None or not lines:
            return
        if (
            tokens_of(messages_of(turn, memory.summary, memory.exchanges))
            <= self._room(system_tokens) * FILLS
        ):
            return
        memory.summarising = asyncio.create_task(self._summarise(memory, lines), name="summary of a call")

    def _room(self, system_tokens: int) -> int:
        return max(self._context - system_tokens, LEAST_TOKENS)

    async def _summarise(self, memory: CallMemory, lines: list[Message]) -> None:
        said = transcript_of(lines, memory.summary)
        messages = [{"role": "system", "content": SUMMARISE}, {"role": "user", "content": said}]
        request = ChatRequest(messages, max_tokens=SUMMARY_TOKENS)
        try:
            text = await text_of(self._client, request)
            if text:
                upto = lines[-1].number
                memory.summary = HistorySummary(text, upto)
                memory.exchanges = [one for one in memory.exchanges if one.after > upto]
        except ModelFailed as error:
            log.warning("a long call could not be summarised: %s", error)
        finally:
            memory.summarising = None


def _since(summary: HistorySummary | None, history: tuple[Message, ...]) -> list[Message]:
    return [line for line in history if summary is None or line.number > summary.upto]


async def text_of(client: Streams, request: ChatRequest) -> str:
    """An answer's whole text."""
    text = ""
    async with aclosing(client.stream(request)) as parts:
        async for part in parts:
            text += part.text if isinstance(part, TextDelta) else ""
    return text.strip()
