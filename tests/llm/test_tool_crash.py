"""A process is killed while a tool of its works; another takes the call over. The effect is not had twice."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench.crash import KEY, PUBLIC_URL, TOKEN, Balancer, Server
from telephony.deepgram import flux_codec
from telephony.simulator.call_options import CallOptions
from telephony.simulator.caller import RecordingCaller
from telephony.simulator.simulator import place_call
from telephony.testing.fake_chat import FakeChat
from telephony.testing.fake_chat_script import Body, Called, Reply, last_message, text_of
from telephony.testing.fake_flux import FakeFlux
from telephony.testing.fake_speak import FakeSpeak
from tests.real_line import Lines
from tests.twilio_side import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

TOOL = """
import asyncio
from pathlib import Path
from telephony.llm.tools import tool

@tool(effects=True, timeout_s=2)
async def book(day: str) -> str:
    with Path("booked").open("a") as file:
        file.write(day)
    if Path("hangs").exists():
        await asyncio.Event().wait()
    return "booked as number 12"
"""


class SpokenOnce:
    """What a caller says is said on the first stream that brings audio, and not again on the next."""

    def __init__(self, *lines: tuple[float, str]) -> None:
        self._lines = Lines(lines)
        self._owner: object = None

    def __call__(self, options: object) -> SpokenOnce.Session:
        return self.Session(self)

    class Session:
        def __init__(self, caller: SpokenOnce) -> None:
            self._caller = caller
            self._silent = Lines(())

        def due(self, audio_s: float) -> Iterable[flux_codec.TurnInfo]:
            caller = self._caller
            if caller._owner is None and audio_s > 0.5:
                caller._owner = self
            return (caller._lines if caller._owner is self else self._silent).due(audio_s)

        def force(self, audio_s: float) -> flux_codec.TurnInfo | None:
            return None


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def serving(folder: Path, model: FakeChat) -> AsyncIterator[tuple[Server, str]]:
    """A server process that can be killed, and the URL of what stands before it."""
    (folder / "diary.py").write_text(TOOL)
    flux = FakeFlux(SpokenOnce((1.0, "book monday")))
    await flux.start(0, FakeSpeak(lambda text: 0.3))
    settings = {
        "AGENT": "llm",
        "LLM_URL": model.url,
        "LLM_MODEL": "m",
        "LLM_PROMPT": "Help.",
        "LLM_TOOLS": "diary",
    }
    server = Server(folder, flux.url, free_port(), {**settings, "LLM_FIRST_TOKEN_SECONDS": "60"})
    balancer = Balancer(server.port)
    try:
        url = await balancer.open()
        await server.start()
        yield server, url
    finally:
        await server.kill()
        await balancer.close()
        await flux.close()


@pytest.mark.parametrize("hangs", [True, False], ids=["at work", "done"])
async def test_what_a_killed_process_did_is_not_done_again(tmp_path: Path, hangs: bool) -> None:
    """Killed in the middle of the tool nobody knows; killed after it, the outcome is known to the next."""
    if hangs:
        (tmp_path / "hangs").touch()
    told: list[str] = []

    def script(body: Body) -> Reply:
        last = last_message(body)
        if last.get("role") != "tool":
            return Reply("", (Called("book", {"day": "monday"}),))
        told.append(text_of(last))
        return Reply("That is all I know.", first_token_s=None if len(told) + hangs > 1 else 60.0)

    async with FakeChat(script) as model, serving(tmp_path, model) as (server, url):
        options = CallOptions(server=url, auth_token=TOKEN, public_url=PUBLIC_URL, api_key=KEY)
        caller = RecordingCaller(b"\xff" * 8000 * 14, hang_up_after_s=0.5)
        call = asyncio.create_task(place_call(caller, options))
        await until(lambda: (tmp_path / "booked").exists() and (hangs or bool(told)))
        await server.kill()
        asked = len(model.asked)
        await server.start()
        await model.asked_again(asked + 2)
        result = await call
    assert (tmp_path / "booked").read_text() == "monday"
    expected = "what came of it is not known" if hangs else "done already for this turn"
    assert expected in told[-1] and (hangs or "booked as number 12" in told[-1]), told
    assert result.ended_by == "caller", "the call went on"
