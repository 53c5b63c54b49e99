"""A request that has become a websocket is answered in frames only, whatever fails.

aiohttp turns an exception of a handler into an HTTP response, and writes it though the handshake is over: the
peer reads it as a broken frame (Twilio: warning 31924).
"""

from __future__ import annotations

import logging

from aiohttp import web
from aiohttp.typedefs import Handler

log = logging.getLogger(__name__)

_SOCKET: web.RequestKey[web.WebSocketResponse] = web.RequestKey("socket", web.WebSocketResponse)


def upgrading(request: web.Request, socket: web.WebSocketResponse) -> None:
    """To be called before the handshake is answered."""
    request[_SOCKET] = socket


@web.middleware
async def frames_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A failure after the handshake is logged, and closes the websocket with 1011 (RFC 6455, 7.4.1)."""
    try:
        return await handler(request)
    except Exception as error:  # the edge of a websocket: its peer gets a close code
        socket: web.WebSocketResponse | None = request.get(_SOCKET)
        if socket is None or not socket.prepared:
            raise
        if not isinstance(error, ConnectionError):
            log.exception("a websocket at %s is closed: its handler failed", request.path[:100])
        if not socket.closed:
            await socket.close(code=1011)
        return socket
    finally:
        if _SOCKET in request:  # a socket knows its request: left here, both would stay
            del request[_SOCKET]
