"""The engine's web application: Deepgram's own paths, answered by the models on this machine."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.typedefs import Handler

from telephony.base.throttle import Notices
from telephony.base.upgraded_requests import frames_only
from telephony.config import local_requests
from telephony.deepgram.flux_codec import BadFluxOptions
from telephony.engine.listen.listen_handler import ListenStream, read_options
from telephony.engine.listen.recognizer_stream import RecognizerPool
from telephony.engine.sockets import EngineSocket, is_websocket, new_request_id, refuse
from telephony.engine.speak.aura_session import AuraSession
from telephony.engine.speak.speak_handler import SESSION_S, SpeakStream, TalkSession
from telephony.engine.speak.speak_options import BadSpeakOptions, SpeakOptions
from telephony.engine.speak.speak_rest import speak_once
from telephony.engine.speak.speak_session import SpeakSession
from telephony.engine.speak.synthesizer_pool import NoVoice, SynthesizerPool, VoiceSource
from telephony.logs import one_line

log = logging.getLogger(__name__)

STREAMS_PER_CORE = 2
"""Listening streams that a core carries at once (0.3 to 0.45 CPU seconds a second each)."""
HANDSHAKE_S = 15.0
"""A connection that has not sent a whole request by then is dropped."""


MAX_BODY = 64 * 1024
"""Bytes of a request's body."""
USUAL_AURA = "aura-asteria-en"
"""What the service speaks with on /v1/speak where no model is named; /v2/speak has no such."""
NOTICES, NOTICES_PER_S = 20, 1.0
"""Log lines about what was refused: so many at once, and then so many a second."""
SPEAKING_SOCKETS = 200
"""Speaking sockets at once. Most of them wait; they share one voice."""


def default_limit() -> int:
    """How many streams this machine can listen to at once."""
    return STREAMS_PER_CORE * (os.cpu_count() or 1)


@dataclass(slots=True)
class Engine:
    """What the handlers share."""

    recognizers: RecognizerPool
    synthesizers: SynthesizerPool
    listen_limit: int = field(default_factory=default_limit)
    listening: int = 0
    """Streams being listened to now."""
    speaking: int = 0
    """Speaking sockets that are open."""
    speak_session_s: float = SESSION_S
    """Longest speaking session."""
    open_sockets: set[EngineSocket] = field(default_factory=set)
    here_only: bool = True
    """It was not set to listen for other machines."""
    notices: Notices = field(default_factory=lambda: Notices(NOTICES, NOTICES_PER_S))


ENGINE = web.AppKey("engine", Engine)


def make_app(engine: Engine) -> web.Application:
    """The application; closes the recognizers and the voices when it ends."""
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_guarded, frames_only])
    app[ENGINE] = engine
    app.router.add_get("/healthz", _health)
    app.router.add_route("*", "/v2/listen", _listen)
    app.router.add_route("*", "/v1/listen", _old_listen)
    for path in ("/v2/speak", "/v1/speak"):
        app.router.add_get(path, _speak)
        app.router.add_post(path, _speak_once)
    app.on_shutdown.append(_say_goodbye)
    app.cleanup_ctx.append(_models)
    return app


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what comes from elsewhere: an engine takes any key, so nothing proves who its clients are.

    Its streams are few, and what callers say goes through it. Bound to an address of the network it serves
    other machines, which is what its operator chose; web pages of other sites are refused there, too.
    """
    engine = request.app[ENGINE]
    await asyncio.sleep(0)  # requests that are sent in one go let everybody else have a turn between them
    seen = local_requests.Seen(request.headers.items(), request.remote, request.raw_path, request.version)
    why = local_requests.refusal(seen, here_only=engine.here_only)
    if why is None:
        return await handler(request)
    if engine.notices.may(why.kind, asyncio.get_running_loop().time()):
        log.warning("refused %s %s: %s", request.method[:20], one_line(request.path[:100]), why.reason)
    return refuse(why.status, "FORBIDDEN", why.reason, new_request_id())


async def _models(app: web.Application) -> AsyncIterator[None]:
    yield
    await asyncio.gather(app[ENGINE].recognizers.close(), app[ENGINE].synthesizers.close())


async def _say_goodbye(app: web.Application) -> None:
    """A server that stops tells its clients so (1001), instead of dropping them."""
    sockets = list(app[ENGINE].open_sockets)
    await asyncio.gather(*(socket.close(1001, b"the engine is stopping") for socket in sockets))


async def _health(request: web.Request) -> web.Response:
    engine = request.app[ENGINE]
    return web.json_response(
        {
            "status": "ok",
            "recognition": engine.recognizers.state,
            "listening": engine.listening,
            "listen_limit": engine.listen_limit,
            "voice": engine.synthesizers.state,
            "speaking": engine.speaking,
            "notes": [
                *engine.recognizers.notes,
                *([engine.synthesizers.trouble] if engine.synthesizers.trouble else []),
            ],
        }
    )


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
        await ListenStream(socket, options, engine.recognizers, request_id).run()
    finally:
        engine.listening -= 1
        engine.open_sockets.discard(socket)
    return socket.response


async def _voice(request: web.Request) -> tuple[SpeakOptions, VoiceSource, str]:
    """The validated query, the voices, and which of them is asked for. Raises BadSpeakOptions, NoVoice."""
    options = SpeakOptions.from_query(
        request.query.items(),
        streaming=request.method == "GET",
        usual_model=USUAL_AURA if request.path == "/v1/speak" else "",
    )
    wrong, right = ("aura", "/v1/speak") if request.path == "/v2/speak" else ("flux", "/v2/speak")
    if options.model.startswith(f"{wrong}-"):
        raise BadSpeakOptions("model", f"{options.model} is spoken on {right}")
    voices = await request.app[ENGINE].synthesizers.ready()
    try:
        return options, voices, voices.resolve(options.model)
    except KeyError:
        raise BadSpeakOptions("model", f"there is no voice {options.model!r}") from None


async def _speak_once(request: web.Request) -> web.StreamResponse:
    request_id = new_request_id()
    try:
        options, voices, voice = await _voice(request)
    except BadSpeakOptions as error:
        return refuse(400, error.code, str(error), request_id)
    except NoVoice as error:
        return refuse(503, "NO_VOICE", str(error), request_id)
    return await speak_once(request, options, voices, voice, request_id)


async def _speak(request: web.Request) -> web.StreamResponse:
    engine, request_id = request.app[ENGINE], new_request_id()
    if not is_websocket(request):
        return refuse(400, "WEBSOCKET_REQUIRED", f"GET {request.path} is a websocket", request_id)
    try:
        options, voices, voice = await _voice(request)
    except BadSpeakOptions as error:
        log.info("speak %s: refused with 400, %s", request_id, error)
        return refuse(400, error.code, str(error), request_id)
    except NoVoice as error:
        log.info("speak %s: refused with 503, %s", request_id, error)
        return refuse(503, "NO_VOICE", str(error), request_id)
    if engine.speaking >= SPEAKING_SOCKETS:
        return refuse(429, "TOO_MANY_REQUESTS", f"{engine.speaking} sockets are open", request_id)
    session: TalkSession = (
        SpeakSession(options, request_id, lambda: f"dg_sp_{secrets.token_hex(6)}")
        if request.path == "/v2/speak"
        else AuraSession(options, request_id)
    )
    engine.speaking += 1
    socket = EngineSocket(request, request_id)
    engine.open_sockets.add(socket)
    try:
        await socket.accept()
        await SpeakStream(socket, session, voices, voice, engine.speak_session_s).run()
    finally:
        engine.speaking -= 1
        engine.open_sockets.discard(socket)
    return socket.response
