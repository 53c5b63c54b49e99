"""/api/calls: what the calls were, for programs. With API_KEYS a key is needed; else only this machine."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from telephony.line import LINE, CallRecords
from telephony.values import host_is_loopback

RECORDS: web.AppKey[CallRecords] = web.AppKey("records", CallRecords)


def allow(request: web.Request) -> None:
    """Raise HTTPUnauthorized or HTTPForbidden unless this request may use the API.

    A tunnel's requests come from this machine too, so without keys nothing is open once PUBLIC_URL is set.
    """
    settings = request.app[LINE].settings
    if settings.api_keys:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        given = bearer.strip() if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "")
        if True not in [key.matches(given) for key in settings.api_keys]:  # always all of them
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"}, text="an API key is needed\n")
    elif settings.public_url or not host_is_loopback(request.remote or ""):
        raise web.HTTPForbidden(text="set API_KEYS to use the API of a public server\n")


async def tape(request: web.Request) -> web.StreamResponse:
    """GET /api/calls/{id}/tape: every event and decision of a call, one JSON object a line."""
    allow(request)
    path = await request.app[RECORDS].tape_path(request.match_info["id"])
    if path is None:
        raise web.HTTPNotFound(text="no such tape\n")
    return web.FileResponse(path, headers={"Content-Type": "application/x-ndjson"})


async def one(request: web.Request) -> web.Response:
    """GET /api/calls/{id}: a call's turns, live or finished; {id} is ours or the CallSid."""
    allow(request)
    records = request.app[RECORDS]
    call_id = request.match_info["id"]
    found: dict[str, Any] | None = records.snapshot(call_id) or await records.load(call_id)
    if found is None:
        raise web.HTTPNotFound(text="no such call\n")
    return web.json_response(found)
