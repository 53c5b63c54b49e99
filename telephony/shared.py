"""What the processes of one phone line share: used tokens, seats for calls, calls that may resume, caps.

A small protocol, so that a network store can take its place; by default SQLite in DATA_DIR, which several
server processes open at once and which a restart keeps.

Times are the store's own: they look like Unix seconds, but they go on with the machine's monotonic clock, so
that a wall clock which is set an hour forth or back ends nothing early and keeps nothing longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from telephony import machine
from telephony.errors import TelephonyError

log = logging.getLogger(__name__)
T = TypeVar("T")

BUSY_S = 2.0  # how long one process waits for another's write; a write takes about 0.1 ms
SWEEP_S = 30.0  # how often what has expired is deleted

SCHEMA = """
CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, expires REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (key TEXT PRIMARY KEY, value TEXT, expires REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seats (name TEXT, holder TEXT, expires REAL, PRIMARY KEY (name, holder));
CREATE TABLE IF NOT EXISTS counts (id INTEGER PRIMARY KEY, name TEXT, at REAL, expires REAL);
CREATE INDEX IF NOT EXISTS counts_by_name ON counts (name, at);
CREATE TABLE IF NOT EXISTS boots (boot TEXT PRIMARY KEY, began REAL, seen REAL) WITHOUT ROWID;
"""
BOOT_KEPT_S = 30 * 86_400.0  # a start of the machine that nobody has seen for so long is forgotten


class SharedFailure(TelephonyError):
    """The shared store cannot be read or written now (disk full, locked, damaged)."""


class Shared(Protocol):
    """What a phone line's processes agree on. Every method may raise SharedFailure. Times are in seconds."""

    def now(self) -> float:
        """The store's time: about Unix seconds, the same for all processes; no clock that is set moves it.

        Known once anything was asked of the store; before that it raises SharedFailure.
        """
        ...

    async def claim(self, key: str, ttl_s: float) -> bool:
        """True for the first to claim the key; False for everybody else until `ttl_s` has passed."""

    async def put(self, key: str, value: Mapping[str, Any], ttl_s: float) -> None:
        """Keep a JSON object under the key (a CallSid, mostly) for `ttl_s`, in place of what was there."""

    async def get(self, key: str) -> dict[str, Any] | None:
        """What was put under the key, if it has not expired."""

    async def keep(self, key: str, value: Mapping[str, Any], ttl_s: float) -> dict[str, Any]:
        """Put, unless something is there already; what is there now, either way."""

    async def take(self, key: str) -> dict[str, Any] | None:
        """Get and forget: only one of several takers gets it."""

    async def newest(self, prefix: str, most: int) -> list[str]:
        """Keys of kept objects that begin so, those that are kept longest first, at most so many."""
        ...

    async def sit(self, name: str, holder: str, limit: int, ttl_s: float) -> bool:
        """Take one of `limit` seats, or renew the holder's own. False: all are taken."""

    async def leave(self, name: str, holder: str) -> None:
        """Give the holder's seat up."""

    async def seated(self, name: str) -> int:
        """How many seats are taken."""

    async def count(self, name: str, limit: int, window_s: float) -> bool:
        """Count one more event, unless there were `limit` of them within the last `window_s` already."""

    async def close(self) -> None:
        """Let the store go."""


Work = Callable[[sqlite3.Connection, float], Any]


@dataclass(slots=True)
class Ask:
    """Work that somebody waits for."""

    work: Work
    result: asyncio.Future[Any]


class SqliteShared:
    """Shared on one SQLite file. All work is done in one thread, never in the event loop.

    What is asked while the thread works is done next in one transaction: a thousand webhooks at once cost
    a few commits, not thousands.

    WAL with synchronous=NORMAL: a killed process loses nothing that was acknowledged (measured with ten
    `kill -9`), and a commit takes 0.01 to 0.06 ms where FULL takes 8 ms.
    """

    def __init__(
        self,
        path: Path,
        uptime: Callable[[], float] = machine.uptime_s,
        wall: Callable[[], float] = time.time,
        boot: str | None = None,
    ) -> None:
        """`uptime` gives the machine's monotonic seconds and `boot` names the start they are counted from.

        `wall` (Unix seconds) is asked once after each start of the machine, for how long it was off.
        """
        self._path = path
        self._uptime = uptime
        self._wall = wall
        self._boot = machine.boot_id() if boot is None else boot
        self._began: float | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shared")
        self._connection: sqlite3.Connection | None = None
        self._next_sweep = 0.0
        self._asked: list[Ask] = []
        self._working = False
        self._closed = False

    def now(self) -> float:
        if self._began is None:
            raise SharedFailure(f"{self._path}: its time is not known yet")
        return self._began + self._uptime()

    async def claim(self, key: str, ttl_s: float) -> bool:
        def work(db: sqlite3.Connection, now: float) -> bool:
            db.execute("DELETE FROM claims WHERE key = ? AND expires <= ?", (key, now))
            done = db.execute("INSERT OR IGNORE INTO claims VALUES (?, ?)", (key, now + ttl_s))
            return done.rowcount == 1

        return await self._run(work)

    async def put(self, key: str, value: Mapping[str, Any], ttl_s: float) -> None:
        text = json.dumps(value)

        def work(db: sqlite3.Connection, now: float) -> None:
            db.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?)", (key, text, now + ttl_s))

        await self._run(work)

    async def get(self, key: str) -> dict[str, Any] | None:
        return _object(await self._run(lambda db, now: _item(db, key, now)))

    async def keep(self, key: str, value: Mapping[str, Any], ttl_s: float) -> dict[str, Any]:
        text = json.dumps(value)

        def work(db: sqlite3.Connection, now: float) -> str:
            there = _item(db, key, now)
            if there is None:
                db.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?)", (key, text, now + ttl_s))
            return there or text

        kept: dict[str, Any] = json.loads(await self._run(work))
        return kept

    async def take(self, key: str) -> dict[str, Any] | None:
        def work(db: sqlite3.Connection, now: float) -> str | None:
            there = _item(db, key, now)
            db.execute("DELETE FROM items WHERE key = ?", (key,))
            return there

        return _object(await self._run(work))

    async def newest(self, prefix: str, most: int) -> list[str]:
        def work(db: sqlite3.Connection, now: float) -> list[str]:
            query = (
                "SELECT key FROM items WHERE key >= ? AND key < ? AND expires > ? "
                "ORDER BY expires DESC LIMIT ?"
            )
            # In the order of their code points, nothing that begins with the prefix comes after this.
            return [key for (key,) in db.execute(query, (prefix, prefix + "\U0010ffff", now, most))]

        return await self._run(work)

    async def sit(self, name: str, holder: str, limit: int, ttl_s: float) -> bool:
        def work(db: sqlite3.Connection, now: float) -> bool:
            db.execute("DELETE FROM seats WHERE name = ? AND expires <= ?", (name, now))
            mine = db.execute("SELECT 1 FROM seats WHERE name = ? AND holder = ?", (name, holder)).fetchone()
            if mine is None and _seats(db, name, now) >= limit:
                return False
            db.execute("INSERT OR REPLACE INTO seats VALUES (?, ?, ?)", (name, holder, now + ttl_s))
            return True

        return await self._run(work)

    async def leave(self, name: str, holder: str) -> None:
        def work(db: sqlite3.Connection, now: float) -> None:
            db.execute("DELETE FROM seats WHERE name = ? AND holder = ?", (name, holder))

        await self._run(work)

    async def seated(self, name: str) -> int:
        return await self._run(lambda db, now: _seats(db, name, now))

    async def count(self, name: str, limit: int, window_s: float) -> bool:
        def work(db: sqlite3.Connection, now: float) -> bool:
            since = now - window_s
            query = "SELECT count(*) FROM counts WHERE name = ? AND at > ?"
            if int(db.execute(query, (name, since)).fetchone()[0]) >= limit:
                return False
            db.execute("INSERT INTO counts (name, at, expires) VALUES (?, ?, ?)", (name, now, now + window_s))
            return True

        return await self._run(work)

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        if self._asked:
            self._work_off(loop)
        self._closed = True
        await loop.run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[sqlite3.Connection, float], T]) -> T:
        """Have work done in the thread.

        What is asked in one turn of the event loop, or while the thread works, is done together, in one
        transaction: waking the thread costs more than most of what it then does.
        """
        if self._closed:
            raise SharedFailure(f"{self._path}: closed")
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        self._asked.append(Ask(work, result))
        if not self._working:
            self._working = True
            loop.call_soon(self._work_off, loop)
        return await result

    def _work_off(self, loop: asyncio.AbstractEventLoop) -> None:
        asks, self._asked = self._asked, []
        if not asks:  # close() was quicker
            return
        done = self._thread.submit(self._answers, [ask.work for ask in asks])

        def tell(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._worked_off, loop, asks, done.result())

        done.add_done_callback(tell)

    def _worked_off(self, loop: asyncio.AbstractEventLoop, asks: list[Ask], answers: list[Any]) -> None:
        for ask, answer in zip(asks, answers, strict=True):
            if ask.result.done():  # its asker was cancelled
                continue
            if isinstance(answer, Exception):
                ask.result.set_exception(answer)
            else:
                ask.result.set_result(answer)
        self._working = bool(self._asked) and not self._closed
        if self._working:
            self._work_off(loop)

    def _answers(self, works: list[Work]) -> list[Any]:
        """In the thread: the results, or exceptions, of all works; none of them hurts another."""
        try:
            return self._transact(works)
        except Exception as error:  # the edge of the thread: whoever asked gets it
            if len(works) == 1:
                ours = isinstance(error, sqlite3.Error | OSError)
                return [SharedFailure(f"{self._path}: {error}") if ours else error]
        return [answer for work in works for answer in self._answers([work])]

    def _transact(self, works: list[Work]) -> list[Any]:
        """Do the works in one write transaction: what they read cannot change before they have written."""
        db = self._connection = self._connection or self._open()
        db.execute("BEGIN IMMEDIATE")
        try:
            uptime, began = self._uptime(), self._began
            if began is None:
                began = _began(db, self._boot, uptime, self._wall())
            now = began + uptime
            if now >= self._next_sweep:
                self._next_sweep = now + SWEEP_S
                _sweep(db, now)
                db.execute("UPDATE boots SET seen = ? WHERE boot = ?", (now, self._boot))
            results = [work(db, now) for work in works]
            db.execute("COMMIT")
            self._began = began
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return results

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=True)
        _set_up(db)
        return db

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _set_up(db: sqlite3.Connection) -> None:
    """Make the file ready. The switch to WAL does not wait for another process's: it is tried again."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.executescript(SCHEMA)
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _began(db: sqlite3.Connection, boot: str, uptime: float, wall: float) -> float:
    """When this start of the machine was, in the store's time: the first process after it settles that.

    The store's time goes on where it was last seen. How long the machine was off only the wall clock knows;
    one that was set back meanwhile is not believed.
    """
    row = db.execute("SELECT began, seen FROM boots WHERE boot = ?", (boot,)).fetchone()
    # A system that does not name its starts: a shorter uptime than before is another one.
    if row is not None and (boot or row[0] + uptime >= row[1]):
        return float(row[0])
    seen = db.execute("SELECT max(seen) FROM boots").fetchone()[0] or 0.0
    now = max(wall, seen)
    db.execute("DELETE FROM boots WHERE seen < ?", (now - BOOT_KEPT_S,))
    db.execute("INSERT OR REPLACE INTO boots VALUES (?, ?, ?)", (boot, now - uptime, now))
    return now - uptime


def _item(db: sqlite3.Connection, key: str, now: float) -> str | None:
    row = db.execute("SELECT value FROM items WHERE key = ? AND expires > ?", (key, now)).fetchone()
    return None if row is None else str(row[0])


def _object(text: str | None) -> dict[str, Any] | None:
    value: dict[str, Any] | None = None if text is None else json.loads(text)
    return value


def _seats(db: sqlite3.Connection, name: str, now: float) -> int:
    query = "SELECT count(*) FROM seats WHERE name = ? AND expires > ?"
    return int(db.execute(query, (name, now)).fetchone()[0])


def _sweep(db: sqlite3.Connection, now: float) -> None:
    for table in ("claims", "items", "seats", "counts"):
        db.execute(f"DELETE FROM {table} WHERE expires <= ?", (now,))
