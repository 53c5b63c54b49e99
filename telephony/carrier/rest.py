"""Twilio's REST API, as far as a phone line needs it: place a call, redirect or end one, point a number here.

twilio's own client, every request under a deadline of ours: its asynchronous form ignores the `timeout` it is
given (9.13, tried). Everything it could read from the environment is passed explicitly.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import aiohttp

from telephony.carrier.error_codes import explain
from telephony.config.settings import Settings
from telephony.errors import BadInput, PeerRefused

T = TypeVar("T")

DEADLINE_S = 10.0
LIVE_DEADLINE_S = 4.0  # while somebody waits on the line
TWIML_LIMIT = 4000  # characters of the Twiml parameter
OVER_CODES = frozenset({20404, 21220})  # the call is over: for a hang-up, that is success


class TwilioRefused(PeerRefused):
    """Twilio said no: `status` and `code` are its own, the message says what they mean and what to do."""

    def __init__(self, status: int | None, code: int | None, reason: str) -> None:
        known = explain(code)
        said = f"error {code}: {known or reason}" if code else reason
        super().__init__("Twilio", status, said)
        self.code = code


@dataclass(frozen=True, slots=True)
class Number:
    """A number of the account, and where it points."""

    sid: str
    phone_number: str
    webhooks: Mapping[str, str]
    """By the names of WEBHOOK_FIELDS."""
    overridden_by: str
    """What makes Twilio ignore voice_url: an application or trunk SID; empty when nothing does."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A call that waits to be placed."""

    sid: str
    from_number: str
    to: str


WEBHOOK_FIELDS = (
    "voice_url",
    "voice_method",
    "voice_fallback_url",
    "voice_fallback_method",
    "status_callback",
    "status_callback_method",
)


class TwilioRest:
    """A signed-in client. To be opened inside the running loop, and closed."""

    def __init__(self, client: Any, http: Any, deadline_s: float = DEADLINE_S) -> None:
        """A request for which nobody waits on the line may take `deadline_s` seconds."""
        self._client = client
        self._http = http
        self._deadline_s = deadline_s

    @classmethod
    async def open(cls, settings: Settings, deadline_s: float = DEADLINE_S) -> Self:
        """A client for these settings and this deadline. Raises BadInput where credentials are missing."""
        user, password = credentials(settings)
        rest = await asyncio.to_thread(importlib.import_module, "twilio.rest")  # takes half a second
        clients = await asyncio.to_thread(importlib.import_module, "twilio.http.async_http_client")
        http = clients.AsyncTwilioHttpClient()
        client = rest.Client(
            user,
            password,
            account_sid=settings.twilio_account_sid,
            region=settings.twilio_region or None,
            edge=settings.twilio_edge or None,
            http_client=http,
            environment={},
        )
        if settings.twilio_api_url:
            client.api.base_url = settings.twilio_api_url
        return cls(client, http, deadline_s)

    async def close(self) -> None:
        """Let the connections go."""
        await self._http.close()

    async def create_call(self, to: str, from_number: str, url: str, **more: Any) -> str:
        """Place a call, answered by the webhook `url`; its CallSid. Raises TwilioRefused."""
        call = await _within(
            self._deadline_s, self._client.calls.create_async(to=to, from_=from_number, url=url, **more)
        )
        return str(call.sid)

    async def say_call(self, to: str, from_number: str, twiml: str, **more: Any) -> str:
        """Place a call that carries out this TwiML; its CallSid. Raises TwilioRefused."""
        create = self._client.calls.create_async(to=to, from_=from_number, twiml=twiml, **more)
        return str((await _within(self._deadline_s, create)).sid)

    async def redirect(self, call_sid: str, twiml: str) -> None:
        """Have a running call carry out other TwiML; its stream ends. Raises TwilioRefused."""
        if len(twiml) > TWIML_LIMIT:
            raise TwilioRefused(None, None, f"TwiML of {len(twiml)} characters; REST takes {TWIML_LIMIT}")
        await _within(LIVE_DEADLINE_S, self._client.calls(call_sid).update_async(twiml=twiml))

    async def hang_up(self, call_sid: str) -> None:
        """End a call. One that is over already is as good. Raises TwilioRefused."""
        await self._end(call_sid, "completed")

    async def cancel(self, call_sid: str) -> None:
        """Withdraw a call that is queued or rings. Raises TwilioRefused."""
        await self._end(call_sid, "canceled")

    async def queued(self, limit: int = 1000) -> list[str]:
        """CallSids of the calls that wait to be placed. Raises TwilioRefused."""
        return [call.sid for call in await self.queued_calls(limit)]

    async def queued_calls(self, limit: int = 1000) -> list[Queued]:
        """The calls that wait to be placed. Raises TwilioRefused."""
        calls = await _within(self._deadline_s, self._client.calls.list_async(status="queued", limit=limit))
        # twilio's instance keeps the number in `_from` (9.13): `from` is a keyword.
        return [Queued(str(call.sid), str(call._from), str(call.to)) for call in calls]

    async def find_number(self, phone_number: str) -> Number:
        """A number of this account. Raises BadInput when it is none, and TwilioRefused."""
        listing = self._client.incoming_phone_numbers.list_async(phone_number=phone_number, limit=1)
        found = await _within(self._deadline_s, listing)
        if not found:
            raise BadInput(f"{phone_number} is not a number of this Twilio account")
        number = found[0]
        webhooks = {field: str(getattr(number, field) or "") for field in WEBHOOK_FIELDS}
        overridden = str(number.voice_application_sid or number.trunk_sid or "")
        return Number(str(number.sid), str(number.phone_number), webhooks, overridden)

    async def point_number(self, number_sid: str, webhooks: Mapping[str, str]) -> None:
        """Set a number's webhooks. Raises TwilioRefused."""
        await _within(
            self._deadline_s, self._client.incoming_phone_numbers(number_sid).update_async(**webhooks)
        )

    async def _end(self, call_sid: str, status: str) -> None:
        try:
            await _within(LIVE_DEADLINE_S, self._client.calls(call_sid).update_async(status=status))
        except TwilioRefused as error:
            if error.code not in OVER_CODES and error.status != 404:
                raise


