"""GET /twilio/media: lets a media stream in, once it has shown its token, and hands it to the call.

Until then it may cost us nothing: few such sockets at a time, small messages, five seconds, and nothing is
opened elsewhere on their behalf.
"""

from __future__ import annotations

import asyncio
import logging

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from telephony.carrier.incoming import verify_handshake
from telephony.carrier.media_stream import Fatal, ServerStream, Started
from telephony.carrier.token import BadToken
from telephony.line import LINE, Line
from telephony.shared import SharedFailure

log = logging.getLogger(__name__)

START_DEADLINE_S = 5.0  # Twilio sends connected and start right after the handshake
UNAUTHENTICATED_CAP = 64
MESSAGE_BYTES = 65_536  # a frame of Twilio's is 350 bytes; above this aiohttp closes with 1009
CLOSE_DEADLINE_S = 2.0  # for the peer's half of the closing handshake


async def media(request: web.Request) -> web.StreamResponse:
    """Accept first, so that Twilio's first messages are never missed; then find out whether it may stay."""
    verify_handshake(request)
    line = request.app[LINE]
    if line.unauthenticated >= UNAUTHENTICATED_CAP:
        line.refused("sockets")
        raise web.HTTPServiceUnavailable(text="too many streams are waiting to start\n")
    # No heartbeat: whether Twilio answers pings is not documented, and media comes every 20 ms anyway.
    socket = web.WebSocketResponse(
        timeout=CLOSE_DEADLINE_S, max_msg_size=MESSAGE_BYTES, compress=False, heartbeat=None
    )
    line.unauthenticated += 1
    try:
        await socket.prepare(request)
        stream = ServerStream()
        started = await _let_in(socket, stream, line)
    finally:
        line.unauthenticated -= 1
    if started is not None:
        await _hand_over(line, socket, stream, started)
    return socket


async def _let_in(socket: web.WebSocketResponse, stream: ServerStream, line: Line) -> Started | None:
    """The `start` of a stream whose token holds; None after the socket was closed, with the reason logged."""
    code, why = int(WSCloseCode.POLICY_VIOLATION), "no start within 5 s"
    try:
        async with asyncio.timeout(START_DEADLINE_S):
            first = await _first_start(socket, stream)
            if isinstance(first, Started):
                await line.admit_stream(first.parameters.get("token", ""), first.call_sid)
                return first
        if first is None:
            return None
        code, why = first.code, first.reason
    except TimeoutError:
        pass
    except BadToken as error:
        why = str(error)
    except SharedFailure:
        log.exception("a stream was refused: its token cannot be claimed")
        code, why = int(WSCloseCode.TRY_AGAIN_LATER), "try again later"
    line.refused("stream")
    log.warning("media stream refused: %s", why)
    await socket.close(code=code, message=why.encode()[:123])
    return None


async def _first_start(socket: web.WebSocketResponse, stream: ServerStream) -> Started | Fatal | None:
    """Read up to `start`; None when the peer has gone."""
    while True:
        message: WSMessage = await socket.receive()
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return None  # closing, or an error that aiohttp has answered with its close code
        event = stream.receive(message.data)
        if isinstance(event, Started | Fatal):
            return event


async def _hand_over(
    line: Line, socket: web.WebSocketResponse, stream: ServerStream, started: Started
) -> None:
    """The call has its stream. Whatever happens in it stays in it."""
    log.info("call %s: stream %s", started.call_sid, started.stream_sid)
    line.sockets.add(socket)
    line.stream_came(started.call_sid)
    try:
        await line.seats.keep(started.call_sid)
        await line.answer(socket, stream, started)
    except SharedFailure:
        log.exception("call %s: the shared store fails", started.call_sid)
    except Exception:  # the edge of a call: its failure must not touch the others
        log.exception("call %s: failed", started.call_sid)
    finally:
        await asyncio.shield(_let_go(line, socket, started.call_sid))  # also when this handler is cancelled


async def _let_go(line: Line, socket: web.WebSocketResponse, call_sid: str) -> None:
    try:
        await line.seats.leave(call_sid)
        await socket.close()
    finally:
        line.sockets.discard(socket)
