"""Behind a real reverse proxy: Twilio's requests work with both kinds, a stranger's get nothing."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from aiohttp import ClientSession
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from tests.nginx import WEBSOCKETS, needs_nginx, nginx
from tests.twilio_side import AUTH_TOKEN, CALL, PUBLIC, Phone, parameters_of, phone_line, start_message

HOST = "https://line.example.com"
FORM = {"CallSid": CALL, "CallStatus": "ringing", "From": "+14155550100"}
PATHS = ["/voice-app", "/twilio", "/a/b"]
"""Of PUBLIC_URL. The second one begins as our own routes do."""


def signed(url: str, form: dict[str, str] | None = None) -> dict[str, str]:
    """As Twilio signs it: over the URL that it was given."""
    signature = RequestValidator(AUTH_TOKEN).compute_signature(url, MultiDict(form or {}))
    return {"X-Twilio-Signature": str(signature)}


@needs_nginx
@pytest.mark.parametrize("kept", [True, False], ids=["the path is kept", "the path is taken off"])
@pytest.mark.parametrize("path", PATHS)
async def test_a_public_url_with_a_path_works_behind_both_kinds_of_proxy(
    tmp_path: Path, path: str, kept: bool
) -> None:
    """Webhooks by POST and GET, the media socket, what follows; a signature of another URL is refused."""
    public = HOST + path
    async with phone_line(tmp_path / "line", **{**PUBLIC, "PUBLIC_URL": public}) as phone:
        target = f"http://127.0.0.1:{phone.client.port}{'' if kept else '/'}"
        location = f"location {path}/ {{ proxy_pass {target}; {WEBSOCKETS} }}"
        async with nginx(tmp_path / "nginx", location) as proxy, ClientSession() as session:
            url = f"{proxy}{path}/twilio/voice"
            async with session.post(url, data=FORM, headers=signed(f"{HOST}/twilio/voice", FORM)) as answer:
                # Where the path is /twilio, that is a URL of its own: no webhook of ours.
                assert answer.status == 403
            headers = signed(f"{public}/twilio/voice", FORM)
            async with session.post(url, data=FORM, headers=headers) as answer:
                assert answer.status == 200
                twiml = ElementTree.fromstring(await answer.text())
            stream = twiml.find("Connect/Stream")
            assert stream is not None and stream.get("url") == f"wss{public[5:]}/twilio/media"
            assert twiml.findtext("Redirect") == f"{public}/twilio/after"
            query = f"/twilio/status?{urlencode(FORM)}"
            async with session.get(f"{proxy}{path}{query}", headers=signed(public + query)) as answer:
                assert answer.status == 204
            media = f"{path}/twilio/media"
            socket = await session.ws_connect(proxy + media, headers=signed(f"wss{HOST[5:]}{media}"))
            await socket.send_json(start_message(parameters_of(twiml)))
            await phone.answering.arrival.wait()
            await socket.close()
            after = {**FORM, "CallStatus": "in-progress"}
            headers = signed(f"{public}/twilio/after", after)
            async with session.post(f"{proxy}{path}/twilio/after", data=after, headers=headers) as answer:
                assert answer.status == 200


@needs_nginx
@pytest.mark.parametrize(
    "settings",
    ["", "proxy_set_header X-Forwarded-For $remote_addr;", "proxy_set_header Host $host;" + WEBSOCKETS],
    ids=["bare", "usual", "its own name"],
)
async def test_the_internet_gets_nothing_from_a_local_server_by_a_proxy(
    tmp_path: Path, settings: str
) -> None:
    """PUBLIC_URL is unset; with nginx's bare proxy_pass nothing but its HTTP/1.0 gives the way away."""
    async with phone_line(tmp_path / "line") as phone:
        location = f"location / {{ proxy_pass http://127.0.0.1:{phone.client.port}; {settings} }}"
        async with nginx(tmp_path / "nginx", location) as proxy, ClientSession() as session:
            stranger = {"Host": "phone.example"}
            for path in ("/api/calls", f"/api/calls/{CALL}", "/api/calls/old/tape", "/metrics", "/healthz"):
                async with session.get(proxy + path, headers=stranger) as answer:
                    assert answer.status in (403, 421), path
            async with session.post(f"{proxy}/twilio/voice", data=FORM, headers=stranger) as answer:
                assert answer.status in (403, 421)
        assert await phone.state.slots.free() == phone.state.settings.max_calls


