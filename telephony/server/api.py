"""/api/calls: what the calls were, for programs. `control_access` lets in who may ask."""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import fields, replace
from typing import Any

from aiohttp import web

from telephony.carrier.rest import TwilioRefused
from telephony.config.dial_policy import Forbidden
from telephony.errors import BadInput
from telephony.record.call_files import StillRunning
from telephony.server.access import DID, given_key, json_error
from telephony.server.dialler import (
    MACHINE,
    Dialler,
    DialRefused,
    DialRequest,
    KeyReused,
    dial_record,
    dialled_lately,
    forget_dialled,
    route_named,
)
from telephony.server.state import STATE, CallRecords
from telephony.server.twilio_request import BODY_DEADLINE_S

RECORDS: web.AppKey[CallRecords] = web.AppKey("records", CallRecords)
CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # ours, a CallSid, or a dialled call's
OURS = frozenset({"asker"})  # the fields of a DialRequest that no body may have
LISTED, MOST_LISTED = 50, 500  # calls in one answer of GET /api/calls: by default, and at most


async def dial(request: web.Request) -> web.Response:
    """POST /api/calls: place a call. 201 with its record; 200 with the first one's for a repeated key."""
    asked = _dial_request(await _json(request), request.headers.get("Idempotency-Key", ""))
    try:
        dialler, state = _dialler(request), request.app[STATE]
        agent = route_named(asked.agent, state.routes, state.settings)
        record, new = await dialler.dial(replace(asked, agent=agent, asker=_asker(request)))
    except DialRefused as error:
        return _error_response(429, error)
    except KeyReused as error:
        return _error_response(409, error)
    except Forbidden as error:
        return _error_response(403, error)
    except BadInput as error:
        return _error_response(400, error)
    except TwilioRefused as error:
        return _error_response(502, error)
    request[DID] = f"{'dialled' if new else 'asked again for'} {record['id']}"
    return web.json_response(record, status=201 if new else 200)


async def dialling(request: web.Request) -> web.Response:
    """POST /api/dialling {"allowed": false}: the kill switch, which also withdraws queued calls."""
    allowed = (await _json(request)).get("allowed")
    dialler = _dialler(request)
    if not isinstance(allowed, bool):
        return _error_response(
            400, BadInput('{"allowed": false} stops dialling, {"allowed": true} allows it again')
        )
    request[DID] = "allowed dialling" if allowed else "stopped dialling"
    try:
        withdrawn = 0 if allowed else await dialler.stop()
        if allowed:
            await dialler.allow()
    except TwilioRefused as error:
        return _error_response(502, error)
    if not allowed:
        request[DID] = f"stopped dialling, {withdrawn} calls were withdrawn"
    return web.json_response({"allowed": allowed, "withdrawn": withdrawn})


async def _json(request: web.Request) -> dict[str, Any]:
    """The body of a request that changes something: from somebody with an API key, never from a web page."""
    if not request.app[STATE].settings.api_keys:
        raise json_error(web.HTTPForbidden, "set API_KEYS to let programs place calls")
    if request.content_type != "application/json":  # a page elsewhere cannot send this without being asked
        raise json_error(web.HTTPUnsupportedMediaType, "application/json is needed")
    try:
        async with asyncio.timeout(BODY_DEADLINE_S):
            body = await request.json()
    except (ValueError, RecursionError):  # a body of nothing but brackets
        raise json_error(web.HTTPBadRequest, "not JSON") from None
    except TimeoutError:
        raise json_error(web.HTTPRequestTimeout, "the body did not arrive in time") from None
    if not isinstance(body, dict):
        raise json_error(web.HTTPBadRequest, "a JSON object is needed")
    return body


def _dial_request(body: dict[str, Any], key: str) -> DialRequest:
    names = {"from": "from_number"}
    given = {names.get(name, name): value for name, value in body.items()}
    unknown = given.keys() - {field.name for field in fields(DialRequest)} | given.keys() & OURS
    kinds = {"max_seconds": int}
    wrong = [
        name for name, value in given.items() if type(value) is not kinds.get(name, str)
    ]  # True is an int
    wrong += [name for name in ("machine", "unknown") if given.get(name, "go_on") not in MACHINE]
    if unknown or wrong or "to" not in given:
        problem = ", ".join(sorted({*unknown, *wrong})) or "to"
        raise json_error(web.HTTPBadRequest, f"unknown, missing or of the wrong type: {problem}")
    return DialRequest(**{"idempotency_key": key, **given})


