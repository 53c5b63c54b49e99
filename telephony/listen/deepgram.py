"""The one Flux client, for the cloud and for the local engine: only the URL differs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import aiohttp

from telephony.deepgram import flux_codec
from telephony.deepgram.breaker import Breaker
from telephony.deepgram.health import Health
from telephony.deepgram.retry import CONNECT_S, HEDGE_S
from telephony.deepgram.transport import sdk_client, speech_session
from telephony.listen.connection import FluxConnection
from telephony.listen.events import ListenEvent

if TYPE_CHECKING:
    from deepgram.listen.v2.socket_client import AsyncV2SocketClient

WATCH_S = 0.25
LISTS = ("keyterm", "language_hint", "tag")
"""Parameters that may be given several times (Deepgram, "Flux", the reference of /v2/listen)."""


class FluxClient:
    """The process's way to Flux. `connect_s`: deadlines of successive handshakes, seconds.

    `hedge_s`: a handshake that takes longer gets a second one beside it; None: never.
    """

    def __init__(
        self,
        url: str,
        api_key: str = "",
        *,
        connect_s: tuple[float, ...] = CONNECT_S,
        hedge_s: float | None = HEDGE_S,
    ) -> None:
        self.url = url
        self.connect_s = connect_s
        self.hedge_s = hedge_s
        self.breaker = Breaker()
        self.health = Health("nobody can be heard")
        """What its calls met."""
        self.connections: set[FluxConnection] = set()
        self._sdk = sdk_client(url, api_key)
        self._session: aiohttp.ClientSession | None = None
        self._watch: asyncio.TimerHandle | None = None

    def open(
        self, options: flux_codec.FluxOptions, on_event: Callable[[ListenEvent], None]
    ) -> FluxConnection:
        """A call's listening; nothing is connected before its `run()`.

        `on_event` is called in the event loop and must be quick. Raises BadFluxOptions for what the service
        would refuse.
        """
        problems = options.validate()
        if problems:
            raise flux_codec.BadFluxOptions(problems)
        return FluxConnection(self, options, on_event)

    def connect(self, options: flux_codec.FluxOptions) -> AbstractAsyncContextManager[AsyncV2SocketClient]:
        """The SDK's connection: it knows the path and the authentication."""
        query: dict[str, Any] = {}
        for name, value in options.to_query():
            query.setdefault(name, []).append(value)
        once = {name: values if name in LISTS else values[0] for name, values in query.items()}
        connecting: AbstractAsyncContextManager[AsyncV2SocketClient] = self._sdk.listen.v2.connect(**once)
        return connecting

    @property
    def session(self) -> aiohttp.ClientSession:
        """The HTTP session, made at the first use in the running loop."""
        if self._session is None or self._session.closed:
            self._session = speech_session()
        return self._session

    def watch(self, connection: FluxConnection) -> None:
        """Call the connection's `check` four times a second; one timer serves all of them."""
        self.connections.add(connection)
        if self._watch is None:
            self._watch = asyncio.get_running_loop().call_later(WATCH_S, self._look)

    def unwatch(self, connection: FluxConnection) -> None:
        """No more of it."""
        self.connections.discard(connection)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(WATCH_S, self._look) if self.connections else None
        for connection in tuple(self.connections):
            connection.check(loop.time())

    async def close(self) -> None:
        """At the end of the process, after the calls."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._session is not None:
            await self._session.close()
