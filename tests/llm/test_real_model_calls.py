"""A whole call answered by a real model server. Its words are nonsense; that it falls silent is not."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from pathlib import Path

import aiohttp
import pytest

from telephony.deepgram.flux_codec import TurnInfo
from telephony.llm.chat import ChatRequest
from telephony.llm.client import ChatClient
from telephony.llm.endpoints import ChatEndpoint, Deadlines, chat_url
from telephony.llm.style import SPOKEN_STYLE
from telephony.testing.faults import NONE
from tests.real_line import Lines, running

PROMPT = "Tell a long story, and never stop."
SAID = ((2.0, "tell me a story"), (4.5, "no tell me another one"), (7.0, "stop it please now"))
IDLE_S = 0.2
TRIES = 3


class TimedLines(Lines):
    """Notes when each turn began, by the clock."""

    def __init__(self, began: list[float]) -> None:
        super().__init__(SAID)
        self._began = began

    def due(self, audio_s: float) -> Iterable[TurnInfo]:
        for info in super().due(audio_s):
            if info.event == "StartOfTurn":
                self._began.append(time.monotonic())
            yield info


async def watch(address: str, seen: list[tuple[float, bool]], over: asyncio.Event) -> None:
    """Whether the model server works, a hundred times a second, by its own word."""
    async with aiohttp.ClientSession() as session:
        while not over.is_set():
            async with session.get(f"{address}/slots") as answer:
                busy = any(slot["is_processing"] for slot in await answer.json())
            seen.append((time.monotonic(), busy))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 0.01)


async def read_the_prompt(address: str) -> None:
    """The model reads what every call begins with, and has it in its cache from then on."""
    patient = Deadlines(first_token_s=100.0, between_s=100.0, total_s=100.0)
    client = ChatClient([ChatEndpoint(chat_url(address), "smollm2")], deadlines=patient)
    system = {"role": "system", "content": f"{PROMPT}\n\n{SPOKEN_STYLE}"}
    async for _ in client.stream(ChatRequest([system, {"role": "user", "content": "Hello."}], max_tokens=1)):
        pass
    await client.close()


def idle_after(seen: list[tuple[float, bool]], at: float) -> float:
    """Seconds until the server is idle; it must have been at work."""
    assert [busy for when, busy in seen if when < at][-1], "nothing was interrupted"
    return next(when for when, busy in seen if when > at and not busy) - at


@pytest.mark.slow
async def test_the_model_server_is_idle_soon_after_each_interruption(
    model_server: str, tmp_path: Path
) -> None:
    """The best of three calls: other work may delay one. Left alone, the model goes on for seconds."""
    environ = {"AGENT": "llm", "LLM_URL": model_server, "LLM_MODEL": "smollm2", "LLM_PROMPT": PROMPT}
    environ |= {"LLM_OPTIONS": '{"ignore_eos": true, "tool_choice": "none"}', "LLM_MAX_TOKENS": "150"}
    await read_the_prompt(model_server)
    began: list[float] = []
    script = lambda: TimedLines(began)  # noqa: E731
    waits: list[list[float]] = []
    async with running(tmp_path, NONE, script, lambda text: len(text) / 60, **environ) as server:
        for _ in range(TRIES):
            began.clear()
            seen: list[tuple[float, bool]] = []
            over = asyncio.Event()
            watching = asyncio.create_task(watch(model_server, seen, over))
            result = await server.call(8.0)
            over.set()
            await watching
            assert not result.flags
            answers = [turn["agent"] or {} for turn in (result.record or {})["turns"][1:3]]
            if not all(len(answer.get("heard", "")) > 20 for answer in answers):
                continue  # too busy a machine for the model to have begun in time
            assert [answer["interrupted"] for answer in answers] == [True, True]
            waits.append([idle_after(seen, at) for at in began[1:]])
            if max(waits[-1]) < IDLE_S:
                return
    if not waits:
        pytest.skip("this machine is too busy for the model to say anything in time")
    pytest.fail(f"seconds from the caller's first sound until the model server was idle: {waits}")