def _asker(request: web.Request) -> str:
    """Stands for the API key of a request: what is kept under it is found by the same key only."""
    return hashlib.sha256(given_key(request).encode()).hexdigest()[:16]


def _call_id(request: web.Request) -> str:
    """The id in a request's path. Raises HTTPNotFound for what is none."""
    call_id = request.match_info["id"]
    if CALL_ID.fullmatch(call_id) is None:
        raise json_error(web.HTTPNotFound, "no such call")
    return call_id


def _dialler(request: web.Request) -> Dialler:
    dialler = request.app[STATE].dialler
    if dialler is None:
        raise json_error(
            web.HTTPServiceUnavailable, "dialling needs TWILIO_ACCOUNT_SID and its token or API key"
        )
    return dialler


def _error_response(status: int, error: Exception) -> web.Response:
    return web.json_response({"error": str(error)}, status=status)


async def delete(request: web.Request) -> web.Response:
    """DELETE /api/calls/{id}: a finished call, its recording, tape and record, everywhere. 204."""
    records, state, call_id = request.app[RECORDS], request.app[STATE], _call_id(request)
    if not state.settings.api_keys:
        raise json_error(web.HTTPForbidden, "set API_KEYS to let programs delete calls")
    if records.snapshot(call_id) is not None:
        raise json_error(web.HTTPConflict, "the call is running")
    try:
        deleted = await records.delete(call_id)
    except StillRunning as error:  # in another process, or as the call of another stream
        raise json_error(web.HTTPConflict, str(error)) from error
    dialled = await dial_record(state.host.shared, call_id)
    if dialled is not None:
        if dialled["call_sid"]:
            deleted.append(dialled["call_sid"])
        await forget_dialled(state.host.store, call_id)
    if not deleted and dialled is None:
        raise json_error(web.HTTPNotFound, "no such call")
    for call_sid in deleted:
        await state.host.calls.delete(call_sid)
    request[DID] = "deleted it"
    return web.Response(status=204)


async def tape(request: web.Request) -> web.StreamResponse:
    """GET /api/calls/{id}/tape: every event and decision of a call, one JSON object a state."""
    path = await request.app[RECORDS].tape_path(_call_id(request))
    if path is None:
        raise json_error(web.HTTPNotFound, "no such tape")
    return web.FileResponse(path, headers={"Content-Type": "application/x-ndjson"})


async def recent(request: web.Request) -> web.Response:
    """GET /api/calls?limit=50: {"calls": [...]}, running ones first, then the newest, without their words.

    Calls that were dialled and not answered, or not yet, are among them.
    """
    given = request.query.get("limit", str(LISTED))
    if not given.isascii() or not given.isdigit() or not 1 <= int(given[:9]) <= MOST_LISTED:
        raise json_error(web.HTTPBadRequest, f"limit must be a whole number from 1 to {MOST_LISTED}")
    most = int(given)
    calls = await request.app[RECORDS].recent(most)
    known = {call["call_sid"] for call in calls}
    for dialled in await dialled_lately(request.app[STATE].host.shared, most):
        sid = dialled["call_sid"]
        if sid in known or (sid and await request.app[RECORDS].load(sid) is not None):
            continue  # it was answered
        over = "ended_at" in dialled
        calls.append({"call_id": dialled["id"], "live": not over, "turns": 0, **dialled})
    calls.sort(key=lambda call: float("inf") if call["live"] else call.get("ended_at", 0), reverse=True)
    return web.json_response({"calls": calls[:most]})


async def one(request: web.Request) -> web.Response:
    """GET /api/calls/{id}: a call's turns, live or finished; {id} is ours or the CallSid."""
    records = request.app[RECORDS]
    call_id = _call_id(request)
    found: dict[str, Any] | None = records.snapshot(call_id) or await records.load(call_id)
    if found is None:
        found = await dial_record(
            request.app[STATE].host.shared, call_id
        )  # dialled, not answered yet or never
    if found is None:
        raise json_error(web.HTTPNotFound, "no such call")
    return web.json_response(found)
