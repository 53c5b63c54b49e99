"""Twilio's requests to a server: webhooks that are answered in TwiML, callbacks, and a look at the API."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from twilio.request_validator import RequestValidator

from telephony.errors import BadInput
from telephony.simulator import twiml_reader as twiml
from telephony.simulator.call_options import CallOptions
from telephony.simulator.call_report import CallReporter
from telephony.simulator.carrier_stream import CarrierStream

USER_AGENT = "TwilioProxy/1.1"
WEBHOOK_S = 15.0
"""Twilio's patience, answer included."""
CALLBACK_S = 5.0
RETRIEVAL_FAILED = 11200
CONNECTION_FAILED = 11205
BAD_CONTENT_TYPE = 12300
XML_TYPES = ("text/xml", "application/xml", "text/html")
LOOK_EVERY_S = 0.2
RECORD_FINAL_S = 2.5
"""A call's record is final within 2 s of its end."""


class HttpError(Exception):
    """An answer that is not TwiML: its status, or its type, is wrong."""

    def __init__(self, reason: str, twilio_code: int = RETRIEVAL_FAILED) -> None:
        super().__init__(reason)
        self.twilio_code = twilio_code


class WebhookUnanswered(Exception):
    """Nobody there, or not in time."""

    twilio_code = CONNECTION_FAILED


