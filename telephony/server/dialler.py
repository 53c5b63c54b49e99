"""Outbound calls: every one passes the same policy, caps and switch, from whichever process it is dialled.

The record of a call exists before Twilio is asked, since the stream can be here before the answer to the
request is. Status callbacks drive it, forwards only, however often and in whatever order they come.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
import time
import uuid
from dataclasses import asdict, dataclass
from typing import Any, Literal

from telephony.base.call_slots import NAME as SLOTS
from telephony.base.phone_numbers import country_of, international
from telephony.base.shared_store import SharedStore
from telephony.base.tasks import closed_on_failure
from telephony.carrier.call_flow import TERMINAL_STATUSES
from telephony.carrier.rest import TwilioRefused, TwilioRest
from telephony.carrier.twiml import render
from telephony.config.dial_policy import Forbidden, allowed_number, mask
from telephony.config.settings import Settings
from telephony.errors import BadInput
from telephony.server.number_routes import Routes

log = logging.getLogger(__name__)

Machine = Literal["hang_up", "message", "go_on"]
MACHINE: tuple[Machine, ...] = ("hang_up", "message", "go_on")

IDEMPOTENT_S = 86_400.0
DECIDING_S = 15.0  # for how long a key is held by a request that may be refused yet, or whose process died
LOOK_EVERY_S = 0.05
RING_S = 60  # Twilio adds 5 s of its own
SLOT_S = RING_S + 30.0  # until the stream is here and keeps a slot of its own
MINUTE_S, DAY_S = 60.0, 86_400.0
FOR_EVER_S = 100 * 365 * DAY_S
EVENTS = ("initiated", "ringing", "answered", "completed")
ORDER = ("queued", "initiated", "ringing", "in-progress")
DIALLED = "dialling/"
"""Before the id: a key for each dialled call, to list them by."""
UNDECIDED, MOST_UNDECIDED = "undecided/", 1000
"""Before the id of a call that Twilio was asked for, and has not said yes or no to."""
SERVER_ERROR = 500
DIAL_ID = re.compile("[0-9a-f]{16}")
LONGEST_TEXT = 1000
LONGEST_CALL_S = 900  # unless asked otherwise, up to MAX_CALL_SECONDS


class DialRefused(BadInput):
    """A call that may not be dialled now: the switch is off, or a cap is reached."""


class KeyReused(BadInput):
    """An idempotency key that was given with another request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialRequest:
    """A call that somebody wants placed."""

    to: str
    from_number: str = ""
    """DIAL_FROM, or empty, which means the same: a request does not choose the country."""
    agent: str = ""
    """The name of a route (ROUTES) whose agent speaks; empty: AGENT. See `route_named`."""
    say: str = ""
    """The first words, in place of the agent's greeting."""
    machine: Machine | None = None
    """What becomes of an answering machine; None: nobody looks whether it is one."""
    unknown: Machine = "go_on"
    """What becomes of a call where nobody can tell."""
    message: str = ""
    """What is left after a machine's beep."""
    max_seconds: int = LONGEST_CALL_S
    idempotency_key: str = ""
    """A second request with the same key within a day gets the first one's call, if it asks for the same."""
    asker: str = ""
    """Whose idempotency key it is: keys of different askers have nothing to do with each other."""


