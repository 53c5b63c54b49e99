"""What calls leave on the disk can be read by this user alone, whatever the umask and whatever was there."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from telephony.base.private_files import mend
from tests.commands.test_serve import server, speech
from tests.real_line import running
from tests.twilio_side import until

__all__ = ["speech"]
NOBODY = 65_534
TRY = """
import json, os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
read = []
for place in json.load(sys.stdin):
    try:
        os.listdir(place) if os.path.isdir(place) else open(place, "rb").read(1)
        read.append(place)
    except OSError:
        pass
json.dump(read, sys.stdout)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody on the machine can look into, and the usual umask."""
    before = os.umask(0o022)
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)
    os.umask(before)


def everything(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


def readable(places: list[str]) -> list[str]:
    """Which of these another user can read: as nobody, where this is root; else as their modes say."""
    if os.geteuid() == 0:
        tried = subprocess.run(
            [sys.executable, "-I", "-c", TRY],
            input=json.dumps(places),
            capture_output=True,
            check=True,
            text=True,
        )
        found: list[str] = json.loads(tried.stdout)
        return found
    return [place for place in places if os.stat(place).st_mode & 0o077]


def modes_for_others(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.lstat().st_mode & 0o077]


def legacy(folder: Path) -> None:
    """As an earlier version left it."""
    for call in ("a" * 16, "b" * 16):
        (folder / "calls" / call).mkdir(parents=True)
        for name in ("tape.jsonl", "call.json", "call.wav"):
            (folder / "calls" / call / name).write_text("{}")
    (folder / "calls" / "by-sid").mkdir()
    (folder / "calls" / "by-sid" / "CA1").write_text("a" * 16)


async def test_nobody_else_reads_what_a_call_leaves(folder: Path) -> None:
    """Tape, record, recording, the shared store while it is open; and what lay there before."""
    legacy(folder)
    assert readable(everything(folder)), "it could be read"
    async with running(folder, AGENT="tests.flow_agents:Memory", RECORD="on") as one:
        calling = asyncio.create_task(one.call(3.0))
        await until(lambda: bool(one.state.streams.sockets))
        assert await asyncio.to_thread(readable, everything(folder)) == []
        await calling
        await until(lambda: not one.state.streams.sockets)
        left = everything(folder)
        assert await asyncio.to_thread(readable, left) == [] and modes_for_others(folder) == []
        names = {Path(place).name for place in left}
        assert {"tape.jsonl", "call.json", "call.wav", "shared.db", "shared.db-wal"} <= names
    assert await asyncio.to_thread(readable, everything(folder)) == [] and os.umask(0o022) == 0o022


async def test_a_server_process_too(folder: Path, speech: str) -> None:
    """`telephony serve` itself, with what was there and what it makes."""
    data = folder / "data"
    data.mkdir()
    async with server(data, speech):
        assert (data / "shared.db").exists()
        assert await asyncio.to_thread(readable, everything(data)) == []
    for place in everything(data):
        os.chmod(place, 0o755)
    async with server(data, speech):
        assert await asyncio.to_thread(readable, everything(data)) == []


def test_only_what_is_ours_is_mended(folder: Path) -> None:
    """Not the folder itself, no stranger's file, nothing through a link, nothing that has a second name."""
    data = folder / "data"
    legacy(data)
    thesis = data / "thesis.txt"
    outside = folder / "outside"
    outside.mkdir()
    for file in (thesis, outside / "tape.jsonl", outside / "other.txt"):
        file.write_text("mine")
    (data / "calls" / "stranger").mkdir()
    (data / "calls" / "stranger" / "thesis.txt").write_text("mine")
    (data / "calls" / "linked").symlink_to(outside)
    (data / "shared.db").symlink_to(outside / "other.txt")
    (data / "placed").symlink_to(outside)
    (data / "calls" / ("a" * 16) / "notes.txt").symlink_to(outside / "other.txt")
    os.link(outside / "other.txt", data / "calls" / ("b" * 16) / "second.txt")
    mended = mend(data)
    assert mended == 1 + 2 + 6 + 1 + 1, (
        "the folder of calls, two calls, their files, the links' folder, a link"
    )
    untouched = [data, thesis, outside, *outside.iterdir(), data / "calls/stranger/thesis.txt"]
    assert [oct(path.stat().st_mode & 0o077) for path in untouched if not path.stat().st_mode & 0o044] == []
    assert mend(data) == 0


def test_others_files_are_left_alone(folder: Path) -> None:
    """A file of another user is theirs, also for root, who could give it away."""
    legacy(folder)
    theirs = folder / "calls" / ("a" * 16) / "call.wav"
    assert mend(folder, owner=NOBODY) == 0
    if os.geteuid() == 0:
        os.chown(theirs, NOBODY, NOBODY)
        assert mend(folder) > 0
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o644


def test_commands_write_privately(folder: Path) -> None:
    """Also one that runs without a server."""
    line = [sys.executable, "-m", "telephony", "--ignore-environment", "delete", "CA1"]
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(line, cwd=folder, env={"PYTHONPATH": root, "PATH": os.environ["PATH"]}, check=False)
    assert done.returncode == 2 and list(folder.rglob("shared.db"))
    assert modes_for_others(folder) == []
