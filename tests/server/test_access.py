"""Every route, and every way to come to it without proof. A new route is in the table by itself."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from telephony.config.secret_rules import short_secrets
from telephony.config.settings import Settings
from telephony.engine.listen.loudness import LoudnessPool
from telephony.engine.server import Engine
from telephony.engine.server import make_app as make_engine
from telephony.engine.speak.synthesizer_pool import SynthesizerPool
from telephony.server.app import make_app
from tests.engine.tone_voice import ToneVoices
from tests.twilio_side import CALL, PUBLIC, Answering, phone_line, server_state

STRANGERS: dict[str, tuple[dict[str, str], int]] = {
    "nginx's proxy headers": ({"X-Forwarded-For": "203.0.113.9"}, 403),
    "X-Real-IP": ({"X-Real-IP": "127.0.0.1"}, 403),
    "cloudflared": ({"Cf-Ray": "1", "Cf-Connecting-Ip": "203.0.113.9"}, 403),
    "tailscale funnel": ({"Tailscale-Funnel-Request": "?1"}, 403),
    "a name of its own": ({"Host": "evil.example"}, 421),
    "another site's page": ({"Origin": "https://evil.example"}, 403),
    "another port's page": ({"Origin": "http://127.0.0.1:1"}, 403),
    "a page without an origin": ({"Origin": "null"}, 403),
    "a picture in a page": ({"Sec-Fetch-Site": "cross-site"}, 403),
}
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
PAID_NOTHING = ("/healthz", "/readyz", "/twilio/hold.wav")


def routes_of(app: web.Application) -> Iterator[tuple[str, str]]:
    """Method and a path of every route."""
    for route in app.router.routes():
        assert route.resource is not None
        for method in ("GET", "POST") if route.method == "*" else (route.method,):
            yield method, re.sub(r"\{[^}]*\}", CALL, route.resource.canonical)


async def statuses(server: TestServer, headers: dict[str, str]) -> dict[str, int]:
    """What every route answers to these headers."""
    found = {}
    async with ClientSession() as session:
        for method, path in routes_of(server.app):
            asked = {**UPGRADE, **headers} if method == "GET" else headers
            url = server.make_url(path)
            async with session.request(method, url, headers=asked, data=None) as answer:
                found[f"{method} {path}"] = answer.status
    return found


def an_engine(here_only: bool = True) -> Engine:
    return Engine(LoudnessPool(), SynthesizerPool(ToneVoices()), here_only=here_only)


@asynccontextmanager
async def server_of(app: web.Application) -> AsyncIterator[TestServer]:
    server = TestServer(app, host="127.0.0.1")
    async with server:
        yield server


@pytest.mark.parametrize("way", STRANGERS)
async def test_without_proof_no_route_of_the_server_takes_a_stranger(tmp_path: Path, way: str) -> None:
    """PUBLIC_URL is unset, and so is every key: 421 for a foreign name, else 403, and nothing is opened."""
    headers, status = STRANGERS[way]
    async with phone_line(tmp_path) as phone:
        found = await statuses(phone.client.server, headers)  # type: ignore[arg-type]
        assert len(found) >= 19 and set(found.values()) == {status}, found
        assert await phone.state.slots.free() == phone.state.settings.max_calls
        assert sum(
            phone.state.host.admission.counters.get(kind, 0) for kind in ("host", "forwarded", "origin")
        ) == len(found)


@pytest.mark.parametrize("way", STRANGERS)
async def test_no_route_of_the_engine_takes_a_stranger(way: str) -> None:
    """It takes any key, so none proves anything: no web page uses its streams."""
    headers, status = STRANGERS[way]
    async with server_of(make_engine(an_engine())) as server:
        found = await statuses(server, headers)
        assert len(found) >= 8 and set(found.values()) == {status}, found


async def test_the_engine_serves_other_machines_when_it_was_told_to_and_no_foreign_page() -> None:
    """An address that was chosen is a choice; a page of another site is not its operator's."""
    async with server_of(make_engine(an_engine(here_only=False))) as server:
        through = await statuses(server, {"Host": "engine:9090", "X-Forwarded-For": "10.0.0.9"})
        assert not {403, 421} & set(through.values())
        assert set((await statuses(server, {"Origin": "https://evil.example"})).values()) == {403}