@pytest.mark.parametrize("path", ["/twilio/voice", "/twilio/status", "/twilio/after", "/twilio/fallback"])
async def test_a_webhook_may_come_by_get(tmp_path: Path, path: str) -> None:
    """Signed over the whole URL (Twilio, "Security"); a changed field does not fit."""
    async with phone_line(tmp_path, **PUBLIC) as phone:
        url = f"{path}?{urlencode({**FORM, 'CallerName': 'Añá & co'})}"
        good = await phone.client.get(url, headers=signed(HOST + url))
        assert good.status in (200, 204), await good.text()
        changed = url.replace("ringing", "completed")
        assert (await phone.client.get(changed, headers=signed(HOST + url))).status == 403
        assert (await phone.client.get(url)).status == 403


async def test_by_get_and_by_post_the_same_is_answered(tmp_path: Path) -> None:
    """A repetition by the other method, too: one token for the call."""
    async with phone_line(tmp_path, **PUBLIC) as phone:
        url = f"/twilio/voice?{urlencode(FORM)}"
        by_get = await (await phone.client.get(url, headers=signed(HOST + url))).text()
        assert by_get == await (await phone.post("/twilio/voice")).text()
        assert parameters_of(ElementTree.fromstring(by_get))["from"] == "+14155550100"


REFUSED = [
    ("PUT", "/twilio/voice", 405),
    ("POST", "/twilio/voice/", 404),
    ("GET", "/twilio/voice/", 404),
    ("POST", "/", 404),
    ("POST", "/voice-app/twilio/voice", 404),
    ("POST", "/twilio/voice", 403),
    ("GET", "/twilio/media", 403),
    ("GET", "/api/calls", 401),
    ("DELETE", "/api/calls/old", 401),
    ("GET", "/metrics", 403),
    ("GET", "/.env", 404),
    ("PATCH", "/twilio/voice", 405),
]


@pytest.mark.parametrize(("method", "path", "status"), REFUSED)
async def test_what_is_refused_is_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, method: str, path: str, status: int
) -> None:
    """With method, path and status; without the query, which may hold anything."""
    async with phone_line(tmp_path, **PUBLIC) as phone:
        with caplog.at_level(logging.INFO):
            asked = {"X-API-Key": ""} if path.startswith("/api") else {}
            answer = await phone.client.request(method, f"{path}?secret=hidden-canary", headers=asked)
            assert answer.status == status
    lines = [record for record in caplog.records if record.name == "telephony.server.access"]
    assert len(lines) == 1 and lines[0].levelno >= logging.INFO
    assert f"refused {method} {path} from 127.0.0.1: {status}" in lines[0].getMessage()
    assert not [record for record in lines if "hidden-canary" in record.getMessage()]


async def test_what_is_no_webhook_of_ours_says_what_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A slash behind it, the bare address."""
    async with phone_line(tmp_path, **PUBLIC) as phone:
        for path in ("/twilio/voice/", "/", "/twilio"):
            caplog.clear()
            with caplog.at_level(logging.INFO):
                assert (await phone.post(path)).status == 404
            assert "PUBLIC_URL/twilio/voice" in caplog.text


async def test_a_path_cannot_forge_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Control characters are escaped, and it ends somewhere."""
    async with phone_line(tmp_path, **PUBLIC) as phone:
        with caplog.at_level(logging.INFO):
            await phone.client.get("/%0a2026-11-28%20INFO%20forged%1b[2J" + "x" * 1000)
    (line,) = [r.getMessage() for r in caplog.records if r.name == "telephony.server.access"]
    assert "\n" not in line and "\x1b" not in line and len(line) < 300


async def test_a_programs_question_about_a_call_that_is_not_there_is_no_refusal(
    phone_with_key: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    """`telephony call` asks several times a second."""
    with caplog.at_level(logging.INFO):
        answer = await phone_with_key.client.get("/api/calls/never", headers={"X-API-Key": "key-one"})
        assert answer.status == 404 and json.loads(await answer.text())["error"]
    assert not [r for r in caplog.records if r.name == "telephony.server.access"]


@pytest.fixture
async def phone_with_key(tmp_path: Path):  # type: ignore[no-untyped-def]
    async with phone_line(tmp_path, **PUBLIC) as line:
        yield line
