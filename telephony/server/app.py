"""The server's routes, and what surrounds every request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from telephony.base.upgraded_requests import frames_only
from telephony.reply.runner import STEPS
from telephony.server import api, webhooks
from telephony.server.access import ACCESS, SUMMARY_S, AccessControl, control_access
from telephony.server.loop_lag import TICK_S
from telephony.server.media_endpoint import media
from telephony.server.metrics import CONTENT_TYPE
from telephony.server.state import STATE, CallRecords, ServerState

log = logging.getLogger(__name__)

BLOCKED_S = 0.1  # five frames of every call on this process come late

BODY_BYTES = 65_536
STUCK_S = 2.0  # /healthz: no tick for this long
SPEAKS_TWIML = frozenset({"/twilio/voice", "/twilio/after"})
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

WEBHOOKS: dict[str, Handler] = {
    "/twilio/voice": webhooks.voice,
    "/twilio/after": webhooks.after,
    "/twilio/status": webhooks.status,
    "/twilio/stream-status": webhooks.stream_status,
    "/twilio/amd": webhooks.amd,
    "/twilio/fallback": webhooks.fallback,
}


def make_app(state: ServerState, records: CallRecords) -> web.Application:
    """The application of one server process."""
    app = web.Application(client_max_size=BODY_BYTES, middlewares=[contained, control_access, frames_only])
    app[STATE] = state
    app[api.RECORDS] = records
    app.cleanup_ctx.append(_background)
    _add_routes(app.router)
    prefix = urlsplit(state.settings.public_url).path.rstrip("/")
    bare = [resource.canonical for resource in app.router.resources()]
    if prefix:  # some proxies in front of us take it off the path, and some leave it there
        _add_routes(app.router, prefix)
    app[ACCESS] = AccessControl(
        state, prefix, frozenset(prefix + path for path in bare) if prefix else frozenset()
    )
    return app


def _add_routes(router: web.UrlDispatcher, prefix: str = "") -> None:
    for path, webhook in WEBHOOKS.items():
        router.add_post(prefix + path, webhook)
        router.add_get(prefix + path, webhook, allow_head=False)  # Twilio's console offers both
    router.add_get(prefix + "/twilio/media", media, allow_head=False)
    router.add_get(prefix + "/twilio/hold.wav", webhooks.hold_music, allow_head=False)
    router.add_get(prefix + "/healthz", healthz)
    router.add_get(prefix + "/readyz", readyz)
    router.add_get(prefix + "/metrics", metrics)
    router.add_get(prefix + "/api/calls", api.recent)
    router.add_post(prefix + "/api/calls", api.dial)
    router.add_post(prefix + "/api/dialling", api.dialling)
    router.add_get(prefix + "/api/calls/{id}", api.one)
    router.add_delete(prefix + "/api/calls/{id}", api.delete)
    router.add_get(prefix + "/api/calls/{id}/tape", api.tape)


async def healthz(request: web.Request) -> web.Response:
    """GET /healthz: the process lives."""
    alive = time.monotonic() - request.app[STATE].lag.last < STUCK_S
    return web.json_response({"alive": alive}, status=200 if alive else 503)


async def readyz(request: web.Request) -> web.Response:
    """GET /readyz: it would take a call now, and the call would go well; else why not."""
    state = request.app[STATE]
    free, wrong = await asyncio.gather(state.slots.free(), state.readiness.reasons())
    ready = free > 0 and not state.host.admission.draining and not wrong
    body = {"ready": ready, "draining": state.host.admission.draining, "free": free, "reasons": list(wrong)}
    return web.json_response(body, status=200 if ready else 503)


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics: this process's measures, for Prometheus."""
    return web.Response(body=request.app[STATE].host.metrics.text(), headers={"Content-Type": CONTENT_TYPE})


@web.middleware
async def contained(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Nothing of our inside reaches a peer, whatever happens in a handler."""
    try:
        response = await handler(request)
    except web.HTTPException as refused:
        response = _answer_of(refused)
    except ConnectionError:  # the peer has gone: nobody hears an answer
        return web.Response(status=400)
    except Exception:  # the edge of a request
        log.exception("%s %s failed", request.method, request.path[:100])
        response = _failure(request)
    if not response.prepared:
        response.headers.update(HEADERS)
    return response


def _answer_of(refused: web.HTTPException) -> web.Response:
    """The same answer, without the exception.

    An exception holds the frames it went through, one of which, in aiohttp, holds it in turn: each refusal
    would stay in memory, with its request and body, until the collector comes by.
    """
    refused.__traceback__ = refused.__context__ = refused.__cause__ = None
    answer = web.Response(
        status=refused.status, reason=refused.reason, body=refused.body, headers=refused.headers
    )
    if not refused.keep_alive and refused.keep_alive is not None:
        answer.force_close()
    return answer


def _failure(request: web.Request) -> web.Response:
    if request.app[ACCESS].path_of(request) in SPEAKS_TWIML:
        return webhooks.sorry(request)
    return web.Response(status=500, text="something went wrong here\n")


async def _measure_lag(state: ServerState) -> None:
    """Measure the event loop's lag while the server runs."""
    while True:
        due = time.monotonic() + TICK_S
        await asyncio.sleep(TICK_S)
        late = state.lag.tick(due, time.monotonic())
        state.host.metrics.late(late)
        if late > BLOCKED_S and (agents := STEPS.since(due)):
            log.warning(
                "the event loop was blocked for %d ms, and every call on it, in a step of agent %s",
                round(late * 1000),
                ", ".join(agents),
            )


async def _sum_up(access: AccessControl) -> None:
    """Tell of refusals that had no line of their own, while the server runs."""
    while True:
        await asyncio.sleep(SUMMARY_S)
        access.sum_up()


async def _background(app: web.Application) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(_measure_lag(app[STATE])),
        asyncio.create_task(app[STATE].slots.renew_for_ever()),
        asyncio.create_task(_sum_up(app[ACCESS])),
        asyncio.create_task(app[STATE].streams.watch()),
    ]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
