"""What the processes of one phone line share: used tokens, slots for calls, calls that may resume, caps.

A small protocol, so that a network store can take its place; by default SQLite in DATA_DIR, which several
server processes open at once and which a restart keeps.

Times are the store's own: they look like Unix seconds, but they go on with the machine's monotonic clock, so
that a wall clock which is set an hour forth or back ends nothing early and keeps nothing longer.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from telephony.base import boot_clock, json_codec
from telephony.base.live_processes import Processes
from telephony.base.shared_store_file import SharedStoreFailure, SharedStoreFile

__all__ = ["SharedStore", "SharedStoreFailure", "SqliteSharedStore"]


Row = tuple[str, Mapping[str, Any], str]
"""A key, what is put under it, and the key under which nothing may be."""


class SharedStore(Protocol):
    """What a phone line's processes agree on. Times are in seconds.

    Every method may raise SharedStoreFailure.
    """

    def now(self) -> float:
        """The store's time: about Unix seconds, the same for all processes; no clock that is set moves it.

        Known once anything was asked of the store; before that it raises SharedStoreFailure.
        """
        ...

    async def claim(self, key: str, ttl_s: float) -> bool:
        """True for the first to claim the key; False for everybody else until `ttl_s` has passed."""

    async def put(self, key: str, value: Mapping[str, Any], ttl_s: float) -> None:
        """Keep a JSON object under the key (a CallSid, mostly) for `ttl_s`, in place of what was there."""

    async def put_all(self, rows: Sequence[Row], ttl_s: float) -> None:
        """Put several at once, each unless there is something under the key in its third place."""

    async def get(self, key: str) -> dict[str, Any] | None:
        """What was put under the key, if it has not expired."""

    async def keep(self, key: str, value: Mapping[str, Any], ttl_s: float) -> dict[str, Any]:
        """Put, unless something is there already; what is there now, either way."""

    async def take(self, key: str) -> dict[str, Any] | None:
        """Get and forget: only one of several takers gets it."""

    async def newest(self, prefix: str, most: int) -> list[str]:
        """Keys of kept objects that begin so, those that are kept longest first, at most so many."""
        ...

    async def acquire(self, name: str, holder: str, limit: int, ttl_s: float) -> bool:
        """Take one of `limit` slots, or renew the holder's own. False: all are taken."""

    async def leave(self, name: str, holder: str) -> None:
        """Give the holder's slot up."""

    async def slots_taken(self, name: str) -> int:
        """How many slots are taken."""

    async def held_elsewhere(self, name: str, holder: str) -> bool:
        """Whether the holder has a slot that another process took, and that process lives."""
        ...

    async def count(self, name: str, limit: int, window_s: float) -> bool:
        """Count one more event, unless there were `limit` of them within the last `window_s` already."""

    async def scrub(self) -> None:
        """See to it that what was deleted before is not on the disk any more, as far as that can be had."""

    async def close(self) -> None:
        """Let the store go."""


