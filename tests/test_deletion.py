"""A call is deleted when it is over, by whichever process is asked, and then it is gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import ClientSession

from telephony.cli import main
from tests.real_line import Running, running
from tests.twilio_side import until

pytestmark = pytest.mark.slow

AGENT = "tests.flow_agents:Memory"


async def delete(server: Running, call: str) -> int:
    async with ClientSession(server.url, headers={"Authorization": "Bearer key-one"}) as session:
        async with session.delete(f"/api/calls/{call}") as response:
            return response.status


def words_of_calls(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize("by", ["call_id", "call_sid"])
async def test_a_call_that_runs_in_another_process_is_not_deleted(
    tmp_path: Path, by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither by the API nor by the command; when it is over all of it goes, and does not come back."""
    environ = {"DATA_DIR": str(tmp_path)}
    async with running(tmp_path, AGENT=AGENT, RECORD="on") as here:
        async with running(tmp_path, AGENT=AGENT, RECORD="on") as there:
            calling = asyncio.create_task(here.call(5.0))
            await until(lambda: bool(here.state.streams.sockets))
            call_sid = next(iter(here.state.streams.sockets.values()))
            await until(lambda: here.records.snapshot(call_sid) is not None)
            live = here.records.snapshot(call_sid) or {}
            await until(lambda: any(tmp_path.rglob("call.wav")))
            assert await delete(there, live[by]) == 409 == await delete(here, live[by])
            line = ["--env-file", "/dev/null", "delete", live[by]]
            assert await asyncio.to_thread(main, line, environ) == 2
            assert "is running" in capsys.readouterr().err
            await calling
            await until(lambda: not here.state.streams.sockets)
            found = await asyncio.to_thread(words_of_calls, tmp_path)
            assert b"That was turn 1" in found and b"RIFF" in found
            assert await delete(there, live[by]) == 204
            assert await delete(here, live[by]) == 404
            gone = await asyncio.to_thread(words_of_calls, tmp_path)
            assert b"That was turn 1" not in gone and b"RIFF" not in gone, "nor in the shared store's bytes"
    assert b"That was turn" not in await asyncio.to_thread(words_of_calls, tmp_path)
