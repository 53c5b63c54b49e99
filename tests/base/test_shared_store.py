"""What processes share is true for all of them, ends when it should, and outlives a restart."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from telephony.base.shared_store import SharedStoreFailure, SqliteSharedStore


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def pair(tmp_path: Path, clock: Clock) -> AsyncIterator[tuple[SqliteSharedStore, SqliteSharedStore]]:
    """Two openings of one file, as two server processes have."""
    stores = (
        SqliteSharedStore(tmp_path / "d/shared.db", clock),
        SqliteSharedStore(tmp_path / "d/shared.db", clock),
    )
    yield stores
    for store in stores:
        await store.close()


Pair = tuple[SqliteSharedStore, SqliteSharedStore]


async def test_exactly_one_claims_a_key(pair: Pair) -> None:
    """A hundred times, two at once: one wins."""
    for round_number in range(100):
        key = f"nonce:{round_number}"
        assert sorted(await asyncio.gather(*(store.claim(key, 60) for store in pair))) == [False, True]


async def test_a_claim_ends_when_its_time_is_up(pair: Pair, clock: Clock) -> None:
    """Not before, and then it can be claimed anew."""
    assert await pair[0].claim("k", 60)
    clock.now += 59
    assert not await pair[1].claim("k", 60)
    clock.now += 1
    assert await pair[1].claim("k", 60)


async def test_what_one_puts_another_gets_until_it_expires(pair: Pair, clock: Clock) -> None:
    """The last one put counts."""
    assert await pair[0].get("CA1") is None
    await pair[0].put("CA1", {"a": [1, "é"]}, 60)
    await pair[1].put("CA1", {"a": [2, "é"]}, 60)
    assert await pair[0].get("CA1") == {"a": [2, "é"]}
    clock.now += 60
    assert await pair[0].get("CA1") is None


async def test_several_are_put_at_once_but_for_what_is_over(pair: Pair, clock: Clock) -> None:
    """A call's end is never overtaken by what was to be saved of it."""
    await pair[1].put("ended:CA2", {}, 60)
    rows = [(f"conversation:{sid}", {"of": sid}, f"ended:{sid}") for sid in ("CA1", "CA2", "CA3")]
    await pair[0].put_all(rows, 60)
    kept = [await pair[1].get(key) for key, _, _ in rows]
    assert kept == [{"of": "CA1"}, None, {"of": "CA3"}]
    clock.now += 60
    assert await pair[0].get("conversation:CA1") is None


async def test_the_first_to_keep_something_settles_it(pair: Pair) -> None:
    """Everybody gets the first one's, also those who came at the same time."""
    kept = await asyncio.gather(*(pair[n % 2].keep("answer", {"by": n}, 60) for n in range(20)))
    assert all(value == kept[0] for value in kept)


async def test_only_one_takes_what_was_put(pair: Pair) -> None:
    """And afterwards it is gone."""
    await pair[0].put("next", {"do": "hang_up"}, 60)
    taken = await asyncio.gather(*(pair[n % 2].take("next") for n in range(20)))
    assert [value for value in taken if value is not None] == [{"do": "hang_up"}]
    assert await pair[0].get("next") is None


async def test_slots_are_never_oversold(pair: Pair, clock: Clock) -> None:
    """Forty at once for ten slots: ten sit. Leaving or not renewing in time frees one; renewing keeps it."""
    asked = await asyncio.gather(*(pair[n % 2].acquire("calls", f"CA{n}", 10, 30) for n in range(40)))
    assert asked.count(True) == 10 == await pair[1].slots_taken("calls")
    holders = [f"CA{n}" for n, sat in enumerate(asked) if sat]
    await pair[0].leave("calls", holders[0])
    await pair[0].leave("calls", "nobody")
    assert await pair[1].acquire("calls", "late", 10, 30)
    clock.now += 20
    assert await pair[1].acquire("calls", "late", 10, 30), "renewed although all are taken"
    clock.now += 15
    assert await pair[0].slots_taken("calls") == 1


async def test_a_cap_holds_within_its_window_and_over_a_restart(tmp_path: Path, clock: Clock) -> None:
    """Of five hundred at once no more than the cap pass; a process started anew still counts them."""
    first = SqliteSharedStore(tmp_path / "shared.db", clock)
    passed = await asyncio.gather(*(first.count("dial", 7, 60) for _ in range(500)))
    await first.close()
    assert passed.count(True) == 7
    second = SqliteSharedStore(tmp_path / "shared.db", clock)
    assert not await second.count("dial", 7, 60)
    assert await second.count("other", 7, 60)
    clock.now += 61
    assert await second.count("dial", 7, 60)
    await second.close()


async def test_what_expired_is_deleted(pair: Pair, clock: Clock, tmp_path: Path) -> None:
    """The file does not grow with the calls of yesterday."""
    for n in range(50):
        await pair[0].claim(f"k{n}", 1)
        await pair[0].put(f"k{n}", {}, 1)
    clock.now += 100
    await pair[0].slots_taken("x")

    def rows() -> int:
        import sqlite3

        with sqlite3.connect(tmp_path / "d/shared.db") as db:
            counts = db.execute(
                "SELECT (SELECT count(*) FROM claims) + (SELECT count(*) FROM items)"
            ).fetchone()
        db.close()
        return int(counts[0])

    assert await asyncio.to_thread(rows) == 0


