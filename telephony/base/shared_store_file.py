"""The SQLite file behind the shared store: one thread works, and nobody waits for it longer than ANSWER_S.

WAL with synchronous=NORMAL: a killed process loses nothing that was acknowledged (measured with ten
`kill -9`), and a commit takes 0.01 to 0.06 ms where FULL takes 8 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from telephony.base import boot_clock
from telephony.base.tasks import guarded, undone_on_failure
from telephony.errors import TelephonyError

log = logging.getLogger(__name__)
T = TypeVar("T")

BUSY_S = 1.0
"""How long one process waits for another's write, which takes about 0.1 ms. A webhook, which must be answered
within 3 s, waits so long at most twice."""
LOCKED_S = 1.0  # after a wait in vain: for so long nobody waits for the lock again
ANSWER_S = 2.0  # a disk that does not answer at all
SCRUB_AGAIN_S = 0.02
CACHE_KIB = 256
"""Of pages in memory. The default of 2 MB would fill up with a day's calls, and rows are found one by one."""
SWEEP_S = 30.0  # how often what has expired is deleted

SCHEMA = """
CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, expires REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (key TEXT PRIMARY KEY, value TEXT, expires REAL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS items_by_end ON items (expires);
CREATE TABLE IF NOT EXISTS taken (name TEXT, holder TEXT, expires REAL, process TEXT,
                                  PRIMARY KEY (name, holder));
CREATE TABLE IF NOT EXISTS counts (id INTEGER PRIMARY KEY, name TEXT, at REAL, expires REAL);
CREATE INDEX IF NOT EXISTS counts_by_name ON counts (name, at);
CREATE TABLE IF NOT EXISTS boots (boot TEXT PRIMARY KEY, began REAL, seen REAL) WITHOUT ROWID;
"""
BOOT_KEPT_S = 30 * 86_400.0  # a start of the machine that nobody has seen for so long is forgotten


class SharedStoreFailure(TelephonyError):
    """The shared store cannot be read or written now (disk full, locked, damaged)."""


@dataclass(slots=True)
class StoreRequest:
    """Work that somebody waits for. One that only reads is done on a full disk, too."""

    work: Callable[[sqlite3.Connection, float], Any]
    writes: bool
    result: asyncio.Future[Any]
    given_up: bool = False