class Dialler:
    """Places calls for one process."""

    def __init__(self, settings: Settings, shared: SharedStore, rest: TwilioRest) -> None:
        self._settings = settings
        self._shared = shared
        self._rest = rest
        self._kept_s = kept_s(settings)

    async def dial(self, request: DialRequest) -> tuple[dict[str, Any], bool]:
        """The call's record, and whether it is new.

        Raises BadInput (of it Forbidden and DialRefused), TwilioRefused and SharedStoreFailure.
        """
        own = self._own_number(request)
        self._check(request)
        to = allowed_number(international(request.to, country_of(own)), own, self._settings.dial_prefixes)
        dial_id = uuid.uuid4().hex[:16]
        asked = {**asdict(request), "id": dial_id, "to": to, "from_number": own}
        key = request.idempotency_key and f"idempotency:{request.asker}:{_digest(request.idempotency_key)}"
        asked_for = _fingerprint(asked)
        if key and (earlier := await self._earlier(key, dial_id, asked_for)) is not None:
            return earlier, False

        async def release_key() -> None:  # nothing was dialled: the same key may try again
            if key:
                await self._shared.take(key)

        async with closed_on_failure(release_key):
            await self._within_caps(dial_id)
        await self._shared.put(f"dial:{dial_id}", asked, self._kept_s)
        await self._shared.put(f"{DIALLED}{dial_id}", {"id": dial_id}, self._kept_s)
        if key:
            await self._shared.put(key, {"dial": dial_id, "for": asked_for, "decided": True}, IDEMPOTENT_S)
        try:
            await self._place(dial_id, to, own, request)
        except (TwilioRefused, DialRefused) as error:
            state = "canceled" if isinstance(error, DialRefused) else "failed"
            await note_state(self._shared, dial_id, state, {"reason": str(error)}, self._kept_s)
            raise
        return await self.record(dial_id) or asked, True

    async def _earlier(self, key: str, dial_id: str, asked_for: str) -> dict[str, Any] | None:
        """The record of the call that has the key; None: it is this one's now.

        A request that has taken the key and is not decided yet may be refused: that is waited for. Raises
        KeyReused when the key was given with another request.
        """
        while True:
            first = await self._shared.keep(key, {"dial": dial_id, "for": asked_for}, DECIDING_S)
            if first["dial"] == dial_id:
                return None
            if first.get("for", asked_for) != asked_for:
                raise KeyReused("this idempotency key was given with another request; take a new one")
            if "decided" in first:
                return await self.record(first["dial"]) or {"id": first["dial"], "status": "deleted"}
            await asyncio.sleep(LOOK_EVERY_S)

    async def record(self, dial_id: str) -> dict[str, Any] | None:
        """What is known of a dialled call."""
        return await dial_record(self._shared, dial_id)

    async def stop(self) -> int:
        """The kill switch: nothing is dialled any more, and what waits in Twilio's queue is withdrawn.

        So is a call that Twilio may have made though its answer never came: those are known by their two
        numbers only, since Twilio's list does not show a call's URL. What is picked up nevertheless is hung
        up on by the voice webhook (`withdrawn`).

        Returns how many calls were withdrawn. Raises TwilioRefused; the switch is thrown nevertheless.
        """
        await self._shared.put("dialling", {"stopped": True}, 10 * 365 * DAY_S)
        log.warning("dialling is stopped")
        unknown = [
            await self._shared.get(key) for key in await self._shared.newest(UNDECIDED, MOST_UNDECIDED)
        ]
        pairs = {(one["from"], one["to"]) for one in unknown if one is not None}
        count = 0
        for call in await self._rest.queued_calls():
            known = await self._shared.get(f"dialled:{call.sid}") is not None
            if known or (call.from_number, call.to) in pairs:
                await self._rest.cancel(call.sid)
                count += 1
        return count

    async def allow(self) -> None:
        """Take the kill switch back."""
        await self._shared.take("dialling")
        log.warning("dialling is allowed again")

    async def carry_out(self, dial_id: str, call_sid: str, answered_by: str) -> Machine | None:
        """Do what was asked for this kind of answer; returns it. Raises TwilioRefused."""
        asked = await asked_of(self._shared, dial_id)
        if asked is None:
            return None
        await self._shared.put(f"dial:{dial_id}:amd", {"answered_by": answered_by}, self._kept_s)
        action = machine_action(answered_by, asked.get("machine"), asked.get("unknown") or "go_on")
        if action == "message" and asked.get("message"):
            twiml = render("goodbye", text=asked["message"], language="en-US")
            await self._rest.redirect(call_sid, twiml)
        elif action != "go_on":
            await self._rest.hang_up(call_sid)
        return action

    def _own_number(self, request: DialRequest) -> str:
        own = self._settings.dial_from
        if not own:
            raise BadInput("no number to dial from: set DIAL_FROM")
        given = request.from_number
        if given and international(given, country_of(own)) != own:
            raise Forbidden(f"{mask(given)} is not DIAL_FROM, {mask(own)}: calls are dialled from there only")
        return own

    def _check(self, request: DialRequest) -> None:
        if not 1 <= request.max_seconds <= self._settings.max_call_seconds:
            raise BadInput(f"max_seconds is from 1 to {self._settings.max_call_seconds} (MAX_CALL_SECONDS)")
        if max(len(request.say), len(request.message)) > LONGEST_TEXT:
            raise BadInput(f"a text to say has up to {LONGEST_TEXT} characters")
        if "message" in (request.machine, request.unknown) and not request.message:
            raise BadInput("a message is needed to be left after the beep")
        if not self._settings.public_url and not request.say:
            raise BadInput(
                "PUBLIC_URL is not set: Twilio could not reach the agent. With --say it needs none"
            )

    async def _within_caps(self, dial_id: str) -> None:
        """Count this call, everywhere; raises DialRefused at a cap."""
        await self._not_stopped()
        settings = self._settings
        if not await self._shared.acquire(SLOTS, f"dial:{dial_id}", settings.max_calls, SLOT_S):
            raise DialRefused(f"all {settings.max_calls} lines are taken (MAX_CALLS)")
        day = ("dialled/day", settings.dial_max_per_day, DAY_S, "DIAL_MAX_PER_DAY")
        minute = ("dialled/minute", settings.dial_max_per_minute, MINUTE_S, "DIAL_MAX_PER_MINUTE")
        for name, limit, window_s, setting in (minute, day):
            if not await self._shared.count(name, limit, window_s):
                await self._shared.leave(SLOTS, f"dial:{dial_id}")
                raise DialRefused(f"{limit} calls were dialled already ({setting})")

    async def _not_stopped(self) -> None:
        if await self._shared.get("dialling") is not None:
            raise DialRefused("dialling is stopped; telephony dial --allow lifts it")

    async def _place(self, dial_id: str, to: str, own: str, request: DialRequest) -> None:
        await self._not_stopped()  # it may have been thrown since
        # Until Twilio has said yes or no, the call may be there: the kill switch is to find it.
        await self._shared.put(f"{UNDECIDED}{dial_id}", {"from": own, "to": to}, DAY_S)
        try:
            call_sid = await self._create(dial_id, to, own, request)
        except TwilioRefused as error:
            if error.status is not None and error.status < SERVER_ERROR:
                await self._shared.take(f"{UNDECIDED}{dial_id}")
            raise
        await self._shared.put(f"dialled:{call_sid}", {"dial": dial_id}, self._kept_s)
        await self._shared.put(f"dial:{dial_id}:sid", {"call_sid": call_sid}, self._kept_s)
        await self._shared.take(f"{UNDECIDED}{dial_id}")
        log.info("dialled %s: call %s", mask(to), call_sid)
        try:
            # Thrown while Twilio was asked, the switch did not find this call in Twilio's queue.
            await self._not_stopped()
        except DialRefused:
            log.warning("call %s is withdrawn: dialling was stopped meanwhile", call_sid)
            await self._rest.hang_up(call_sid)  # which withdraws one that is queued, too
            raise

    async def _create(self, dial_id: str, to: str, own: str, request: DialRequest) -> str:
        base, options = self._settings.public_url, {"timeout": RING_S, "time_limit": request.max_seconds}
        if base:
            options |= self._callbacks(base, dial_id, request)
            return await self._rest.create_call(to, own, f"{base}/twilio/voice?dial={dial_id}", **options)
        words = f"{self._settings.record_notice} {request.say}".strip()
        twiml = render("goodbye", text=words, language="en-US")
        return await self._rest.say_call(to, own, twiml, **options)

    def _callbacks(self, base: str, dial_id: str, request: DialRequest) -> dict[str, Any]:
        callbacks: dict[str, Any] = {
            "status_callback": f"{base}/twilio/status?dial={dial_id}",
            "status_callback_event": list(EVENTS),
            "fallback_url": f"{base}/twilio/fallback",
        }
        if request.machine is not None:
            # Asynchronous: the person who picked up does not wait in silence for the verdict.
            callbacks["async_amd"] = "true"
            callbacks["async_amd_status_callback"] = f"{base}/twilio/amd?dial={dial_id}"
            beep = "message" in (request.machine, request.unknown)  # is waited for
            callbacks["machine_detection"] = "DetectMessageEnd" if beep else "Enable"
        return callbacks


