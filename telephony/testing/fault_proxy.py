"""A TCP proxy that spoils what passes through it: `FaultProxy("ws://127.0.0.1:9091", ["latency 200ms"])`.

It stands between a client and a server that speak HTTP or websockets without TLS. What it does wrong is said
in words (`proxy_faults`), by name, and drawn from a seed, so that a failure can be had again.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

from telephony.testing.proxy_faults import ProxyFault, read_fault, request_path, service_of

log = logging.getLogger(__name__)

PIECES_HELD = 256
"""On their way in one direction; then no more is read."""
PIECE_BYTES = 16_384
CONNECT_S = 5.0
LOOK_S = 0.05
BODY_S = 1.0
"""For the rest of a request that was answered already."""
SMALL_BUFFER = 4096
"""Bytes that the kernel takes of a client that is not read, so that its sending blocks soon."""


def _read(faults: Iterable[str | ProxyFault]) -> tuple[ProxyFault, ...]:
    return tuple(fault if isinstance(fault, ProxyFault) else read_fault(fault) for fault in faults)


class FaultProxy:
    """`async with FaultProxy(target) as proxy`: clients connect to `proxy.url`.

    `target`: `ws://host:port`, `http://host:port/path` or `host:port`. `faults`: words or ProxyFault; they
    begin with the first connection, or when `begin` says so. Raises ValueError for a target or a fault that
    cannot be understood.
    """

    def __init__(self, target: str, faults: Iterable[str | ProxyFault] = (), *, seed: int = 1) -> None:
        self._target = urlsplit(target if "//" in target else f"//{target}")
        if self._target.scheme not in ("", "ws", "http") or not self._target.hostname:
            raise ValueError(f"{target!r} must be ws://host:port, http://host:port or host:port")
        self._port = self._target.port or 80
        self.faults = _read(faults)
        self.url = ""
        """Where clients connect: the target's address with the proxy's host and port."""
        self.connections = 0
        self.struck: list[tuple[float, str]] = []
        """Each fault that hit one connection at one moment: seconds from `begin`, and its kind."""
        self._seed = seed
        self._began: float | None = None
        self._legs: set[_Leg] = set()
        self._timers: list[asyncio.TimerHandle] = []
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        """Listen. Raises OSError."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=PIECE_BYTES)
        here = f"{host}:{self._server.sockets[0].getsockname()[1]}"
        scheme = self._target.scheme
        self.url = urlunsplit((scheme, here, self._target.path, "", "")).removeprefix("//")
        self._small_buffers()

    async def close(self) -> None:
        """Stop listening, and drop every connection."""
        for timer in self._timers:
            timer.cancel()
        if self._server is not None:
            self._server.close()
        for leg in list(self._legs):
            leg.reset()
        if self._server is not None:
            await self._server.wait_closed()
        await asyncio.gather(*(leg.over.wait() for leg in list(self._legs)))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def begin(self, *faults: str | ProxyFault) -> None:
        """The clock of the faults begins now. Faults that are given take the place of those before.

        Raises ValueError.
        """
        if faults:
            self.faults = _read(faults)
        for timer in self._timers:
            timer.cancel()
        loop = asyncio.get_running_loop()
        self._began, self.struck = loop.time(), []
        for leg in self._legs:
            leg.opened = 0.0
        moments = [f for f in self.faults if f.at_s is not None and f.kind in ("reset", "garbage")]
        self._timers = [loop.call_later(fault.at_s or 0.0, self._strike_all, fault) for fault in moments]
        self._small_buffers()

    def clear(self) -> None:
        """No faults from now on."""
        self.faults = ()
        self.begin()

    @property
    def now(self) -> float:
        """Seconds from `begin`."""
        return asyncio.get_running_loop().time() - (self._began or 0.0)

    def on(self, kind: str, leg: _Leg) -> ProxyFault | None:
        """The fault of this kind that a connection has now."""
        now = self.now
        for fault in self.faults:
            if (
                fault.kind == kind
                and fault.concerns(leg.service)
                and fault.until(leg.opened, now) is not None
            ):
                return fault
        return None

    def chance(self, leg: int, way: str) -> random.Random:
        """Of one direction of one connection, the same in each run."""
        return random.Random(f"{self._seed} {leg} {way}")

    def _strike_all(self, fault: ProxyFault) -> None:
        for leg in list(self._legs):
            if fault.concerns(leg.service):
                leg.strike(fault)

    def _small_buffers(self) -> None:
        if self._server is not None and any(fault.kind == "stop-reading" for fault in self.faults):
            for listening in self._server.sockets:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self._began is None:
            self.begin()
        leg = _Leg(self, self.connections, reader, writer, self.now)
        self._legs.add(leg)
        try:
            await leg.run(self._target.hostname or "", self._port)
        finally:
            self._legs.discard(leg)


