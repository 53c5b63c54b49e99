"""What is said reaches the carrier at once, in order, and a carrier that does not read is noticed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, web
from aiohttp.test_utils import BaseTestServer, TestServer

from telephony.carrier.websocket import FrameSocket
from telephony.carrier.writer import LIMIT, STUCK_S, CarrierWriter
from tests.pacing import loop_turn

Script = Callable[[CarrierWriter, FrameSocket], Awaitable[None]]


async def all_was_read(outbox: CarrierWriter, socket: FrameSocket) -> None:
    """Until the client has closed."""
    async with asyncio.timeout(5):
        while (await socket.receive()).type not in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING):
            pass


class Server:
    """Runs an outbox and a script that uses it, for one socket."""

    def __init__(self) -> None:
        self.script: Script = all_was_read
        self.delays: list[float] = []
        self.over = asyncio.Event()
        self.failed: BaseException | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        socket = FrameSocket(compress=False, timeout=0.5)
        await socket.prepare(request)
        outbox = CarrierWriter(socket, self.delays.append)
        running = asyncio.create_task(outbox.run())
        try:
            await self.script(outbox, socket)
        except BaseException as error:
            self.failed = error
            raise
        finally:
            self.over.set()  # aiohttp may cancel what follows
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        return socket


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def listening(server: Server) -> AsyncIterator[BaseTestServer]:
    app = web.Application()
    app.router.add_get("/", server.handle)
    async with TestServer(app) as listening:
        yield listening


async def texts(client: ClientWebSocketResponse, last: str) -> list[str]:
    """All up to the last one; then the client closes, which `all_was_read` waits for."""
    got: list[str] = []
    async with asyncio.timeout(5):
        while not got or got[-1] != last:
            message = await client.receive()
            assert message.type is WSMsgType.TEXT, (message, got[-3:])
            got.append(message.data)
        await client.close()
    return got


async def test_messages_of_every_size_in_order(server: Server, listening: BaseTestServer) -> None:
    """Put before the writer runs, one by one, or several at once: a stock client reads them all."""
    sizes = [1, 125, 126, 300, 65_535, 65_536, 70_000]

    async def script(outbox: CarrierWriter, socket: FrameSocket) -> None:
        outbox.put("before", "the writer")
        await loop_turn()
        outbox.put(*["é" * (size // 2) + "x" * (size % 2) for size in sizes])
        outbox.put("last")
        await all_was_read(outbox, socket)

    server.script = script
    async with aiohttp.ClientSession() as session, session.ws_connect(listening.make_url("/")) as client:
        got = await texts(client, "last")
    assert server.failed is None
    assert got[:2] == ["before", "the writer"] and got[-1] == "last"
    assert [len(text.encode()) for text in got[2:-1]] == sizes


async def test_a_clear_is_written_at_once_and_timed(server: Server, listening: BaseTestServer) -> None:
    """While the peer keeps up nothing waits: what was put before has gone out. Its delay is told once."""

    async def script(outbox: CarrierWriter, socket: FrameSocket) -> None:
        await loop_turn()
        outbox.put("media", "mark")
        outbox.clear("clear", since=0.0)
        assert len(server.delays) == 1 and server.delays[0] > 0
        outbox.put("more")
        outbox.clear("clear again")
        assert len(server.delays) == 1
        await all_was_read(outbox, socket)

    server.script = script
    async with aiohttp.ClientSession() as session, session.ws_connect(listening.make_url("/")) as client:
        assert await texts(client, "clear again") == ["media", "mark", "clear", "more", "clear again"]
    assert server.failed is None


async def test_a_peer_that_does_not_read(server: Server, listening: BaseTestServer) -> None:
    """Messages wait within a bound, a clear throws them away; it is stuck after 2 s or when full."""
    big, most = "x" * 60_000, 400  # 24 MB: more than any kernel takes for a peer

    async def script(outbox: CarrierWriter, socket: FrameSocket) -> None:
        loop = asyncio.get_running_loop()
        await loop_turn()
        for _ in range(most):
            outbox.put(big)
        await loop_turn()
        now = loop.time()
        assert not outbox.stuck(now)
        assert outbox.stuck(now + STUCK_S + 0.1)
        outbox.put("media")
        outbox.clear("clear", since=0.0)
        assert server.delays == []
        for _ in range(LIMIT - 1):
            outbox.put("media")
        assert not outbox.stuck(now)
        outbox.put("too much")
        assert outbox.stuck(now)
        server.over.set()
        await all_was_read(outbox, socket)  # the peer reads again
        assert len(server.delays) == 1

    server.script = script
    async with aiohttp.ClientSession() as session, session.ws_connect(listening.make_url("/")) as client:
        async with asyncio.timeout(5):
            await server.over.wait()
        got: list[str] = []
        while got[-LIMIT:] != ["clear", *["media"] * (LIMIT - 1)]:
            got.append(await client.receive_str(timeout=5))
        await client.close()
    assert got[:-LIMIT] == [big] * (len(got) - LIMIT) and 0 < len(got) - LIMIT < most
    assert server.failed is None


async def test_a_peer_that_is_gone(server: Server, listening: BaseTestServer) -> None:
    """Putting raises nothing, and no delay is told of what was not written."""

    async def script(outbox: CarrierWriter, socket: FrameSocket) -> None:
        try:
            await socket.receive()  # aiohttp tells, or cancels
        finally:
            outbox.put("media")
            outbox.clear("clear", since=0.0)
            outbox.put("media")
            reached.append(True)

    reached: list[bool] = []
    server.script = script
    async with aiohttp.ClientSession() as session:
        client = await session.ws_connect(listening.make_url("/"))
        await client.close()
        async with asyncio.timeout(5):
            await server.over.wait()
    assert reached and server.delays == []
