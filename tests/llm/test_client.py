"""The client against the stand-in, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from email.utils import formatdate
from time import time

import pytest

from telephony.config.secret import Secret
from telephony.llm.chat import ChatPart, ChatRequest, Finished, TextDelta, ToolCall, ToolSpec
from telephony.llm.client import ChatClient, open_session
from telephony.llm.endpoints import ChatEndpoint, Deadlines, chat_url
from telephony.llm.errors import (
    BadModelAnswer,
    ModelFailed,
    ModelLost,
    ModelRefused,
    ModelTooSlow,
    ModelUnreachable,
)
from telephony.testing.fake_chat import FakeChat
from telephony.testing.fake_chat_faults import NAMED, NONE, ChatFaults, named_fault
from telephony.testing.fake_chat_script import Called, Reply, always, in_turn

KEY = "sk-test-0123456789abcdef"
ASKED = ChatRequest(
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "A latte, please."}]
)
TEXT = "One latte, coming right up. Anything else?"
QUICK = Deadlines(connect_s=1.0, hedge_s=0.1, first_token_s=1.0, between_s=0.2, total_s=2.0)


def endpoint(model: FakeChat, key: str = "", prefix: str = "LLM_") -> ChatEndpoint:
    return ChatEndpoint(chat_url(model.url), "stand-in", Secret(key) if key else None, prefix)


@asynccontextmanager
async def client_of(
    *models: FakeChat, deadlines: Deadlines = QUICK, key: str = ""
) -> AsyncIterator[ChatClient]:
    async with open_session() as session:
        prefixes = ("LLM_", "LLM_FALLBACK_")
        ends = [endpoint(model, key, prefix) for model, prefix in zip(models, prefixes, strict=False)]
        yield ChatClient(ends, session, deadlines=deadlines)


async def said(client: ChatClient, request: ChatRequest = ASKED) -> str:
    return "".join([part.text async for part in client.stream(request) if isinstance(part, TextDelta)])


async def failing(client: ChatClient, request: ChatRequest = ASKED) -> tuple[list[ChatPart], ModelFailed]:
    """What came, and how it failed."""
    parts: list[ChatPart] = []
    with pytest.raises(ModelFailed) as failed:
        async for part in client.stream(request):
            parts.append(part)  # noqa: PERF401 -- what came before the failure counts
    return parts, failed.value


def refused_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


# ---- what is asked, and what comes


async def test_text_tools_and_counts_come_as_the_server_sends_them() -> None:
    reply = Reply(
        "One moment.", (Called("weather", {"city": "Oslo"}), Called("time", {})), thoughts="They ask"
    )
    async with FakeChat(in_turn(reply)) as model, client_of(model) as client:
        parts = [part async for part in client.stream(ASKED)]
    assert [part.text for part in parts if isinstance(part, TextDelta)] == ["One", " moment."]
    assert [(part.name, part.arguments) for part in parts if isinstance(part, ToolCall)] == [
        ("weather", '{"city": "Oslo"}'),
        ("time", "{}"),
    ]
    assert isinstance(parts[-1], Finished)
    assert parts[-1].reason == "tool_calls"
    assert parts[-1].model == "stand-in"
    assert parts[-1].usage.prompt_tokens > 0
    assert client.counts.completion_tokens == parts[-1].usage.completion_tokens > 0


async def test_what_is_asked_is_what_the_api_documents() -> None:
    tool = ToolSpec("weather", "Tells the weather.", {"type": "object", "properties": {}})
    schema = {"type": "object", "properties": {"intent": {"type": "string"}}}
    request = ChatRequest(ASKED.messages, (tool,), schema, 50, 0.2, {"seed": 7})
    async with FakeChat() as model, client_of(model, key=KEY) as client:
        await said(client, request)
        body, headers = model.asked[0].body, model.asked[0].headers
    assert body == {
        "model": "stand-in",
        "messages": list(ASKED.messages),
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "Tells the weather.",
                    "parameters": {"type": "object", "properties": {}},
                },
            }
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": schema},
        },
        "temperature": 0.2,
        "seed": 7,
        "max_tokens": 50,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert headers["Accept-Encoding"] == "identity"


async def test_the_beginning_of_a_request_stays_the_same_from_turn_to_turn() -> None:
    """So that a provider's cache has it."""
    later = ChatRequest(
        [*ASKED.messages, {"role": "assistant", "content": TEXT}, {"role": "user", "content": "No."}]
    )
    async with FakeChat() as model, client_of(model) as client:
        await said(client)
        parts = [part async for part in client.stream(later)]
    usage = parts[-1].usage if isinstance(parts[-1], Finished) else None
    assert usage is not None
    assert usage.cached_tokens > 0.4 * usage.prompt_tokens
    assert client.counts.cached_tokens == usage.cached_tokens


