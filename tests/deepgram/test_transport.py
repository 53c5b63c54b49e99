"""Our socket under the SDK, and the SDK's own, on the same server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from deepgram import AsyncDeepgramClient, DeepgramClientEnvironment
from deepgram.listen.v2.types import ListenV2Connected, ListenV2TurnInfo
from deepgram.transport import restore_transport

from telephony.deepgram.transport import HandshakeRefused, SpeechSocket, connected, sdk_client, speech_session
from telephony.errors import SocketLost
from telephony.testing.fake_flux import FakeFlux
from telephony.testing.faults import Faults, RefusalFault

QUERY: dict[str, Any] = {"model": "flux-general-en", "encoding": "linear16", "sample_rate": 16000}


async def hear(connection: Any) -> list[Any]:
    """The SDK's own models of the first turn's messages."""
    await connection.send_media(bytes(2560 * 20))
    return [await connection.recv() for _ in range(7)]


async def test_one_sdk_client_for_each_service_and_key() -> None:
    """A second client would cost 30 ms and 0.8 MB for nothing."""
    assert sdk_client("ws://127.0.0.1:1", "a") is sdk_client("ws://127.0.0.1:1", "a")
    assert sdk_client("ws://127.0.0.1:1", "a") is not sdk_client("ws://127.0.0.1:1", "b")


@pytest.mark.parametrize(("key", "shown"), [("secret", "Token secret"), ("", "Token local")])
async def test_each_connection_shows_its_key(key: str, shown: str) -> None:
    """The service sees the key, every time; without one, a word that any local server takes."""
    async with FakeFlux() as server, speech_session() as session:
        for _ in range(2):
            async with connected(lambda: sdk_client(server.url, key).listen.v2.connect(**QUERY), session):
                pass
        assert [one.authorization for one in server.sessions] == [shown, shown]


async def test_the_sdk_works_over_our_socket() -> None:
    """Its models, its methods; one socket however many first uses there are at once."""
    async with FakeFlux() as server, speech_session() as session:
        sdk = sdk_client(server.url, "")
        async with connected(lambda: sdk.listen.v2.connect(**QUERY), session) as (connection, socket):
            await asyncio.gather(*(socket.connect() for _ in range(3)))
            messages = await hear(connection)
            assert isinstance(messages[0], ListenV2Connected)
            assert all(isinstance(m, ListenV2TurnInfo) for m in messages[1:])
        assert len(server.sessions) == 1


async def test_another_users_sdk_client_works_over_our_socket_too() -> None:
    """Whoever else uses the SDK in this process gets our socket, with a session of its own."""
    async with FakeFlux() as server:
        async with sdk_client(server.url, "").listen.v2.connect(**QUERY) as connection:
            assert isinstance((await hear(connection))[0], ListenV2Connected)
        assert len(server.sessions) == 1


@pytest.mark.filterwarnings("ignore:websockets.legacy:DeprecationWarning")
async def test_the_stand_in_serves_the_sdk_with_its_own_socket() -> None:
    """What we test against is what any Flux client sees, not something only our socket understands."""
    restore_transport()
    async with FakeFlux() as server:
        url = server.url
        environment = DeepgramClientEnvironment(
            base=url.replace("ws", "http"), production=url, agent=url, agent_rest=url.replace("ws", "http")
        )
        sdk = AsyncDeepgramClient(api_key="local", environment=environment)
        async with sdk.listen.v2.connect(**QUERY) as connection:
            assert isinstance((await hear(connection))[-1], ListenV2TurnInfo)
            await connection.send_close_stream()


async def test_a_refusal_keeps_all_that_the_service_said() -> None:
    """Status, dg-error, body and request id: the SDK alone gives a canned sentence."""
    refusal = RefusalFault(400, "eot_threshold: 0.49", '{"err_code":"X"}')
    async with FakeFlux(faults=[Faults(refuse=refusal)]) as server, speech_session() as session:
        with pytest.raises(HandshakeRefused) as refused:
            async with connected(lambda: sdk_client(server.url, "").listen.v2.connect(**QUERY), session):
                pass
        error = refused.value
        assert (error.status, error.dg_error, error.body) == (400, refusal.dg_error, refusal.body)
        assert error.request_id


async def test_no_server_is_no_connection() -> None:
    """A refused TCP connection is told as what it is."""
    async with speech_session() as session:
        with pytest.raises(SocketLost, match="Connect"):
            async with connected(
                lambda: sdk_client("ws://127.0.0.1:1", "").listen.v2.connect(**QUERY), session
            ):
                pass


async def test_text_comes_as_bytes_only_when_asked() -> None:
    """Bytes pass the SDK unparsed, for our own codec; others get text, and the SDK's models."""
    async with FakeFlux() as server, speech_session() as session:
        sdk = sdk_client(server.url, "")
        for as_bytes in (True, False):
            async with connected(lambda: sdk.listen.v2.connect(**QUERY), session, text_as_bytes=as_bytes) as (
                connection,
                _,
            ):
                assert isinstance(await connection.recv(), bytes) is as_bytes


async def test_an_aborted_socket_says_why() -> None:
    """The first reason is the one that is kept."""
    async with FakeFlux() as server, speech_session() as session:
        sockets: list[SpeechSocket] = []
        sdk = sdk_client(server.url, "")
        async with connected(lambda: sdk.listen.v2.connect(**QUERY), session, on_socket=sockets.append) as (
            connection,
            socket,
        ):
            assert sockets == [socket]
            socket.abort("the call is over")
            with pytest.raises(SocketLost, match="the call is over"):
                while True:
                    await connection.recv()
        assert socket.ended == "the call is over"
