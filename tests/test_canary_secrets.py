"""Canary secrets at every door, at DEBUG, in all that is written: log, output, files. None is found."""

from __future__ import annotations

import asyncio
import base64
import io
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import websockets
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from websockets.asyncio.client import connect

from telephony import logs
from telephony.engine.listen.loudness import LoudnessPool
from telephony.engine.server import Engine, make_app
from telephony.engine.speak.synthesizer_pool import SynthesizerPool
from telephony.simulator.call_options import CallOptions
from telephony.simulator.caller import RecordingCaller
from telephony.simulator.simulator import place_call
from telephony.testing.fake_flux import FakeFlux
from telephony.testing.fake_scripts import Cycle
from telephony.testing.fake_speak import FakeSpeak
from tests.engine.tone_voice import ToneVoices
from tests.rest_account import rest_account

ROOT = Path(__file__).resolve().parents[1]
PUBLIC_URL = "https://line.example.com"
OURS = {
    "API_KEYS": "canary-api-key-0001,canary-api-key-0002",
    "METRICS_TOKEN": "canary-metrics-0003",
    "STREAM_SECRET": "canary-stream-0004",
    "DEEPGRAM_API_KEY": "canary-deepgram-0005",
    "TWILIO_API_SECRET": "canary-rest-0006",
}
"""What is set here. TWILIO_AUTH_TOKEN is the account's, and a canary like these."""
PATHS = ("/twilio/voice", "/twilio/media", "/api/calls", "/metrics", "/healthz", "/nowhere")
THEIRS = "canary-theirs-0007"
"""Somebody else's: no setting knows it."""


def with_a_key(key: str) -> Iterator[tuple[dict[str, str], str]]:
    """Headers and query in which a client may bring a key."""
    basic = base64.b64encode(f"user:{key}".encode()).decode()
    for scheme in (f"Bearer {key}", f"Token {key}", f"token {key}", f"Basic {basic}", key):
        yield {"Authorization": scheme}, ""
    yield {"X-API-Key": key}, ""
    yield {"Cookie": f"session={key}"}, ""
    for offered in (f"token, {key}", f"bearer, {key}", f"Token,{key}", key):
        yield {"Sec-WebSocket-Protocol": offered, **UPGRADE}, ""
    for name in ("token", "access_token", "api_key", "key"):
        yield {}, f"?{name}={quote(key)}"
    yield {"X-Twilio-Signature": key}, ""


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def found(canaries: Mapping[str, str], written: str) -> list[str]:
    """The canaries in it, also in base64."""
    coded = {name: base64.b64encode(f"user:{value}".encode()).decode() for name, value in canaries.items()}
    return [name for name, value in canaries.items() if value in written or coded[name] in written]


async def knock(session: ClientSession, url: str, keys: list[str]) -> None:
    """Every way to bring each key to a path, by GET and POST."""
    for key in keys:
        for headers, query in with_a_key(key):
            for method in ("GET",) if "Upgrade" in headers else ("GET", "POST"):
                try:
                    async with session.request(method, url + query, headers=headers) as answer:
                        if answer.status != 101:
                            await answer.read()
                except aiohttp.ClientError:
                    pass


