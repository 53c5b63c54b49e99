"""Calls are kept as long as was asked, and deleted whole; nothing else is ever deleted."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from telephony.base.shared_store import SqliteSharedStore
from telephony.cli import main
from telephony.record.call_files import DAY_S, CallFiles

NOW = 1_800_000_000.0
DIALLED = "d" * 16


def call(folder: Path, call_id: str, call_sid: str, age_days: float = 0.0) -> Path:
    where = folder / "calls" / call_id
    where.mkdir(parents=True)
    (where / "tape.jsonl").write_text("{}\n")
    (where / "call.json").write_text(json.dumps({"call_id": call_id, "call_sid": call_sid}))
    (where / "call.wav").write_bytes(b"RIFF")
    for file in where.iterdir():
        os.utime(file, (NOW - age_days * DAY_S,) * 2)
    links = folder / "calls" / "by-sid"
    links.mkdir(exist_ok=True)
    (links / call_sid).write_text(call_id)
    return where


def test_old_calls_are_swept_away(tmp_path: Path) -> None:
    """With all their files; those of today stay."""
    old, new = call(tmp_path, "a" * 16, "CA1", 31), call(tmp_path, "b" * 16, "CA2", 29)
    assert CallFiles(tmp_path).sweep(30, NOW) == 1
    assert not old.exists() and new.exists()
    assert sorted(link.name for link in (tmp_path / "calls/by-sid").iterdir()) == ["CA2"]


def test_a_call_is_deleted_with_all_its_streams(tmp_path: Path) -> None:
    """By any of its ids; the others stay."""
    first, second = call(tmp_path, "a" * 16, "CA1"), call(tmp_path, "b" * 16, "CA1")
    other = call(tmp_path, "c" * 16, "CA2")
    assert CallFiles(tmp_path).delete("a" * 16) == ["CA1"]
    assert not first.exists() and not second.exists() and other.exists()
    assert CallFiles(tmp_path).delete("CA1") == []


def test_a_call_that_is_running_is_not_deleted_by_hand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tape is new and it has no record yet; one whose server died is no longer running."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    folder = call(tmp_path, "a" * 16, "CA1")
    (folder / "call.json").unlink()
    os.utime(folder / "tape.jsonl", (NOW, NOW))
    assert CallFiles(tmp_path).is_running("a" * 16, NOW + 5)
    assert not CallFiles(tmp_path).is_running("a" * 16, NOW + 60)
    assert not CallFiles(tmp_path).is_running("b" * 16, NOW)
    os.utime(folder / "tape.jsonl")
    assert main(["delete", "a" * 16]) == 2 and folder.exists()
    assert "is running" in capsys.readouterr().err


def test_a_dialled_call_that_nobody_answered_is_deleted_by_hand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))

    async def dialled() -> None:
        shared = SqliteSharedStore(tmp_path / "shared.db")
        await shared.put(f"dial:{DIALLED}", {"to": "+14155550100", "from_number": "+14155550101"}, 60.0)
        await shared.put(f"dial:{DIALLED}:sid", {"call_sid": "CA9"}, 60.0)
        await shared.put("dialled:CA9", {"dial": DIALLED}, 60.0)
        await shared.close()

    asyncio.run(dialled())
    assert main(["delete", "CA9"]) == 0 and "deleted CA9" in capsys.readouterr().out
    assert main(["delete", DIALLED]) == 2


@pytest.mark.parametrize("name", ["..", ".", "", "../outside", "by-sid", "/etc", "a/b", "x\x00"])
def test_nothing_else_is_deleted(tmp_path: Path, name: str) -> None:
    """Neither by such a name, nor when sweeping: other folders, links, the folder itself."""
    call(tmp_path, "a" * 16, "CA1", 0)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "tape.jsonl").write_text("mine")
    stranger = tmp_path / "calls" / "stranger"
    stranger.mkdir()
    (stranger / "thesis.txt").write_text("mine")
    (tmp_path / "calls" / "linked").symlink_to(outside)
    assert CallFiles(tmp_path).delete(name) == []
    CallFiles(tmp_path).sweep(1, NOW + 1000 * DAY_S)
    assert (outside / "tape.jsonl").exists() and (stranger / "thesis.txt").exists()


def test_a_call_is_deleted_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And one that is not there is one clear line."""
    where = call(tmp_path, "a" * 16, "CA1")
    empty = tmp_path / "empty.env"
    empty.touch()
    line = ["--env-file", str(empty), "delete"]
    assert main([*line, "CA1"], {"DATA_DIR": str(tmp_path)}) == 0 and not where.exists()
    assert main([*line, "CA1"], {"DATA_DIR": str(tmp_path)}) == 2
    assert "call CA1 not found" in capsys.readouterr().err
