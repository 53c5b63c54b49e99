"""A model that can never answer ends `serve` in one line, and `doctor` knows of it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import pytest

from telephony.testing.fake_chat import FakeChat
from telephony.testing.fake_chat_faults import NAMED

KEY = "sk-test-0123456789abcdef"


async def telephony(*words: str, folder: Path, **environ: str) -> asyncio.subprocess.Process:
    """A command, with speech that nobody has to reach."""
    settled = {"PORT": "0", "DEEPGRAM_URL": "ws://127.0.0.1:9", "DATA_DIR": str(folder), "LLM_API_KEY": KEY}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "telephony", *words),
        env={**os.environ, **settled, **environ},
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    out, err = await asyncio.wait_for(process.communicate(), 60)
    text = (out + err).decode()
    assert "Traceback" not in text
    assert KEY not in text
    return process.returncode or 0, text


@pytest.mark.parametrize("command", ["serve", "doctor"])
@pytest.mark.parametrize("wrong", ["key", "model", "nobody"])
async def test_a_wrong_key_an_unknown_model_and_an_address_without_one(
    tmp_path: Path, command: str, wrong: str
) -> None:
    model = FakeChat(api_key="another" if wrong == "key" else "", models=["small"])
    await model.start()
    if wrong == "nobody":
        await model.close()
    name = "large" if wrong == "model" else "small"
    process = await telephony(command, folder=tmp_path, LLM_URL=model.url, LLM_MODEL=name)
    status, text = await ended(process)
    await model.close()
    assert status == (2 if command == "serve" else 1)
    said = {"key": "check LLM_API_KEY", "model": "LLM_MODEL may be small", "nobody": "Connection refused"}
    lines = [line for line in text.splitlines() if f"LLM_URL={model.url} LLM_MODEL={name}" in line]
    assert len(lines) == 1
    assert said[wrong] in text


async def test_settings_that_belong_together_are_refused_before_anything_starts(tmp_path: Path) -> None:
    status, text = await ended(await telephony("serve", folder=tmp_path, LLM_URL="http://127.0.0.1:9"))
    assert status == 2
    assert (
        text.strip()
        .splitlines()[-1]
        .endswith("LLM_URL='http://127.0.0.1:9' cannot be used: it needs LLM_MODEL")
    )


async def test_a_model_in_trouble_does_not_keep_the_server_from_starting(tmp_path: Path) -> None:
    async with FakeChat(faults=[NAMED["503"]]) as model:
        process = await telephony("serve", folder=tmp_path, LLM_URL=model.url, LLM_MODEL="small")
        assert process.stdout is not None
        assert b"telephony is ready" in await asyncio.wait_for(process.stdout.readline(), 60)
        process.send_signal(signal.SIGTERM)
        status, text = await ended(process)
    assert status == 0
    assert f"LLM_URL={model.url} LLM_MODEL=small: 503" in text


async def test_the_doctor_says_that_a_model_answers(tmp_path: Path) -> None:
    async with FakeChat(api_key=KEY, models=["small"]) as model:
        process = await telephony("doctor", folder=tmp_path, LLM_URL=model.url, LLM_MODEL="small")
        _, text = await ended(process)
    assert f"good  LLM_URL={model.url} LLM_MODEL=small answers, its first token after 0." in text
