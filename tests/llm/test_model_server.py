"""The client and a real model server. Its words are nonsense, and are not judged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing

import aiohttp
import pytest

from telephony.config.settings import Settings
from telephony.llm.chat import ChatRequest, Finished, TextDelta
from telephony.llm.check import check_models
from telephony.llm.client import ChatClient, open_session
from telephony.llm.endpoints import ChatEndpoint, Deadlines, chat_url

pytestmark = pytest.mark.slow

PATIENT = Deadlines(first_token_s=30.0, between_s=30.0, total_s=60.0)
SYSTEM = {"role": "system", "content": "You take orders in a coffee shop. Be brief and friendly. " * 6}
INTENTS = ["order", "person", "goodbye"]
SCHEMA = {
    "type": "object",
    "properties": {"intent": {"enum": INTENTS}, "sugar": {"type": "boolean"}},
    "required": ["intent", "sugar"],
    "additionalProperties": False,
}


@pytest.fixture
async def client(model_server: str) -> AsyncIterator[ChatClient]:
    async with open_session() as session:
        yield ChatClient([ChatEndpoint(chat_url(model_server), "smollm2")], session, deadlines=PATIENT)


def asked(*said: str, **more: object) -> ChatRequest:
    messages = [SYSTEM, *({"role": "user", "content": one} for one in said)]
    return ChatRequest(messages, temperature=0.0, **{"max_tokens": 12, **more})  # type: ignore[arg-type]


async def answered(client: ChatClient, request: ChatRequest) -> tuple[str, Finished]:
    parts = [part async for part in client.stream(request)]
    end = parts[-1]
    assert isinstance(end, Finished)
    return "".join(part.text for part in parts if isinstance(part, TextDelta)), end


async def busy(address: str) -> bool:
    """Whether the server is working, by its own word."""
    async with aiohttp.ClientSession() as session, session.get(f"{address}/slots") as answer:
        return any(slot["is_processing"] for slot in await answer.json())


async def test_it_streams_and_counts(client: ChatClient) -> None:
    text, end = await answered(client, asked("A latte, please."))
    assert text
    assert end.reason in ("stop", "length")
    assert 1 <= end.usage.completion_tokens <= 12
    assert end.usage.prompt_tokens > 60
    assert end.model == "smollm2"


async def test_the_prompt_is_read_once(client: ChatClient) -> None:
    """The second turn repeats the first: the server takes what it knows out of its cache."""
    _, first = await answered(client, asked("An espresso."))
    _, second = await answered(client, asked("An espresso.", "No sugar."))
    assert second.usage.cached_tokens > 0.7 * first.usage.prompt_tokens


@pytest.mark.parametrize("way", ["close", "cancel", "cancel before the first token"])
async def test_it_stops_working_when_the_client_hangs_up(
    client: ChatClient, model_server: str, way: str
) -> None:
    """The best of five: other work on the machine is no finding. Left alone, it would go on for seconds."""
    waits = [await hung_up_on(client, model_server, way, f"{way} {number}") for number in range(5)]
    assert min(waits) < 0.2


async def hung_up_on(client: ChatClient, address: str, way: str, marker: str) -> float:
    """Seconds from hanging up until the server is idle."""
    begun = asyncio.Event()
    early = way.endswith("first token")

    async def read() -> None:
        words = f"{marker}: " + "Tell me about coffee. " * (20 if early else 1)
        async with aclosing(client.stream(asked(words, max_tokens=400))) as parts:
            async for _ in parts:
                begun.set()
                if way == "close":
                    return

    reading = asyncio.create_task(read())
    if early:
        while not await busy(address):
            pass
        assert not begun.is_set()
    else:
        await begun.wait()
    if way != "close":
        reading.cancel()
    left = asyncio.get_running_loop().time()
    await asyncio.gather(reading, return_exceptions=True)
    while await busy(address):
        pass
    return asyncio.get_running_loop().time() - left


async def test_a_schema_is_kept(client: ChatClient) -> None:
    for said in ("A latte without sugar.", "Can I talk to somebody?", "Bye then."):
        text, end = await answered(client, asked(said, max_tokens=60, response_format=SCHEMA))
        found = json.loads(text)
        assert end.reason == "stop"
        assert found["intent"] in INTENTS
        assert isinstance(found["sugar"], bool)


async def test_a_grammar_is_kept(client: ChatClient) -> None:
    grammar = 'root ::= "order " ("latte" | "tea") ", sugar " ("none" | "one")'
    text, _ = await answered(client, asked("A tea.", max_tokens=30, extra={"grammar": grammar}))
    assert text in {
        f"order {drink}, sugar {sugar}" for drink in ("latte", "tea") for sugar in ("none", "one")
    }


async def test_the_check_at_start_finds_it(model_server: str) -> None:
    settings = Settings.load({"LLM_URL": model_server, "LLM_MODEL": "smollm2"})
    (found,) = await check_models(settings)
    assert found.fault is None, found.what
