"""Which processes live is known at once, whatever ended them."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

from telephony.base.live_processes import Processes
from telephony.base.shared_store import SqliteSharedStore

LIVE = """
import sys
from pathlib import Path
from telephony.base.live_processes import Processes
print(Processes(Path(sys.argv[1])).enter(), flush=True)
sys.stdin.read()
"""


def another(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """A process on the same DATA_DIR, and its name."""
    process = subprocess.Popen(
        [sys.executable, "-c", LIVE, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_killed_process_is_dead_at_once(tmp_path: Path) -> None:
    """It and nobody else; a file of its name that is left behind proves nothing."""
    here = Processes(tmp_path)
    own = here.enter()
    first, one = another(tmp_path)
    second, two = another(tmp_path)
    assert here.lives(own) and here.lives(one) and here.lives(two)
    end(first)
    assert (tmp_path / "processes" / one).exists()
    assert not here.lives(one) and here.lives(two)
    end(second)
    late = Processes(tmp_path)
    late.enter()
    assert late.lives(own)
    assert {path.name for path in (tmp_path / "processes").iterdir()} == {own, late.own}, "dead ones are gone"
    for one_of_us in (here, late):
        one_of_us.leave()
    assert not late.lives(own) and not late.lives("../../etc/passwd") and not late.lives("")


def test_a_stopped_process_lives(tmp_path: Path) -> None:
    process, name = another(tmp_path)
    process.send_signal(signal.SIGSTOP)
    assert Processes(tmp_path).lives(name)
    end(process)


async def test_slots_of_the_dead_are_free_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    """At once, for processes that run already and for those that start."""
    file, ours = tmp_path / "shared.db", Processes(tmp_path)
    ours.enter()
    theirs = Processes(tmp_path)
    theirs.enter()
    here, there = SqliteSharedStore(file, processes=ours), SqliteSharedStore(file, processes=theirs)
    assert await there.acquire("calls", "CA1", 2, 30) and await here.acquire("calls", "CA2", 2, 30)
    assert not await here.acquire("calls", "CA3", 2, 30) and await here.slots_taken("calls") == 2
    await there.close()
    theirs.leave()
    assert await here.slots_taken("calls") == 1
    assert await here.acquire("calls", "CA3", 2, 30)
    assert await here.slots_taken("calls") == 2
    await here.close()
    await asyncio.to_thread(ours.leave)


def test_where_no_lock_can_be_had_times_decide(tmp_path: Path) -> None:
    """No name, and nobody fails."""
    (tmp_path / "processes").write_text("a file")
    processes = Processes(tmp_path)
    assert processes.enter() == "" and processes.lives("0123456789abcdef")