class SharedStoreFile:
    """Does work on one SQLite file, never in the event loop.

    What is asked in one turn of the loop, or while the thread works, is done next in one transaction: a
    thousand webhooks at once cost a few commits, not thousands.
    """

    def __init__(
        self, path: Path, uptime: Callable[[], float], wall: Callable[[], float], boot: str | None
    ) -> None:
        self.path = path
        self._uptime = uptime
        self._wall = wall
        self._boot = boot_clock.boot_id() if boot is None else boot
        self._began: float | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shared")
        self._connection: sqlite3.Connection | None = None
        self._next_sweep = 0.0
        self._to_scrub = False
        """What was deleted may still lie in the write-ahead log."""
        self._locked_until = 0.0
        self._asked: list[StoreRequest] = []
        self._working = False
        self._stuck = False
        self._closed = False

    def now(self) -> float:
        """The store's time. Raises SharedStoreFailure before the first work was done."""
        if self._began is None:
            raise SharedStoreFailure(f"{self.path}: its time is not known yet")
        return self._began + self._uptime()

    async def run(self, work: Callable[[sqlite3.Connection, float], T], *, writes: bool = True) -> T:
        """Have work done in the thread; it gets the store's time. Raises SharedStoreFailure."""
        if self._closed:
            raise SharedStoreFailure(f"{self.path}: closed")
        if self._stuck:
            raise SharedStoreFailure(f"{self.path}: the disk does not answer")
        loop = asyncio.get_running_loop()
        ask = StoreRequest(work, writes, loop.create_future())
        self._asked.append(ask)
        if not self._working:
            self._working = True
            loop.call_soon(self._work_off, loop)
        result: T = await ask.result
        return result

    async def scrub(self) -> None:
        """Have what was deleted vanish from the disk; logged when another process is in the way."""
        end = time.monotonic() + BUSY_S
        self._to_scrub = True
        while self._to_scrub:
            await self.run(lambda db, now: None)  # answered when it was tried
            if self._to_scrub and time.monotonic() > end:
                log.warning("%s: deleted bytes are still in its log, which another process reads", self.path)
                return
            await asyncio.sleep(SCRUB_AGAIN_S if self._to_scrub else 0)

    async def close(self) -> None:
        """Do what was asked, then let the file go."""
        loop = asyncio.get_running_loop()
        if self._asked:
            self._work_off(loop)
        self._closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                await loop.run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    # in the event loop

    def _work_off(self, loop: asyncio.AbstractEventLoop) -> None:
        asks, self._asked = self._asked, []
        if not asks:  # close() was quicker
            return
        overdue = loop.call_later(ANSWER_S, self._overdue, asks)

        def tell(done: Future[list[Any]]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._worked_off, loop, overdue, asks, done.result())

        self._thread.submit(self._answers, asks).add_done_callback(tell)

    def _worked_off(
        self,
        loop: asyncio.AbstractEventLoop,
        overdue: asyncio.TimerHandle,
        asks: list[StoreRequest],
        answers: list[Any],
    ) -> None:
        overdue.cancel()
        self._stuck = False
        for ask, answer in zip(asks, answers, strict=True):
            if ask.result.done():  # its asker was cancelled, or learned that the disk does not answer
                continue
            if isinstance(answer, Exception):
                ask.result.set_exception(answer)
            else:
                ask.result.set_result(answer)
        self._working = bool(self._asked) and not self._closed
        if self._working:
            self._work_off(loop)

    def _overdue(self, asks: list[StoreRequest]) -> None:
        """The thread hangs in the disk: nobody waits for it until it has come back."""
        self._stuck = True
        log.error("%s: the disk does not answer", self.path)
        for ask in [*asks, *self._asked]:
            ask.given_up = True
            if not ask.result.done():
                ask.result.set_exception(SharedStoreFailure(f"{self.path}: the disk does not answer"))
        self._asked.clear()

    # in the thread

    def _answers(self, asks: list[StoreRequest]) -> list[Any]:
        """The results, or exceptions, of all works; none of them hurts another."""
        return guarded(lambda error: self._answers_after(error, asks), self._transact, asks)

    def _answers_after(self, error: Exception, asks: list[StoreRequest]) -> list[Any]:
        """The failure of a single work is its answer; of several, each is done by itself."""
        if len(asks) > 1:
            return [answer for ask in asks for answer in self._answers([ask])]
        ours = isinstance(error, sqlite3.Error | OSError)
        return [SharedStoreFailure(f"{self.path}: {error}") if ours else error]

    def _transact(self, asks: list[StoreRequest]) -> list[Any]:
        """Do the works in one transaction: what they read cannot change before they have written."""
        db = self._connection = self._connection or self._open()
        writes = self._began is None or any(ask.writes for ask in asks)
        self._begin(db, writes)
        with undone_on_failure(lambda: _roll_back(db)):
            uptime, began = self._uptime(), self._began
            if began is None:
                began = _began(db, self._boot, uptime, self._wall())
            results = [None if ask.given_up else ask.work(db, began + uptime) for ask in asks]
            db.execute("COMMIT")
        self._began = began
        if began + uptime >= self._next_sweep:
            self._next_sweep = began + uptime + SWEEP_S
            self._sweep(db, began + uptime)
            self._to_scrub = True
        if self._to_scrub:
            self._scrub(db)
        return results

    def _begin(self, db: sqlite3.Connection, writes: bool) -> None:
        """Wait for another process's lock, but not again and again."""
        with self._patience() as seconds:
            db.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
            db.execute("BEGIN IMMEDIATE" if writes else "BEGIN")

    @contextlib.contextmanager
    def _patience(self) -> Iterator[float]:
        """How long to wait for another process's lock, in seconds: not at all after a wait in vain."""
        seconds = BUSY_S if time.monotonic() >= self._locked_until else 0.0
        try:
            yield seconds
        except sqlite3.OperationalError:
            if seconds:
                self._locked_until = time.monotonic() + LOCKED_S
            raise

    def _sweep(self, db: sqlite3.Connection, now: float) -> None:
        """Delete what has expired; that this fails costs nothing but room."""
        try:
            db.execute("PRAGMA busy_timeout = 0")
            db.execute("BEGIN IMMEDIATE")
            for table in ("claims", "items", "taken", "counts"):
                db.execute(f"DELETE FROM {table} WHERE expires <= ?", (now,))
            db.execute("UPDATE boots SET seen = ? WHERE boot = ?", (now, self._boot))
            db.execute("COMMIT")
        except sqlite3.Error as error:
            log.warning("%s: what has expired was not deleted: %s", self.path, error)
            _roll_back(db)

    def _scrub(self, db: sqlite3.Connection) -> None:
        """With secure_delete nothing is left in the file itself, but its log has the older pages."""
        try:
            db.execute("PRAGMA busy_timeout = 0")
            busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._to_scrub = bool(busy)
        except sqlite3.Error as error:  # tried again with what is asked next
            log.warning("%s: deleted bytes are still in its log: %s", self.path, error)

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=True)
        with undone_on_failure(db.close), self._patience() as seconds:
            _set_up(db, seconds)
        return db

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _roll_back(db: sqlite3.Connection) -> None:
    if db.in_transaction:
        db.execute("ROLLBACK")


def _set_up(db: sqlite3.Connection, patience_s: float) -> None:
    """Make the file ready. The switch to WAL does not wait for another process's: it is tried again."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA secure_delete = ON")
            db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
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