HOUR_S = 3600.0


@pytest.mark.parametrize("jump_s", [-HOUR_S, HOUR_S, 31 * 24 * HOUR_S])
async def test_a_wall_clock_that_is_set_changes_nothing_that_expires(
    tmp_path: Path, clock: Clock, jump_s: float
) -> None:
    """Neither for the processes that run nor for one that starts afterwards: slots, claims, words, caps."""
    wall = Clock()
    store = SqliteSharedStore(tmp_path / "shared.db", clock, wall, "one start")
    await asyncio.gather(
        store.claim("token", 60), store.put("next", {}, 60), store.acquire("calls", "CA1", 1, 60)
    )
    assert await store.count("dialled", 1, 60)
    wall.now += jump_s
    later = SqliteSharedStore(tmp_path / "shared.db", clock, wall, "one start")
    for passed_s, kept in ((59.0, True), (1.0, False)):
        clock.now += passed_s
        for one in (store, later):
            assert (await one.get("next") is not None) is kept
            assert await one.slots_taken("calls") == int(kept)
            assert abs(one.now() - (clock.now)) < 1
    assert await later.claim("token", 60) and await store.count("dialled", 1, 60)
    for one in (store, later):
        await one.close()


@pytest.mark.parametrize(("off_s", "counted_s"), [(3600.0, 3600.0), (-7200.0, 0.0)])
async def test_the_stores_time_goes_on_over_a_restart_of_the_machine(
    tmp_path: Path, off_s: float, counted_s: float
) -> None:
    """By the time that the machine was off; a wall clock that was set back meanwhile is not believed."""
    uptime, wall = Clock(), Clock()
    uptime.now = 5000.0
    store = SqliteSharedStore(tmp_path / "shared.db", uptime, wall, "one start")
    await store.put("for a day", {}, 86_400)
    await store.close()
    uptime.now = 20.0
    wall.now += off_s
    store = SqliteSharedStore(tmp_path / "shared.db", uptime, wall, "the next")
    assert await store.get("for a day") is not None
    uptime.now += 86_400 - counted_s - 1
    assert await store.get("for a day") is not None
    uptime.now += 2
    assert await store.get("for a day") is None
    await store.close()


async def test_a_machine_that_does_not_name_its_starts_is_known_by_its_uptime(tmp_path: Path) -> None:
    """A shorter one than before: it was started again."""
    uptime, wall = Clock(), Clock()
    store = SqliteSharedStore(tmp_path / "shared.db", uptime, wall, "")
    await store.put("k", {}, 60)
    await store.close()
    wall.now += 30
    uptime.now = 10.0
    store = SqliteSharedStore(tmp_path / "shared.db", uptime, wall, "")
    assert await store.get("k") is not None
    uptime.now += 31
    assert await store.get("k") is None
    await store.close()


async def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """One error of ours, naming the file."""
    (tmp_path / "shared.db").mkdir()
    store = SqliteSharedStore(tmp_path / "shared.db")
    with pytest.raises(SharedStoreFailure, match="shared.db"):
        await store.claim("k", 1)
    await store.close()


CLAIMER = """
import asyncio, sys
from pathlib import Path
from telephony.base.shared_store import SqliteSharedStore
async def main():
    store = SqliteSharedStore(Path(sys.argv[1]))
    print(sum([await store.claim(f"n{i}", 60) for i in range(100)]))
    await store.close()
asyncio.run(main())
"""


def test_exactly_one_of_two_processes_wins_a_hundred_times(tmp_path: Path) -> None:
    """Two real processes claim the same hundred keys at the same time: a hundred wins together."""
    command = [sys.executable, "-c", CLAIMER, str(tmp_path / "shared.db")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sum(int(process.communicate(timeout=30)[0]) for process in both) == 100


@pytest.mark.parametrize("length", [40, 3000, 40_000], ids=["in a page", "a page", "many pages"])
async def test_what_was_deleted_is_not_on_the_disk_any_more(tmp_path: Path, length: int) -> None:
    """Also where another process has the file open; older values of the same key are gone, too."""
    here, there = SqliteSharedStore(tmp_path / "shared.db"), SqliteSharedStore(tmp_path / "shared.db")

    def on_disk() -> bytes:
        return b"".join(file.read_bytes() for file in sorted(tmp_path.iterdir()))

    try:
        assert await there.get("conversation:CA7") is None
        for at in range(30):
            await here.put(f"conversation:CA{at}", {"said": f"canary-{at} " * (length // 10)}, 3600)
        await here.put("conversation:CA7", {"said": f"second-{7} " * (length // 10)}, 3600)
        assert b"canary-7 " in on_disk() and b"second-7 " in on_disk()
        await here.take("conversation:CA7")
        await here.scrub()
        assert b"canary-7 " not in on_disk() and b"second-7 " not in on_disk()
        assert b"canary-8 " in on_disk(), "what was not deleted is there"
        assert await there.get("conversation:CA8") is not None
    finally:
        await here.close()
        await there.close()
