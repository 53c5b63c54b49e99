"""What calls put, used and took while the shared store failed is right then, and afterwards."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from telephony.base.shared_store import SharedStoreFailure, SqliteSharedStore
from telephony.base.shared_store_file import SharedStoreFile
from telephony.base.shared_store_memory import MOST, FailOpen, MemorySharedStore
from tests.pacing import until_so


class Line:
    """A store that another connection can lock."""

    def __init__(self, path: Path) -> None:
        self.store = SqliteSharedStore(path)
        self.calls = FailOpen(self.store)
        self._other = sqlite3.connect(path, isolation_level=None, timeout=5)

    def lock(self) -> None:
        self._other.execute("BEGIN EXCLUSIVE")

    def unlock(self) -> None:
        self._other.execute("ROLLBACK")

    async def close(self) -> None:
        self._other.close()
        await self.store.close()


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    line = Line(tmp_path / "shared.db")
    await line.calls.put("before", {"n": 1}, 60)
    yield line
    await line.close()


async def test_what_was_put_before_can_be_read_and_is_used_once(line: Line) -> None:
    """Also when the store works again, which still holds it."""
    line.lock()
    assert await line.calls.get("before") == {"n": 1}
    assert await line.calls.take("before") == {"n": 1}
    assert await line.calls.take("before") is None
    line.unlock()
    assert await line.calls.get("before") is None


async def test_what_is_put_meanwhile_is_there_until_the_store_has_newer(line: Line) -> None:
    line.lock()
    await line.calls.put("word", {"n": 2}, 60)
    assert await line.calls.keep("word", {"n": 3}, 60) == {"n": 2}
    line.unlock()
    assert await line.calls.get("word") == {"n": 2}
    await line.calls.put("word", {"n": 4}, 60)
    assert await line.calls.get("word") == {"n": 4} == await line.store.get("word")


async def test_a_cap_on_resumes_holds_meanwhile(line: Line) -> None:
    line.lock()
    assert [await line.calls.count("resume", 2, 60) for _ in range(3)] == [True, True, False]
    line.unlock()


async def test_the_store_itself_says_that_it_fails(line: Line) -> None:
    """What dialling and deletion rely on is never pretended."""
    line.lock()
    for asked in (line.store.put("k", {}, 1), line.store.count("dialled", 1, 60), line.store.take("before")):
        with pytest.raises(SharedStoreFailure, match="locked"):
            await asked
    line.unlock()


def test_memory_is_bounded_and_forgets_in_time() -> None:
    now = [0.0]
    memory = MemorySharedStore(lambda: now[0])
    for n in range(MOST + 1):
        memory.put(f"k{n}", {}, 60)
    assert not memory.knows("k0") and memory.knows("k1")
    assert memory.claim("c", 60) and not memory.claim("c", 60)
    now[0] = 60.0
    assert not memory.knows("k1") and memory.claim("c", 60)


def test_a_claim_is_forgotten_when_its_time_is_up() -> None:
    """Each call claims its token, for a minute: a process keeps a minute of them, and not ten thousand."""
    now = [0.0]
    memory = MemorySharedStore(lambda: now[0])
    for n in range(500):
        now[0] = float(n)
        assert memory.claim(f"token {n}", 60)
    assert not memory.claim("token 499", 60) and not memory.claim("token 440", 60)
    assert len(memory._claims) == 60


async def test_a_disk_that_does_not_answer_is_waited_for_once(tmp_path: Path) -> None:
    """Everybody is told in time, and those who come meanwhile at once; then it goes on."""
    file, answers = SharedStoreFile(tmp_path / "shared.db", lambda: 0.0, lambda: 0.0, "b"), threading.Event()
    hanging = asyncio.gather(
        file.run(lambda db, now: answers.wait()), file.run(lambda db, now: 1), return_exceptions=True
    )
    assert all(isinstance(error, SharedStoreFailure) for error in await asyncio.wait_for(hanging, 4))
    with pytest.raises(SharedStoreFailure, match="does not answer"):
        await asyncio.wait_for(file.run(lambda db, now: 1), 0.1)
    answers.set()

    async def works() -> bool:
        try:
            return await file.run(lambda db, now: 1) == 1
        except SharedStoreFailure:
            return False

    await until_so(works)
    await file.close()
