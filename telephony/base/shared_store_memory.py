"""When the shared store fails, the calls of this process go on from memory.

A full disk or a store that another process keeps locked must not cost a caller their call: what is put is
kept here until the store takes it, and what a call used up stays used up. What other processes know is not
seen meanwhile. Where money is spent (dialling) and where something has to be gone for good (deletion), the
store itself is asked, and its failure is one.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from telephony.base.shared_store import Row, SharedStore, SharedStoreFailure

log = logging.getLogger(__name__)

MOST = 10_000  # of each kind: a store that fails for a day must not fill the memory
USED_S = 3600.0  # what was taken out of a store that could not note it is gone for so long
TELL_AGAIN_S = 30.0

LOOK_AT = 256  # claims, from when on those that are over are looked for

Kept = tuple[float, dict[str, Any] | None]
"""Until when, and what; None: it was taken."""


class MemorySharedStore:
    """Claims, objects and counts of one process, each until its time is up."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._claims: OrderedDict[str, float] = OrderedDict()
        self._items: OrderedDict[str, Kept] = OrderedDict()
        self._counts: OrderedDict[str, deque[float]] = OrderedDict()
        self._look_at = LOOK_AT

    def claim(self, key: str, ttl_s: float) -> bool:
        """Whether nobody has claimed the key before."""
        now = self._clock()
        if self._claims.get(key, 0.0) > now:
            return False
        self._claims.pop(key, None)
        while self._claims and next(iter(self._claims.values())) <= now:  # each call claims a token
            self._claims.popitem(last=False)
        self._claims[key] = now + ttl_s
        if len(self._claims) >= self._look_at:
            self._forget_expired(now)
        return True

    def _forget_expired(self, now: float) -> None:
        """Most claims last a minute: what is over is forgotten long before there are too many."""
        for key in [key for key, until in self._claims.items() if until <= now]:
            del self._claims[key]
        _bounded(self._claims)
        self._look_at = max(LOOK_AT, min(2 * len(self._claims), MOST))

    def put(self, key: str, value: Mapping[str, Any] | None, ttl_s: float) -> None:
        """Keep an object; None: that it was taken."""
        self._items[key] = (self._clock() + ttl_s, None if value is None else dict(value))
        _bounded(self._items)

    def knows(self, key: str) -> bool:
        """Whether it has something to say about the key."""
        kept = self._items.get(key)
        if kept is not None and kept[0] <= self._clock():
            del self._items[key]
            kept = None
        return kept is not None

    def get(self, key: str) -> dict[str, Any] | None:
        """What was put."""
        return self._items[key][1] if self.knows(key) else None

    def forget(self, key: str) -> None:
        """Somebody else knows better."""
        self._items.pop(key, None)

    def count(self, name: str, limit: int, window_s: float) -> bool:
        """Count one more, unless there were so many already."""
        now, counted = self._clock(), self._counts.setdefault(name, deque())
        while counted and counted[0] <= now - window_s:
            counted.popleft()
        if len(counted) >= limit:
            return False
        counted.append(now)
        _bounded(self._counts)
        return True


def _bounded(kept: OrderedDict[str, Any]) -> None:
    while len(kept) > MOST:
        kept.popitem(last=False)


class FailOpen:
    """The shared store as the calls of this process see it. What is not of the calls' own raises, as ever."""

    def __init__(self, store: SharedStore, memory: MemorySharedStore | None = None) -> None:
        self._store = store
        self._memory = memory or MemorySharedStore()
        self._tell_at = 0.0

    def now(self) -> float:
        return self._store.now()

    async def claim(self, key: str, ttl_s: float) -> bool:
        if not self._memory.claim(key, ttl_s):  # what was used before the store failed stays used
            return False
        try:
            return await self._store.claim(key, ttl_s)
        except SharedStoreFailure as error:
            self._failed(error)
            return True

    async def put(self, key: str, value: Mapping[str, Any], ttl_s: float) -> None:
        try:
            await self._store.put(key, value, ttl_s)
            self._memory.forget(key)
        except SharedStoreFailure as error:
            self._failed(error)
            self._memory.put(key, value, ttl_s)

    async def put_all(self, rows: Sequence[Row], ttl_s: float) -> None:
        try:
            await self._store.put_all(rows, ttl_s)
            for key, _, _ in rows:
                self._memory.forget(key)
        except SharedStoreFailure as error:
            self._failed(error)
            for key, value, unless in rows:
                if self._memory.get(unless) is None:
                    self._memory.put(key, value, ttl_s)

    async def get(self, key: str) -> dict[str, Any] | None:
        if self._memory.knows(key):
            return self._memory.get(key)
        try:
            return await self._store.get(key)
        except SharedStoreFailure as error:
            self._failed(error)
            return None

    async def keep(self, key: str, value: Mapping[str, Any], ttl_s: float) -> dict[str, Any]:
        if (known := self._memory.get(key)) is not None:
            return known
        try:
            kept = await self._store.keep(key, value, ttl_s)
            self._memory.forget(key)
            return kept
        except SharedStoreFailure as error:
            self._failed(error)
        there = await self.get(key)  # what is there can mostly be read still
        if there is None:
            self._memory.put(key, value, ttl_s)
        return there if there is not None else dict(value)

    async def take(self, key: str) -> dict[str, Any] | None:
        known, value = self._memory.knows(key), self._memory.get(key)
        try:
            stored = await self._store.take(key)
            self._memory.forget(key)
            return value if known else stored
        except SharedStoreFailure as error:
            self._failed(error)
        value = await self.get(key)
        self._memory.put(key, None, USED_S)
        return value

    async def newest(self, prefix: str, most: int) -> list[str]:
        try:
            return await self._store.newest(prefix, most)
        except SharedStoreFailure as error:
            self._failed(error)
            return []

    async def acquire(self, name: str, holder: str, limit: int, ttl_s: float) -> bool:
        return await self._store.acquire(name, holder, limit, ttl_s)

    async def leave(self, name: str, holder: str) -> None:
        try:
            await self._store.leave(name, holder)
        except SharedStoreFailure as error:  # it is free when its time is up
            self._failed(error)

    async def slots_taken(self, name: str) -> int:
        return await self._store.slots_taken(name)

    async def held_elsewhere(self, name: str, holder: str) -> bool:
        try:
            return await self._store.held_elsewhere(name, holder)
        except SharedStoreFailure as error:
            self._failed(error)
            return False

    async def count(self, name: str, limit: int, window_s: float) -> bool:
        try:
            return await self._store.count(name, limit, window_s)
        except SharedStoreFailure as error:
            self._failed(error)
            return self._memory.count(name, limit, window_s)

    async def scrub(self) -> None:
        await self._store.scrub()

    def forget(self, key: str) -> None:
        """Delete what this process remembers of the key by itself."""
        self._memory.forget(key)

    async def close(self) -> None:
        await self._store.close()

    def _failed(self, error: SharedStoreFailure) -> None:
        """One line in a while: under a full disk every call comes by here."""
        now = time.monotonic()
        if now >= self._tell_at:
            self._tell_at = now + TELL_AGAIN_S
            log.error("calls go on from memory: %s", error)