async def test_one_connection_serves_call_after_call() -> None:
    async with FakeChat(always(TEXT)) as model, client_of(model) as client:
        await client.warm()
        for _ in range(20):
            assert await said(client) == TEXT
        assert model.connections == 1
        await asyncio.gather(*(said(client) for _ in range(8)))
        assert model.connections <= 8


async def test_the_client_may_have_a_session_of_its_own() -> None:
    async with FakeChat(always(TEXT)) as model:
        client = ChatClient([endpoint(model)])
        assert await said(client) == TEXT
        await client.close()
        assert await said(client) == TEXT
        await client.close()


# ---- leaving


async def test_closing_the_iterator_closes_the_connection_at_once() -> None:
    async with FakeChat(always("one two three " * 100), pace_s=0.005) as model, client_of(model) as client:
        now = asyncio.get_running_loop().time
        waits = []
        for round in range(20):
            async with aclosing(client.stream(ASKED)) as parts:
                async for _ in parts:
                    break
                left = now()
            asked = await model.asked_again(round + 1)
            await model.idle()
            assert asked.closed_at is not None
            waits.append(asked.closed_at - left)
            assert asked.written_after(left + 0.05) == 0
        assert sorted(waits)[-1] < 0.05
        assert client.counts.cut == 20


@pytest.mark.parametrize("fault", ["", "late:9", "slow-headers:9", "stall:2"])
async def test_cancelling_the_reader_closes_the_connection_at_once(fault: str) -> None:
    async with FakeChat(always("word " * 500), pace_s=0.005) as model, client_of(model) as client:
        model.misbehave(named_fault(fault) if fault else NONE)
        reading = asyncio.create_task(said(client))
        asked = await model.asked_again(1)
        if not fault:
            await asked.token(3)
        left = asyncio.get_running_loop().time()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await model.idle()
        assert reading.cancelled()
        assert asked.closed_at is not None
        assert asked.closed_at - left < 0.05


async def test_cancelling_closes_both_connections_of_a_hedge() -> None:
    late = NAMED["late"]
    async with FakeChat(faults=[late]) as one, FakeChat(faults=[late]) as two:
        async with client_of(one, two) as client:
            reading = asyncio.create_task(said(client))
            await two.asked_again(1)
            left = asyncio.get_running_loop().time()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            for model in (one, two):
                await model.idle()
                closed = model.asked[0].closed_at
                assert closed is not None
                assert closed - left < 0.05


async def test_a_reader_that_just_stops_reading_leaves_no_connection() -> None:
    async with FakeChat(always("word " * 500), pace_s=0.005) as model, client_of(model) as client:
        async for _ in client.stream(ASKED):
            break
        await model.idle()
        assert model.asked[0].closed_at is not None


