"""A websocket of the engine, and the service's way to refuse one: nothing waits for ever or piles up."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping

from aiohttp import ClientConnectionResetError, WSMsgType, web

from telephony.base import json_codec
from telephony.base.upgraded_requests import upgrading

MAX_MESSAGE = 2 * 1024 * 1024
"""Bytes of one message: ten seconds of the fattest audio. A longer one is answered with close code 1009."""
IDLE_S = 60.0
"""The service gives up after a minute without any frame, pings included (deepgram-python-sdk #618)."""
SEND_S = 10.0
"""Longest time that a client may leave our messages unread."""
CLOSE_S = 3.0
"""How long we wait for a client's answer to a close."""
WAITED_S = 0.005
"""A message that lies here is had sooner; one of a live stream comes every 20 to 100 ms."""

PROTOCOLS = ("token", "bearer")
"""How a browser passes its key: `Sec-WebSocket-Protocol: token, KEY`."""


class Gone(Exception):
    """The client has closed, has left without a word, or was cut off. `str()` says which."""


class Idle(Exception):
    """Nothing came for a minute, not even a ping."""


class EngineSocket:
    """A websocket whose reads and writes all end.

    aiohttp stops reading from the network while nobody reads here: a client that sends too much only holds up
    itself.
    """

    def __init__(self, request: web.Request, request_id: str, idle_s: float = IDLE_S) -> None:
        self._request = request
        self._idle_s = idle_s
        self.waited = False
        """The message received last was not there yet when it was asked for."""
        # Deflate would cost CPU to save bytes on loopback. Closing is ours: see close_without_code.
        self._ws = web.WebSocketResponse(
            compress=False,
            max_msg_size=MAX_MESSAGE,
            autoclose=False,
            timeout=CLOSE_S,
            protocols=PROTOCOLS,
        )
        self._ws.headers["dg-request-id"] = request_id

    @property
    def response(self) -> web.WebSocketResponse:
        """What the handler returns."""
        return self._ws

    async def accept(self) -> None:
        """Answers the handshake."""
        upgrading(self._request, self._ws)
        await self._ws.prepare(self._request)

    async def receive(self) -> str | bytes:
        """The next message. Raises Gone when there will be none, Idle when none comes."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        try:
            message = await self._ws.receive(self._idle_s)
        except TimeoutError:
            raise Idle from None
        self.waited = loop.time() - asked > WAITED_S
        if message.type is WSMsgType.TEXT or message.type is WSMsgType.BINARY:
            data: str | bytes = message.data
            return data
        if message.type is WSMsgType.CLOSE:
            await self.close(1000)
            raise Gone("closed by the client")
        if message.type is WSMsgType.ERROR:
            raise Gone(f"broken: {message.data}")
        raise Gone("the client left")

    async def send(self, data: str | bytes) -> None:
        """Sends a message. Raises Gone when the client does not read, or is not there."""
        try:
            async with asyncio.timeout(SEND_S):
                if isinstance(data, str):
                    await self._ws.send_str(data)
                else:
                    await self._ws.send_bytes(data)
        except TimeoutError:
            self.abort()
            raise Gone(f"cut off: it read nothing for {SEND_S:.0f} s") from None
        except (ClientConnectionResetError, ConnectionError):
            raise Gone("the client left") from None

    async def close(self, code: int, reason: bytes = b"") -> None:
        """Closes with a code."""
        try:
            async with asyncio.timeout(2 * CLOSE_S):
                await self._ws.close(code=code, message=reason)
        except (TimeoutError, ConnectionError):
            self.abort()

    async def close_without_code(self) -> None:
        """Closes as the service does after CloseStream: an empty close frame, which clients see as 1005."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._ws.send_frame(b"", WSMsgType.CLOSE)
                while (await self._ws.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    pass
        except (TimeoutError, ConnectionError):
            pass
        # aiohttp would add a second close frame, with a code; it does not on a closing transport.
        if self._request.transport is not None:
            self._request.transport.close()

    def abort(self) -> None:
        """Drops the connection without a word."""
        if self._request.transport is not None:
            self._request.transport.abort()


def new_request_id() -> str:
    """What the service calls a connection."""
    return str(uuid.uuid4())


def refuse(
    status: int, code: str, reason: str, request_id: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    """An answer like the service's: the reason as JSON and, for clients that see only headers, `dg-error`."""
    body = {"err_code": code, "err_msg": reason, "request_id": request_id}
    printable = reason.encode("ascii", "backslashreplace").decode()
    one_line = "".join(c if c.isprintable() else " " for c in printable)[:1000]
    return web.Response(
        status=status,
        text=json_codec.dumps(body),
        content_type="application/json",
        headers={"dg-error": one_line, "dg-request-id": request_id, **(headers or {})},
    )


def is_websocket(request: web.Request) -> bool:
    """Whether a handshake can follow."""
    trial = web.WebSocketResponse(protocols=PROTOCOLS)
    return request.method == "GET" and bool(trial.can_prepare(request).ok)
