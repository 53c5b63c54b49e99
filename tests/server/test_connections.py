"""Who only holds connections open, or never reads an answer, is gone soon, and harms nobody else."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from telephony.commands.serve import listen
from telephony.config.settings import Settings
from telephony.server.access import ACCESS
from telephony.server.app import make_app
from telephony.server.connections import IDLE_S, STUCK_S, Connections, room_beside, served
from tests.pacing import passed
from tests.twilio_side import PUBLIC, Answering, server_state, until

HOLD = b"GET /twilio/hold.wav HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a peer takes")


class Served:
    """A server on a free port, and raw clients."""

    def __init__(self, app: web.Application, port: int) -> None:
        self.connections: Connections = app[ACCESS].connections
        self.port = port
        self._open: list[socket.socket] = []

    async def client(self, data: bytes = b"", buffer: int = 0) -> socket.socket:
        """A client that sends this, and reads nothing."""
        one = socket.socket()
        self._open.append(one)
        if buffer:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        one.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(one, ("127.0.0.1", self.port))
        await loop.sock_sendall(one, data)
        return one

    async def everything(self, one: socket.socket) -> bytes:
        """What the server sent, to the end of the connection."""
        got = b""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(10):
                while data := await loop.sock_recv(one, 1 << 16):
                    got += data
        except ConnectionResetError:
            pass
        return got

    def close(self) -> None:
        for one in self._open:
            one.close()


@asynccontextmanager
async def a_server(folder: Path, **environ: str) -> AsyncIterator[Served]:
    settings = Settings.load({"DATA_DIR": str(folder), **environ})
    state, close = await server_state(settings, Answering())
    app = make_app(state, None)  # type: ignore[arg-type]
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    bound = listen("127.0.0.1", 0)
    port = bound.getsockname()[1]
    async with served(runner, app[ACCESS].connections, bound, 128, access_log=None):
        one = Served(app, port)
        yield one
        one.close()
    await runner.cleanup()
    await close()


@linux
async def test_who_reads_nothing_is_dropped_after_ten_seconds(tmp_path: Path) -> None:
    """However much it asked for in one go, the server holds little for it; who reads is not dropped."""
    async with a_server(tmp_path) as server:
        loop = asyncio.get_running_loop()
        deaf = await server.client(buffer=2048)
        asking = asyncio.create_task(loop.sock_sendall(deaf, HEALTH * 100_000))
        reader = await server.client(HEALTH)
        assert await loop.sock_recv(reader, 65_536)
        one = next(iter(server.connections._all.values()))
        await until(lambda: one.transport.get_write_buffer_size() > 0)
        for second in range(2 * int(STUCK_S)):  # its kernel may yet take a little at the first of these looks
            server.connections.look(loop.time() + second)
            assert one.transport.get_write_buffer_size() < 100_000
            await passed(0.01)
        await until(lambda: len(server.connections) == 1)
        assert server.connections.stuck == 1
        await loop.sock_sendall(reader, HEALTH)
        assert await loop.sock_recv(reader, 65_536)
        await asyncio.gather(asking, return_exceptions=True)


async def test_the_hold_music_is_sent_once_a_connection(tmp_path: Path) -> None:
    """What was asked for behind it in one go is not: the connection is closed."""
    async with a_server(tmp_path) as server:
        got = await server.everything(await server.client(HOLD * 40))
        assert got.count(b"200 OK") == 1 and got.count(b"RIFF") == 1


async def test_newcomers_go_before_idlers(tmp_path: Path) -> None:
    """With all places taken the oldest idler goes; while they are all new, the newcomer does."""
    async with a_server(tmp_path) as server:
        server.connections.most = 3
        idlers = [await server.client() for _ in range(3)]
        await until(lambda: len(server.connections) == 3)
        refused = await server.client(HEALTH)
        assert await server.everything(refused) == b""
        assert server.connections.refused == 1
        for one in server.connections._all.values():
            one.since -= IDLE_S
        newcomer = await server.client(HEALTH)
        assert b"200 OK" in await asyncio.get_running_loop().sock_recv(newcomer, 65_536)
        assert await server.everything(idlers[0]) == b""
        assert len(server.connections) == 3


async def test_who_has_a_key_is_not_counted(tmp_path: Path) -> None:
    """The owner's program keeps its connection, and leaves its place to others."""
    async with a_server(tmp_path, **PUBLIC) as server:
        server.connections.most = 1
        async with ClientSession(f"http://127.0.0.1:{server.port}") as session:
            async with session.get("/api/calls/never", headers={"X-API-Key": "key-one"}) as answer:
                assert answer.status in (404, 500)  # there are no records here; the key was right
            stranger = await server.client(HEALTH)
            assert b"200 OK" in await asyncio.get_running_loop().sock_recv(stranger, 65_536)
            async with session.get("/healthz") as answer:  # by the same connection
                assert answer.status == 200
        assert server.connections.refused == 0


class Peer:
    """A transport, as far as it is asked who is at its other end."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.gone = False

    def get_extra_info(self, name: str) -> object:
        return (self.address, 1) if name == "peername" else None

    def abort(self) -> None:
        self.gone = True


def enter(connections: Connections, address: str, now: float) -> bool:
    peer = Peer(address)
    return connections.enter(peer, peer, now)  # type: ignore[arg-type]


def test_one_address_has_its_share_and_no_more() -> None:
    """An IPv6 network of 64 bits is one stranger. Others have theirs all the while."""
    connections = Connections(most=1000, most_from_one=3)
    for address in ("8.8.8.8", "2600::1"):
        assert [enter(connections, address, 0.0) for _ in range(4)] == [True, True, True, False]
    assert not enter(connections, "2600::ffff", 0.0) and enter(connections, "2600:0:0:1::1", 0.0)
    assert enter(connections, "8.8.4.4", 0.0)
    assert enter(connections, "8.8.8.8", IDLE_S)  # in an idler's place


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.1.2.3", "172.17.0.1", "192.168.1.1", "fdaa::3", ""]
)
def test_a_reverse_proxys_address_is_everybodys(address: str) -> None:
    """Loopback, containers, platforms' routers: the sum holds for them, the share does not."""
    connections = Connections(most=10, most_from_one=3)
    assert [enter(connections, address, 0.0) for _ in range(11)] == [True] * 10 + [False]


def test_what_has_left_leaves_nothing_behind() -> None:
    """Proven or not, in any order, twice."""
    connections = Connections()
    peers = [Peer("8.8.8.8") for _ in range(4)]
    for peer in peers:
        assert connections.enter(peer, peer, 0.0)  # type: ignore[arg-type]
    connections.prove(peers[0])
    connections.prove(peers[0])
    for peer in [*peers, *peers]:
        connections.leave(peer)
    assert not connections._all and not connections._unproven and not connections._by_network


def test_the_room_is_what_open_files_allow() -> None:
    """And never so little that nobody gets in."""
    assert 64 <= room_beside(50) <= 2000
    assert room_beside(10_000_000) == 64