def machine_action(answered_by: str, machine: Machine | None, unknown: Machine) -> Machine:
    """What to do about an answer: AnsweredBy is human, fax, unknown or machine_..."""
    if answered_by == "human" or machine is None:
        return "go_on"
    if answered_by == "fax":
        return "hang_up"
    return machine if answered_by.startswith("machine") else unknown


def route_named(agent: str, routes: Routes, settings: Settings) -> str:
    """The route that `DialRequest.agent` means: by its name, or by its agent as ROUTES or AGENT write it.

    Raises BadInput, naming what there is.
    """
    usual = routes.default.agent or settings.agent
    if agent in ("", usual):
        return ""
    for route in routes.routes:
        if route.name == agent:
            return agent
    for route in routes.routes:
        if agent == (route.agent or settings.agent):
            return route.name
    known = ", ".join([route.name for route in routes.routes] + [usual])
    raise BadInput(f"agent {agent[:60]!r} is unknown; there are: {known}")


def _fingerprint(asked: dict[str, Any]) -> str:
    """The same for requests that ask for the same call."""
    terms = {name: value for name, value in asked.items() if name not in ("id", "idempotency_key", "asker")}
    return _digest(json.dumps(terms, sort_keys=True))


def _digest(text: str) -> str:
    """Of any text: what a header or JSON brings may be no UTF-8."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def kept_s(settings: Settings) -> float:
    """For how long a dialled call is remembered: as long as any call (RETENTION_DAYS)."""
    return settings.retention_days * DAY_S or FOR_EVER_S


async def note_state(
    shared: SharedStore, dial_id: str, state: str, more: dict[str, Any], kept_s: float = 30 * DAY_S
) -> None:
    """A call's state has changed. The first end stays; before it only forwards."""
    if state in TERMINAL_STATUSES:
        end = {"status": state, "ended_at": round(time.time()), **more}
        await shared.keep(f"dial:{dial_id}:end", end, kept_s)
        await shared.leave(SLOTS, f"dial:{dial_id}")
        return
    known = await shared.get(f"dial:{dial_id}:now") or {"status": ORDER[0]}
    if state in ORDER and ORDER.index(state) > ORDER.index(known["status"]):
        await shared.put(f"dial:{dial_id}:now", {"status": state}, kept_s)