async def test_no_secret_reaches_what_the_server_writes(tmp_path: Path) -> None:
    """A whole server: every route knocked at with right and wrong keys, a call, a dialled one, a tape."""
    async with rest_account() as account:
        flux = FakeFlux(lambda options: Cycle(texts=("hello", "hello")))
        await flux.start(0, FakeSpeak(lambda text: 0.3))
        token = account.environ()["TWILIO_AUTH_TOKEN"]
        canaries = {**OURS, "TWILIO_AUTH_TOKEN": token, "theirs": THEIRS}
        del canaries["API_KEYS"]
        keys = OURS["API_KEYS"].split(",")
        canaries |= {f"API_KEYS {number}": key for number, key in enumerate(keys)}
        environ = {**OURS, **account.environ(), "PUBLIC_URL": PUBLIC_URL, "DEEPGRAM_URL": flux.url}
        environ |= {"DATA_DIR": str(tmp_path / "data"), "LOG_LEVEL": "DEBUG", "DIAL_FROM": "+14155550100"}
        environ |= {"EAGER": "off", "PYTHONPATH": str(ROOT), "RECORD": "on"}
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "telephony", "serve", "--host", "127.0.0.1", "--port", "0"),
            env={**inherited, **environ},
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None and process.stderr is not None
        reading = asyncio.create_task(process.stderr.read())
        try:
            async with asyncio.timeout(60):
                ready = (await process.stdout.readline()).decode()
            url = ready.split()[4]
            async with ClientSession() as session:
                for path in (
                    "/twilio/voice",
                    "/twilio/media",
                    "/api/calls",
                    "/metrics",
                    "/healthz",
                    "/nowhere",
                ):
                    await knock(session, url + path, [*keys, OURS["METRICS_TOKEN"], THEIRS])
                dialled = {"to": "+14155550111", "say": "Hello."}
                async with session.post(
                    f"{url}/api/calls", json=dialled, headers={"X-API-Key": keys[0]}
                ) as answer:
                    assert answer.status == 201, await answer.text()
            caller = RecordingCaller(b"\xff" * 16_000, hang_up_after_s=0.5)
            options = CallOptions(server=url, auth_token=token, public_url=PUBLIC_URL, api_key=keys[1])
            result = await place_call(caller, options)
            assert result.record is not None
        finally:
            process.terminate()
            rest = (await process.stdout.read()).decode()
            log = (await reading).decode()
            await process.wait()
            await flux.close()
    assert "telephony.server.access: refused" in log and "telephony.call.call: " in log
    assert found(canaries, ready + rest + log) == []
    files = [file for file in (tmp_path / "data").rglob("*") if file.is_file()]
    assert len(files) >= 3
    for file in files:
        assert found(canaries, file.read_bytes().decode("latin-1")) == [], file


@pytest.fixture
def everything() -> Iterator[io.StringIO]:
    """The log as the engine sets it up, with the libraries' own levels lifted: all that they would say."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    loud = {name: logging.getLogger(name).level for name in logs.NOISY}
    stream = io.StringIO()
    logs.set_up("DEBUG", (), stream)
    for name in logs.NOISY:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    for name, was in loud.items():
        logging.getLogger(name).setLevel(was)


async def test_no_secret_reaches_what_the_engine_writes(everything: io.StringIO) -> None:
    """It takes any key, and is told none: the log knows them by what surrounds them. Clients' lines, too."""
    async with TestServer(
        make_app(Engine(LoudnessPool(), SynthesizerPool(ToneVoices()))), host="127.0.0.1"
    ) as server:
        url = str(server.make_url("/"))
        async with ClientSession() as session:
            for path in ("v2/listen", "v1/listen", "v2/speak", "v1/speak", "healthz"):
                await knock(session, url + path, [THEIRS])
        query = "model=flux-general-en&encoding=linear16&sample_rate=8000"
        listen = f"ws{url[4:]}v2/listen?{query}"
        browser: Any = ["token", THEIRS]
        async with connect(listen, subprotocols=browser) as socket:
            assert socket.subprotocol == "token"
            await socket.send('{"type":"CloseStream"}')
        headers = {"Authorization": f"Token {THEIRS}"}
        async with connect(listen, additional_headers=headers) as socket:
            await socket.send('{"type":"CloseStream"}')
        with pytest.raises(websockets.InvalidHandshake):
            await connect(f"{listen}&token={THEIRS}", subprotocols=[browser[1]])
    written = everything.getvalue()
    assert "websockets.client: > GET" in written and "aiohttp.websocket" in written
    assert found({"theirs": THEIRS}, written) == []


async def test_a_browsers_key_is_no_librarys_to_write(caplog: pytest.LogCaptureFixture) -> None:
    """Neither where the log was set up by somebody else."""
    async with TestServer(
        make_app(Engine(LoudnessPool(), SynthesizerPool(ToneVoices()))), host="127.0.0.1"
    ) as server:
        with caplog.at_level(logging.DEBUG):
            async with ClientSession() as session:
                for offered in (f"token, {THEIRS}", THEIRS):
                    headers = {"Sec-WebSocket-Protocol": offered, **UPGRADE}
                    async with session.get(server.make_url("/v2/speak?model=flux-x-en"), headers=headers):
                        pass
    assert THEIRS not in caplog.text
