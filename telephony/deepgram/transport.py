"""The socket under the SDK: aiohttp's, with deadlines, and with the reason when the service says no.

The SDK's own socket pings every 20 s, noticed a peer that stopped reading after 60 s or not at all,
compresses, and has no option for any of that. This one pings every 2 s, never compresses, can be aborted at
once, and gives the status, `dg-error` and body of a refused handshake. It costs less CPU, too.

The SDK's seam for it is process-wide: it replaces the sockets of every SDK client, older ones included. So
one factory is installed, always the same, and every client of this process shares it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, WSMsgType
from deepgram import AsyncDeepgramClient, DeepgramClientEnvironment
from deepgram.transport import install_transport

from telephony.base import json_codec
from telephony.base.aiohttp_internals import LeanClientSocket
from telephony.base.hedged import hedged
from telephony.deepgram import refusals
from telephony.deepgram.retry import ONE_CONNECT_S
from telephony.deepgram.sdk_internals import ask_once_for_headers
from telephony.errors import PeerRefused, SocketLost

HEARTBEAT_S = 2.0  # a dead peer is noticed after 3 s: ping, and half as long for the pong
CLOSE_S = 1.0
BODY_S = 0.5  # a refusal whose body does not come is still a refusal
BODY_LIMIT = 500

Connection = TypeVar("Connection")


class HandshakeRefused(PeerRefused):
    """The service answered the handshake with another status than 101."""

    def __init__(self, status: int, dg_error: str | None, body: str, request_id: str | None) -> None:
        super().__init__("the speech service", status, dg_error or _reason_in(body))
        self.dg_error = dg_error
        self.body = body
        self.request_id = request_id


def _reason_in(body: str) -> str:
    """The service's own words in the body of a refusal, whose shape has changed over the years."""
    try:
        fields = json_codec.loads(body)
    except ValueError:
        return body
    if not isinstance(fields, dict):
        return body
    return str(fields.get("err_msg") or fields.get("details") or fields.get("message") or body)


