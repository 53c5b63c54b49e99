"""What Twilio asks about a call by HTTP, and our answers in TwiML.

A webhook opens nothing but what can be closed again, answers in milliseconds, and changes nothing when it
comes a second time: Twilio repeats requests whose answer got lost.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from telephony.base.call_slots import NAME as SLOTS
from telephony.carrier.call_flow import (
    ENDED,
    HUNG_UP,
    MAX_RESUMES,
    MUSIC_S,
    RESUME_WINDOW_S,
    TERMINAL_STATUSES,
    FlowAnswer,
    NextStep,
    Step,
    answer_after,
)
from telephony.carrier.error_codes import explain
from telephony.carrier.hold_music import music
from telephony.carrier.rest import TwilioRefused
from telephony.carrier.twiml import clip_parameter, render
from telephony.server.dialler import asked_of, kept_s, note_state, withdrawn
from telephony.server.next_steps import NEXT_TTL_S
from telephony.server.number_routes import Route
from telephony.server.shared_calls import ENDED_TTL_S
from telephony.server.state import STATE, Form, ServerState
from telephony.server.twilio_request import verified_form

log = logging.getLogger(__name__)

LANGUAGE = "en-US"
SORRY = "We are sorry, something went wrong on our side. Please call again in a moment."
STOPPING_PAUSE_S = 1
CALL_SID = re.compile(r"[A-Za-z0-9_-]{2,64}")  # Twilio: CA and 32 hex digits; stand-ins may be freer
LATE_S = 0.2  # an event loop as late as the lead of the audio that was sent ahead cannot carry more calls
OVERDUE_S = 2.0  # a stream that is still open so long after the call's end was lost in a tunnel
ANSWER_TTL_S = 30.0  # Twilio's own patience is 15 s, after which it asks nobody again
UNNAMED_HOLD_S = (
    5.0  # a hold's answer: half of its shortest music, after which Twilio asks with the same words
)
HOLD_PIECE = 16_384  # bytes of the hold music that are written at a time
REPEAT = "I-Twilio-Idempotency-Token"  # the same on every delivery of one request

FALLBACK = FlowAnswer("fallback", {"text": SORRY}, ends=True)
GIVE_UP = FlowAnswer("goodbye", {"text": SORRY}, ends=True)
BLOCKED = FlowAnswer("blocked", ends=True)
BUSY = FlowAnswer("busy", ends=True)


async def voice(request: web.Request) -> web.Response:
    """POST /twilio/voice: a call comes in, or (?dial=) one that we dialled was picked up."""
    form = await verified_form(request)
    call_sid = _call_sid(form)
    async with request.app[STATE].lock(call_sid):
        return await _voice(request, call_sid, form)


async def _voice(request: web.Request, call_sid: str, form: Form) -> web.Response:
    state = request.app[STATE]
    dialled = await _dialled(request)
    ended, kept = await asyncio.gather(
        state.host.calls.is_ended(call_sid), state.host.calls.first_answer(call_sid)
    )
    if ended or form.get("CallStatus") in TERMINAL_STATUSES:
        return _twiml(request, call_sid, ENDED)
    if kept == "":
        return _begun(request, call_sid)
    if kept is None and (gone := await _withdrawn(request, call_sid)) is not None:
        return gone
    if kept is None and state.host.admission.draining:
        return _turned_away(request, call_sid)
    route: Route | None = Route()
    if dialled is not None:
        route = state.routes.named(dialled["agent"])
    elif kept is None:
        route = await state.route_call(call_sid, form)
    if route is None:  # the caller is blocked
        state.host.admission.refused("blocked")
        log.info("call %s: refused, the caller is blocked", call_sid)
        return _twiml(request, call_sid, BLOCKED)
    if kept is None and (full := await _full(state, call_sid, dialled is not None)):
        log.info("call %s: refused, %s", call_sid, full)
        return _twiml(request, call_sid, BUSY)
    if kept is None:
        about = _about(form, route)
        if dialled is not None:
            about["dial"] = dialled["id"]
            await state.host.shared.leave(
                SLOTS, f"dial:{dialled['id']}"
            )  # the call has a slot of its own now
        state.streams.expect(call_sid, about)
        answer = FlowAnswer("answer", connects=True, parameters=about)
        kept = await state.host.calls.keep_first_answer(
            call_sid, _render(request, call_sid, answer), ANSWER_TTL_S
        )
        log.info("call %s: answered", call_sid)
    return _response(kept)


async def after(request: web.Request) -> web.Response:
    """POST /twilio/after: the media socket has closed, a transfer came back, or a hold is over."""
    form = await verified_form(request)
    call_sid = _call_sid(form)
    state = request.app[STATE]
    async with state.lock(call_sid):
        kept = await state.host.shared.get(f"after:{call_sid}")
        named = request.headers.get(REPEAT, "")
        this = named or _fingerprint(request, form)
        if kept is not None and kept["request"] == this:
            return _response(str(kept["twiml"]))
        word = await state.host.steps.pop(call_sid)
        if word is None and (elsewhere := await state.host.shared.get(f"away:{call_sid}")):
            if not _is_back(elsewhere, request, form):
                return _begun(request, call_sid)
            await state.host.shared.take(f"away:{call_sid}")
            word = NextStep(Step.RESUME) if elsewhere["with"] == "hold" else None
        if word is None and await state.streams.sound(call_sid):
            return _begun(request, call_sid)
        if state.host.admission.draining and state.settings.public_url and answer_after(word, form).connects:
            if word is not None:  # for the process that will go on with the call
                await state.host.shared.put(f"next:{call_sid}", word.as_dict(), NEXT_TTL_S)
            return _twiml(request, call_sid, _elsewhere(state))
        twiml = await _after(request, call_sid, form, word)
        if named or word is not None:  # what was left is used once: a repetition must not find it gone
            await state.host.shared.put(f"after:{call_sid}", {"request": this, "twiml": twiml}, ANSWER_TTL_S)
    return _response(twiml)


async def _after(request: web.Request, call_sid: str, form: Form, word: NextStep | None) -> str:
    """How the call goes on, for the first delivery of a request."""
    state = request.app[STATE]
    if await state.host.calls.is_ended(call_sid):
        return _render(request, call_sid, ENDED)
    answer = answer_after(word, form)
    if word is None and answer.connects:
        if not await state.host.shared.count(f"resume:{call_sid}", MAX_RESUMES, RESUME_WINDOW_S):
            log.warning("call %s: given up, it was resumed %d times within a minute", call_sid, MAX_RESUMES)
            answer = GIVE_UP
    if answer.connects and state.host.admission.draining:  # nobody can go on with it
        answer = GIVE_UP
    log.info("call %s: goes on with %s", call_sid, word.then if word else answer.template)
    if word is not None and word.then is Step.HOLD:  # what is over when Twilio asks next is the music
        await state.host.shared.put(f"away:{call_sid}", {"with": "hold"}, NEXT_TTL_S + word.loops * MUSIC_S)
    if answer.ends:
        await state.call_ended(call_sid)
    route = await state.route_of(call_sid)
    about = _about(form, route)
    if answer.connects:
        await state.slots.expect(call_sid, returning=True)
        state.streams.expect(call_sid, about)
    return _render(request, call_sid, answer, about, route.language)


async def status(request: web.Request) -> web.Response:
    """POST /twilio/status: the call's state has changed. It ends the call for us when it is over."""
    form = await verified_form(request)
    call_sid = _call_sid(form)
    call_status = form.get("CallStatus", "")
    log.info("call %s: %s, %s s", call_sid, call_status, form.get("CallDuration", "?"))
    dialled = await _dialled(request)
    if dialled is not None:
        seconds = form.get("CallDuration") or "0"
        more = {"duration_s": int(seconds[:9]) if seconds.isascii() and seconds.isdigit() else 0}
        state = request.app[STATE]
        await note_state(
            state.host.shared,
            dialled["id"],
            call_status,
            more if call_status in TERMINAL_STATUSES else {},
            kept_s(state.settings),
        )
    if call_status in TERMINAL_STATUSES:
        async with request.app[STATE].lock(call_sid):  # what is being answered now is given back, too
            await request.app[STATE].call_ended(call_sid)
        request.app[STATE].start_task(request.app[STATE].streams.end(call_sid, OVERDUE_S))
    return web.Response(status=204)


