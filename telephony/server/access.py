"""What stands before every route: who may come in, and what is said of those who may not.

What proves a sender: Twilio's signature, an API key, the metrics token. Where a route wants one and the
server has none set, a public server refuses, and any other takes what surely is this machine's own
(`guard`). A route that is not in the table below wants an API key, so that none can be forgotten.

Everything refused is one line in the log, with method and path, and a count; a flood is summed up.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from aiohttp import web

from telephony.base.throttle import Notices, Throttle
from telephony.config import local_requests
from telephony.logs import one_line
from telephony.server.connections import Connections
from telephony.server.state import ServerState

log = logging.getLogger(__name__)

SUMMARY_S = 10.0
"""After so long the refusals that had no line of their own are summed up in one."""
NOTICES, NOTICES_PER_S = 20, 1.0
"""Lines about refusals: so many at once, and then so many a second."""
KEYS, KEYS_PER_S = 30, 0.5
"""Wrong keys of one address before it hears 429."""
SIGNATURES, SIGNATURES_PER_S = 200, 10.0
"""Wrong signatures: more, since a wrong PUBLIC_URL makes them too, and nobody guesses one."""
REFUSALS, REFUSALS_PER_S, SLOW_S = 500, 50.0, 0.1
"""Refusals of one address, of any kind, before their answers come this much later: a flood of what is cheap
would otherwise take the loop's whole time. What is not refused is never slowed."""
WHY = web.RequestKey("why it was refused, for the log", str)
DID = web.RequestKey("what was done, for the log", str)
SENDER = web.RequestKey("who asks: a key's label, never the key", str)
HINT = "the webhooks are PUBLIC_URL/twilio/voice and /twilio/status, without a slash behind them"


class Need(Enum):
    """What proves the sender of a request."""

    SIGNATURE = "Twilio's signature"
    API_KEY = "an API key"
    METRICS_TOKEN = "METRICS_TOKEN"
    NOTHING = "nothing: it tells nothing, and costs nothing"


_NEEDS = {
    "/healthz": Need.NOTHING,
    "/readyz": Need.NOTHING,
    "/metrics": Need.METRICS_TOKEN,
    "/twilio/hold.wav": Need.NOTHING,
}


@dataclass(slots=True)
class AccessControl:
    """Who may come in: the access control of one process."""

    state: ServerState
    prefix: str = ""
    """The path of PUBLIC_URL: some proxies keep it, some take it off."""
    kept: frozenset[str] = frozenset()
    """Our routes' paths with the prefix."""
    keys: Throttle = field(default_factory=lambda: Throttle(KEYS, KEYS_PER_S))
    signatures: Throttle = field(default_factory=lambda: Throttle(SIGNATURES, SIGNATURES_PER_S))
    refusals: Throttle = field(default_factory=lambda: Throttle(REFUSALS, REFUSALS_PER_S))
    notices: Notices = field(default_factory=lambda: Notices(NOTICES, NOTICES_PER_S))
    connections: Connections = field(default_factory=Connections)
    clock: Callable[[], float] = time.monotonic

    def prefix_kept(self, request: web.Request) -> bool:
        """Whether a proxy left the path of PUBLIC_URL in this request's path."""
        resource = request.match_info.route.resource
        return resource is not None and resource.canonical in self.kept

    def path_of(self, request: web.Request) -> str:
        """The request's path as our routes have it."""
        return request.path[len(self.prefix) :] if self.prefix_kept(request) else request.path

    def need(self, request: web.Request) -> Need:
        """What proves this request's sender. What leads to no route needs nothing, and finds nothing."""
        if request.match_info.route.resource is None:
            return Need.NOTHING
        path = self.path_of(request)
        usual = Need.SIGNATURE if path.startswith("/twilio/") else Need.API_KEY
        return _NEEDS.get(path, usual)

    def notice(self, level: int, kind: str, text: str, *values: object) -> None:
        """A log line about a stranger, unless there were many of them just now."""
        if self.notices.may(kind, self.clock()):
            log.log(level, text, *values)
        else:
            self.sum_up()

    def sum_up(self) -> None:
        """Say what was left out of the log, when it is time."""
        if summary := self.notices.left_out(self.clock(), SUMMARY_S):
            log.warning("refused within %g s, without a line of their own: %s", SUMMARY_S, summary)

    def wrong_key(self, request: web.Request, kind: str, refusal: web.HTTPException) -> web.HTTPException:
        """What answers a wrong key: the refusal, or 429 when its address sent too many."""
        self.state.host.admission.refused(f"wrong {kind}")
        throttle = self.signatures if kind == "signature" else self.keys
        seconds = throttle.wrong(request.remote or "", self.clock())
        request.setdefault(WHY, f"a wrong {kind.replace('_', ' ')}")
        if not seconds:
            return refusal
        self.state.host.admission.refused("brake")
        return json_error(web.HTTPTooManyRequests, "too many wrong keys", {"Retry-After": str(seconds)})


ACCESS: web.AppKey[AccessControl] = web.AppKey("access", AccessControl)