async def asked_of(shared: SharedStore, dial_id: str) -> dict[str, Any] | None:
    """What was asked of a dialled call; None for an id that is malformed or unknown."""
    return await shared.get(f"dial:{dial_id}") if DIAL_ID.fullmatch(dial_id) else None


async def withdrawn(shared: SharedStore, dial_id: str) -> str:
    """Why a dialled call that has been picked up must not be answered; empty when it may be."""
    if await asked_of(shared, dial_id) is None:
        return "nobody dialled it, or its record was deleted"
    end = await shared.get(f"dial:{dial_id}:end")
    if end is not None:
        return f"it is over for us: {end.get('reason') or end['status']}"
    return "dialling is stopped" if await shared.get("dialling") is not None else ""


async def dial_record(shared: SharedStore, dial_id: str) -> dict[str, Any] | None:
    """What is known of a dialled call, put together; None for an unknown one."""
    asked = await asked_of(shared, dial_id)
    if asked is None:
        return None
    record = {"id": dial_id, "to": asked["to"], "from": asked["from_number"], "status": ORDER[0]}
    record |= {"call_sid": None, "answered_by": None}
    for part in ("now", "sid", "amd", "end"):
        record |= await shared.get(f"dial:{dial_id}:{part}") or {}
    return record


async def dialled_lately(shared: SharedStore, most: int) -> list[dict[str, Any]]:
    """The records of the newest dialled calls, at most so many, the newest first."""
    keys = await shared.newest(DIALLED, most)
    records = [await dial_record(shared, key.removeprefix(DIALLED)) for key in keys]
    return [record for record in records if record is not None]


async def forget_dialled(shared: SharedStore, dial_id: str) -> bool:
    """Delete what is known of a dialled call; whether there was anything."""
    record = await dial_record(shared, dial_id)
    if record is None:
        return False
    keys = [f"dial:{dial_id}{part}" for part in ("", ":sid", ":now", ":amd", ":end")]
    for key in [*keys, f"{DIALLED}{dial_id}", f"dialled:{record['call_sid']}"]:
        await shared.take(key)
    return True