class WebhookClient:
    """One call's requests."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        options: CallOptions,
        call_sid: str,
        learn: Callable[[Mapping[str, Any]], None],
    ) -> None:
        """`learn` takes what the server says was said, as it becomes known."""
        self._session = session
        self._learn = learn
        self._options = options
        self._call_sid = call_sid
        self._reporter = CallReporter(verbose=options.verbose)
        parts = urlsplit(options.server)
        path = parts.path if parts.path not in ("", "/") else "/twilio/voice"
        self._ours = path == "/twilio/voice"
        self._local = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
        self._public = (options.public_url or self._local).rstrip("/")
        self.voice_url = self._public + urlunsplit(("", "", path, parts.query, ""))
        """As the server knows it."""

    def route(self, url: str) -> str:
        """Where a URL really leads: what the server calls itself may be a tunnel's name for this machine."""
        for prefix, target in ((self._public, self._local), (_ws(self._public), _ws(self._local))):
            if url == prefix or url.startswith((prefix + "/", prefix + "?")):
                return target + url.removeprefix(prefix)
        return url

    def handshake_headers(self, url: str) -> dict[str, str]:
        """The signature of a media handshake: over the wss URL, which has no parameters."""
        return self._signed(url, {})

    async def fetch(self, url: str, method: str, more: dict[str, str]) -> twiml.Document:
        """Ask a webhook for a document. Raises HttpError, NoAnswer or BadTwiML."""
        url = url.partition("#")[0]
        fields = {**self._parameters(), **more}
        try:
            async with asyncio.timeout(WEBHOOK_S), self._request(url, method, fields) as response:
                body = await _begin(response)
                status, kind = response.status, response.content_type
        except TimeoutError:
            raise WebhookUnanswered(f"no answer within {WEBHOOK_S:g} s") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise WebhookUnanswered(_reason(error)) from error
        if status != 200:
            text = " ".join(body.decode(errors="replace").split())
            raise HttpError(f"it answers with status {status}: {text[:120]}".rstrip(": "))
        if kind not in XML_TYPES:
            raise HttpError(f"it answers with {kind}, not with TwiML", BAD_CONTENT_TYPE)
        return twiml.read_twiml(body)

    def bad_input(self, url: str, error: Exception) -> BadInput:
        """The one line for a call that could not even begin."""
        where = self.route(url).partition("?")[0]
        if isinstance(error, WebhookUnanswered):
            return BadInput(
                f"{where} does not answer: {error}. Start the server (telephony serve), or leave out --server"
            )
        hint = ""
        if "status 403" in str(error):
            hint = ". Is TWILIO_AUTH_TOKEN the server's, and PUBLIC_URL, too?"
        elif "status 404" in str(error):
            hint = ". Is it a telephony server? Another's webhook is given with its path: --server URL/PATH"
        return BadInput(f"{where} cannot take a call: {error}{hint}")

    async def completed(self, duration_s: float) -> None:
        """The call is over: the status callback, which a number that points at our server has."""
        if not self._ours:
            return
        url = self._public + "/twilio/status"
        more = {"CallStatus": "completed", "CallDuration": str(round(duration_s)), "SequenceNumber": "0"}
        await self._callback(url, "POST", more)

    async def stream_status(
        self, verb: twiml.ConnectVerb, stream: CarrierStream, event: str, error: str = ""
    ) -> None:
        """The stream's status callback, if the TwiML asks for one."""
        if verb.status_callback is None:
            return
        more = {"StreamSid": stream.stream_sid, "StreamName": verb.name, "StreamEvent": event}
        if error:
            more["StreamError"] = error
        await self._callback(verb.status_callback, verb.status_method, more)

    async def watch(self) -> None:
        """Tell the conversation as it happens, where the server says what is said."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self._tell(await self._record())

    async def final_record(self) -> dict[str, Any] | None:
        """What the server knows of the call once it is over; None where it does not tell."""
        record = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RECORD_FINAL_S):
                while (record := await self._record() or record) is not None:
                    if not record.get("live", record.get("ended_by") is None):
                        break
                    await asyncio.sleep(0.05)
        self._tell(record)
        return record

    def _tell(self, record: dict[str, Any] | None) -> None:
        if record is None:
            return
        self._learn(record)
        for line in self._reporter.lines(record):
            self._options.report(line)

    async def _record(self) -> dict[str, Any] | None:
        if not self._ours:
            return None
        key = self._options.api_key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        url = f"{self._local}/api/calls/{self._call_sid}"
        try:
            async with self._session.get(url, headers=headers) as response:
                found = await response.json() if response.status == 200 else None
        except (aiohttp.ClientError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    async def _callback(self, url: str, method: str, more: dict[str, str]) -> None:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, ValueError):
            async with asyncio.timeout(CALLBACK_S):
                async with self._request(url, method, {**self._parameters(), **more}) as response:
                    await response.read()

    def _request(
        self, url: str, method: str, fields: dict[str, str]
    ) -> contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]:
        target = self.route(url)
        headers = {"User-Agent": USER_AGENT, "Accept": "*/*"}
        if method == "GET":
            query = "&" if urlsplit(url).query else "?"
            more = query + aiohttp.FormData(fields)().decode()
            return self._session.get(target + more, headers={**headers, **self._signed(url + more, {})})
        return self._session.post(target, data=fields, headers={**headers, **self._signed(url, fields)})

    def _signed(self, url: str, fields: dict[str, str]) -> dict[str, str]:
        token = self._options.auth_token
        if not token:
            return {}
        # Twilio's own code, not ours: the server's check is tried against an independent signature.
        signed = RequestValidator(token).compute_signature(_as_signed(url), fields)
        return {"X-Twilio-Signature": signed}

    def _parameters(self) -> dict[str, str]:
        """What Twilio says of a call in every request about it."""
        options = self._options
        return {
            "AccountSid": options.account_sid,
            "ApiVersion": "2010-04-01",
            "CallSid": self._call_sid,
            "CallStatus": "in-progress",
            "Called": options.to_number,
            "CalledCity": "",
            "CalledCountry": "US",
            "CalledState": "DC",
            "CalledZip": "",
            "Caller": options.from_number,
            "CallerCity": "",
            "CallerCountry": "US",
            "CallerState": "DC",
            "CallerZip": "",
            "Direction": "inbound",
            "From": options.from_number,
            "FromCity": "",
            "FromCountry": "US",
            "FromState": "DC",
            "FromZip": "",
            "To": options.to_number,
            "ToCity": "",
            "ToCountry": "US",
            "ToState": "DC",
            "ToZip": "",
            **dict(options.parameters),
        }


async def _begin(response: aiohttp.ClientResponse) -> bytes:
    """As much of a body as TwiML may be long, and a byte more, as it came: what it is, its reader says."""
    try:
        return await response.content.readexactly(twiml.MAX_BYTES + 1)
    except asyncio.IncompleteReadError as error:
        return error.partial


def _as_signed(url: str) -> str:
    """The form of a URL that Twilio signs: no user, and over HTTPS no port (Twilio, "Security")."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme == "https" and parts.port is not None:
        host = host.removesuffix(f":{parts.port}")
    return url.replace(parts.netloc, host, 1)


def _ws(url: str) -> str:
    return "ws" + url.removeprefix("http")


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        return os.strerror(number) if number and number > 0 else str(error.os_error)
    return str(error) or type(error).__name__
