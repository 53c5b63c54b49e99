"""A proxy with faults, on real sockets: what a client sees of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from telephony.testing.fault_proxy import FaultProxy
from telephony.testing.proxy_faults import KINDS, ProxyFault, read_fault

PATIENCE_S = 10


@asynccontextmanager
async def echo() -> AsyncIterator[str]:
    """A server whose websocket says everything back, and whose other requests get `fine`."""

    async def socket(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            await ws.send_str(message.data)
        return ws

    async def fine(request: web.Request) -> web.Response:
        return web.Response(text="fine " + await request.text())

    app = web.Application()
    app.router.add_get("/v2/listen", socket)
    app.router.add_get("/v2/speak", socket)
    app.router.add_route("*", "/{any:.*}", fine)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Line:
    """A proxy before the server, and a client of it."""

    def __init__(self, proxy: FaultProxy, client: aiohttp.ClientSession) -> None:
        self.proxy, self.client = proxy, client

    async def open(self, path: str = "/v2/listen") -> aiohttp.ClientWebSocketResponse:
        return await self.client.ws_connect(self.proxy.url + path)

    async def heard_after(self, ws: aiohttp.ClientWebSocketResponse, text: str = "hello") -> float:
        """Seconds until what was said comes back."""
        began = time.monotonic()
        await ws.send_str(text)
        assert await ws.receive_str(timeout=PATIENCE_S) == text
        return time.monotonic() - began


@asynccontextmanager
async def line(*faults: str, seed: int = 1) -> AsyncIterator[Line]:
    async with (
        echo() as target,
        FaultProxy(target, faults, seed=seed) as proxy,
        aiohttp.ClientSession() as client,
    ):
        yield Line(proxy, client)
    assert not proxy._legs


async def test_without_faults_it_only_passes_on() -> None:
    async with line() as here:
        ws = await here.open()
        assert await here.heard_after(ws, "x" * 200_000) < PATIENCE_S
        async with here.client.post(here.proxy.url + "/any", data=b"body") as answer:
            assert (answer.status, await answer.text()) == (200, "fine body")
        await ws.close()
        assert here.proxy.struck == []


async def test_latency_is_added_in_each_direction() -> None:
    async with line() as here:
        ws = await here.open()
        here.proxy.begin("latency 150ms")
        assert await here.heard_after(ws) >= 0.3


async def test_jitter_is_drawn_from_the_seed_and_keeps_the_order() -> None:
    async with line("jitter 50ms") as here:
        ws = await here.open()
        for number in range(20):
            await ws.send_str(str(number))
        assert [await ws.receive_str(timeout=PATIENCE_S) for _ in range(20)] == [str(n) for n in range(20)]
        draws = [FaultProxy("h:1", seed=seed).chance(1, "way").random() for seed in (1, 1, 2)]
        assert draws[0] == draws[1] != draws[2]


async def test_a_stall_holds_everything_and_then_lets_it_go() -> None:
    async with line() as here:
        ws = await here.open()
        here.proxy.begin("stall at 0s for 0.4s")
        assert await here.heard_after(ws) >= 0.35
        assert await here.heard_after(ws) < 0.3
        assert [kind for _, kind in here.proxy.struck] == ["stall"]


async def test_a_stall_at_a_moment_spares_connections_that_come_later() -> None:
    async with line() as here:
        stalled = await here.open()
        here.proxy.begin("stall at 0s")
        await stalled.send_str("lost")
        later = await here.open()
        await here.heard_after(later)
        with pytest.raises(TimeoutError):
            await stalled.receive(timeout=0.1)


async def test_a_reset_is_a_reset() -> None:
    async with line() as here:
        ws = await here.open()
        here.proxy.begin("reset at 0.05s")
        message = await ws.receive(timeout=PATIENCE_S)
        assert message.type in (aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSED)
        assert ws.close_code == 1006
        await here.heard_after(await here.open())


async def test_a_half_open_connection_says_nothing_not_even_its_end() -> None:
    async with line() as here:
        ws = await here.open()
        here.proxy.begin("half-open at 0s")
        await ws.send_str("lost")
        with pytest.raises(TimeoutError):
            await ws.receive(timeout=0.2)
        assert not ws.closed


async def test_who_is_not_read_cannot_go_on_sending() -> None:
    async with line("stop reading") as here:
        host, _, port = here.proxy.url.removeprefix("http://").partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /any HTTP/1.1\r\nHost: here\r\nContent-Length: 100000000\r\n\r\n")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                for _ in range(1500):
                    writer.write(b"x" * 60_000)
                    await writer.drain()
        assert [kind for _, kind in here.proxy.struck] == ["stop-reading"]
        here.proxy.clear()
        await asyncio.wait_for(writer.drain(), PATIENCE_S)
        writer.transport.abort()


async def test_slices_are_pieces_of_a_few_bytes() -> None:
    async with line("slicing 3 bytes") as here:
        ws = await here.open()
        await here.heard_after(ws, "a text of more than three bytes")


async def test_garbage_breaks_the_protocol() -> None:
    async with line() as here:
        ws = await here.open()
        here.proxy.begin("garbage 200 bytes at 0.05s")
        message = await ws.receive(timeout=PATIENCE_S)
        assert message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)


async def test_a_status_is_answered_on_connections_that_are_kept_too() -> None:
    async with line() as here:
        url = here.proxy.url + "/v1/chat/completions"
        async with here.client.post(url, data=b"a") as answer:
            assert answer.status == 200
        here.proxy.begin("chat: status 429 retry-after 2 for 60s")
        async with here.client.post(url, data=b"b" * 100_000) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "2")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            here.proxy.begin("status")
            await here.open()
        assert refused.value.status == 503


async def test_refused_connections_are_reset() -> None:
    async with line("refuse") as here:
        with pytest.raises(aiohttp.ClientError):
            await here.open()


async def test_a_fault_may_concern_one_service_alone() -> None:
    async with line("flux: refuse") as here:
        await here.heard_after(await here.open("/v2/speak"))
        with pytest.raises(aiohttp.ClientError):
            await here.open("/v2/listen")


async def test_a_server_that_is_not_there_is_a_reset() -> None:
    async with FaultProxy("127.0.0.1:1") as proxy, aiohttp.ClientSession() as client:
        with pytest.raises(aiohttp.ClientError):
            await client.get("http://" + proxy.url)


def test_the_words_of_a_fault() -> None:
    assert read_fault("flux: stall at 8s for 5s") == ProxyFault("stall", "flux", 0, 8, 5)
    assert read_fault("latency 200ms") == ProxyFault("latency", amount=0.2)
    assert read_fault("speak: half open at 500ms") == ProxyFault("half-open", "speak", at_s=0.5)
    assert read_fault("status 429 retry-after 2") == ProxyFault("status", amount=429, retry_after="2")
    for kind in KINDS:
        assert read_fault(kind).kind == kind


@pytest.mark.parametrize(
    "text",
    ["", "explode", "stall 5s", "latency 5 bytes", "status 99", "slice 0 bytes", "slice 1.5", "tts: stall",
     "reset retry-after 5", "stall at soon", "latency -1s", "stall for", "garbage 200ms", "status 500ms"],
)  # fmt: skip
def test_words_that_are_no_fault_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must|takes|does not|status"):
        read_fault(text)


@pytest.mark.parametrize("target", ["wss://api.example.com", "https://h", "ftp://h", "", "ws://"])
def test_a_target_that_cannot_be_served_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        FaultProxy(target)
