"""The carrier's socket, read: chunks as soon as they are complete, everything else soon, nothing lost."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientWebSocketResponse, web

from telephony import events as ev
from telephony.call.inbound import FRAMES_STOPPED_S, Inbound
from telephony.call.inbound_batch import InboundBatch
from telephony.carrier.media_stream import ServerStream
from telephony.carrier.websocket import FrameSocket

SID = "MZ" + "0" * 32
KERNEL_WAITS = pytest.mark.skipif(
    not hasattr(socket, "SO_RCVLOWAT") or sys.platform == "win32",
    reason="this system's sockets have no low-water mark (SO_RCVLOWAT)",
)


class Line:
    """Our end of one stream, and the carrier's."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.events: list[ev.Event] = []
        self.news = asyncio.Event()
        self.inbound: Inbound
        self.socket: FrameSocket
        self.carrier: ClientWebSocketResponse
        self.url = ""
        self._frames = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.socket = FrameSocket(compress=False, timeout=0.5)
        await self.socket.prepare(request)
        stream = ServerStream()
        sound = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        start = {"streamSid": SID, "accountSid": "AC0", "callSid": "CA0", "mediaFormat": sound}
        stream.receive(json.dumps({"event": "start", "streamSid": SID, "start": start}))
        self.inbound = Inbound(self.socket, stream, InboundBatch(lambda: None), self._chunk, self._event)
        self.news.set()
        await self.inbound.run()
        return self.socket

    def _chunk(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self.news.set()

    def _event(self, event: ev.Event) -> None:
        self.events.append(event)
        self.news.set()

    def happened(self, kind: type) -> int:
        return sum(isinstance(event, kind) for event in self.events)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self.news.clear()
                await self.news.wait()

    async def send(self, **message: Any) -> None:
        await self.carrier.send_str(json.dumps({**message, "streamSid": SID}))

    async def frames(self, count: int) -> None:
        """The caller's next frames of 20 ms, each one in a packet of its own."""
        for _ in range(count):
            self._frames += 1
            sound = base64.b64encode(bytes([self._frames % 256]) * 160).decode()
            media = {
                "track": "inbound",
                "chunk": str(self._frames),
                "timestamp": str((self._frames - 1) * 20),
                "payload": sound,
            }
            await self.send(event="media", sequenceNumber=str(self._frames + 1), media=media)

    async def fence(self) -> None:
        """Whatever has been sent before now has reached the loop, if the kernel tells of it at all."""
        async with aiohttp.ClientSession() as session, session.get(self.url) as answer:
            assert answer.status == 200

    async def hang_up(self) -> None:
        """The carrier closes: its handshake is a few bytes, and no frame comes any more."""
        closing = asyncio.create_task(self.carrier.close())
        async with asyncio.timeout(5):
            while not closing.done():
                self.inbound.watch(asyncio.get_running_loop().time() + FRAMES_STOPPED_S + 0.1)
                await self.fence()

    async def all_read(self) -> None:
        """Have all frames read that were sent, as if none had come for a while."""
        async with asyncio.timeout(5):
            while self.inbound.counts.frames < self._frames:
                self.inbound.watch(asyncio.get_running_loop().time() + FRAMES_STOPPED_S + 0.1)
                await self.fence()


async def fence(request: web.Request) -> web.Response:
    return web.Response()


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    line = Line()
    app = web.Application()
    app.router.add_get("/", line.handle)
    app.router.add_get("/fence", fence)
    runner = web.AppRunner(app)  # a TestServer would cancel the handler when the carrier is gone
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession() as session:
            line.carrier = await session.ws_connect(url)
            line.url = f"{url}/fence"
            await line.until(lambda: hasattr(line, "inbound"))
            yield line
            await line.hang_up()
    finally:
        await runner.cleanup()


async def test_a_chunk_is_there_with_its_last_frame(line: Line) -> None:
    """Each one, though frames are read four at a time: no chunk waits for a frame of the next."""
    for number in range(1, 30):
        await line.frames(4)
        await line.until(lambda: len(line.chunks) >= line.inbound.counts.frames // 4 == number)  # noqa: B023
    sound = b"".join(line.chunks)
    assert sound == b"".join(bytes([number % 256]) * 160 for number in range(1, 4 * 29 + 1))


@KERNEL_WAITS
async def test_between_chunks_the_kernel_keeps_what_comes(line: Line) -> None:
    """Three frames and a key are not read; the fourth frame brings them all, the key in its place."""
    await line.frames(4)
    await line.until(lambda: len(line.chunks) == 1)
    await line.frames(3)
    await line.send(event="dtmf", dtmf={"track": "inbound_track", "digit": "5"})
    await line.fence()
    assert line.inbound.counts.frames == 4 and not line.happened(ev.DtmfPressed)
    await line.frames(1)
    await line.until(lambda: len(line.chunks) == 2)
    assert line.happened(ev.DtmfPressed) == 1


@KERNEL_WAITS
async def test_a_chunk_that_is_out_of_step_is_not_late(line: Line) -> None:
    """After a frame too many is read, the kernel waits for as many as the chunk lacks."""
    await line.frames(6)
    await line.all_read()
    await line.frames(1)
    await line.fence()
    assert line.inbound.counts.frames == 6
    await line.frames(1)
    await line.until(lambda: len(line.chunks) == 2)


async def test_when_no_frames_come_nothing_is_kept(line: Line) -> None:
    """On hold a key is read as soon as the clock shows that the frames have stopped."""
    await line.frames(5)
    await line.all_read()
    await line.send(event="dtmf", dtmf={"track": "inbound_track", "digit": "5"})
    line.inbound.watch(asyncio.get_running_loop().time() + FRAMES_STOPPED_S + 0.1)
    await line.until(lambda: line.happened(ev.DtmfPressed) == 1)
    await line.send(event="dtmf", dtmf={"track": "inbound_track", "digit": "6"})
    await line.until(lambda: line.happened(ev.DtmfPressed) == 2)


@pytest.mark.parametrize("last", ["stop", "close", "abort"])
async def test_the_end_is_never_kept(line: Line, last: str) -> None:
    """A stop, a close and a lost connection end the inbound, behind the frames that came before."""
    await line.frames(5)
    await line.all_read()
    await line.frames(1)
    if last == "stop":
        await line.send(event="stop", stop={"accountSid": "AC0", "callSid": "CA0"})
    if last == "abort":
        connection = line.carrier._response.connection
        assert connection is not None and connection.transport is not None
        connection.transport.close()
    else:
        await line.hang_up()
    await line.until(lambda: line.happened(ev.CallStopped) == 1)
    assert line.events[-1] == ev.CallStopped(
        ev.EndReason.CALLER if last == "stop" else ev.EndReason.SOCKET_LOST
    )
    assert line.inbound.counts.frames == 6


async def test_the_server_closes(line: Line) -> None:
    """The carrier's part of the handshake, a few bytes, is read at once."""
    await line.frames(4)
    await line.until(lambda: len(line.chunks) == 1)
    closing = asyncio.create_task(line.socket.close())
    message = await line.carrier.receive()
    assert message.type is aiohttp.WSMsgType.CLOSE
    await closing
    assert line.socket.close_code == 1000
