"""The tap on the carrier's socket: every message once and in order, by whichever way; how a socket ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import ClientWebSocketResponse, WSMessage, WSMsgType, web
from aiohttp.test_utils import TestServer

from telephony.carrier.websocket import FrameSocket

MESSAGE_BYTES = 1000


class Server:
    """Reads one socket to its end, with a tap."""

    def __init__(self) -> None:
        self.tapped: list[str] = []
        self.order: list[str] = []
        """Everything of type text, by whichever way it came."""
        self.read: list[WSMessage] = []
        self.over = asyncio.Event()
        self._tapping = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.socket = FrameSocket(max_msg_size=MESSAGE_BYTES, compress=False, timeout=0.5)
        await self.socket.prepare(request)
        self.socket.tap(self.take)
        try:
            while not self.read or self.read[-1].type in (WSMsgType.TEXT, WSMsgType.BINARY):
                self.read.append(await self.socket.receive())
                if self.read[-1].type is WSMsgType.TEXT:
                    self.order.append(self.read[-1].data)
        finally:
            self.over.set()
        return self.socket

    def take(self, text: str) -> None:
        """The tap: gives back what begins with "-", and fails at "!"."""
        self._tapping.set()
        if text.startswith("!"):
            self.socket.fail(RuntimeError("a fault of ours"))
        elif text.startswith("-"):
            self.socket.give_back(text)
        else:
            self.tapped.append(text)
            self.order.append(text)

    async def tapping(self) -> None:
        """Until the first text message was offered."""
        async with asyncio.timeout(5):
            await self._tapping.wait()

    async def ended(self) -> WSMessage:
        """How the server's socket ended."""
        async with asyncio.timeout(5):
            await self.over.wait()
        return self.read[-1]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[ClientWebSocketResponse]:
    app = web.Application()
    app.router.add_get("/", server.handle)
    async with TestServer(app) as listening, aiohttp.ClientSession() as session:
        async with session.ws_connect(listening.make_url("/")) as socket:
            yield socket


async def test_texts_go_to_the_tap_and_the_rest_to_receive(
    server: Server, client: ClientWebSocketResponse
) -> None:
    """What the tap gives back is read, and so are binary messages; nothing comes twice."""
    await client.send_str("one")
    await client.send_str("two")
    await client.send_bytes(b"three")
    await client.send_str("-four")
    await client.close(code=4000)
    last = await server.ended()
    assert server.tapped == ["one", "two"]
    assert [message.data for message in server.read[:-1]] == [b"three", "-four"]
    assert last.type is WSMsgType.CLOSE and server.socket.close_code == 4000


async def test_the_order_is_kept(server: Server, client: ClientWebSocketResponse) -> None:
    """The tap takes nothing past a message that waits to be read."""
    texts = [f"{'' if number % 3 else '-'}{number}" for number in range(300)]
    for text in texts:
        await client.send_str(text)
    await client.close()
    await server.ended()
    assert server.order == texts


async def test_a_fault_of_the_tap_ends_the_socket(server: Server, client: ClientWebSocketResponse) -> None:
    """receive() gives it, and the peer sees that it is over."""
    await client.send_str("one")
    await client.send_str("!")
    await client.send_str("two")
    assert (await client.receive()).type is WSMsgType.CLOSE
    last = await server.ended()
    assert server.order == ["one"]
    assert last.type is WSMsgType.ERROR and isinstance(last.data, RuntimeError)


async def test_a_close_from_our_side_wakes_the_reader(
    server: Server, client: ClientWebSocketResponse
) -> None:
    """While frames are tapped the reader waits as ever: a close() elsewhere reaches it at once."""
    await client.send_str("one")
    await server.tapping()
    closing = asyncio.create_task(server.socket.close(code=1012))
    assert (await server.ended()).type in (WSMsgType.CLOSING, WSMsgType.CLOSED)
    message = await client.receive()
    assert message.type is WSMsgType.CLOSE and message.data == 1012
    await closing


async def test_a_message_that_is_too_large(server: Server, client: ClientWebSocketResponse) -> None:
    """Ends the socket as it does without a tap."""
    await client.send_str("x" * (MESSAGE_BYTES + 1))
    assert (await client.receive()).data == 1009
    assert (await server.ended()).type is WSMsgType.ERROR
    assert not server.tapped


async def test_a_peer_that_vanishes(server: Server, client: ClientWebSocketResponse) -> None:
    """The reader does not wait for it any longer: aiohttp cancels it here, or tells it."""
    await client.send_str("-one")
    await server.tapping()
    connection = client._response.connection
    assert connection is not None and connection.transport is not None
    connection.transport.abort()
    await server.ended()


async def test_without_the_tap_it_is_aiohttps_socket(server: Server, client: ClientWebSocketResponse) -> None:
    """When the tap is taken off, everything comes through receive() again."""
    await client.send_str("one")
    await server.tapping()
    server.socket.tap(None)
    await client.send_str("two")
    await client.close()
    await server.ended()
    assert server.tapped == ["one"] and server.read[0].data == "two"