class SqliteSharedStore:
    """Shared on one SQLite file; the times of what it holds are those of the file."""

    def __init__(
        self,
        path: Path,
        uptime: Callable[[], float] = boot_clock.uptime_s,
        wall: Callable[[], float] = time.time,
        boot: str | None = None,
        processes: Processes | None = None,
    ) -> None:
        """`uptime` gives the machine's monotonic seconds and `boot` names the start they are counted from.

        `wall` (Unix seconds) is asked once after each start of the machine, for how long it was off. With
        `processes` the slots of one that has died are free at once.
        """
        self._file = SharedStoreFile(path, uptime, wall, boot)
        self._processes = processes
        self._process = processes.own if processes is not None else ""

    def now(self) -> float:
        return self._file.now()

    async def claim(self, key: str, ttl_s: float) -> bool:
        def work(db: sqlite3.Connection, now: float) -> bool:
            db.execute("DELETE FROM claims WHERE key = ? AND expires <= ?", (key, now))
            done = db.execute("INSERT OR IGNORE INTO claims VALUES (?, ?)", (key, now + ttl_s))
            return done.rowcount == 1

        return await self._file.run(work)

    async def put(self, key: str, value: Mapping[str, Any], ttl_s: float) -> None:
        text = _text(value)

        def work(db: sqlite3.Connection, now: float) -> None:
            db.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?)", (key, text, now + ttl_s))

        await self._file.run(work)

    async def put_all(self, rows: Sequence[Row], ttl_s: float) -> None:
        texts = [(key, _text(value), unless) for key, value, unless in rows]

        def work(db: sqlite3.Connection, now: float) -> None:
            query = (
                "INSERT OR REPLACE INTO items SELECT ?, ?, ? WHERE NOT EXISTS "
                "(SELECT 1 FROM items WHERE key = ? AND expires > ?)"
            )
            db.executemany(query, [(key, text, now + ttl_s, unless, now) for key, text, unless in texts])

        await self._file.run(work)

    async def get(self, key: str) -> dict[str, Any] | None:
        return _object(await self._file.run(lambda db, now: _item(db, key, now), writes=False))

    async def keep(self, key: str, value: Mapping[str, Any], ttl_s: float) -> dict[str, Any]:
        text = _text(value)

        def work(db: sqlite3.Connection, now: float) -> str:
            there = _item(db, key, now)
            if there is None:
                db.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?)", (key, text, now + ttl_s))
            return there or text

        kept: dict[str, Any] = json.loads(await self._file.run(work))
        return kept

    async def take(self, key: str) -> dict[str, Any] | None:
        def work(db: sqlite3.Connection, now: float) -> str | None:
            there = _item(db, key, now)
            db.execute("DELETE FROM items WHERE key = ?", (key,))
            return there

        return _object(await self._file.run(work))

    async def newest(self, prefix: str, most: int) -> list[str]:
        def work(db: sqlite3.Connection, now: float) -> list[str]:
            query = (
                "SELECT key FROM items WHERE key >= ? AND key < ? AND expires > ? "
                "ORDER BY expires DESC LIMIT ?"
            )
            # In the order of their code points, nothing that begins with the prefix comes after this.
            return [key for (key,) in db.execute(query, (prefix, prefix + "\U0010ffff", now, most))]

        return await self._file.run(work, writes=False)

    async def acquire(self, name: str, holder: str, limit: int, ttl_s: float) -> bool:
        def work(db: sqlite3.Connection, now: float) -> bool:
            db.execute("DELETE FROM taken WHERE name = ? AND expires <= ?", (name, now))
            mine = db.execute("SELECT 1 FROM taken WHERE name = ? AND holder = ?", (name, holder)).fetchone()
            if mine is None and self._slots(db, name, now) >= limit:
                return False
            row = (name, holder, now + ttl_s, self._process)
            db.execute("INSERT OR REPLACE INTO taken VALUES (?, ?, ?, ?)", row)
            return True

        return await self._file.run(work)

    async def leave(self, name: str, holder: str) -> None:
        def work(db: sqlite3.Connection, now: float) -> None:
            db.execute("DELETE FROM taken WHERE name = ? AND holder = ?", (name, holder))

        await self._file.run(work)

    async def slots_taken(self, name: str) -> int:
        return await self._file.run(lambda db, now: self._slots(db, name, now), writes=False)

    async def held_elsewhere(self, name: str, holder: str) -> bool:
        def work(db: sqlite3.Connection, now: float) -> bool:
            query = "SELECT process FROM taken WHERE name = ? AND holder = ? AND expires > ?"
            row = db.execute(query, (name, holder, now)).fetchone()
            return row is not None and row[0] != self._process and self._lives(row[0])

        return await self._file.run(work, writes=False)

    async def count(self, name: str, limit: int, window_s: float) -> bool:
        def work(db: sqlite3.Connection, now: float) -> bool:
            since = now - window_s
            query = "SELECT count(*) FROM counts WHERE name = ? AND at > ?"
            if int(db.execute(query, (name, since)).fetchone()[0]) >= limit:
                return False
            db.execute("INSERT INTO counts (name, at, expires) VALUES (?, ?, ?)", (name, now, now + window_s))
            return True

        return await self._file.run(work)

    async def scrub(self) -> None:
        await self._file.scrub()

    async def close(self) -> None:
        await self._file.close()

    def _slots(self, db: sqlite3.Connection, name: str, now: float) -> int:
        """How many are taken, by processes that live."""
        query = "SELECT process, count(*) FROM taken WHERE name = ? AND expires > ? GROUP BY process"
        return sum(
            int(slots) for process, slots in db.execute(query, (name, now)).fetchall() if self._lives(process)
        )

    def _lives(self, process: str) -> bool:
        # Who has no name is believed until its time is up.
        return not process or self._processes is None or self._processes.lives(process)


def _item(db: sqlite3.Connection, key: str, now: float) -> str | None:
    row = db.execute("SELECT value FROM items WHERE key = ? AND expires > ?", (key, now)).fetchone()
    return None if row is None else str(row[0])


def _text(value: Mapping[str, Any]) -> str:
    """JSON, the quick way where that can write it; a conversation is saved every few seconds."""
    try:
        return json_codec.dumps(value)
    except TypeError:
        return json.dumps(value)


def _object(text: str | None) -> dict[str, Any] | None:
    value: dict[str, Any] | None = None if text is None else json.loads(text)
    return value