async def test_a_model_that_has_gone_before_the_connection_is_made_is_given_up() -> None:
    """Cancelled while it connects: nothing hangs."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        crowd = [socket.socket() for _ in range(4)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        client = ChatClient([ChatEndpoint(chat_url(f"http://127.0.0.1:{port}"), "m")], deadlines=QUICK)
        began = asyncio.get_running_loop().time()
        with pytest.raises((ModelUnreachable, ModelTooSlow)):
            await said(client)
        assert asyncio.get_running_loop().time() - began < 2.0
        await client.close()
        for one in crowd:
            one.close()


# ---- faults

LEFT_BEHIND = ["", "stall:2", "reset:2", "429:0", "500", "late:9", "garbage:1", "endless", "stays-open"]
STREAMED = "one two three four five six"


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (
            "stall:3",
            ModelTooSlow,
            "no token for 0.2 s. Choose a faster model, or raise LLM_BETWEEN_TOKENS_SECONDS",
        ),
        ("reset:3", ModelLost, "broke off"),
        ("cut:3", ModelLost, "in the middle"),
        ("garbage:3", BadModelAnswer, "broken JSON"),
        ("truncated:3", ModelLost, "broken JSON"),
        ("error:3", ModelLost, "the model ran out of memory"),
    ],
)
async def test_what_was_said_before_a_fault_is_given_on_and_not_asked_for_again(
    fault: str, error: type[ModelFailed], words: str
) -> None:
    async with (
        FakeChat(always(STREAMED), faults=[named_fault(fault)]) as model,
        client_of(model) as client,
    ):
        parts, failed = await failing(client)
        assert [part.text for part in parts if isinstance(part, TextDelta)] == ["one", " two", " three"]
        assert type(failed) is error
        assert words in str(failed)
        assert str(failed).startswith(f"LLM_URL={model.url}: ")
        assert len(model.asked) == 1
        assert client.failure == str(failed)


@pytest.mark.parametrize("fault", ["reset:0", "cut:0", "garbage:0", "truncated:0", "error:0", "empty", "html",
                                   "not-http", "500", "503", "429:0", "429:0.1"])  # fmt: skip
async def test_what_fails_before_the_first_token_is_asked_for_once_more(fault: str) -> None:
    async with (
        FakeChat(always(TEXT), faults=[named_fault(fault), NONE]) as model,
        client_of(model) as client,
    ):
        assert await said(client) == TEXT
        assert len(model.asked) == 2
        assert client.counts.retries == 1
        assert client.failure == ""


@pytest.mark.parametrize("fault", ["reset:0", "empty", "html", "500", "429:0"])
async def test_it_is_asked_once_more_only(fault: str) -> None:
    async with FakeChat(faults=[named_fault(fault)]) as model, client_of(model) as client:
        await failing(client)
        assert len(model.asked) == 2


@pytest.mark.parametrize("date", [False, True])
async def test_it_is_asked_again_when_the_server_says(date: bool) -> None:
    when = formatdate(time() + 1.5, usegmt=True) if date else "0.3"
    patient = Deadlines(first_token_s=4.0)
    fault = ChatFaults(status=429, retry_after=when)
    async with (
        FakeChat(always(TEXT), faults=[fault, NONE]) as model,
        client_of(model, deadlines=patient) as client,
    ):
        assert await said(client) == TEXT
        assert 0.28 <= model.asked[1].at - model.asked[0].at < 2.0


async def test_a_wait_that_is_too_long_is_not_made() -> None:
    async with FakeChat(faults=[named_fault("429:30")]) as model, client_of(model) as client:
        began = asyncio.get_running_loop().time()
        _, failed = await failing(client)
        assert asyncio.get_running_loop().time() - began < 0.5
        assert isinstance(failed, ModelRefused)
        assert failed.retry_after_s == 30
        assert len(model.asked) == 1


@pytest.mark.parametrize(
    ("status", "names"),
    [
        (400, ("LLM_MODEL",)),
        (401, ("LLM_API_KEY",)),
        (403, ("LLM_API_KEY", "LLM_MODEL")),
        (404, ("LLM_MODEL", "LLM_URL")),
        (422, ("LLM_MODEL",)),
    ],
)
async def test_what_cannot_be_mended_is_not_asked_again_and_says_what_to_do(
    status: int, names: tuple[str, ...]
) -> None:
    async with FakeChat(faults=[ChatFaults(status=status)]) as model, client_of(model) as client:
        _, failed = await failing(client)
        assert isinstance(failed, ModelRefused)
        assert failed.status == status
        assert all(name in failed.remedy for name in names)
        assert "\n" not in str(failed)
        assert len(model.asked) == 1


async def test_a_redirect_is_not_followed_and_takes_no_key_along() -> None:
    async with FakeChat() as other, FakeChat() as model, client_of(model, key=KEY) as client:
        model.misbehave(ChatFaults(status=307, location=f"{other.url}/chat/completions?token=hidden"))
        _, failed = await failing(client)
        assert (
            f"307 redirects to {other.url}/chat/completions, which is not followed. Correct LLM_URL"
            in str(failed)
        )
        assert "hidden" not in str(failed)
        assert not other.asked


@pytest.mark.parametrize("fault", ["late:9", "slow-headers:9"])
async def test_a_first_token_that_does_not_come_is_given_up(fault: str) -> None:
    short = Deadlines(first_token_s=0.3)
    async with FakeChat(faults=[named_fault(fault)]) as model, client_of(model, deadlines=short) as client:
        _, failed = await failing(client)
        assert isinstance(failed, ModelTooSlow)
        assert "no first token within 0.3 s" in str(failed)
        assert "LLM_FIRST_TOKEN_SECONDS" in str(failed)
        await model.idle()
        assert len(model.asked) == 1


async def test_comments_are_no_tokens() -> None:
    """A proxy that keeps the connection alive does not make a stalled model alive."""

    async def only_comments(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        writer.write(b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n')
        while not reader.at_eof():
            writer.write(b": still there\n\n")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.01)
        writer.close()
        left.set()

    left = asyncio.Event()

    async with await asyncio.start_server(only_comments, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        client = ChatClient([ChatEndpoint(chat_url(f"http://127.0.0.1:{port}"), "m")], deadlines=QUICK)
        parts, failed = await failing(client)
        await left.wait()
        await client.close()
    assert parts == [TextDelta("Hi")]
    assert "no token for 0.2 s" in str(failed)


async def test_an_endless_answer_is_cut_at_the_greatest_length() -> None:
    request = ChatRequest(ASKED.messages, max_tokens=20)
    async with FakeChat(always("word"), faults=[NAMED["endless"]]) as model, client_of(model) as client:
        parts = [part async for part in client.stream(request)]
        await model.idle()
    assert isinstance(parts[-1], Finished)
    assert parts[-1].reason == "length"
    assert 20 <= len(parts) < 2000


async def test_an_endless_slow_answer_is_cut_in_time() -> None:
    deadlines = Deadlines(between_s=1.0, total_s=0.5)
    endless = FakeChat(always("word"), faults=[NAMED["endless"]], pace_s=0.02)
    async with endless as model, client_of(model, deadlines=deadlines) as client:
        _, failed = await failing(client)
        assert "no end within 0.5 s" in str(failed)


@pytest.mark.parametrize("fault", ["no-done", "stays-open", "whole"])
async def test_answers_that_end_otherwise_are_complete(fault: str) -> None:
    async with FakeChat(always(TEXT), faults=[NAMED[fault]]) as model, client_of(model) as client:
        parts = [part async for part in client.stream(ASKED)]
        assert "".join(part.text for part in parts if isinstance(part, TextDelta)) == TEXT
        assert isinstance(parts[-1], Finished)
        assert parts[-1].reason == "stop"
        assert len(model.asked) == 1


@pytest.mark.parametrize(
    "name",
    ["stream_options", "temperature", "parallel_tool_calls", "reasoning_effort", "max_completion_tokens"],
)
async def test_a_field_that_the_server_does_not_know_is_left_out_from_then_on(name: str) -> None:
    request = ChatRequest(
        ASKED.messages, temperature=0.1, extra={"parallel_tool_calls": False, "reasoning_effort": "low"}
    )
    if name == "max_completion_tokens":
        refuses: tuple[str, ...] = ("max_tokens",)
        words = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    else:
        refuses, words = (name,), ""
    faults = ChatFaults(refuses=refuses, refuses_with=words)
    async with FakeChat(always(TEXT), faults=[faults]) as model, client_of(model) as client:
        assert await said(client, request) == TEXT
        assert await said(client, request) == TEXT
        assert [refuses[0] in one.body for one in model.asked] == [True, False, False]
        assert ("max_completion_tokens" in model.asked[-1].body) == (name == "max_completion_tokens")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "registry.ollama.ai/library/gemma:2b does not support tools"),
        (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
        (500, "tools param requires --jinja flag"),
        (404, "No endpoints found that support tool use. Try disabling tools."),
    ],
)
async def test_a_model_that_cannot_call_tools_answers_without_them(
    status: int, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As Ollama, vLLM, llama.cpp's server and OpenRouter say it. The log warns: no tool will ever run."""
    tool = ToolSpec("note", "Note it.", {"type": "object", "properties": {}})
    request = ChatRequest(ASKED.messages, tools=[tool], extra={"tool_choice": "auto"})
    faults = ChatFaults(refuses=("tools",), refuses_with=words, refuses_status=status)
    async with FakeChat(always(TEXT), faults=[faults]) as model, client_of(model) as client:
        assert await said(client, request) == TEXT
        assert await said(client, request) == TEXT
        assert ["tools" in one.body for one in model.asked] == [True, False, False]
        assert "tool_choice" not in model.asked[-1].body
    assert [one for one in caplog.records if one.levelname == "WARNING" and "tools" in one.getMessage()]