async def test_a_local_client_and_a_page_of_ours_are_let_in(tmp_path: Path) -> None:
    """Nothing but the methods, bodies and tokens of the routes themselves is asked for."""
    async with phone_line(tmp_path) as phone:
        ours = {"Origin": f"http://127.0.0.1:{phone.client.port}", "Sec-Fetch-Site": "same-origin"}
        for headers in ({}, ours):
            found = await statuses(phone.client.server, headers)  # type: ignore[arg-type]
            closed = {path for path, status in found.items() if status in (403, 421)}
            # Without API_KEYS nobody dials or deletes, from this machine neither.
            assert all(path.startswith(("POST /api", "DELETE /api")) for path in closed), found


async def test_a_public_server_wants_proof_for_everything_that_tells_or_costs(tmp_path: Path) -> None:
    """Whatever the way: a signature, a key, a token. Without keys the API and the metrics are closed."""
    for more, closed in (({}, {401, 403}), ({"API_KEYS": "", "METRICS_TOKEN": ""}, {403})):
        async with phone_line(tmp_path, **{**PUBLIC, "METRICS_TOKEN": "for-prometheus", **more}) as phone:
            found = await statuses(phone.client.server, {})  # type: ignore[arg-type]
            open_to_all = {path for path in found if path.endswith(PAID_NOTHING)}
            assert {found[path] for path in open_to_all} == {200}
            assert {found[path] for path in found.keys() - open_to_all} <= closed, found


async def test_a_key_proves_its_bearer_whatever_the_way(tmp_path: Path) -> None:
    """Somebody who put a proxy in front and set API_KEYS uses the API through it."""
    async with phone_line(tmp_path, API_KEYS="key-one") as phone:
        headers = {"X-Forwarded-For": "203.0.113.9", "Host": "phone.example", "X-API-Key": "key-one"}
        assert (await phone.client.get("/api/calls", headers=headers)).status == 200
        headers["X-API-Key"] = "key-two"
        assert (await phone.client.get("/api/calls", headers=headers)).status == 401


async def test_a_route_that_is_not_in_the_table_wants_a_key(tmp_path: Path) -> None:
    """Nobody has to remember it: a new route is closed until somebody opens it."""

    async def new(request: web.Request) -> web.Response:
        return web.Response()

    settings = Settings.load({"DATA_DIR": str(tmp_path), **PUBLIC})
    state, close = await server_state(settings, Answering())
    app = make_app(state, None)  # type: ignore[arg-type]
    app.router.add_get("/new", new)
    app.router.add_post("/twilio/new", new)
    async with server_of(app) as server, ClientSession() as session:
        async with session.get(server.make_url("/new")) as answer:
            assert answer.status == 401
        async with session.get(server.make_url("/new"), headers={"X-API-Key": "key-one"}) as answer:
            assert answer.status == 200
    await close()


def test_short_secrets_are_seen_on_a_public_server_only() -> None:
    """What opens a door of ours has 16 characters at least; what others made has the length they chose."""
    short = {
        "API_KEYS": "a" * 16 + ",b",
        "METRICS_TOKEN": "c",
        "STREAM_SECRET": "d",
        "TWILIO_API_SECRET": "e",
    }
    public = {"TWILIO_AUTH_TOKEN": "f" * 15, "PUBLIC_URL": "https://phone.example"}
    found = short_secrets(Settings.load({**short, **public}))
    assert set(found) == {
        ("API_KEYS", "b"),
        ("METRICS_TOKEN", "c"),
        ("STREAM_SECRET", "d"),
        ("TWILIO_AUTH_TOKEN", "f" * 15),
    }
    assert short_secrets(Settings.load(short)) == []
