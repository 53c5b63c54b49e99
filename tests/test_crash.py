"""A process that dies takes no call with it, and leaves nothing open."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

import aiohttp
import orjson
import pytest

from bench.crash import crash
from telephony.base.live_processes import Processes
from telephony.commands.delete import run as delete
from telephony.config.settings import Settings
from telephony.errors import BadInput
from telephony.record.call_files import CallFiles, StillRunning
from telephony.record.recovery import CRASHED, close_records
from telephony.record.tape import VERSION
from tests.commands.test_serve import Server, server, speech
from tests.pacing import until_so
from tests.real_line import running
from tests.twilio_side import start_message, until

pytestmark = pytest.mark.slow

__all__ = ["speech"]


@pytest.mark.parametrize("seed", [3])
async def test_after_a_kill_the_agent_goes_on_with_its_memory(seed: int) -> None:
    """At most the sentence that was being said is said again, as the caller hears it. See bench/crash.py."""
    outcome = await crash(calls=2, kills=1, seed=seed)
    assert outcome.broken == [] and outcome.answered >= 8
    assert outcome.records == {CRASHED: 2, "caller": 2}


async def stream(
    client: aiohttp.ClientSession, one: Server, call_sid: str
) -> aiohttp.ClientWebSocketResponse:
    """A call that has begun."""
    form = {"CallSid": call_sid, "CallStatus": "ringing"}
    async with client.post(one.url + "/twilio/voice", data=form) as response:
        text = await response.text()
    token = text.partition('name="token" value="')[2].partition('"')[0]
    socket = await client.ws_connect(one.url + "/twilio/media")
    await socket.send_json(start_message({"token": token}, call_sid))
    return socket


async def record(client: aiohttp.ClientSession, one: Server, call: str) -> dict[str, object] | None:
    async with client.get(f"{one.url}/api/calls/{call}") as response:
        return dict(await response.json()) if response.status == 200 else None


async def closed(client: aiohttp.ClientSession, one: Server, call: str) -> dict[str, object]:
    """A call's record, once it is not live any more."""
    found: list[dict[str, object] | None] = []

    async def is_closed() -> bool:
        found[:] = [await record(client, one, call)]
        return found[0] is not None and not found[0]["live"]

    await until_so(is_closed)
    return found[0] or {}


def tapes(folder: Path) -> list[Path]:
    return list((folder / "calls").glob("*/tape.jsonl"))


async def test_what_a_killed_process_left_is_closed_freed_found_and_deleted(
    tmp_path: Path, speech: str
) -> None:
    """Its record, its slot, its recording by CallSid; what lives in another process stays as it is."""
    more = {"MAX_CALLS": "2", "RECORD": "on"}
    async with aiohttp.ClientSession() as client, server(tmp_path, speech, **more) as dies:
        async with server(tmp_path, speech, **more) as lives:
            gone, stays = await stream(client, dies, "CA1"), await stream(client, lives, "CA2")
            await until(lambda: len(tapes(tmp_path)) == 2)
            with pytest.raises(StillRunning):
                await asyncio.to_thread(CallFiles(tmp_path).delete, "CA1")
            dies.process.send_signal(signal.SIGKILL)
            await dies.process.wait()
            async with client.get(lives.url + "/readyz") as response:
                assert (await response.json())["free"] == 1, "at once, though nobody was told"
            async with server(tmp_path, speech, **more) as late:
                found = await closed(client, late, "CA1")
                assert found["ended_by"] == CRASHED and found["call_sid"] == "CA1"
                assert (await record(client, lives, "CA2") or {})["live"] is True
                async with client.get(late.url + "/readyz") as response:
                    assert (await response.json())["free"] == 1
                with pytest.raises(BadInput, match="is running"):
                    await asyncio.to_thread(CallFiles(tmp_path).delete, "CA2")
            deleted = await asyncio.to_thread(CallFiles(tmp_path).delete, "CA1")
            assert deleted == ["CA1"] and len(tapes(tmp_path)) == 1
            await gone.close()
            await stays.close()
            assert (await closed(client, lives, "CA2"))["ended_by"] != CRASHED


async def test_a_crashed_call_is_deleted_by_its_callsid_before_its_record_is_closed(
    tmp_path: Path, speech: str
) -> None:
    """By the command, with no server running."""
    async with aiohttp.ClientSession() as client, server(tmp_path, speech, RECORD="on") as dies:
        await stream(client, dies, "CA1")
        await until(lambda: bool(tapes(tmp_path)))
        dies.process.kill()
        await dies.process.wait()
    settings = Settings.load({"DATA_DIR": str(tmp_path)})
    assert await asyncio.to_thread(delete, argparse.Namespace(call="CA1"), settings) == 0
    assert not tapes(tmp_path) and not list((tmp_path / "calls").glob("by-sid/*"))


async def test_a_tape_that_was_cut_off_tells_what_is_known(tmp_path: Path) -> None:
    """Torn in mid-line, of another version, or with no whole first line: a record of what can be read."""
    async with running(tmp_path, AGENT="tests.flow_agents:Memory") as line:
        result = await line.call(8.0)
    [tape] = tapes(tmp_path)
    whole = (tape.parent / "call.json").read_bytes()
    lines = tape.read_bytes().splitlines(keepends=True)
    middle = len(lines) * 2 // 3
    cases = {
        "whole": b"".join(lines),
        "torn": b"".join(lines[:middle]) + lines[middle][:20],
        "head": lines[0],
        "other": lines[0].replace(b'"tape":%d' % VERSION, b'"tape":0') + b"".join(lines[1:]),
        "garbage": lines[0] + b'{"at": 1.0, "event": {"_": "Unheard"}, "commands": []}\n',
        "empty": b"",
    }
    for name, data in cases.items():
        (tmp_path / "calls" / name).mkdir()
        (tmp_path / "calls" / name / "tape.jsonl").write_bytes(data)
    assert sorted(close_records(tmp_path, lambda name: False)) == sorted(cases.keys() - {"empty"})
    read = {
        name: orjson.loads((tmp_path / "calls" / name / "call.json").read_bytes())
        for name in cases.keys() - {"empty"}
    }
    assert all(one["call_sid"] == result.call_sid and not one["live"] for one in read.values())
    assert read["whole"]["turns"] == orjson.loads(whole)["turns"]
    assert read["whole"]["ended_by"] == orjson.loads(whole)["ended_by"]
    assert {read[name]["ended_by"] for name in ("torn", "head", "other", "garbage")} == {CRASHED}
    turns = read["torn"]["turns"]
    assert turns and 0 < read["torn"]["duration_s"] < read["whole"]["duration_s"]
    assert turns[0]["agent"]["text"] == "Hi."
    assert close_records(tmp_path, lambda name: False) == [], "once"


async def test_a_call_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    """Its tape says whose it is from the first moment on; a call is found by its CallSid while it runs."""
    async with running(tmp_path, AGENT="tests.flow_agents:Memory") as line:
        calling = asyncio.create_task(line.call(4.0))
        await until(lambda: bool(tapes(tmp_path)))
        [tape] = tapes(tmp_path)
        assert tape.read_bytes().endswith(b"}\n")
        assert close_records(tmp_path, Processes(tmp_path).lives) == []
        result = await calling
    assert (tmp_path / "calls" / "by-sid" / result.call_sid).read_text() == tape.parent.name