async def test_a_tool_that_the_server_finds_fault_with_is_not_taken_for_a_model_without_tools() -> None:
    tool = ToolSpec("note", "Note it.", {"type": "object", "properties": {}})
    words = "Invalid schema for function 'note': unsupported keyword in tools[0].function.parameters"
    faults = ChatFaults(refuses=("tools",), refuses_with=words)
    async with FakeChat(always(TEXT), faults=[faults]) as model, client_of(model) as client:
        with pytest.raises(ModelRefused):
            await said(client, ChatRequest(ASKED.messages, tools=[tool]))


async def test_a_server_that_is_not_there_is_named_with_what_to_do() -> None:
    client = ChatClient([ChatEndpoint(chat_url(f"http://127.0.0.1:{refused_port()}"), "m")], deadlines=QUICK)
    _, failed = await failing(client)
    await client.close()
    assert isinstance(failed, ModelUnreachable)
    assert "Connection refused" in str(failed)
    assert "Is the model's server running, and LLM_URL right?" in str(failed)


async def test_a_name_that_does_not_exist_is_named() -> None:
    client = ChatClient([ChatEndpoint(chat_url("http://no-such-host.invalid"), "m")], deadlines=QUICK)
    _, failed = await failing(client)
    await client.close()
    assert isinstance(failed, ModelUnreachable)
    assert "no-such-host.invalid" in str(failed)


