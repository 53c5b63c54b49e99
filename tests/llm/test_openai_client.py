"""The official client against the stand-in: so both it and ours speak the protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from telephony.testing.fake_chat import FakeChat
from telephony.testing.fake_chat_faults import NAMED, NONE, ChatFaults
from telephony.testing.fake_chat_script import Called, Reply, always, in_turn

openai = pytest.importorskip("openai", reason="the official client is not installed: pip install openai")

MESSAGES = [{"role": "user", "content": "A latte, please."}]
TOOLS = [
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
]


@asynccontextmanager
async def official(model: FakeChat, key: str = "any") -> AsyncIterator[Any]:
    async with openai.AsyncOpenAI(base_url=model.url, api_key=key, max_retries=0, timeout=3.0) as client:
        yield client


async def test_it_streams_text_and_counts() -> None:
    reply = Reply("One latte, coming right up.", thoughts="They want coffee.")
    async with FakeChat(in_turn(reply)) as model, official(model) as client:
        stream = await client.chat.completions.create(
            model="m", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
        text, usage, reasons = "", None, []
        async for chunk in stream:
            usage = chunk.usage or usage
            for choice in chunk.choices:
                text += choice.delta.content or ""
                reasons.append(choice.finish_reason)
    assert text == reply.text
    assert reasons[-1] == "stop"
    assert usage is not None
    assert usage.completion_tokens == len(reply.tokens()) + len(reply.thoughts.split())
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


async def test_it_accumulates_tool_calls() -> None:
    reply = Reply("One moment.", (Called("weather", {"city": "Oslo"}), Called("time", {"zone": "CET"})))
    async with FakeChat(in_turn(reply)) as model, official(model) as client:
        async with client.chat.completions.stream(model="m", messages=MESSAGES, tools=TOOLS) as stream:
            final = await stream.get_final_completion()
    calls = final.choices[0].message.tool_calls
    assert calls is not None
    assert [(one.function.name, one.function.arguments) for one in calls] == [
        ("weather", '{"city": "Oslo"}'),
        ("time", '{"zone": "CET"}'),
    ]
    assert final.choices[0].finish_reason == "tool_calls"


async def test_it_takes_an_answer_in_one_piece_and_the_list_of_models() -> None:
    reply = Reply("One latte.", (Called("weather", {"city": "Oslo"}),))
    async with FakeChat(in_turn(reply), models=["m"]) as model, official(model) as client:
        answer = await client.chat.completions.create(model="m", messages=MESSAGES)
        names = [one.id async for one in client.models.list()]
    message = answer.choices[0].message
    assert message.content == "One latte."
    assert message.tool_calls is not None
    assert message.tool_calls[0].function.name == "weather"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 0
    assert names == ["m"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("401", openai.AuthenticationError),
        ("403", openai.PermissionDeniedError),
        ("404", openai.NotFoundError),
        ("429", openai.RateLimitError),
        ("500", openai.InternalServerError),
        ("no-stream-options", openai.BadRequestError),
    ],
)
async def test_refusals_are_the_errors_that_it_knows(fault: str, error: type[Any]) -> None:
    async with FakeChat(faults=[NAMED[fault]]) as model, official(model) as client:
        with pytest.raises(error) as refused:
            await client.chat.completions.create(
                model="m", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
            )
    assert refused.value.body["message"]


async def test_a_wrong_key_and_an_unknown_model_are_refused() -> None:
    async with FakeChat(api_key="right", models=["m"]) as model:
        async with official(model, "wrong") as client:
            with pytest.raises(openai.AuthenticationError):
                await client.models.list()
        async with official(model, "right") as client:
            with pytest.raises(openai.NotFoundError):
                await client.chat.completions.create(model="other", messages=MESSAGES)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (NAMED["error"], openai.APIError),
        (NAMED["reset"], Exception),
        (NAMED["garbage"], ValueError),
        (ChatFaults(stall_after=2), openai.APITimeoutError),
    ],
    ids=["error event", "reset", "garbage", "stall"],
)
async def test_a_stream_that_breaks_breaks_for_it_too(fault: ChatFaults, error: type[Exception]) -> None:
    async with FakeChat(always("one two three four five"), faults=[fault]) as model:
        async with openai.AsyncOpenAI(
            base_url=model.url, api_key="any", max_retries=0, timeout=0.3
        ) as client:
            with pytest.raises(error):
                async for _ in await client.chat.completions.create(
                    model="m", messages=MESSAGES, stream=True
                ):
                    pass


async def test_the_stand_in_sees_it_hang_up() -> None:
    async with (
        FakeChat(always("word " * 200), faults=[NONE], pace_s=0.01) as model,
        official(model) as client,
    ):
        stream = await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        async for _ in stream:
            break
        left = asyncio.get_running_loop().time()
        await stream.close()
        await model.idle()
    asked = model.asked[0]
    assert asked.closed_at is not None
    assert asked.closed_at - left < 0.05
    assert asked.written_after(left + 0.05) == 0