async def amd(request: web.Request) -> web.Response:
    """POST /twilio/amd: whether a person or a machine picked up the call that we dialled."""
    form = await verified_form(request)
    call_sid, state = _call_sid(form), request.app[STATE]
    answered_by = form.get("AnsweredBy", "unknown")
    action = None
    if state.dialler is not None and await state.host.shared.claim(f"amd:{call_sid}", ENDED_TTL_S):
        try:
            action = await state.dialler.carry_out(request.query.get("dial", ""), call_sid, answered_by)
        except TwilioRefused:
            log.exception("call %s: the answering machine was not dealt with", call_sid)
    log.info("call %s: answered by %s: %s", call_sid, answered_by[:30], action or "nothing to do")
    return web.Response(status=204)


async def stream_status(request: web.Request) -> web.Response:
    """POST /twilio/stream-status: Twilio's view of the media stream, which knows why it failed."""
    form = await verified_form(request)
    error = form.get("StreamError", "")
    level = logging.WARNING if error else logging.INFO
    known = explain(error[:5])  # the text begins with the code
    log.log(level, "call %s: %s %s %s", _call_sid(form), form.get("StreamEvent", "?"), error[:300], known)
    return web.Response(status=204)


async def fallback(request: web.Request) -> web.Response:
    """POST /twilio/fallback: the voice URL failed. The caller hears a sentence, not an error announcement."""
    form = await verified_form(request)
    call_sid = _call_sid(form)
    log.error(
        "call %s: Twilio could not use our answer: error %s at %s %s",
        call_sid,
        form.get("ErrorCode", "?"),
        form.get("ErrorUrl", "?").partition("?")[0],
        explain(form.get("ErrorCode")),
    )
    await request.app[STATE].call_ended(call_sid)
    return _twiml(request, call_sid, FALLBACK)


