"""`telephony engine` as a person starts it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiohttp import ClientSession

from telephony.audio.wav import read_wav
from telephony.engine.models import catalogue

pytestmark = pytest.mark.slow


async def start(
    *arguments: str, fetch: bool = False, environ: Mapping[str, str] | None = None
) -> tuple[asyncio.subprocess.Process, str]:
    """The command and the http address that it prints."""
    arguments += () if fetch else ("--no-fetch",)
    engine = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telephony", "engine", "--port", "0", *arguments),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **(environ or {})},
    )
    assert engine.stdout is not None
    line = (await asyncio.wait_for(engine.stdout.readline(), 30)).decode()
    found = re.search(r"ws://(\S+)/v2/listen", line)
    assert found, line
    return engine, f"http://{found[1]}"


async def test_it_says_where_it_is_how_it_is_and_ends_in_order() -> None:
    engine, url = await start("--limit", "3")
    async with ClientSession() as session, session.get(f"{url}/healthz") as response:
        health = await response.json()
    assert health["status"] == "ok"
    assert health["listen_limit"] == 3
    assert health["recognition"] in ("ready", "loudness")
    engine.terminate()
    assert await asyncio.wait_for(engine.wait(), 10) == 0


def without_network(cache: Path) -> dict[str, str]:
    """No package index, and another cache."""
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_FIND_LINKS": ""}
    return {**nowhere, "PIP_CONFIG_FILE": os.devnull, "XDG_CACHE_HOME": str(cache)}


@pytest.mark.parametrize(
    ("here", "recognition"), [((), "loudness"), (("silero-vad", "moonshine-tiny-en"), "ready")]
)
async def test_what_cannot_be_fetched_is_done_without(
    tmp_path: Path, here: tuple[str, ...], recognition: str
) -> None:
    """A weaker way is used, and said: loudness instead of words, partial texts instead of careful ones."""
    if absent := catalogue.missing(here):
        pytest.skip(f"models are not here: {', '.join(absent)}")
    kept = tmp_path / "telephony" / "models"
    kept.mkdir(parents=True)
    for model in here:
        (kept / model).symlink_to(catalogue.cache_dir() / model)
    engine, url = await start(fetch=True, environ=without_network(tmp_path))
    try:
        async with ClientSession() as session, session.get(f"{url}/healthz") as response:
            health = await response.json()
        assert health["recognition"] == recognition
        assert health["notes"]
    finally:
        engine.terminate()
        await asyncio.wait_for(engine.wait(), 10)


async def test_curl_gets_playable_mulaw() -> None:
    if absent := catalogue.missing(["joe"]):
        pytest.skip(f"models are not here: {', '.join(absent)}")
    if shutil.which("curl") is None:
        pytest.skip("curl is not here")
    engine, url = await start()
    try:
        curl = await asyncio.create_subprocess_exec(
            *("curl", "--silent", "--show-error", "--fail", "--json", '{"text": "Two lattes, please."}'),
            f"{url}/v1/speak?model=aura-2-thalia-en&encoding=mulaw&sample_rate=8000",
            stdout=asyncio.subprocess.PIPE,
        )
        audio, _ = await asyncio.wait_for(curl.communicate(), 60)
        wav = read_wav(audio)
        assert (wav.rate, wav.channels) == (8000, 1)
        assert 0.7 < wav.duration_s < 4
    finally:
        engine.terminate()
        await asyncio.wait_for(engine.wait(), 10)


async def test_a_port_that_cannot_be_had_is_one_line_and_status_2() -> None:
    engine, url = await start()
    port = url.rsplit(":", 1)[1]
    second = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telephony", "engine", "--port", port, "--no-fetch"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(second.communicate(), 30)
    assert second.returncode == 2
    assert b"is in use: choose another one with --port" in errors
    assert b"Traceback" not in errors
    engine.terminate()
    await asyncio.wait_for(engine.wait(), 10)
