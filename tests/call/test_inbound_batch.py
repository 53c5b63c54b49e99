"""The callers' messages are handled in batches, in their order, and one call's trouble stays its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial

import aiohttp
import pytest
from aiohttp import WSMessage, WSMsgType, web
from aiohttp.test_utils import BaseTestServer, TestServer

from telephony.call.inbound_batch import MOST, InboundBatch
from telephony.carrier.websocket import FrameSocket


class Receiver:
    """One socket's side of the batch."""

    def __init__(self, server: Server, path: str, socket: FrameSocket) -> None:
        self.server = server
        self.path = path
        self.socket = socket

    def receive_frame(self, text: str, now: float) -> None:
        if text == "!":
            raise RuntimeError("a fault of ours")
        if text.startswith("-"):
            self.socket.give_back(text)
        self.server.order.append((self.path, text))
        self.server.news.set()

    def flush(self) -> None:
        """All texts of one moment were received."""
        if (self.path, "?") in self.server.order:
            raise RuntimeError("another fault of ours")

    def fail(self, error: Exception) -> None:
        self.socket.fail(error)


class Server:
    """Reads sockets through one batch."""

    def __init__(self) -> None:
        self.batch = InboundBatch(lambda: None)
        self.order: list[tuple[str, str]] = []
        """The socket's path, and the text."""
        self.read: dict[str, list[WSMessage]] = {}
        self.news = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        socket = FrameSocket(compress=False, timeout=0.5)
        await socket.prepare(request)
        path = request.path
        read = self.read.setdefault(path, [])
        socket.tap(partial(self.batch.add, Receiver(self, path, socket)))
        while not read or read[-1].type in (WSMsgType.TEXT, WSMsgType.BINARY):
            read.append(await socket.receive())
            self.news.set()
        return socket

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self.news.clear()
                await self.news.wait()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def listening(server: Server) -> AsyncIterator[BaseTestServer]:
    app = web.Application()
    app.router.add_get("/{name}", server.handle)
    async with TestServer(app) as listening:
        yield listening


async def test_each_sockets_order_is_kept(server: Server, listening: BaseTestServer) -> None:
    """Whatever comes of how many sockets; nothing waits for more to come."""
    async with aiohttp.ClientSession() as session:
        a = await session.ws_connect(listening.make_url("/a"))
        b = await session.ws_connect(listening.make_url("/b"))
        for number in range(200):
            await (a if number % 3 else b).send_str(str(number))
        await server.until(lambda: len(server.order) == 200)
        await a.send_str("one more")
        await server.until(lambda: len(server.order) == 201)
        await a.close()
        await b.close()
    for path in ("/a", "/b"):
        numbers = [int(text) for at, text in server.order[:200] if at == path]
        assert numbers == sorted(numbers)


async def test_what_is_given_back_is_read(server: Server, listening: BaseTestServer) -> None:
    """By the reader, whom nothing else would wake; the texts before it were taken."""
    async with aiohttp.ClientSession() as session:
        a = await session.ws_connect(listening.make_url("/a"))
        await a.send_str("one")
        await a.send_str("-two")
        await server.until(lambda: bool(server.read["/a"]))
        assert [message.data for message in server.read["/a"]] == ["-two"]
        assert server.order == [("/a", "one"), ("/a", "-two")]
        await a.close()


@pytest.mark.parametrize("fault", ["!", "?"])
async def test_a_fault_ends_its_own_socket_only(
    server: Server, listening: BaseTestServer, fault: str
) -> None:
    """Its reader gets the error; the other's messages of the same moment are taken."""
    async with aiohttp.ClientSession() as session:
        a = await session.ws_connect(listening.make_url("/a"))
        b = await session.ws_connect(listening.make_url("/b"))
        await a.send_str(fault)
        await b.send_str("fine")
        await server.until(lambda: bool(server.read["/a"]) and ("/b", "fine") in server.order)
        assert server.read["/a"][0].type is WSMsgType.ERROR
        assert isinstance(server.read["/a"][0].data, RuntimeError)
        assert [text for _, text in server.order if text != "?"] == ["fine"]
        assert (await a.receive()).type is WSMsgType.CLOSE
        await b.close()


async def test_a_flood_is_received_piece_by_piece(server: Server) -> None:
    """No more is collected than the bound, however much comes within one turn of the loop."""
    receiver = Receiver(server, "/a", FrameSocket())
    for number in range(MOST - 1):
        server.batch.add(receiver, str(number))
    assert server.order == []
    for number in range(MOST - 1, 2 * MOST):
        server.batch.add(receiver, str(number))
    assert [text for _, text in server.order] == [str(number) for number in range(2 * MOST)]


async def test_what_was_received_is_transcoded_before_the_flush() -> None:
    """All calls' chunks of one moment share the transcoding."""
    steps: list[str] = []

    class Steps(Receiver):
        def receive_frame(self, text: str, now: float) -> None:
            steps.append(text)

        def flush(self) -> None:
            steps.append("flush")

    batch = InboundBatch(lambda: steps.append("transcode"))
    for name in ("a", "b"):
        batch.add(Steps(Server(), name, FrameSocket()), name)
    batch.deliver()
    assert steps == ["a", "b", "transcode", "flush", "flush"]
