"""The engine's web application: Deepgram's own paths, answered by the models on this machine."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import web

from telephony.engine.ears import Ears
from telephony.engine.listen_handler import ListenStream, read_options
from telephony.engine.sockets import EngineSocket, is_websocket, new_request_id, refuse
from telephony.listen.flux import BadFluxOptions

log = logging.getLogger(__name__)

STREAMS_PER_CORE = 2
"""Listening streams that a core carries at once (0.3 to 0.45 CPU seconds a second each)."""
HANDSHAKE_S = 15.0
"""A connection that has not sent a whole request by then is dropped."""


def default_limit() -> int:
    """How many streams this machine can listen to at once."""
    return STREAMS_PER_CORE * (os.cpu_count() or 1)


@dataclass(slots=True)
class Engine:
    """What the handlers share."""

    ears: Ears
    listen_limit: int = field(default_factory=default_limit)
    listening: int = 0
    """Streams being listened to now."""
    open_sockets: set[EngineSocket] = field(default_factory=set)
    notes: tuple[str, ...] = ()
    """What is missing here and what is used instead, for /healthz."""


ENGINE = web.AppKey("engine", Engine)


def make_app(engine: Engine) -> web.Application:
    """The application; closes the hearings when it ends."""
    app = web.Application()
    app[ENGINE] = engine
    app.router.add_get("/healthz", _health)
    app.router.add_get("/v2/listen", _listen)
    app.router.add_route("*", "/v1/listen", _old_listen)
    app.on_shutdown.append(_say_goodbye)
    app.cleanup_ctx.append(_models)
    return app


async def _models(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[ENGINE].ears.close()


async def _say_goodbye(app: web.Application) -> None:
    """A server that stops tells its clients so (1001), instead of dropping them."""
    sockets = list(app[ENGINE].open_sockets)
    await asyncio.gather(*(socket.close(1001, b"the engine is stopping") for socket in sockets))


async def _health(request: web.Request) -> web.Response:
    engine = request.app[ENGINE]
    state = {"status": "ok", "listening": engine.listening, "listen_limit": engine.listen_limit}
    return web.json_response({**state, "notes": list(engine.notes)})


async def _old_listen(request: web.Request) -> web.Response:
    request_id = new_request_id()
    reason = "/v1/listen is not served: Flux models listen on /v2/listen (a websocket) only"
    return refuse(400, "INVALID_PATH", reason, request_id)


async def _listen(request: web.Request) -> web.StreamResponse:
    engine, request_id = request.app[ENGINE], new_request_id()
    if not is_websocket(request):
        return refuse(400, "WEBSOCKET_REQUIRED", "/v2/listen is a websocket", request_id)
    try:
        options = read_options(request)
    except BadFluxOptions as error:
        first = error.problems[0]
        log.info("listen %s: refused with %d, %s", request_id, first.status, error)
        return refuse(first.status, first.code, str(error), request_id)
    if engine.listening >= engine.listen_limit:
        reason = f"{engine.listening} streams are being listened to, as many as this engine takes"
        log.info("listen %s: refused with 429, %s", request_id, reason)
        return refuse(429, "TOO_MANY_REQUESTS", reason, request_id)
    engine.listening += 1
    socket = EngineSocket(request, request_id)
    engine.open_sockets.add(socket)
    try:
        await socket.accept()
        await ListenStream(socket, options, engine.ears, request_id).run()
    finally:
        engine.listening -= 1
        engine.open_sockets.discard(socket)
    return socket.response
