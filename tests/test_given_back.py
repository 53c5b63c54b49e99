"""However a call ends, what was reserved for it is given back: a table of ways, and counters at zero."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import aiohttp
import pytest
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from telephony.carrier.call_flow import TERMINAL_STATUSES
from telephony.commands.serve import drain
from telephony.testing.faults import NONE, Faults, RefusalFault
from tests.pacing import paced
from tests.real_line import Running, running
from tests.twilio_side import AUTH_TOKEN, CALL, PUBLIC_URL, parameters_of, start_message, until


class Carrier:
    """Twilio's side of one call, step by step."""

    def __init__(self, server: Running, client: aiohttp.ClientSession) -> None:
        self.server = server
        self._client = client

    async def post(self, path: str, **form: str) -> str:
        fields = {"CallSid": CALL, "CallStatus": "in-progress", "From": "+14155550123", "To": "+14155550100"}
        fields |= form
        signature = RequestValidator(AUTH_TOKEN).compute_signature(PUBLIC_URL + path, MultiDict(fields))
        headers = {
            "X-Twilio-Signature": str(signature),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        body = urlencode(fields)
        async with self._client.post(self.server.url + path, data=body, headers=headers) as answer:
            assert answer.status < 300
            return await answer.text()

    async def voice(self) -> dict[str, str]:
        """What the stream is to be told."""
        return parameters_of(ElementTree.fromstring(await self.post("/twilio/voice", CallStatus="ringing")))

    async def over(self, state: str = "completed") -> None:
        await self.post("/twilio/status", CallStatus=state)

    async def connect(self) -> aiohttp.ClientWebSocketResponse:
        url = "ws" + PUBLIC_URL.removeprefix("http") + "/twilio/media"
        signature = RequestValidator(AUTH_TOKEN).compute_signature(url, {})
        return await self._client.ws_connect(
            self.server.url + "/twilio/media", headers={"X-Twilio-Signature": str(signature)}
        )

    async def start(self, parameters: dict[str, str]) -> aiohttp.ClientWebSocketResponse:
        socket = await self.connect()
        await socket.send_json({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        await socket.send_json(start_message(parameters, CALL))
        return socket

    async def running(self) -> aiohttp.ClientWebSocketResponse:
        """A call whose agent speaks."""
        socket = await self.start(await self.voice())
        async with asyncio.timeout(5):
            while '"media"' not in (await socket.receive_str()):
                pass
        return socket

    async def closed(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Wait until the server has closed."""
        async with asyncio.timeout(10):
            async for _ in socket:
                pass


async def hangs_up_before_the_stream(call: Carrier) -> None:
    await call.voice()
    await call.over()


def ends_before_the_stream(state: str) -> Callable[[Carrier], Awaitable[None]]:
    async def way(call: Carrier) -> None:
        await call.voice()
        await call.over(state)

    return way


async def stream_comes_after_the_end(call: Carrier) -> None:
    parameters = await call.voice()
    await call.over()
    await call.closed(await call.start(parameters))


async def ends_while_it_is_answered(call: Carrier) -> None:
    await asyncio.gather(call.voice(), call.over())


async def is_answered_after_its_end(call: Carrier) -> None:
    await call.over()
    await call.post("/twilio/voice", CallStatus="ringing")


async def hears_busy(call: Carrier) -> None:
    other = "CA" + "d" * 32
    await call.post("/twilio/voice", CallSid=other, CallStatus="ringing")
    assert "<Reject" in await call.post("/twilio/voice", CallStatus="ringing")
    await call.over("busy")
    await call.post("/twilio/status", CallSid=other, CallStatus="canceled")


async def token_is_wrong(call: Carrier) -> None:
    await call.voice()
    await call.closed(await call.start({"token": "v1.1.x.y"}))
    await call.over()


async def stream_closes_without_a_start(call: Carrier) -> None:
    await call.voice()
    await (await call.connect()).close()
    await call.over()


async def stream_starts_with_rubbish(call: Carrier) -> None:
    await call.voice()
    socket = await call.connect()
    await socket.send_json({"event": "media"})
    await call.closed(socket)
    await call.over()


async def caller_hangs_up(call: Carrier) -> None:
    socket = await call.running()
    await socket.send_json({"event": "stop", "stop": {"callSid": CALL}})
    await socket.close()
    await call.over()


async def line_breaks(call: Carrier) -> None:
    socket = await call.running()
    assert socket._response.connection is not None and socket._response.connection.transport is not None
    socket._response.connection.transport.abort()
    await call.over()


async def is_lost_in_a_tunnel(call: Carrier) -> None:
    """Nothing tells of the end but the status."""
    socket = await call.running()
    await call.over()
    await call.closed(socket)


async def breaks_and_is_given_up_by_the_caller(call: Carrier) -> None:
    await (await call.running()).close()
    await call.post("/twilio/after")
    await call.over()


async def breaks_and_comes_back(call: Carrier) -> None:
    await (await call.running()).close()
    parameters = parameters_of(ElementTree.fromstring(await call.post("/twilio/after")))
    await (await call.start(parameters)).close()
    await call.over()


async def second_stream_takes_over(call: Carrier) -> None:
    first = await call.running()
    parameters = parameters_of(ElementTree.fromstring(await call.post("/twilio/after")))
    second = await call.start(parameters)
    await call.closed(first)
    await second.close()
    await call.over()


async def agent_ends_it(call: Carrier) -> None:
    """It hangs up, transfers, or falls: as the route of the test says."""
    socket = await call.running()
    frames = asyncio.create_task(speak(socket))
    await call.closed(socket)
    frames.cancel()
    await asyncio.gather(frames, return_exceptions=True)
    await call.post("/twilio/after")
    await call.over()


async def speak(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Twenty milliseconds of silence, for ever, and every mark back at once."""
    async for chunk in paced(0.02):
        if socket.closed:
            return
        media = {"payload": "/" * 213 + "8=", "timestamp": str(chunk * 20), "chunk": str(chunk + 1)}
        await socket.send_json({"event": "media", "streamSid": "MZ" + "0" * 32, "media": media})


async def is_drained(call: Carrier) -> None:
    socket = await call.running()
    draining = asyncio.create_task(drain(call.server.state, 0.2))
    await call.closed(socket)
    await draining
    await call.over()


async def falls_back(call: Carrier) -> None:
    await call.voice()
    await call.post("/twilio/fallback", ErrorCode="11200")


WAYS: dict[str, tuple[Callable[[Carrier], Awaitable[None]], dict[str, str]]] = {
    "hangs up before the stream": (hangs_up_before_the_stream, {}),
    **{
        f"{state} before the stream": (ends_before_the_stream(state), {})
        for state in sorted(TERMINAL_STATUSES)
    },
    "the stream comes after the end": (stream_comes_after_the_end, {}),
    "ends while it is answered": (ends_while_it_is_answered, {}),
    "is answered after its end": (is_answered_after_its_end, {}),
    "the token is wrong": (token_is_wrong, {}),
    "the stream closes without a start": (stream_closes_without_a_start, {}),
    "the stream starts with rubbish": (stream_starts_with_rubbish, {}),
    "all lines are taken": (hears_busy, {"MAX_CALLS": "1"}),
    "the caller hangs up": (caller_hangs_up, {}),
    "the caller hangs up, recorded": (caller_hangs_up, {"RECORD": "on"}),
    "the line breaks": (line_breaks, {}),
    "lost in a tunnel": (is_lost_in_a_tunnel, {}),
    "breaks, and the caller gives up": (breaks_and_is_given_up_by_the_caller, {}),
    "breaks and comes back": (breaks_and_comes_back, {}),
    "a second stream takes over": (second_stream_takes_over, {}),
    "the agent hangs up": (agent_ends_it, {"AGENT": "tests.flow_agents:Memory"}),
    "the agent transfers": (agent_ends_it, {"AGENT": "tests.flow_agents:Desk"}),
    "the server stops": (is_drained, {}),
    "our answer cannot be used": (falls_back, {}),
}


@asynccontextmanager
async def line_of(folder: Path, faults: Faults = NONE, /, **environ: str) -> AsyncIterator[Carrier]:
    given = {"AGENT": "tests.flow_agents:Memory", **environ}
    async with running(folder, faults, **given) as server, aiohttp.ClientSession() as client:
        yield Carrier(server, client)


def reserved(server: Running) -> dict[str, Any]:
    """All that a call may hold in this process; empty when nothing is held."""
    state, prewarmed = server.state, server.answers._prewarmed
    resources = server.answers.resources_for({})
    held = {
        "sockets": len(state.streams.sockets),
        "expected": len(state.streams._expected),
        "prewarmed": len(prewarmed._expected) + len(prewarmed._handed_over) + len(prewarmed._closing),
        "calls": len(list(resources.calls)),
        "listening": len(server.listening.connections),
        "wheel": sum(map(len, resources.wheel._slots)),
        "slots": len(state.slots._kept) + len(state.slots._expected),
        "tasks": len(state._tasks),
    }
    return {name: count for name, count in held.items() if count}


@pytest.mark.parametrize("way", WAYS)
async def test_all_that_was_reserved_is_given_back(tmp_path: Path, way: str) -> None:
    """At the status callback, when there is no stream; when its stream has ended, where there is one."""
    ends, environ = WAYS[way]
    async with line_of(tmp_path, **environ) as call:
        before = len(asyncio.all_tasks())
        await ends(call)
        await until(lambda: not reserved(call.server))
        assert await call.server.state.host.store.slots_taken("calls") == 0
        await until(lambda: len(asyncio.all_tasks()) <= before + 4)  # of connections that are kept alive


@pytest.mark.parametrize("state", sorted(TERMINAL_STATUSES))
async def test_a_slot_is_free_the_moment_the_status_tells(tmp_path: Path, state: str) -> None:
    """With one line, the next caller is answered at once; what waits for a stream is not waited for."""
    async with line_of(tmp_path, MAX_CALLS="1") as call:
        await call.voice()
        assert await call.server.state.slots.free() == 0
        await call.over(state)
        assert await call.server.state.slots.free() == 1
        assert not call.server.state.streams._expected and not call.server.answers._prewarmed._expected
        assert "<Connect" in await call.post("/twilio/voice", CallSid="CA" + "d" * 32, CallStatus="ringing")


async def test_a_call_that_speech_refuses_gives_all_back(tmp_path: Path) -> None:
    """Handshakes that fail, while the stream is on its way and afterwards."""
    async with line_of(tmp_path, Faults(refuse=RefusalFault(401, "INVALID_AUTH"))) as call:
        socket = await call.start(await call.voice())
        await call.closed(socket)
        await call.over()
        await until(lambda: not reserved(call.server))


async def test_a_status_that_another_process_got_is_heard_of(tmp_path: Path) -> None:
    """Two servers on one DATA_DIR: the webhook came to the one, the end to the other."""
    async with line_of(tmp_path) as one, line_of(tmp_path) as other:
        await one.voice()
        assert reserved(one.server)
        await other.over("canceled")
        assert await one.server.state.host.store.slots_taken("calls") == 0, "at once"
        await until(lambda: not reserved(one.server))