async def test_a_connection_that_the_server_has_closed_meanwhile_costs_no_turn() -> None:
    """Between two turns lie many seconds: servers close idle connections."""
    async with FakeChat(always(TEXT)) as model, client_of(model) as client:
        await said(client)
        port = model.port
        await model.close()
        again = FakeChat(always(TEXT))
        await again.start(port)
        assert await said(client) == TEXT
        await again.close()


async def test_nothing_is_left_of_turns_that_ended_in_every_way() -> None:
    """No task, no connection, no descriptor."""
    before = os.listdir("/proc/self/fd")
    impatient = Deadlines(hedge_s=0.02, first_token_s=0.1, between_s=0.05)
    async with FakeChat(always("word " * 20)) as one, FakeChat(always("word " * 20)) as two:
        async with client_of(one, two, deadlines=impatient) as client:
            for number, fault in enumerate(LEFT_BEHIND * 6):
                for model in (one, two):
                    model.misbehave(named_fault(fault) if fault else NONE)
                reading = asyncio.create_task(said(client))
                if number % 3 == 0:
                    await one.asked_again(len(one.asked) + 1)
                    reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
            await one.idle()
            await two.idle()
            assert [task for task in asyncio.all_tasks() if "telephony/llm" in repr(task)] == []
    for _ in range(10):  # transports close in the loop's next round
        await asyncio.sleep(0)
    assert len(os.listdir("/proc/self/fd")) <= len(before)


# ---- the fallback


async def test_the_fallback_is_asked_when_the_first_token_is_late_and_the_slower_one_is_hung_up_on() -> None:
    async with (
        FakeChat(always("slow"), faults=[NAMED["late"]]) as one,
        FakeChat(always("quick")) as two,
    ):
        async with client_of(one, two) as client:
            began = asyncio.get_running_loop().time()
            assert await said(client) == "quick"
            assert 0.1 <= asyncio.get_running_loop().time() - began < 0.5
            await one.idle()
            assert one.asked[0].closed_at is not None
            assert (client.counts.hedges, client.counts.by_fallback) == (1, 1)


