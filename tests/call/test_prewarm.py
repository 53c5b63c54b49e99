"""Speech is connected at the webhook, once, and is the call's when its stream comes; else it is closed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import ClientSession
from twilio.request_validator import RequestValidator

from telephony.call.prewarm import Relay
from tests.real_line import Running, running, said, verbs
from tests.twilio_side import AUTH_TOKEN, CALL, PUBLIC_URL, until

AGENT = "tests.flow_agents:Memory"


async def webhook(server: Running) -> None:
    form = {"CallSid": CALL, "CallStatus": "ringing", "From": "+14155550123", "To": "+14155550100"}
    signature = RequestValidator(AUTH_TOKEN).compute_signature(f"{PUBLIC_URL}/twilio/voice", form)
    headers = {"X-Twilio-Signature": str(signature), "Content-Type": "application/x-www-form-urlencoded"}
    async with ClientSession() as session:
        body = urlencode(form)
        async with session.post(f"{server.url}/twilio/voice", data=body, headers=headers) as answer:
            assert answer.status == 200 and "<Connect" in await answer.text()


async def test_listening_is_there_before_the_stream(tmp_path: Path) -> None:
    """One connection a call, made at the webhook; the conversation is as ever."""
    async with running(tmp_path, AGENT=AGENT) as server:
        calling = asyncio.create_task(server.call())
        await until(lambda: len(server.flux.sessions) == 1)
        result = await calling
        assert len(server.flux.sessions) == 1 and verbs(result) == ["Connect", "Hangup"]
        assert said(result).startswith("Hi. That was turn 1.")
        assert not server.listening.connections


async def test_what_waits_in_vain_is_closed(tmp_path: Path) -> None:
    """A webhook, repeated, and no stream: one connection, which is gone when its time is up."""
    async with running(tmp_path, AGENT=AGENT) as server:
        server.state.streams.prewarm_s = 0.5
        for _ in range(3):
            await webhook(server)
        await until(lambda: len(server.flux.sessions) == 1)
        connections = server.listening.connections
        assert len(connections) == 1
        await until(lambda: not connections)
        assert len(server.flux.sessions) == 1 and not server.answers._prewarmed._expected


async def test_a_server_that_stops_leaves_nothing_open(tmp_path: Path) -> None:
    """Also what was connected for a call to come."""
    async with running(tmp_path, AGENT=AGENT) as server:
        await webhook(server)
        await until(lambda: len(server.flux.sessions) == 1)
        connections = server.listening.connections
    assert not connections


def test_what_was_reported_early_is_told_in_order() -> None:
    """Before and after somebody takes it."""
    relay: Relay[int] = Relay()
    told: list[int] = []
    relay(1)
    relay(2)
    relay.to(told.append)
    relay(3)
    assert told == [1, 2, 3]
