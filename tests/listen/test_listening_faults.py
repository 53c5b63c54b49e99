"""Each way that a listening socket can fail: seen within 3 s, back within 1 s, no word lost or said twice.

Between the client and a Flux server stands a TCP proxy that misbehaves; the caller speaks at a line's pace.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal
from urllib.parse import urlsplit

import pytest

from telephony.deepgram import flux_codec
from telephony.listen.deepgram import FluxClient
from telephony.listen.events import SttConnected, SttDisconnected
from telephony.listen.turns import TurnKind
from telephony.testing.fake_flux import FakeFlux
from telephony.testing.fake_scripts import Cycle
from telephony.testing.faults import NONE, Faults
from tests.listen.test_deepgram import CHUNK, OPTIONS, Line
from tests.pacing import paced, until

Way = Literal["through", "black hole", "stops reading"]
SEEN_S, BACK_S = 3.0, 1.0
FAULT_AT_S = 0.8
TURN = "can I get a large latte please"


class Proxy:
    """Passes bytes on between a client and a server, until it is told not to."""

    def __init__(self, server_url: str) -> None:
        self._port = urlsplit(server_url).port
        self.url = ""
        self.ways: list[asyncio.Event] = []
        """One a connection: set, it lets bytes through."""
        self.reads: list[asyncio.Event] = []

    async def _pass(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        way: asyncio.Event,
        reads: asyncio.Event,
    ) -> None:
        try:
            while True:
                await reads.wait()
                data = await source.read(65536)
                if not data:
                    break
                if way.is_set():
                    sink.write(data)
                    await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        way, reads = asyncio.Event(), asyncio.Event()
        way.set()
        reads.set()
        self.ways.append(way)
        self.reads.append(reads)
        await asyncio.gather(
            self._pass(reader, far_writer, way, reads), self._pass(far_reader, writer, way, reads)
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self._take, "127.0.0.1", 0, limit=4096)
        self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()


FAULTS = {
    "reset": Faults(reset_after_s=FAULT_AT_S),
    "closed": Faults(close_after_s=FAULT_AT_S),
    "Error": Faults(error_after_s=FAULT_AT_S),
    "silent stall": Faults(silent_after_s=FAULT_AT_S),
    "server stops reading": Faults(stops_reading_after_s=FAULT_AT_S),
    "half-open": NONE,
    "peer stops reading": NONE,
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_of_listening_costs_no_word(fault: str) -> None:
    loop = asyncio.get_running_loop()
    async with FakeFlux(lambda _: Cycle(), [FAULTS[fault], NONE]) as flux, Proxy(flux.url).running() as proxy:
        client = FluxClient(proxy.url)
        times: dict[type, list[float]] = {SttConnected: [], SttDisconnected: []}
        line: list[Line] = []

        def receive(event: object) -> None:
            times.setdefault(type(event), []).append(loop.time())
            line[0].receive(event)  # type: ignore[arg-type]

        line.append(Line(client.open(OPTIONS, receive)))
        caller = line[0]
        caller.connection.start()
        configure = flux_codec.Configure(eot_threshold=0.8)
        failed_at = 0.0
        async for number in paced(0.08):
            caller.connection.send_audio(bytes(CHUNK))
            if number == 2:
                caller.connection.send(configure)
            if not failed_at and (number + 1) * 0.08 >= FAULT_AT_S:
                failed_at = loop.time()
                if fault == "half-open":
                    proxy.ways[0].clear()
                elif fault == "peer stops reading":
                    proxy.reads[0].clear()
            if len(times[SttConnected]) == 2 and caller.ended():
                break
            assert number < 120, (fault, caller.events[-3:])
        (down,), (_, up) = times[SttDisconnected], times[SttConnected]
        assert down - failed_at <= SEEN_S, (fault, down - failed_at, caller.of(SttDisconnected))
        assert up - down <= BACK_S
        assert caller.ended()[0] == TURN
        for kind in (TurnKind.STARTED, TurnKind.ENDED):
            numbers = [turn.turn for turn in caller.turns if turn.kind is kind]
            assert numbers == sorted(set(numbers)), "a turn came twice"
        assert flux.sessions[1].first_options.eot_threshold == 0.8
        await caller.connection.close()
        await caller.connection.run()
        await client.close()
        await until(lambda: not client.connections)
