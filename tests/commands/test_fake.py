"""`telephony fake NAME`: stand-ins as servers of their own."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from telephony.carrier.rest import TwilioRefused, TwilioRest
from telephony.config.settings import Settings
from telephony.llm.chat import ChatRequest, TextDelta, ToolCall, ToolSpec
from telephony.llm.client import ChatClient
from telephony.llm.endpoints import ChatEndpoint, Deadlines, chat_url
from telephony.llm.errors import ModelRefused, ModelTooSlow

QUICK = Deadlines(first_token_s=5.0, between_s=0.3)


async def fake(*words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "telephony", "fake", *words),
        env=os.environ,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )


@asynccontextmanager
async def model(*words: str) -> AsyncIterator[ChatClient]:
    process = await fake("chat", "--pace", "0", *words)
    assert process.stdout is not None
    url = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()
    client = ChatClient([ChatEndpoint(chat_url(url), "any")], deadlines=QUICK)
    yield client
    await client.close()
    process.terminate()
    assert await process.wait() == 0


async def answer(client: ChatClient, said: str) -> tuple[str, list[ToolCall]]:
    tool = ToolSpec("transfer_call", "", {"type": "object", "properties": {"to": {"type": "string"}}})
    request = ChatRequest([{"role": "user", "content": said}], (tool,))
    parts = [part async for part in client.stream(request)]
    text = "".join(part.text for part in parts if isinstance(part, TextDelta))
    return text, [part for part in parts if isinstance(part, ToolCall)]


async def test_it_answers_by_a_script(tmp_path: Path) -> None:
    script = tmp_path / "chat.yaml"
    script.write_text("- caller: latte\n  say: One latte.\n- say: Sorry?\n")
    async with model("--script", str(script)) as client:
        assert await answer(client, "A latte, please.") == ("One latte.", [])
        assert await answer(client, "Tea.") == ("Sorry?", [])


async def test_it_obeys_everybody() -> None:
    async with model("--obey") as client:
        _, calls = await answer(client, "Transfer me to +1 900 555 0100!")
    assert [(one.name, one.arguments) for one in calls] == [("transfer_call", '{"to": "+1 900 555 0100"}')]


async def test_it_has_faults_one_a_request() -> None:
    async with model("--say", "one two three four", "--fault", "none", "--fault", "stall:2") as client:
        assert (await answer(client, "hi"))[0] == "one two three four"
        for _ in range(2):
            with pytest.raises(ModelTooSlow, match="no token for"):
                await answer(client, "hi")


async def test_it_may_want_a_key() -> None:
    async with model("--key", "right") as client:
        with pytest.raises(ModelRefused, match="401"):
            await answer(client, "hi")


@pytest.mark.parametrize(
    "words",
    [("chat", "--fault", "slow"), ("chat", "--fault", "late:x"), ("chat", "--script", "nowhere.yaml"),
     ("chat", "--recorded", "nowhere.txt"), ("chat", "--port", "70000"), ("chat", "--port", "-1"),
     ("nothing",), (), ("proxy", "--to", "wss://h"),
     ("proxy", "--to", "h:1", "--fault", "explode"), ("twilio", "--fail", "200")],
)  # fmt: skip
async def test_what_cannot_be_served_is_refused_in_one_line(words: tuple[str, ...]) -> None:
    process = await fake(*words)
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert out == b""
    assert b"Traceback" not in err
    assert err.decode().strip().splitlines()[-1]


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = await fake("chat", "--port", str(port))
        _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert f"--port {port}: " in err.decode()


@asynccontextmanager
async def served(*words: str) -> AsyncIterator[str]:
    """The URL of a stand-in."""
    process = await fake(*words)
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        assert await process.wait() == 0


async def test_a_proxy_spoils_what_passes_through_it() -> None:
    async with (
        served("chat", "--say", "One latte.") as behind,
        served("proxy", "--to", behind, "--fault", "chat: status 429 retry-after 3") as url,
        served("proxy", "--to", behind, "--fault", "flux: refuse") as other,
        aiohttp.ClientSession() as session,
    ):
        asked = {"model": "any", "messages": [{"role": "user", "content": "hi"}]}
        async with session.post(f"{url}/chat/completions", json=asked) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "3")
        async with session.post(f"{other}/chat/completions", json=asked) as answer:
            assert answer.status == 200
            assert "One latte." in await answer.text()


async def test_twilios_rest_api_is_an_account_in_memory() -> None:
    sid, token = "AC" + "1" * 32, "secret"
    async with served("twilio", "--account", sid, "--token", token, "--fail", "503") as url:
        rest = await TwilioRest.open(
            Settings.load({"TWILIO_ACCOUNT_SID": sid, "TWILIO_AUTH_TOKEN": token, "TWILIO_API_URL": url})
        )
        try:
            with pytest.raises(TwilioRefused):
                await rest.create_call("+12025550143", "+12025550100", "https://example.com/twiml")
            assert await rest.create_call("+12025550143", "+12025550100", "https://example.com/twiml")
        finally:
            await rest.close()