def credentials(settings: Settings) -> tuple[str, str]:
    """User and password for REST: the API key where there is one, else the account and its first token.

    Raises BadInput, naming what is missing.
    """
    if not settings.twilio_account_sid:
        raise BadInput("TWILIO_ACCOUNT_SID is not set: Twilio's REST API needs it")
    if settings.twilio_api_key and settings.twilio_api_secret:
        return settings.twilio_api_key, settings.twilio_api_secret.reveal()
    if not settings.twilio_auth_token:
        raise BadInput(
            "set TWILIO_AUTH_TOKEN, or TWILIO_API_KEY and TWILIO_API_SECRET, to use Twilio's REST API"
        )
    return settings.twilio_account_sid, settings.twilio_auth_token[0].reveal()


def has_credentials(settings: Settings) -> bool:
    """Whether REST can be used at all."""
    return bool(settings.twilio_account_sid and (settings.twilio_api_key or settings.twilio_auth_token))


def _from_listing(error: Exception) -> TwilioRefused:
    """The refusal of a listing, which twilio's client raises without taking the response apart."""
    response = error.args[1] if len(error.args) > 1 else None
    status, text = getattr(response, "status_code", None), getattr(response, "text", "")
    try:
        body = json.loads(text)
        return TwilioRefused(status, int(body["code"]), str(body["message"]))
    except (ValueError, KeyError, TypeError):
        return TwilioRefused(status, None, str(error.args[0] if error.args else error))


async def _within(seconds: float, request: Awaitable[T]) -> T:
    """The request's result, or TwilioRefused in plain words."""
    from twilio.base.exceptions import TwilioException, TwilioRestException

    try:
        async with asyncio.timeout(seconds):
            return await request
    except TwilioRestException as error:
        code = error.code if isinstance(error.code, int) else None
        raise TwilioRefused(error.status, code, str(error.msg)) from error
    except TimeoutError:
        raise TwilioRefused(None, None, f"no answer within {seconds:g} s") from None
    except TwilioException as error:
        raise _from_listing(error) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise TwilioRefused(None, None, str(error) or type(error).__name__) from error
