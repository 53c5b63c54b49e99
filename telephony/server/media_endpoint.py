"""GET /twilio/media: lets a media stream in, once it has shown its token, and hands it to the call.

Until then it may cost us nothing: few such sockets at a time, small messages, five seconds, and nothing is
opened elsewhere on their behalf.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from telephony.base.upgraded_requests import upgrading
from telephony.carrier.media_messages import Started
from telephony.carrier.media_stream import Fatal, ServerStream
from telephony.carrier.token import BadToken
from telephony.carrier.websocket import FrameSocket
from telephony.errors import forget_frames
from telephony.server.access import ACCESS
from telephony.server.state import STATE, ServerState
from telephony.server.twilio_request import verify_handshake

log = logging.getLogger(__name__)

MESSAGE_BYTES = 65_536  # a frame of Twilio's is 350 bytes; above this aiohttp closes with 1009
CLOSE_DEADLINE_S = 2.0  # for the peer's half of the closing handshake
OLDER_STREAM_S = 1.0
REFUSAL_DEADLINE_S = 0.5  # the same, for one that is not let in


@dataclass(frozen=True, slots=True)
class StreamRefusal:
    """Why a socket is closed, and with which code."""

    code: int
    reason: str


@dataclass(eq=False, slots=True)
class NewConnection:
    """A socket that may be sent away before it has said `start`."""

    deadline: asyncio.Timeout | None = None

    def cancel(self) -> None:
        """Its time is over now."""
        if self.deadline is not None:
            self.deadline.reschedule(asyncio.get_running_loop().time())


async def media(request: web.Request) -> web.StreamResponse:
    """Accept first, so that Twilio's first messages are never missed; then find out whether it may stay."""
    verify_handshake(request)
    state = request.app[STATE]
    end = asyncio.get_running_loop().time() + state.pending.start_s
    newcomer = NewConnection()
    if not await state.pending.enter(newcomer):
        state.host.admission.refused("sockets")
        raise web.HTTPTooManyRequests(text="too many streams are waiting to start\n")
    # No heartbeat: whether Twilio answers pings is not documented, and media comes every 20 ms anyway.
    socket = FrameSocket(timeout=CLOSE_DEADLINE_S, max_msg_size=MESSAGE_BYTES, compress=False, heartbeat=None)
    upgrading(request, socket)
    stream = ServerStream()
    first: Started | StreamRefusal | None = StreamRefusal(WSCloseCode.POLICY_VIOLATION, "no start in time")
    try:
        async with asyncio.timeout_at(end) as newcomer.deadline:
            await socket.prepare(request)
            first = await _first_start(socket, stream)
    except TimeoutError:
        pass
    finally:
        state.pending.leave(newcomer)
    if isinstance(first, Started):
        first = await _checked(request, first)
    if isinstance(first, Started):
        request.app[ACCESS].connections.prove(request.protocol)
        await _hand_over(state, socket, stream, first)
    elif first is not None:
        await _refuse(request, socket, first)
    return socket


async def _checked(request: web.Request, started: Started) -> Started | StreamRefusal:
    """The same, when its token holds; it is used up with this."""
    state = request.app[STATE]
    try:
        await state.tokens.use(started.parameters.get("token", ""), started.call_sid)
    except BadToken as error:
        state.host.admission.refused("wrong stream_token")
        return StreamRefusal(WSCloseCode.POLICY_VIOLATION, str(error))
    if await state.host.calls.is_ended(started.call_sid):
        return StreamRefusal(WSCloseCode.OK, "the call is over")
    return started


async def _refuse(request: web.Request, socket: FrameSocket, why: StreamRefusal) -> None:
    """Close without waiting long for the peer's half of it."""
    request.app[STATE].host.admission.refused("stream")
    text = "media stream from %s refused: %s"
    request.app[ACCESS].notice(logging.WARNING, "stream", text, request.remote, why.reason)
    if socket.prepared:
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(REFUSAL_DEADLINE_S):
                await socket.close(code=why.code, message=why.reason.encode()[:123])


async def _first_start(socket: FrameSocket, stream: ServerStream) -> Started | StreamRefusal | None:
    """Read up to `start`; None when the peer has gone."""
    while True:
        message: WSMessage = await socket.receive()
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return None  # closing, or an error that aiohttp has answered with its close code
        event = stream.receive(message.data)
        if isinstance(event, Started):
            return event
        if isinstance(event, Fatal):
            return StreamRefusal(event.code, event.reason)


async def _hand_over(state: ServerState, socket: FrameSocket, stream: ServerStream, started: Started) -> None:
    """The call has its stream. Whatever happens in it stays in it."""
    log.info("call %s: stream %s", started.call_sid, started.stream_sid)
    state.streams.sockets[socket] = started.call_sid
    state.streams.came(started.call_sid)
    try:
        await state.stream_began(started.call_sid)
        # The newest stream of a call wins; what an older one of ours still knows has to be saved first.
        await state.streams.end(started.call_sid, OLDER_STREAM_S, but=socket)
        await state.answer.answer(socket, stream, started)
    except Exception:  # the edge of a call: its failure must not touch the others
        log.exception("call %s: failed", started.call_sid)
    finally:
        state.streams.done(started.call_sid)
        await asyncio.shield(_let_go(state, socket, started.call_sid))  # also when this handler is cancelled


async def _let_go(state: ServerState, socket: FrameSocket, call_sid: str) -> None:
    """Give back what the stream had. None of it depends on the other: a failure is told, and goes nowhere."""
    try:
        done = await asyncio.gather(socket.close(), state.slots.leave(call_sid), return_exceptions=True)
    finally:
        state.streams.sockets.pop(socket, None)
        forget_frames(socket.exception())
    for failure in done:
        if isinstance(failure, Exception) and not isinstance(failure, ConnectionError):
            log.error("call %s: its stream was not let go in order", call_sid, exc_info=failure)
