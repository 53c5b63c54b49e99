"""Twilio's REST API as a stand-in at the wire: calls and numbers of one account, kept in memory.

For tests and trials without an account: TWILIO_API_URL points here. It checks the sign-in and the parameters
as Twilio does, answers with Twilio's JSON, and can be told to fail.
"""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from telephony.carrier.call_flow import TERMINAL_STATUSES
from telephony.simulator.twiml_reader import BadTwiML, read_twiml

DEFAULTS = {"voice_method": "POST", "voice_fallback_method": "POST", "status_callback_method": "POST"}


@dataclass
class FakeCall:
    """A call of the account."""

    sid: str
    parameters: dict[str, list[str]]
    """What it was created with, Twilio's names."""
    status: str = "queued"
    updates: list[dict[str, str]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by each update."""


@dataclass
class Failure:
    """An answer to give in place of the right one."""

    status: int
    code: int
    message: str = "stand-in failure"
    delay_s: float = 0.0
    carried_out: bool = False
    """True: what was asked is done nevertheless, as when only the answer is lost or late."""


OnCall = Callable[[FakeCall], Awaitable[None]]


class FakeTwilioRest:
    """One account. `calls`, `numbers` and `requests` are there to look at."""

    def __init__(self, account_sid: str, users: dict[str, str], on_call: OnCall | None = None) -> None:
        """`users`: passwords by user, the account itself or API keys. `on_call` carries out each new call."""
        self.account_sid = account_sid
        self.calls: dict[str, FakeCall] = {}
        self.numbers: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.failures: list[Failure] = []
        """The next answers, in order."""
        self._users = users
        self._on_call = on_call
        self._tasks: set[asyncio.Task[None]] = set()

    def app(self) -> web.Application:
        """To be served anywhere."""
        app = web.Application(middlewares=[self._guard])
        base = f"/2010-04-01/Accounts/{self.account_sid}"
        app.router.add_post(f"{base}/Calls.json", self._create)
        app.router.add_get(f"{base}/Calls.json", self._list)
        app.router.add_post(base + "/Calls/{sid}.json", self._update)
        app.router.add_get(base + "/Calls/{sid}.json", self._fetch)
        app.router.add_get(f"{base}/IncomingPhoneNumbers.json", self._list_numbers)
        app.router.add_post(base + "/IncomingPhoneNumbers/{sid}.json", self._update_number)
        app.on_cleanup.append(self._stop)
        return app

    def add_number(self, phone_number: str, **fields: str) -> str:
        """A number of the account; its SID."""
        sid = "PN" + uuid.uuid4().hex
        self.numbers[sid] = {"sid": sid, "phone_number": phone_number, **DEFAULTS, **fields}
        return sid

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        if self.failures:
            failure = self.failures.pop(0)
            if failure.carried_out and self._signed_in(request.headers.get("Authorization", "")):
                await handler(request)
            await asyncio.sleep(failure.delay_s)
            return _refuse(failure.status, failure.code, failure.message)
        if not self._signed_in(request.headers.get("Authorization", "")):
            return _refuse(401, 20003, "Authenticate")
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPNotFound:
            return _refuse(404, 20404, f"The requested resource {request.path} was not found")
        return response

    def _signed_in(self, header: str) -> bool:
        scheme, _, encoded = header.partition(" ")
        user, _, password = base64.b64decode(encoded or "").decode().partition(":")
        return scheme == "Basic" and bool(user) and self._users.get(user) == password

    async def _create(self, request: web.Request) -> web.Response:
        form = await request.post()
        given = {name: [str(value) for value in form.getall(name)] for name in form}
        for needed, code in (("To", 21201), ("From", 21213)):
            if needed not in given:
                return _refuse(400, code, f"No '{needed}' number is specified")
        if not ({"Url", "Twiml", "ApplicationSid"} & given.keys()):
            return _refuse(400, 21205, "Url parameter is required.")
        if not given["To"][0].startswith(("+", "sip:", "client:")):
            return _refuse(
                400, 21211, f"The phone number you are attempting to call, {given['To'][0]}, is not valid."
            )
        call = FakeCall("CA" + uuid.uuid4().hex, given)
        self.calls[call.sid] = call
        if self._on_call is not None:
            task: asyncio.Task[None] = asyncio.ensure_future(self._on_call(call))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return web.json_response(self._as_json(call), status=201)

    async def _update(self, request: web.Request) -> web.Response:
        call = self._call(request)
        form = {name: str(value) for name, value in (await request.post()).items()}
        if call.status in TERMINAL_STATUSES:
            return _refuse(400, 21220, "Call is not in-progress. Cannot redirect.")
        if "Twiml" in form and "Url" in form:
            return _refuse(400, 21218, "Twiml and Url are mutually exclusive")
        if "Twiml" in form and (len(form["Twiml"]) > 4000 or not _is_twiml(form["Twiml"])):
            return _refuse(400, 21218, "Twiml is not valid")
        status = form.get("Status")
        if status == "canceled" and call.status not in ("queued", "ringing"):
            return _refuse(400, 21220, "Call is not queued or ringing. Cannot cancel.")
        if status is not None:
            call.status = status
        call.updates.append(form)
        call.changed.set()
        return web.json_response(self._as_json(call))

    async def _list(self, request: web.Request) -> web.Response:
        wanted = request.query.get("Status")
        found = [call for call in self.calls.values() if wanted in (None, call.status)]
        return web.json_response({"calls": [self._as_json(call) for call in found], **_ONE_PAGE})

    async def _fetch(self, request: web.Request) -> web.Response:
        return web.json_response(self._as_json(self._call(request)))

    async def _list_numbers(self, request: web.Request) -> web.Response:
        wanted = request.query.get("PhoneNumber")
        found = [number for number in self.numbers.values() if wanted in (None, number["phone_number"])]
        return web.json_response({"incoming_phone_numbers": found, **_ONE_PAGE})

    async def _update_number(self, request: web.Request) -> web.Response:
        number = self.numbers.get(request.match_info["sid"])
        if number is None:
            raise web.HTTPNotFound
        for name, value in (await request.post()).items():
            number["".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")] = str(value)
        return web.json_response(number)

    def _call(self, request: web.Request) -> FakeCall:
        call = self.calls.get(request.match_info["sid"])
        if call is None:
            raise web.HTTPNotFound
        return call

    def _as_json(self, call: FakeCall) -> dict[str, Any]:
        return {
            "sid": call.sid,
            "account_sid": self.account_sid,
            "to": call.parameters["To"][0],
            "from": call.parameters["From"][0],
            "status": call.status,
            "direction": "outbound-api",
            "api_version": "2010-04-01",
        }

    async def _stop(self, app: web.Application) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


_ONE_PAGE = {"page": 0, "page_size": 50, "next_page_uri": None, "first_page_uri": None, "uri": ""}


def _refuse(status: int, code: int, message: str) -> web.Response:
    more = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": message, "more_info": more, "status": status}
    return web.json_response(body, status=status)


def _is_twiml(text: str) -> bool:
    try:
        read_twiml(text)
    except BadTwiML:
        return False
    return True
