"""One test for each assumption about aiohttp's inner names, and its public way when they are not used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import WSMessage, WSMsgType, web
from aiohttp.test_utils import TestServer

from telephony.base import aiohttp_internals
from telephony.base.aiohttp_internals import LeanClientSocket, TappableSocket
from tests.pacing import loop_turn

BIG = "x" * 60_000


class Peers:
    """A server's socket and a client's, connected with each other."""

    def __init__(self, server: TappableSocket, client: LeanClientSocket) -> None:
        self.server = server
        self.client = client


@asynccontextmanager
async def connected(heartbeat: float | None = None) -> AsyncIterator[Peers]:
    sockets: asyncio.Queue[TappableSocket] = asyncio.Queue()
    over = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        socket = TappableSocket(compress=False, timeout=0.5)
        await socket.prepare(request)
        sockets.put_nowait(socket)
        await over.wait()
        return socket

    app = web.Application()
    app.router.add_get("/", handle)
    async with TestServer(app) as server:
        async with aiohttp.ClientSession(ws_response_class=LeanClientSocket) as session:
            client = await session.ws_connect(server.make_url("/"), heartbeat=heartbeat, compress=0)
            assert isinstance(client, LeanClientSocket)
            try:
                async with asyncio.timeout(10):
                    yield Peers(await sockets.get(), client)
            finally:
                client.abort()
                await client.close()
                over.set()


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of aiohttp's inner names is used."""
    monkeypatch.setattr(aiohttp_internals, "in_use", False)


def test_the_installed_version_was_checked() -> None:
    """Else every call goes the slow way: check the tests of this file, then add the version."""
    assert aiohttp_internals.in_use, aiohttp.__version__


async def test_a_text_goes_to_the_tap_and_wakes_nobody() -> None:
    """A binary message, which comes later, is what `receive()` gives first."""
    async with connected() as peers:
        texts: list[str] = []
        assert peers.server.tap(texts.append)
        await peers.client.send_str("one")
        await peers.client.send_bytes(b"two")
        assert (await peers.server.receive()).data == b"two" and texts == ["one"]


async def test_what_waits_in_the_queue_comes_before_what_is_tapped() -> None:
    """A text that came before the tap is read, and so is one behind it."""
    async with connected() as peers:
        texts: list[str] = []
        for text in ("one", "two"):
            peers.server._reader.feed_data(WSMessage(WSMsgType.TEXT, text, None), 3)  # as the parser does
            peers.server.tap(texts.append)
        assert [(await peers.server.receive()).data for _ in range(2)] == ["one", "two"] and not texts


async def test_a_text_that_is_given_back_and_an_error_are_read() -> None:
    async with connected() as peers:
        peers.server.tap(peers.server.give_back)
        await peers.client.send_str("back")
        assert (await peers.server.receive()).data == "back"
        error = RuntimeError("a fault of ours")
        peers.server.tap(lambda text: peers.server.fail(error))
        await peers.client.send_str("fault")
        message = await peers.server.receive()
        assert message.type is WSMsgType.ERROR and message.data is error


async def test_pongs_are_counted() -> None:
    """aiohttp's parser answers pings, and puts pongs into the queue where nobody answers them itself."""
    async with connected() as peers:
        assert peers.server.pongs == 0
        await peers.client.pong()
        await peers.client.send_bytes(b"")
        await peers.server.receive()
        assert peers.server.pongs == 1


async def test_a_peer_that_does_not_read_is_seen_and_one_that_reads_again_too() -> None:
    async with connected() as peers:
        assert peers.server.keeps_up is True
        sending = [asyncio.create_task(peers.server.send_str(BIG)) for _ in range(200)]
        drained = asyncio.create_task(peers.server.drained())
        await loop_turn()  # each of them has written, or waits
        assert peers.server.keeps_up is False and not drained.done()
        for _ in sending:
            await peers.client.receive()
        await drained
        assert peers.server.keeps_up is True
        await asyncio.gather(*sending)


async def test_a_message_is_written_without_a_task_until_the_peer_does_not_read() -> None:
    async with connected() as peers:
        assert peers.client.send_now(b"now")
        assert (await peers.server.receive()).data == b"now"
        count = 0
        while peers.client.send_now(BIG.encode()):
            count += 1
        assert count > 0
        for _ in range(count):
            assert len((await peers.server.receive()).data) == len(BIG)
        peers.client.abort()
        assert not peers.client.send_now(b"late")


async def test_a_packet_puts_the_next_ping_off_without_a_callback() -> None:
    async with connected(heartbeat=5.0) as peers:
        before = peers.client._heartbeat_when
        await peers.server.send_str("news")
        await peers.client.receive()
        assert peers.client._heartbeat_when > before
        assert peers.client._heartbeat_reset_handle is None


async def test_a_disposed_socket_is_not_told_of_packets() -> None:
    async with connected(heartbeat=5.0) as peers:
        protocol = peers.client._writer.protocol
        assert getattr(protocol, "_data_received_cb", None) is not None
        peers.client.abort()
        peers.client.dispose()
        assert getattr(protocol, "_data_received_cb", None) is None


async def test_an_abort_ends_both_sides_at_once() -> None:
    async with connected() as peers:
        peers.client.abort()
        assert (await peers.server.receive()).type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED)
        assert (await peers.client.receive()).type in (WSMsgType.CLOSED, WSMsgType.ERROR)


# ---- the public way


async def test_without_them_every_message_is_read(closed: None) -> None:
    async with connected() as peers:
        texts: list[str] = []
        assert not peers.server.tap(texts.append)
        await peers.client.send_str("one")
        assert (await peers.server.receive()).data == "one" and not texts
        assert peers.server.pongs is None and peers.server.keeps_up is None
        await peers.server.drained()


async def test_without_them_nothing_is_written_without_a_task(closed: None) -> None:
    async with connected(heartbeat=5.0) as peers:
        assert not peers.client.send_now(b"now")
        await peers.client.send_bytes(b"sent")
        assert (await peers.server.receive()).data == b"sent"
        await peers.server.send_str("news")
        assert (await peers.client.receive()).data == "news"
        peers.client.dispose()


async def test_without_them_an_abort_ends_both_sides(closed: None) -> None:
    async with connected() as peers:
        peers.client.abort()
        assert (await peers.server.receive()).type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED)
        assert (await peers.client.receive()).type in (WSMsgType.CLOSED, WSMsgType.ERROR)
