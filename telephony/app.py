"""The server's routes, and what surrounds every request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.typedefs import Handler

from telephony import api
from telephony.carrier import webhooks
from telephony.carrier.media_socket import media
from telephony.line import LINE, CallRecords, Line
from telephony.metrics import CONTENT_TYPE
from telephony.pulse import TICK_S, Pulse
from telephony.upgraded import frames_only
from telephony.values import host_is_loopback

log = logging.getLogger(__name__)

BODY_BYTES = 65_536
STUCK_S = 2.0  # /healthz: no tick for this long
SPEAKS_TWIML = frozenset({"/twilio/voice", "/twilio/after"})
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")  # of somebody behind a proxy on this machine
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

PULSE: web.AppKey[Pulse] = web.AppKey("pulse", Pulse)


def make_app(line: Line, records: CallRecords) -> web.Application:
    """The application of one server process."""
    app = web.Application(client_max_size=BODY_BYTES, middlewares=[guard, frames_only])
    app[LINE] = line
    app[PULSE] = pulse = Pulse(time.monotonic())
    line.lag_s = pulse.lag_s
    app[api.RECORDS] = records
    app.cleanup_ctx.append(_background)
    app.router.add_post("/twilio/voice", webhooks.voice)
    app.router.add_get("/twilio/media", media, allow_head=False)
    app.router.add_post("/twilio/after", webhooks.after)
    app.router.add_post("/twilio/status", webhooks.status)
    app.router.add_post("/twilio/stream-status", webhooks.stream_status)
    app.router.add_post("/twilio/amd", webhooks.amd)
    app.router.add_post("/twilio/fallback", webhooks.fallback)
    app.router.add_get("/twilio/hold.wav", webhooks.hold_music)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/api/calls", api.recent)
    app.router.add_post("/api/calls", api.dial)
    app.router.add_post("/api/dialling", api.dialling)
    app.router.add_get("/api/calls/{id}", api.one)
    app.router.add_delete("/api/calls/{id}", api.delete)
    app.router.add_get("/api/calls/{id}/tape", api.tape)
    return app


async def healthz(request: web.Request) -> web.Response:
    """GET /healthz: the process lives."""
    alive = time.monotonic() - request.app[PULSE].last < STUCK_S
    return web.json_response({"alive": alive}, status=200 if alive else 503)


async def readyz(request: web.Request) -> web.Response:
    """GET /readyz: it would take a call now, and the call would go well; else why not."""
    line = request.app[LINE]
    free, wrong = await asyncio.gather(line.seats.free(), line.readiness.reasons())
    ready = free > 0 and not line.draining and not wrong
    state = {"ready": ready, "draining": line.draining, "free": free, "reasons": list(wrong)}
    return web.json_response(state, status=200 if ready else 503)


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics: this process's measures, for Prometheus."""
    _allow_measuring(request)
    return web.Response(body=request.app[LINE].metrics.text(), headers={"Content-Type": CONTENT_TYPE})


def _allow_measuring(request: web.Request) -> None:
    """Raise HTTPUnauthorized without the token; where none is set, HTTPForbidden but for this machine."""
    token = request.app[LINE].settings.metrics_token
    if token is not None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.matches(given.strip()):
            raise web.HTTPUnauthorized(
                headers={"WWW-Authenticate": "Bearer"}, text="METRICS_TOKEN is needed\n"
            )
    elif not api.is_local(request) or any(name in request.headers for name in FORWARDED):
        raise web.HTTPForbidden(text="set METRICS_TOKEN to read a public server's metrics\n")


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Nothing of our inside reaches a peer; a server without a public address talks to this machine only."""
    line = request.app[LINE]
    if not line.settings.public_url and not _names_this_machine(request):
        # A page in a browser on this machine could otherwise reach us under a name of its own
        # (DNS rebinding) and read what it is not meant to.
        return web.Response(status=421, text="this server answers to localhost only\n", headers=HEADERS)
    try:
        response = await handler(request)
    except web.HTTPException as refused:
        refused.headers.update(HEADERS)
        raise
    except ConnectionError:  # the peer has gone: nobody hears an answer
        return web.Response(status=400)
    except Exception:  # the edge of a request
        log.exception("%s %s failed", request.method, request.path[:100])
        response = _failure(request)
    if not response.prepared:
        response.headers.update(HEADERS)
    return response


def _failure(request: web.Request) -> web.Response:
    if request.method == "POST" and request.path in SPEAKS_TWIML:
        return webhooks.sorry(request)
    return web.Response(status=500, text="something went wrong here\n")


def _names_this_machine(request: web.Request) -> bool:
    host = request.headers.get("Host", "").rpartition(":")[0] or request.headers.get("Host", "")
    return host_is_loopback(host)


async def _beat(pulse: Pulse, line: Line) -> None:
    """Beat while the server runs."""
    while True:
        due = time.monotonic() + TICK_S
        await asyncio.sleep(TICK_S)
        line.metrics.late(pulse.beat(due, time.monotonic()))


async def _background(app: web.Application) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(_beat(app[PULSE], app[LINE])),
        asyncio.create_task(app[LINE].seats.renew_for_ever()),
    ]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