class _Leg:
    """One client's connection, and ours to the target."""

    def __init__(
        self,
        proxy: FaultProxy,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        opened: float,
    ) -> None:
        self.opened = opened
        """In seconds from `begin`."""
        self.service = ""
        self.over = asyncio.Event()
        self._proxy = proxy
        self._number = number
        self._reader = reader
        self._client = writer
        self._target: asyncio.StreamWriter | None = None
        self._cut = asyncio.Event()
        self._noted: set[str] = set()

    async def run(self, host: str, port: int) -> None:
        """Until either side is gone."""
        try:
            head = await self._reader.read(PIECE_BYTES)
            if not head or not await self._admitted(head):
                return
            async with asyncio.timeout(CONNECT_S):
                reader, self._target = await asyncio.open_connection(host, port, limit=PIECE_BYTES)
            ways = [
                asyncio.create_task(self._way("to the target", self._reader, self._target, head)),
                asyncio.create_task(self._way("to the client", reader, self._client, b"")),
            ]
            cut = asyncio.create_task(self._cut.wait())
            both = asyncio.gather(*ways)
            try:
                either: list[asyncio.Future[Any]] = [both, cut]
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if both.done() and both.exception() is not None:
                    self.reset()
            finally:
                for task in (*ways, cut):
                    task.cancel()
                await asyncio.gather(*ways, cut, both, return_exceptions=True)
        except (OSError, TimeoutError) as error:
            log.debug("no connection to %s:%d: %s", host, port, error)
            self.reset()
        finally:
            for writer in filter(None, (self._client, self._target)):
                writer.close()
            self.over.set()

    def reset(self) -> None:
        """RST to both sides: no closing handshake."""
        for writer in filter(None, (self._client, self._target)):
            connection = writer.get_extra_info("socket")
            if connection is not None and not writer.transport.is_closing():
                with suppress(OSError):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        self._cut.set()

    def strike(self, fault: ProxyFault) -> None:
        """What happens at one moment."""
        self._note(fault.kind)
        if fault.kind == "reset":
            self.reset()
        else:
            self._client.write(self._proxy.chance(self._number, "garbage").randbytes(int(fault.amount)))

    async def _admitted(self, head: bytes) -> bool:
        """False: the connection was ended instead."""
        if not await self._request(head):
            return False
        for kind in ("refuse", "reset"):
            fault = self._proxy.on(kind, self)
            if fault is not None and (kind == "refuse" or fault.at_s is None):
                self._note(kind)
                self.reset()
                return False
        garbage = self._proxy.on("garbage", self)
        if garbage is not None and garbage.at_s is None:
            self.strike(garbage)
        return True

    async def _request(self, data: bytes) -> bool:
        """What the client sends; a request may be answered here. False: it was."""
        path = request_path(data)
        if not path:
            return True
        self.service = service_of(path)
        fault = self._proxy.on("status", self)
        if fault is None:
            return True
        self._note("status")
        status = int(fault.amount)
        known = {one.value: one.phrase for one in HTTPStatus}
        after = f"Retry-After: {fault.retry_after}\r\n" if fault.retry_after else ""
        answer = f"HTTP/1.1 {status} {known.get(status, 'Fault')}\r\n{after}Content-Length: 0\r\n"
        self._client.write(f"{answer}Connection: close\r\n\r\n".encode())
        with suppress(ConnectionError, TimeoutError):
            self._client.write_eof()
            async with asyncio.timeout(BODY_S):
                while await self._reader.read(PIECE_BYTES):  # unread, a close would be a reset
                    pass
        return False

    async def _way(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes
    ) -> None:
        """One direction: read, wait as long as it takes, write."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(PIECES_HELD)
        delivery = asyncio.create_task(self._deliver(queue, writer))
        chance, due = self._proxy.chance(self._number, name), 0.0
        try:
            data = first or await self._read(reader)
            while data:
                due = max(due, asyncio.get_running_loop().time() + self._delay_s(chance))
                await queue.put((due, data))
                data = await self._read(reader)
            if reader is self._reader and self._dead():
                self.reset()
            await queue.put((due, b""))
            await delivery
        finally:
            delivery.cancel()
            await asyncio.gather(delivery, return_exceptions=True)

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        """The next piece; b"" at the end, or when a request was answered here."""
        if reader is not self._reader:
            return await reader.read(PIECE_BYTES)
        await self._while_on("stop-reading")
        data = await reader.read(PIECE_BYTES)
        if await self._request(data):
            return data
        self._client.close()
        self._cut.set()
        return b""

    def _dead(self) -> bool:
        """Whether nothing would ever tell the target that the client is gone."""
        stall = self._proxy.on("stall", self)
        return self._proxy.on("half-open", self) is not None or (stall is not None and stall.for_s is None)

    def _delay_s(self, chance: random.Random) -> float:
        latency, jitter = self._proxy.on("latency", self), self._proxy.on("jitter", self)
        return (latency.amount if latency else 0.0) + (chance.random() * jitter.amount if jitter else 0.0)

    async def _deliver(self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self._while_on("stall")
            if self._proxy.on("half-open", self) is not None:
                self._note("half-open")
                if not data and writer is self._client:
                    await self._cut.wait()  # nobody is told
                if data:
                    continue
            if not data:
                if writer.can_write_eof() and not writer.is_closing():
                    writer.write_eof()
                return
            await self._write(writer, data)

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        sliced = self._proxy.on("slice", self)
        size = len(data) if sliced is None else int(sliced.amount)
        for at in range(0, len(data), size):
            writer.write(data[at : at + size])
            await writer.drain()
            if sliced is not None:
                await asyncio.sleep(0)  # a piece of its own on the wire

    async def _while_on(self, kind: str) -> None:
        """Wait until a connection no longer has a fault."""
        while (fault := self._proxy.on(kind, self)) is not None:
            self._note(kind)
            until = fault.until(self.opened, self._proxy.now) or 0.0
            with suppress(TimeoutError):  # soon again: `begin` may have taken it away
                await asyncio.wait_for(self._cut.wait(), min(LOOK_S, max(0.001, until - self._proxy.now)))
            if self._cut.is_set():
                raise ConnectionResetError("the connection was cut")

    def _note(self, kind: str) -> None:
        if kind not in self._noted:
            self._noted.add(kind)
            self._proxy.struck.append((self._proxy.now, kind))
