"""The other end of our web side in tests: it signs with twilio's own library and speaks raw HTTP and JSON."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

from aiohttp import ClientResponse, ClientSession, ClientWebSocketResponse, TCPConnector, web
from aiohttp.test_utils import TestClient, TestServer
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from telephony.base import boot_clock
from telephony.base.shared_store import SqliteSharedStore
from telephony.call.registry import CallRegistry
from telephony.carrier.media_messages import Started
from telephony.carrier.media_stream import ServerStream
from telephony.carrier.rest import DEADLINE_S, TwilioRest, has_credentials
from telephony.config.settings import Settings
from telephony.record.store import RecordStore
from telephony.server.app import make_app
from telephony.server.call_host import make_host
from telephony.server.loop_lag import TICKS
from telephony.server.number_routes_file import routes_of
from telephony.server.open_streams import Answer
from telephony.server.state import ServerState, make_state
from telephony.server.stream_tokens import stream_keys
from tests.pacing import until

AUTH_TOKEN = "0123456789abcdef0123456789abcdef"
PUBLIC_URL = "https://line.example.com"
CALL = "CA" + "c" * 32


@dataclass
class Answering:
    """Answers streams, counts them, and lets go of each when its peer does."""

    answered: list[Started] = field(default_factory=list)
    prewarmed: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    defect: str = ""
    """What every call fails with, if it is to fail."""
    received: int = 0
    arrival: asyncio.Event = field(default_factory=asyncio.Event)

    def prewarm(self, call_sid: str, about: Mapping[str, str]) -> None:
        self.prewarmed.append((call_sid, about))

    def cancel_prewarm(self, call_sid: str) -> None:
        self.cancelled.append(call_sid)

    async def answer(self, socket: web.WebSocketResponse, stream: ServerStream, started: Started) -> None:
        if self.defect:
            raise RuntimeError(self.defect)
        self.answered.append(started)
        self.arrival.set()
        async for _ in socket:
            self.received += 1


class Records:
    """Calls as /api/calls shows them."""

    def __init__(self, running: Mapping[str, dict[str, Any]], finished: Mapping[str, dict[str, Any]]) -> None:
        self.running, self.finished = running, finished

    def snapshot(self, call_id: str) -> dict[str, Any] | None:
        return self.running.get(call_id)

    async def load(self, call_id: str) -> dict[str, Any] | None:
        return self.finished.get(call_id)

    async def recent(self, most: int) -> list[dict[str, Any]]:
        return [*self.running.values(), *self.finished.values()][:most]

    async def tape_path(self, call_id: str) -> Path | None:
        return Path(__file__) if call_id in self.finished else None

    async def delete(self, call_id: str) -> list[str]:
        known = call_id in self.finished
        return [self.finished[call_id]["call_sid"]] if known else []


@dataclass
class Phone:
    """A server with a line, and a Twilio that calls it."""

    state: ServerState
    answering: Answering
    client: TestClient[web.Request, web.Application]

    def signed(self, url: str, form: Mapping[str, str]) -> dict[str, str]:
        """Twilio's signature header, for a server that has an auth token."""
        if not self.state.settings.twilio_auth_token:
            return {}
        base = self.state.settings.public_url or f"http://127.0.0.1:{self.client.port}"
        if url == "/twilio/media":
            base = "ws" + base.removeprefix("http")
        signature = RequestValidator(AUTH_TOKEN).compute_signature(base + url, MultiDict(form))
        return {"X-Twilio-Signature": str(signature)}

    async def post(
        self,
        path: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **more: str,
    ) -> ClientResponse:
        """A webhook about CALL."""
        fields = {"CallSid": CALL, "CallStatus": "ringing", "From": "+14155550100", **(form or {}), **more}
        form_type = {"Content-Type": "application/x-www-form-urlencoded"}
        signed = {**form_type, **self.signed(path, fields), **(headers or {})}
        return await self.client.post(path, data=urlencode(fields).encode(), headers=signed)

    async def twiml(
        self, path: str, form: Mapping[str, str] | None = None, **more: str
    ) -> ElementTree.Element:
        """The parsed TwiML of a webhook's answer."""
        response = await self.post(path, {**(form or {}), **more})
        assert response.status == 200, await response.text()
        assert response.content_type == "text/xml"
        return ElementTree.fromstring(await response.text())

    async def connect(self) -> ClientWebSocketResponse:
        """The media websocket, as Twilio opens it."""
        headers = {"User-Agent": "Twilio.TmeWs/1.0", **self.signed("/twilio/media", {})}
        return await self.client.ws_connect("/twilio/media", headers=headers)

    async def start(self, parameters: Mapping[str, str], call_sid: str = CALL) -> ClientWebSocketResponse:
        """Connect, then say connected and start."""
        socket = await self.connect()
        await socket.send_json({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        await socket.send_json(start_message(parameters, call_sid))
        return socket

    async def call(self) -> ClientWebSocketResponse:
        """A whole call's beginning: webhook, TwiML, websocket, start."""
        return await self.start(parameters_of(await self.twiml("/twilio/voice")))


def start_message(parameters: Mapping[str, str], call_sid: str = CALL) -> dict[str, Any]:
    """Twilio's `start`."""
    stream_sid = "MZ" + "0" * 32
    start = {
        "streamSid": stream_sid,
        "accountSid": "AC" + "0" * 32,
        "callSid": call_sid,
        "tracks": ["inbound"],
        "customParameters": dict(parameters),
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
    }
    return {"event": "start", "sequenceNumber": "1", "streamSid": stream_sid, "start": start}


def parameters_of(answer: ElementTree.Element) -> dict[str, str]:
    """What the TwiML's stream is told."""
    return {p.get("name", ""): p.get("value", "") for p in answer.iter("Parameter")}


async def server_state(
    settings: Settings,
    answer: Answer,
    uptime: Callable[[], float] = boot_clock.uptime_s,
    rest_deadline_s: float = DEADLINE_S,
) -> tuple[ServerState, Callable[[], Awaitable[None]]]:
    """A server's state with this in the place of calls, and what closes it."""
    store = SqliteSharedStore(settings.data_dir / "shared.db", uptime)
    keys = await stream_keys(settings, store)
    rest = await TwilioRest.open(settings, rest_deadline_s) if has_credentials(settings) else None
    records = RecordStore(settings.data_dir, "tests", store.now)
    host = make_host(settings, store, rest, lambda: records.left_out)
    state = make_state(host, CallRegistry(records), answer, routes_of(settings), keys)

    async def close() -> None:
        if rest is not None:
            await rest.close()
        await records.close()
        await store.close()

    return state, close


@asynccontextmanager
async def phone_line(
    folder: Path,
    uptime: Callable[[], float] = boot_clock.uptime_s,
    rest_deadline_s: float = DEADLINE_S,
    /,
    **environ: str,
) -> AsyncIterator[Phone]:
    """A running server with these settings; `uptime` is what the shared store's time goes by."""
    settings = Settings.load({"DATA_DIR": str(folder), **environ})
    answering = Answering()
    state, close = await server_state(settings, answering, uptime, rest_deadline_s)
    records = Records({CALL: {"call_sid": CALL, "live": True}}, {"old": {"call_sid": "CA1", "live": False}})
    server = TestServer(make_app(state, records), host="127.0.0.1")
    async with TestClient(server, connector=TCPConnector(limit=0)) as client:
        yield Phone(state, answering, client)
    await close()


def late(state: ServerState, seconds: float) -> None:
    """Make the event loop's lag this."""
    for _ in range(TICKS):
        state.lag.tick(state.lag.last - seconds, state.lag.last)


PUBLIC = {"TWILIO_AUTH_TOKEN": AUTH_TOKEN, "PUBLIC_URL": PUBLIC_URL, "API_KEYS": "key-one,key-two"}
__all__ = [
    "AUTH_TOKEN",
    "CALL",
    "PUBLIC",
    "PUBLIC_URL",
    "Answering",
    "ClientSession",
    "Phone",
    "phone_line",
    "until",
]
