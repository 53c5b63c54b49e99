"""A Twilio account for tests: the REST stand-in, served, and clients signed in to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp.test_utils import TestServer

from telephony.carrier.rest import TwilioRest
from telephony.config.settings import Settings
from telephony.testing.fake_twilio_rest import FakeTwilioRest, OnCall

ACCOUNT = "AC" + "a" * 32
TOKEN = "0123456789abcdef0123456789abcdef"


class Account:
    """A stand-in that is served, and clients signed in to it."""

    def __init__(self, standin: FakeTwilioRest, url: str) -> None:
        self.standin, self.url = standin, url
        self.clients: list[TwilioRest] = []

    def environ(self) -> dict[str, str]:
        return {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "TWILIO_API_URL": self.url}

    async def client(self, **environ: str) -> TwilioRest:
        rest = await TwilioRest.open(Settings.load({**self.environ(), **environ}))
        self.clients.append(rest)
        return rest


@asynccontextmanager
async def rest_account(on_call: OnCall | None = None) -> AsyncIterator[Account]:
    """An account on a port of its own."""
    standin = FakeTwilioRest(ACCOUNT, {ACCOUNT: TOKEN, "SK1": "secret"}, on_call)
    async with TestServer(standin.app(), host="127.0.0.1") as server:
        account = Account(standin, str(server.make_url("/")).rstrip("/"))
        yield account
        for client in account.clients:
            await client.close()
