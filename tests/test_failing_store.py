"""A full disk, or a shared store that another process keeps locked, costs records and never a call."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.real_line import Running, running, said, verbs
from tests.shared import not_allowed
from tests.twilio_side import PUBLIC, Phone, phone_line, until

pytestmark = pytest.mark.slow

PIECE = bytes(4096)


SHARED_MEMORY = Path("/dev/shm")
SMALL = 256 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB, in memory; in a container that may mount nothing, its 64 MB of shared memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if not mounted.returncode:
        yield folder
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    elif SHARED_MEMORY.is_mount() and shutil.disk_usage(SHARED_MEMORY).free < SMALL:
        with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as small:
            yield Path(small)
    else:
        not_allowed(f"to mount a small file system: {mounted.stderr.strip()}")


def fill(disk: Path) -> Path:
    """Leave no room at all."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(PIECE)
        except OSError:
            return filler


async def readiness(server: Running) -> tuple[int, dict[str, Any]]:
    """What /readyz says, to somebody who asks a minute later than the last one."""
    checks = server.state.readiness
    before, checks.clock = checks.clock, lambda: before() + 60
    async with aiohttp.ClientSession() as client, client.get(f"{server.url}/readyz") as response:
        return response.status, await response.json()


async def test_a_disk_that_fills_up_in_a_call_costs_the_record_only(small_disk: Path) -> None:
    """The transfer goes through, the socket is closed as ever, new callers are answered; /readyz tells."""
    async with running(small_disk, AGENT="tests.flow_agents:Desk") as server:
        calling = asyncio.create_task(server.call())
        await until(lambda: bool(server.state.streams.sockets))
        filler = await asyncio.to_thread(fill, small_disk)
        result = await calling
        assert verbs(result) == ["Connect", "Dial", "Hangup"] and not result.flags
        status, state = await readiness(server)
        assert status == 503 and not state["ready"]
        assert any("No space left on device" in reason for reason in state["reasons"])
        result = await server.call(dial_status="busy")
        assert verbs(result) == ["Connect", "Dial", "Connect", "Hangup"] and not result.flags
        filler.unlink()
        assert (await readiness(server))[0] == 200
        result = await server.call(dial_status="busy")
        assert "You wanted a latte. I said: Hi. One moment." in said(result)


LOCKER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@asynccontextmanager
async def locked(file: Path) -> AsyncIterator[None]:
    """Another process writes into the file, and does not come to an end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LOCKER, str(file)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"locked\n"
    try:
        yield
    finally:
        process.kill()
        await process.communicate()


async def test_a_store_that_is_locked_costs_no_call(tmp_path: Path) -> None:
    """A whole call with a transfer that comes back, begun while the store is locked."""
    async with running(tmp_path, AGENT="tests.flow_agents:Desk") as server:
        async with locked(tmp_path / "shared.db"):
            result = await server.call(dial_status="busy")
            assert verbs(result) == ["Connect", "Dial", "Connect", "Hangup"] and not result.flags
            assert "You wanted a latte. I said: Hi. One moment." in said(result)
            status, state = await readiness(server)
            assert status == 503 and any("locked" in reason for reason in state["reasons"])
        assert (await readiness(server))[0] == 200


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/twilio/voice", {}),
        ("/twilio/after", {"CallStatus": "in-progress"}),
        ("/twilio/status", {"CallStatus": "completed"}),
        ("/twilio/status?dial=0123456789abcdef", {"CallStatus": "completed"}),
        ("/twilio/voice?dial=0123456789abcdef", {}),
        ("/twilio/stream-status", {}),
        ("/twilio/amd?dial=0123456789abcdef", {"AnsweredBy": "human"}),
        ("/twilio/fallback", {"ErrorCode": "11200"}),
    ],
)
async def test_every_webhook_is_answered_in_time_by_a_locked_store(
    tmp_path: Path, path: str, form: dict[str, str]
) -> None:
    """Within 3 s, and not with an error: Twilio would announce that to the caller."""
    async with phone_line(tmp_path, **PUBLIC) as phone, locked(tmp_path / "shared.db"):
        began = time.monotonic()
        response = await phone.post(path, form)
        assert response.status < 300
        assert time.monotonic() - began < 3.0


async def test_a_token_is_used_once_by_a_locked_store_too(tmp_path: Path) -> None:
    """What let a stream in before, or while it is locked, lets nobody else in."""
    async with phone_line(tmp_path, **PUBLIC) as phone:
        early = phone.state.tokens.issue("CA1")
        await phone.state.tokens.use(early, "CA1")
        async with locked(tmp_path / "shared.db"):
            late = phone.state.tokens.issue("CA1")
            await phone.state.tokens.use(late, "CA1")
            for token in (early, late):
                await refused(phone, token)
        await refused(phone, late)


async def refused(phone: Phone, token: str) -> None:
    from telephony.carrier.token import BadToken

    with pytest.raises(BadToken, match="used before"):
        await phone.state.tokens.use(token, "CA1")