async def hold_music(request: web.Request) -> web.StreamResponse:
    """GET /twilio/hold.wav: what a parked caller hears. One a connection, and piece by piece.

    Nothing proves who asks: what waits for somebody who does not read must be little.
    """
    sound = await asyncio.to_thread(music)
    headers = {"Content-Type": "audio/wav", "Content-Length": str(len(sound))}
    response = web.StreamResponse(headers=headers)
    response.force_close()
    await response.prepare(request)
    for at in range(0, len(sound), HOLD_PIECE):
        await response.write(sound[at : at + HOLD_PIECE])
    await response.write_eof()
    return response


def sorry(request: web.Request) -> web.Response:
    """The answer to a voice webhook that we failed to make: a sentence rather than Twilio's announcement."""
    return _twiml(request, "", FALLBACK)


async def _dialled(request: web.Request) -> dict[str, Any] | None:
    """What was asked of the call that we dialled, if this is one."""
    return await asked_of(request.app[STATE].host.shared, request.query.get("dial", ""))


async def _withdrawn(request: web.Request, call_sid: str) -> web.Response | None:
    """The answer to a call that we dialled and that nobody may answer any more: it is hung up on."""
    dial_id, state = request.query.get("dial"), request.app[STATE]
    if dial_id is None or not (why := await withdrawn(state.host.shared, dial_id)):
        return None
    log.warning("call %s: hung up on when it was picked up: %s", call_sid, why)
    state.host.admission.refused("withdrawn")
    await state.host.shared.leave(SLOTS, f"dial:{dial_id}")
    await state.call_ended(call_sid)
    return _twiml(request, call_sid, HUNG_UP)


