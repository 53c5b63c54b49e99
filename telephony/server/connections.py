"""The server's connections: how many there may be, and whether their peers take what they are sent.

A connection that has brought proof (a signature, a key, a stream token) does not count, so calls never do.
The others are limited in all, and for each address. Idle ones make room for newcomers, since a genuine
request is over in milliseconds. Addresses that are not of the internet are those of reverse proxies and
platforms' routers, behind which everybody shares one: only the sum holds for them. Twilio comes from few
addresses, and is let in by its signature; until that is read, it needs its share for a moment only.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from socket import socket
from typing import Any, cast

from aiohttp import web

from telephony.base.throttle import network_of
from telephony.carrier.tcp_state import tcp_state

log = logging.getLogger(__name__)

MOST, FEWEST = 2000, 64
"""Unproven connections in all: as many as open files allow beside the calls, within these bounds."""
MOST_FROM_ONE = 100
"""Unproven connections from one address of the internet, or one IPv6 network of 64 bits."""
IDLE_S = 1.0
"""A connection without proof for longer makes room for newcomers."""
STUCK_S = 10.0
"""A peer that takes nothing of what it is sent for longer is dropped."""
FILES_PER_CALL, OTHER_FILES = 6, 64
"""Carrier, listening, speaking and its spare, tape, recording; and what the process itself has open."""


@dataclass(eq=False, slots=True)
class Connection:
    """One connection."""

    transport: asyncio.Transport
    network: str
    """Of its peer; "" where everybody shares it."""
    since: float
    taken: int = -1
    """What the peer had taken at the last look: bytes acknowledged, or how little waited."""
    moved: float = 0.0
    """When it last took something, or nothing waited for it."""


@dataclass(slots=True)
class Connections:
    """Those of one process."""

    most: int = MOST
    most_from_one: int = MOST_FROM_ONE
    refused: int = 0
    """That found no room."""
    stuck: int = 0
    """That were dropped since they took nothing."""
    _all: dict[object, Connection] = field(default_factory=dict)
    _unproven: dict[object, Connection] = field(default_factory=dict)
    """The oldest first."""
    _by_network: dict[str, dict[object, Connection]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._all)

    def enter(self, key: object, transport: asyncio.Transport, now: float) -> bool:
        """Whether there is room for one more; `key` names it from now on. An idler may have to go for it."""
        peer = transport.get_extra_info("peername")
        network = _network(peer[0] if isinstance(peer, tuple) else "")
        beside = self._by_network.get(network, {}) if network else {}
        for those, limit in ((beside, self.most_from_one), (self._unproven, self.most)):
            if len(those) >= limit and not self._drop_idler(those, now):
                self.refused += 1
                return False
        one = Connection(transport, network, now, moved=now)
        self._all[key] = self._unproven[key] = one
        if network:
            self._by_network.setdefault(network, {})[key] = one
        return True

    def leave(self, key: object) -> None:
        """It is over."""
        self._all.pop(key, None)
        self.prove(key)

    def prove(self, key: object) -> None:
        """It belongs to somebody whom we know; it does not count any more."""
        one = self._unproven.pop(key, None)
        if one is not None and one.network:
            beside = self._by_network[one.network]
            del beside[key]
            if not beside:
                del self._by_network[one.network]

    def look(self, now: float) -> None:
        """To be called each second: drops the peers that do not read."""
        for one in list(self._all.values()):
            if not _moves(one, now) and now - one.moved > STUCK_S:
                self.stuck += 1
                one.moved = now
                one.transport.abort()

    def _drop_idler(self, those: dict[object, Connection], now: float) -> bool:
        key, oldest = next(iter(those.items()))
        if now - oldest.since < IDLE_S:
            return False
        self.leave(key)
        oldest.transport.abort()
        return True


def _moves(one: Connection, now: float) -> bool:
    """Whether nothing waits for the peer, or it took some of it since the last look."""
    buffered = one.transport.get_write_buffer_size()
    state = tcp_state(one.transport)
    waits = buffered > 0 if state is None else buffered > 0 or state.waiting
    taken = -buffered if state is None else state.taken
    moves = not waits or taken > one.taken
    one.taken = taken
    if moves:
        one.moved = now
    return moves


def _network(address: str) -> str:
    try:
        return network_of(address) if ipaddress.ip_address(address).is_global else ""
    except ValueError:
        return ""


def room_beside(calls: int) -> int:
    """How many unproven connections the limit of open files allows beside so many calls."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return MOST
    return max(FEWEST, min(MOST, limit - OTHER_FILES - FILES_PER_CALL * calls))


class _Handler(web.RequestHandler):
    """aiohttp's connection, which comes in by `Connections`."""

    __slots__ = ("_connections",)

    def __init__(self, connections: Connections, server: web.Server, **options: Any) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        plain = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        if not self._connections.enter(self, plain, asyncio.get_running_loop().time()):
            plain.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.leave(self)
        super().connection_lost(exc)


@asynccontextmanager
async def served(
    runner: web.AppRunner, connections: Connections, bound: socket, backlog: int, **options: Any
) -> AsyncIterator[None]:
    """Serve on a bound socket, which is closed at the end. `options` are those of aiohttp's connections."""
    server = runner.server
    assert server is not None, "the runner is set up"
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(
        lambda: _Handler(connections, server, **options), sock=bound, backlog=backlog
    )
    watching = asyncio.create_task(_watch(connections))
    try:
        yield
    finally:
        watching.cancel()
        listener.close()
        await asyncio.gather(watching, return_exceptions=True)


async def _watch(connections: Connections) -> None:
    loop = asyncio.get_running_loop()
    logged = 0
    while True:
        await asyncio.sleep(1.0)
        connections.look(loop.time())
        if connections.refused + connections.stuck > logged:
            logged = connections.refused + connections.stuck
            log.warning(
                "connections dropped so far: %d found no room, %d read nothing for %g s",
                connections.refused,
                connections.stuck,
                STUCK_S,
            )