async def _refuse(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """aiohttp's middleware: keeps the body of a refused handshake, which aiohttp itself throws away."""
    response = await handler(request)
    if response.status == 101:
        return response
    try:
        async with asyncio.timeout(BODY_S):
            body = (await response.content.read(BODY_LIMIT)).decode(errors="replace")
    except (TimeoutError, aiohttp.ClientError):
        body = ""
    response.close()
    headers = response.headers
    raise HandshakeRefused(response.status, headers.get("dg-error"), body, headers.get("dg-request-id"))


@dataclass(slots=True)
class _Opening:
    """What the factory, called by the SDK, is to make its socket from."""

    session: aiohttp.ClientSession
    connect_s: float
    text_as_bytes: bool
    hedge_s: float | None
    socket: SpeechSocket | None = field(default=None)


_opening: ContextVar[_Opening | None] = ContextVar("speech_socket_opening", default=None)


def _not_connected(data: bytes) -> bool:
    return False


class SpeechSocket:
    """One websocket to the speech service, as the SDK's AsyncTransport protocol asks."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        opening = _opening.get()
        self.url = url
        self._headers = dict(headers)
        self._own_session = opening is None
        self._session = aiohttp.ClientSession(**_SESSION) if opening is None else opening.session
        self._connect_s = ONE_CONNECT_S if opening is None else opening.connect_s
        self._text_as_bytes = opening is not None and opening.text_as_bytes
        self._hedge_s = None if opening is None else opening.hedge_s
        self._lock = asyncio.Lock()
        self._socket: LeanClientSocket | None = None
        self._deadline: asyncio.Timeout | None = None
        self._ended: str | None = None
        self.send_now: Callable[[bytes], bool] = _not_connected
        """Write a binary message if the socket takes it at once. False: nothing was written, `send` it.

        A message a call every 80 ms: the coroutines of the way through the SDK and aiohttp, which do nothing
        but call each other, cost as much as half of the writing.
        """
        if opening is not None:
            opening.socket = self

    @property
    def ended(self) -> str:
        """Why the socket is over; empty while it is not."""
        return self._ended or ""

    async def connect(self) -> None:
        """Connect, once. Raises HandshakeRefused, or SocketLost when there is no connection to be had."""
        # The SDK knows no connect: its reader and its sender would each open a socket at their first use.
        async with self._lock:
            if self._socket is not None:
                return
            if self._ended is not None:
                raise SocketLost(self._ended)
            try:
                async with asyncio.timeout(self._connect_s) as self._deadline:
                    self._socket = await self._handshake()
                self.send_now = self._socket.send_now
            except TimeoutError:
                raise SocketLost(self._end(f"no handshake within {self._connect_s:g} s")) from None
            except (aiohttp.ClientError, OSError) as error:
                raise SocketLost(self._end(refusals.unreached(error))) from error
            finally:
                self._deadline = None  # it knows the task, whose end may know us

    async def _handshake(self) -> LeanClientSocket:
        if self._hedge_s is None:
            return await self._ask()
        return await hedged(self._ask, self._hedge_s, LeanClientSocket.drop)

    async def _ask(self) -> LeanClientSocket:
        socket = await self._session.ws_connect(
            self.url,
            headers=self._headers,
            heartbeat=HEARTBEAT_S,
            compress=0,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
            decode_text=False,  # our codec reads bytes
        )
        assert isinstance(socket, LeanClientSocket)
        return socket

    async def send(self, data: str | bytes) -> None:
        """Send a text or binary message. Raises SocketLost."""
        if self._socket is None:
            await self.connect()
        assert self._socket is not None
        try:
            if isinstance(data, str):
                await self._socket.send_str(data)
            else:
                await self._socket.send_bytes(data)
        except (aiohttp.ClientError, OSError) as error:
            raise SocketLost(self._end(refusals.unreached(error))) from error

    async def recv(self) -> str | bytes:
        """The next message. Raises SocketLost at the end, `ended` says which."""
        if self._socket is None:
            await self.connect()
        assert self._socket is not None
        message = await self._socket.receive()
        if message.type is WSMsgType.TEXT:
            data: bytes = message.data
            return data if self._text_as_bytes else data.decode(errors="replace")
        if message.type is WSMsgType.BINARY:
            return bytes(message.data)
        raise SocketLost(self._end(self._why(self._socket, message)))

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """The messages until the socket is over, however that comes about: `ended` says why."""
        await self.connect()
        while True:
            try:
                message = await self.recv()
            except SocketLost:
                return
            yield message

    def abort(self, reason: str) -> None:
        """Drop the connection, or the attempt to make one, now."""
        self._end(reason)
        if self._socket is not None:
            self._socket.abort()
        elif self._lock.locked() and self._deadline is not None and not self._deadline.expired():
            self._deadline.reschedule(0)

    async def close(self) -> None:
        """Close, with a close handshake of at most 1 s."""
        self._end("closed by us")
        if self._socket is not None:
            try:
                await self._socket.close()
            finally:
                self._socket.dispose()
        if self._own_session:
            await self._session.close()

    def _end(self, reason: str) -> str:
        if self._ended is None:
            self._ended = reason
        return self._ended

    def _why(self, socket: LeanClientSocket, message: aiohttp.WSMessage) -> str:
        error = message.data if message.type is WSMsgType.ERROR else socket.exception()
        if isinstance(error, BaseException):
            return refusals.unreached(error)
        return f"closed {socket.close_code}"


_SESSION: dict[str, Any] = {"ws_response_class": LeanClientSocket, "middlewares": (_refuse,)}


def speech_session() -> aiohttp.ClientSession:
    """A session for SpeechSockets: any number of them (aiohttp's limit is 100 connections)."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), **_SESSION)


@cache
def sdk_client(url: str, api_key: str) -> AsyncDeepgramClient:
    """The process's SDK client for this service: a second one would cost 30 ms and 0.8 MB."""
    parts = urlsplit(url)
    web = urlunsplit((parts.scheme.replace("ws", "http"), *parts[1:]))
    environment = DeepgramClientEnvironment(base=web, production=url, agent=url, agent_rest=web)
    # the SDK refuses an empty key, and a server without authentication takes any
    client = AsyncDeepgramClient(
        api_key=api_key or "local", environment=environment, transport_factory=SpeechSocket
    )
    ask_once_for_headers(client)
    return client


@asynccontextmanager
async def connected(
    connect: Callable[[], AbstractAsyncContextManager[Connection]],
    session: aiohttp.ClientSession,
    *,
    connect_s: float = ONE_CONNECT_S,
    text_as_bytes: bool = False,
    hedge_s: float | None = None,
    on_socket: Callable[[SpeechSocket], None] | None = None,
) -> AsyncIterator[tuple[Connection, SpeechSocket]]:
    """The SDK's connection, made by `connect` (`lambda: client.listen.v2.connect(...)`), and its socket.

    `hedge_s`: after so many seconds without an answer a second handshake runs beside the first; None: never.
    `text_as_bytes`: text messages come as bytes, which the SDK hands through without parsing them.
    `on_socket` gets the socket before it connects, so that the attempt can be aborted.
    Raises HandshakeRefused or SocketLost.
    """
    install_transport(async_factory=SpeechSocket)  # again: a test or another user may have taken it out
    opening = _Opening(session, connect_s, text_as_bytes, hedge_s)
    token = _opening.set(opening)
    try:
        connecting = connect()
        connection = await connecting.__aenter__()
    finally:
        _opening.reset(token)
    try:
        assert opening.socket is not None
        if on_socket is not None:
            on_socket(opening.socket)
        await opening.socket.connect()
        yield connection, opening.socket
    finally:
        await connecting.__aexit__(None, None, None)
