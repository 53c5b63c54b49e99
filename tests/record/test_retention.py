"""Old calls are deleted, one that cannot be keeps no other; a clock that is wrong deletes nothing."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from telephony.base.shared_store import SqliteSharedStore
from telephony.record.call_files import DAY_S, CallFiles
from telephony.record.retention import Retention
from telephony.record.store import RecordStore

NOW = 1_800_000_000.0


class Machine:
    """Its wall clock and its uptime, which a test sets; they go on together."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wall_now, self.up, self.boot = NOW, 1000.0, "one start"
        self.store = self._open()

    def _open(self) -> SqliteSharedStore:
        return SqliteSharedStore(self.folder / "shared.db", lambda: self.up, lambda: self.wall_now, self.boot)

    async def start_again(self, off_s: float) -> None:
        await self.store.close()
        self.wall_now, self.up, self.boot = self.wall_now + off_s, 10.0, self.boot + "'"
        self.store = self._open()

    def pass_time(self, seconds: float) -> None:
        self.wall_now, self.up = self.wall_now + seconds, self.up + seconds

    def call(self, name: str) -> Path:
        """A call that ends now: its tape has the wall clock's time, its record the store's."""
        folder = self.folder / "calls" / (name * 16)[:16]
        folder.mkdir(parents=True)
        (folder / "tape.jsonl").write_text("{}\n")
        os.utime(folder / "tape.jsonl", (self.wall_now, self.wall_now))
        records = RecordStore(self.folder)
        records.clock = self.store.now
        records._save(folder.name, {"call_id": folder.name, "call_sid": f"CA{name}"})
        return folder

    async def sweep(self, days: int = 30) -> int:
        return await Retention(CallFiles(self.folder), days, self.store, lambda: self.wall_now).sweep()


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    one = Machine(tmp_path)
    await one.store.get("anything")
    yield one
    await one.store.close()


async def test_calls_are_kept_so_many_days(machine: Machine) -> None:
    old = machine.call("a")
    for _ in range(30):
        assert await machine.sweep() == 0
        machine.pass_time(DAY_S * 0.99)
    new = machine.call("b")
    machine.pass_time(DAY_S / 2)
    assert await machine.sweep() == 1
    assert not old.exists() and new.exists()


@pytest.mark.parametrize("jump_days", [31, 400, -31, -20_000, 0.5])
async def test_a_wall_clock_that_jumps_deletes_nothing_of_today(machine: Machine, jump_days: float) -> None:
    """Neither while it is wrong, nor when it is right again; also what was written meanwhile."""
    before = machine.call("a")
    await machine.sweep()
    machine.wall_now += jump_days * DAY_S
    meanwhile = machine.call("b")
    assert await machine.sweep() == 0
    machine.pass_time(3600)
    assert await machine.sweep() == 0
    machine.wall_now -= jump_days * DAY_S
    assert await machine.sweep() == 0
    assert before.exists() and meanwhile.exists()


@pytest.mark.parametrize("known", [True, False], ids=["swept before", "never swept"])
async def test_a_start_with_a_wrong_clock_deletes_nothing_for_a_day(machine: Machine, known: bool) -> None:
    """A machine that was off for so long deletes a day later."""
    old = machine.call("a")
    if known:
        await machine.sweep()
    await machine.start_again(31 * DAY_S)
    for _ in range(23):
        assert await machine.sweep() == 0
        machine.pass_time(3600)
    machine.pass_time(2 * 3600)
    assert await machine.sweep() == 1 and not old.exists()


async def test_a_start_after_a_day_off_goes_on(machine: Machine) -> None:
    old = machine.call("a")
    for day in range(31):
        machine.pass_time(DAY_S * 0.97)
        machine.call(f"{day:02}")
        await machine.sweep()
    assert not old.exists()
    older = machine.folder / "calls" / ("00" * 16)[:16]
    await machine.start_again(0.98 * DAY_S)
    await machine.sweep()
    assert not older.exists()


async def test_a_call_that_cannot_be_deleted_keeps_no_other(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and tried again."""
    folders = [machine.call(name) for name in "abc"]
    real = shutil.rmtree

    def rmtree(folder: Path) -> None:
        if folder == folders[1]:
            raise OSError(errno.EIO, "Input/output error")
        real(folder)

    with monkeypatch.context() as broken:
        broken.setattr(shutil, "rmtree", rmtree)
        assert CallFiles(machine.folder).sweep(30, NOW + 31 * DAY_S) == 2
    assert [folder.exists() for folder in folders] == [False, True, False]
    assert folders[1].name in caplog.text
    assert CallFiles(machine.folder).sweep(30, NOW + 31 * DAY_S) == 1