async def _full(state: ServerState, call_sid: str, returning: bool) -> str:
    """Why one more call would harm those that run; empty when it would not. A dialled one has its slot.

    The refusal is counted.
    """
    if state.lag.lag_s() > LATE_S and not returning:
        state.host.admission.refused("lag")
        return f"this machine is busy: the loop is {state.lag.lag_s() * 1000:.0f} ms late"
    if not await state.slots.expect(call_sid, returning=returning):
        state.host.admission.refused("full")
        return f"all {state.settings.max_calls} lines are taken"
    return ""


def _is_back(away: Mapping[str, Any], request: web.Request, form: Form) -> bool:
    """Whether a request is the one by which a caller comes back from a transfer or a hold, or has gone.

    What Twilio asked before the transfer has other fields, so that nobody who has kept it takes their place.
    """
    if form.get("CallStatus") in TERMINAL_STATUSES:
        return True
    return "DialCallStatus" in form if away["with"] == "dial" else "held" in request.query


def _begun(request: web.Request, call_sid: str) -> web.Response:
    """A request of long ago comes again while the call runs: nothing in the answer opens a stream.

    If it is Twilio nevertheless, it asks how the call goes on.
    """
    state = request.app[STATE]
    state.host.admission.refused("repeated")
    log.warning("call %s: %s was asked again, which began long ago", call_sid, request.path)
    url = f"{state.base_url(request)}/twilio/after"
    return _twiml(request, call_sid, FlowAnswer("wait", {"seconds": STOPPING_PAUSE_S, "url": url}))


def _turned_away(request: web.Request, call_sid: str) -> web.Response:
    """This process is stopping. Another one behind the same public address may take the call."""
    state = request.app[STATE]
    state.host.admission.refused("draining")
    return _twiml(request, call_sid, _elsewhere(state, "voice") if state.settings.public_url else BUSY)


def _elsewhere(state: ServerState, path: str = "after") -> FlowAnswer:
    """Ask again at the public address in a moment, where another process may be."""
    url = f"{state.settings.public_url}/twilio/{path}"
    return FlowAnswer("wait", {"seconds": STOPPING_PAUSE_S, "url": url})


def _fingerprint(request: web.Request, form: Form) -> str:
    """The same for the same fields at the same URL."""
    return hashlib.sha256(repr((request.path_qs, sorted(form.items()))).encode()).hexdigest()


def _call_sid(form: Form) -> str:
    call_sid = form.get("CallSid", "")
    if CALL_SID.fullmatch(call_sid) is None:
        raise web.HTTPBadRequest(text="no CallSid\n")
    return call_sid


def _about(form: Form, route: Route) -> dict[str, str]:
    """What goes into the stream's parameters: `start` itself has neither number."""
    fields = {"from": "From", "to": "To", "direction": "Direction", "caller_name": "CallerName"}
    about = {name: clip_parameter(name, form[key]) for name, key in fields.items() if form.get(key)}
    return {**about, "route": route.name} if route.name else about


def _render(
    request: web.Request, call_sid: str, answer: FlowAnswer, more: Form | None = None, language: str = ""
) -> str:
    state = request.app[STATE]
    base = state.base_url(request)
    # What Twilio asks when the music is over has the fields of what it asked before it: another URL tells.
    after_url = f"{base}/twilio/after{'?held' if answer.template == 'hold' else ''}"
    values: dict[str, str | int | None] = {
        "language": language or LANGUAGE,
        "after_url": after_url,
        "music_url": f"{base}/twilio/hold.wav",
    }
    parameters: dict[str, str] = {}
    if answer.connects:
        values["stream_url"] = "ws" + base.removeprefix("http") + "/twilio/media"
        values["stream_status_url"] = f"{base}/twilio/stream-status"
        values["token"] = state.tokens.issue(call_sid)
        parameters = {**(more or {}), **answer.parameters}
    return render(answer.template, parameters, **{**values, **answer.values})


def _twiml(request: web.Request, call_sid: str, answer: FlowAnswer) -> web.Response:
    return _response(_render(request, call_sid, answer))


def _response(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/xml", charset="utf-8")
