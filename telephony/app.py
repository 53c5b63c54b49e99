"""The server's routes, and what surrounds every request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.typedefs import Handler

from telephony import api
from telephony.carrier import webhooks
from telephony.carrier.media_socket import media
from telephony.line import LINE, CallRecords, Line
from telephony.shared import SharedFailure
from telephony.values import host_is_loopback

log = logging.getLogger(__name__)

BODY_BYTES = 65_536
TICK_S = 0.25  # how often the loop shows that it lives
BEATS = 4
STUCK_S = 2.0  # /healthz: no tick for this long
SPEAKS_TWIML = frozenset({"/twilio/voice", "/twilio/after"})
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


class Pulse:
    """Whether the event loop lives, and how late it is."""

    def __init__(self) -> None:
        self.last = time.monotonic()
        self._late = deque([0.0], maxlen=BEATS)

    async def beat(self) -> None:
        """To be run as a task while the server runs."""
        while True:
            due = time.monotonic() + TICK_S
            await asyncio.sleep(TICK_S)
            self.last = time.monotonic()
            self._late.append(self.last - due)

    def lag_s(self) -> float:
        """By how much it was late for a whole second: one late beat says nothing."""
        return min(self._late)


PULSE: web.AppKey[Pulse] = web.AppKey("pulse", Pulse)


def make_app(line: Line, records: CallRecords) -> web.Application:
    """The application of one server process."""
    app = web.Application(client_max_size=BODY_BYTES, middlewares=[guard])
    app[LINE] = line
    app[PULSE] = pulse = Pulse()
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
    """GET /readyz: it would take a call now."""
    line = request.app[LINE]
    try:
        free = await line.seats.free()
    except SharedFailure:
        free = 0
    ready = free > 0 and not line.draining
    state = {"ready": ready, "draining": line.draining, "free": free}
    return web.json_response(state, status=200 if ready else 503)


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


async def _background(app: web.Application) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(app[PULSE].beat()), asyncio.create_task(app[LINE].seats.renew_for_ever())]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