def json_error(
    kind: type[web.HTTPException], text: str, headers: Mapping[str, str] | None = None
) -> web.HTTPException:
    """An error for a program: {"error": ...}."""
    return kind(headers=headers, text=json.dumps({"error": text}), content_type="application/json")


@web.middleware
async def control_access(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Let a request in, or say in the log why not."""
    access = request.app[ACCESS]
    # Requests that are sent in one go wait for each other, and let everybody else have a turn between them:
    # where tasks start eagerly (Python 3.12) they would otherwise all be answered in one turn of the loop.
    await asyncio.sleep(0)
    try:
        admit(access, request)
        response = await handler(request)
    except web.HTTPException as refused:
        _tell(access, request, refused.status, refused.text)
        await _slow_down(access, request, refused.status)
        raise
    if not response.prepared:
        text = response.text if isinstance(response, web.Response) and response.status >= 400 else None
        _tell(access, request, response.status, text)
    return response


async def _slow_down(access: AccessControl, request: web.Request, status: int) -> None:
    """Let a stranger who is refused too often wait for the answer."""
    too_many = access.refusals.wrong(request.remote or "", access.clock())
    if status == web.HTTPTooManyRequests.status_code or too_many:
        await asyncio.sleep(SLOW_S)


def admit(access: AccessControl, request: web.Request) -> None:
    """Raise an HTTPException unless the request may be handled.

    A webhook's signature covers its body, so it is for the handler to verify where there is a token.
    """
    settings, need = access.state.settings, access.need(request)
    if need is Need.API_KEY and settings.api_keys:
        _check_api_key(access, request)
    elif need is Need.METRICS_TOKEN and settings.metrics_token is not None:
        _check_metrics_token(access, request)
    elif need is Need.SIGNATURE and settings.twilio_auth_token:
        return
    elif not settings.public_url:
        _check_local(access, request)
    elif need is not Need.NOTHING:
        # A tunnel's requests come from this machine too, so nothing is surely local on a public server.
        setting = "API_KEYS" if need is Need.API_KEY else need.value
        what = "the API" if need is Need.API_KEY else "the metrics"
        raise json_error(web.HTTPForbidden, f"set {setting} to use {what} of a public server")


def _check_api_key(access: AccessControl, request: web.Request) -> None:
    keys = access.state.settings.api_keys
    given = given_key(request)
    right = [key.matches(given) for key in keys]  # always all of them
    if True in right:
        access.connections.prove(request.protocol)
        request[SENDER] = f"API key {right.index(True) + 1}"
        return
    refusal = json_error(web.HTTPUnauthorized, "an API key is needed", {"WWW-Authenticate": "Bearer"})
    raise access.wrong_key(request, "api_key", refusal) if given else refusal


def given_key(request: web.Request) -> str:
    """The API key that a request shows; empty where it shows none."""
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "")


def _check_metrics_token(access: AccessControl, request: web.Request) -> None:
    token = access.state.settings.metrics_token
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    given = given.strip() if scheme.lower() == "bearer" else ""
    if token is None or token.matches(given):
        access.connections.prove(request.protocol)
        return
    headers = {"WWW-Authenticate": "Bearer"}
    refusal = web.HTTPUnauthorized(headers=headers, text="METRICS_TOKEN is needed\n")
    raise access.wrong_key(request, "metrics_token", refusal) if given else refusal


def _check_local(access: AccessControl, request: web.Request) -> None:
    seen = local_requests.Seen(request.headers.items(), request.remote, request.raw_path, request.version)
    why = local_requests.refusal(seen)
    if why is None:
        return
    access.state.host.admission.refused(why.kind)
    more = "" if why.kind == "origin" else ". To serve others than this machine, set PUBLIC_URL and API_KEYS"
    request[WHY] = why.reason + more
    kinds = {
        local_requests.MISDIRECTED: web.HTTPMisdirectedRequest,
        local_requests.FORBIDDEN: web.HTTPForbidden,
    }
    raise kinds[why.status](text=f"{why.reason}\n")


def _tell(access: AccessControl, request: web.Request, status: int, text: str | None) -> None:
    """One line about what was refused, or about what somebody with a key has done."""
    sender, path = request.get(SENDER), one_line(request.path[:100])
    if status < 400 or status >= 500:  # what failed is logged where it did; who asked for it, here
        if sender and request.method not in ("GET", "HEAD"):
            did = request.get(DID, "") if status < 400 else f"{request.get(DID, '')} failed, {status}"
            log.info("%s: %s %s: %s", sender, request.method, path, did.strip() or status)
        return
    why = one_line(request.get(WHY) or (text or "").strip())[:600]
    if status == 404 and request.match_info.route.resource is None:
        why = f"no such path; {HINT}" if "twilio" in path or path == "/" else "no such path"
    level = logging.INFO if status in (404, 405) and request.method in ("GET", "HEAD") else logging.WARNING
    if status == 404 and request.match_info.route.resource is not None:
        level = logging.DEBUG  # who may ask has asked for what is not there
    access.notice(
        level,
        str(status),
        "refused %s %s from %s: %s, %s",
        request.method[:20],
        path,
        request.remote,
        status,
        f"{sender}: {why}" if sender else why,
    )
