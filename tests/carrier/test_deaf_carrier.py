"""A carrier that reads nothing of what the agent says: its call is over within ten seconds."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from xml.etree import ElementTree

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from telephony.config.settings import Settings
from telephony.server.app import make_app
from telephony.server.assembly import open_state
from telephony.testing.fake_flux import FakeFlux
from telephony.testing.fake_scripts import Cycle
from telephony.testing.fake_speak import FakeSpeak
from tests.pacing import paced
from tests.twilio_side import parameters_of, start_message, until

pytestmark = pytest.mark.slow

CALL = "CAdeaf"
SPEECH_S = {"without end": 60.0, "two seconds": 2.0}
"""What the agent says at most: the less it says, the less the kernel shows of a peer that does not read."""
HANDSHAKE = (
    b"GET /twilio/media HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def frame(number: int) -> str:
    """20 ms of silence."""
    media = {"track": "inbound", "chunk": str(number), "timestamp": str(20 * number), "payload": "/" * 216}
    message = {"event": "media", "sequenceNumber": str(number + 1), "streamSid": "MZ" + "0" * 32}
    return json.dumps({**message, "media": media})


def masked(text: str) -> bytes:
    """A client's websocket frame, masked with zeros."""
    data = text.encode()
    head = bytes((0x81, 0x80 | len(data))) if len(data) < 126 else struct.pack("!BBH", 0x81, 0xFE, len(data))
    return head + b"\0\0\0\0" + data


async def speaking_to(url: tuple[str, int], parameters: Mapping[str, str]) -> None:
    """A carrier that sends a frame each 20 ms, and reads nothing, until the server has had enough."""
    peer = socket.socket()
    peer.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(peer, url)
        await loop.sock_sendall(peer, HANDSHAKE + masked(json.dumps(start_message(parameters, CALL))))
        async for number in paced(0.02):
            await loop.sock_sendall(peer, masked(frame(number + 1)))
    except ConnectionError:
        return
    finally:
        peer.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a peer takes")
@pytest.mark.parametrize("speech_s", SPEECH_S.values(), ids=SPEECH_S.keys())
async def test_a_carrier_that_reads_nothing_is_ended_within_ten_seconds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, speech_s: float
) -> None:
    """In the server, too: its call is over, its slot is free, and its connection is closed."""
    async with AsyncExitStack() as stack:
        flux = FakeFlux(lambda options: Cycle())
        await flux.start(0, FakeSpeak(lambda text: speech_s))
        stack.push_async_callback(flux.close)
        settings = Settings.load({"DATA_DIR": str(tmp_path), "DEEPGRAM_URL": flux.url, "BARGE_IN": "off"})
        state, records = await open_state(settings, stack)
        server = await stack.enter_async_context(TestServer(make_app(state, records), host="127.0.0.1"))
        session = await stack.enter_async_context(ClientSession())
        form = {"CallSid": CALL, "CallStatus": "ringing", "From": "+14155550100"}
        async with session.post(server.make_url("/twilio/voice"), data=form) as answer:
            parameters = parameters_of(ElementTree.fromstring(await answer.text()))
        begun = asyncio.get_running_loop().time()
        with caplog.at_level(logging.WARNING):
            async with asyncio.timeout(20):
                await speaking_to(("127.0.0.1", server.port or 0), parameters)
        assert asyncio.get_running_loop().time() - begun < 10.0
        assert "reads nothing" in caplog.text
        await until(lambda: not state.streams.sockets)
        assert await state.slots.free() == settings.max_calls