async def test_the_first_model_may_still_win() -> None:
    slow, slower = ChatFaults(first_token_s=0.3), ChatFaults(first_token_s=5.0)
    async with FakeChat(always("first"), faults=[slow]) as one, FakeChat(faults=[slower]) as two:
        async with client_of(one, two) as client:
            assert await said(client) == "first"
            await two.idle()
            assert two.asked[0].closed_at is not None
            assert client.counts.by_fallback == 0


async def test_a_model_that_is_in_time_is_asked_alone() -> None:
    async with FakeChat(always("first")) as one, FakeChat(always("second")) as two:
        async with client_of(one, two) as client:
            assert await said(client) == "first"
            assert not two.asked


@pytest.mark.parametrize(
    "fault", ["500", "503", "429:9", "reset:0", "empty", "401", "404", "html", "redirect"]
)
async def test_the_fallback_answers_at_once_when_the_first_fails(
    fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    patient = Deadlines(hedge_s=5.0, first_token_s=5.0)
    async with FakeChat(faults=[named_fault(fault)]) as one, FakeChat(always("second")) as two:
        async with client_of(one, two, deadlines=patient) as client:
            began = asyncio.get_running_loop().time()
            assert await said(client) == "second"
            assert asyncio.get_running_loop().time() - began < 1.0
            assert client.counts.fallovers == 1
    assert f"LLM_URL={one.url}" in caplog.text


async def test_the_fallback_answers_when_the_first_is_not_there() -> None:
    gone = ChatEndpoint(chat_url(f"http://127.0.0.1:{refused_port()}"), "m")
    async with FakeChat(always("second")) as two, open_session() as session:
        client = ChatClient([gone, endpoint(two, prefix="LLM_FALLBACK_")], session)
        assert await said(client) == "second"


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_request_that_is_wrong_is_not_asked_of_the_fallback(status: int) -> None:
    async with FakeChat(faults=[ChatFaults(status=status)]) as one, FakeChat() as two:
        async with client_of(one, two) as client:
            await failing(client)
            assert not two.asked


async def test_when_both_fail_the_first_one_is_named() -> None:
    async with FakeChat(faults=[NAMED["500"]]) as one, FakeChat(faults=[NAMED["401"]]) as two:
        async with client_of(one, two) as client:
            _, failed = await failing(client)
            assert str(failed).startswith(f"LLM_URL={one.url}: 500")


async def test_each_endpoint_is_brought_its_own_key() -> None:
    async with FakeChat(faults=[NAMED["500"]]) as one, FakeChat() as two, open_session() as session:
        ends = endpoint(one, "first-key"), endpoint(two, "second-key", "LLM_FALLBACK_")
        await said(ChatClient(ends, session))
        assert one.asked[0].headers["Authorization"] == "Bearer first-key"
        assert two.asked[0].headers["Authorization"] == "Bearer second-key"


# ---- secrets


@pytest.mark.parametrize("fault", [
    ChatFaults(status=401, body=f"Incorrect API key provided: {KEY}"),
    ChatFaults(status=500, body=f"header Authorization: Bearer {KEY}\x1b[31m\nsecond line"),
    ChatFaults(status=400, body="invalid: input_value={'content': 'A latte, please.'}"),
    ChatFaults(status=422, body="messages: A LATTE, please"),
    ChatFaults(error_after=1, body=f"trouble with {KEY}"),
])  # fmt: skip
async def test_no_key_and_no_word_of_the_call_is_in_an_error_or_a_log(
    fault: ChatFaults, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "telephony")
    async with FakeChat(always(STREAMED), faults=[fault]) as model, client_of(model, key=KEY) as client:
        _, failed = await failing(client)
    shown = f"{failed!s} {failed!r} {failed.__dict__} {caplog.text}"
    assert KEY not in shown
    assert "latte" not in shown.lower()
    assert str(failed).isprintable()
    assert failed.__cause__ is None
