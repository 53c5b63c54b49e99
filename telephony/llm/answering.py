"""One answer of a model, stopped at once when the caller makes a sound, and gone on with when it was nothing.

What is generated while the caller speaks is paid for, and hardly ever heard. So the connection is closed with
the first sound; after a mere backchannel the model is asked to go on behind its last word.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from telephony.llm.chat import ChatPart, ChatRequest, TextDelta
from telephony.llm.memory import Streams
from telephony.llm.style import GO_ON
from telephony.reply.reply_scope import Pause, current


async def answer(client: Streams, request: ChatRequest) -> AsyncGenerator[ChatPart, None]:
    """As `client.stream`, for a reply that may be paused: see `ReplyScope.pause`."""
    pause, said = current().pause, ""
    while True:
        await pause.over()
        asked = continued(request, said) if said.strip() else request
        paused = False
        async with aclosing(client.stream(asked)) as parts:
            while True:
                part = await _next(parts, pause)
                if part is None:
                    paused = pause.on
                    break
                if isinstance(part, TextDelta):
                    said += part.text
                yield part
        if not paused:
            return


def continued(request: ChatRequest, said: str) -> ChatRequest:
    """The request for the rest of an answer of which this much is there."""
    begun = ({"role": "assistant", "content": said.strip()}, {"role": "user", "content": GO_ON})
    return replace(request, messages=[*request.messages, *begun])


async def _next(parts: AsyncGenerator[ChatPart, None], pause: Pause) -> ChatPart | None:
    """The next part; None at the end, and as soon as the reply is paused."""
    if pause.on:
        return None
    try:
        async with asyncio.timeout(None) as limit:
            with pause.expires(limit):
                return await anext(parts, None)
    except TimeoutError:
        if not limit.expired():
            raise
        return None
