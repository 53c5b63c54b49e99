"""Events of calls on their way to WEBHOOK_URL: kept until they are delivered, those of a call in their order.

An event is written to the shared store before it is posted, and deleted when it is delivered, so that a
restart loses none: the next server on this DATA_DIR delivers what a dead process left. An event may come
twice, with the same `webhook-id`; it is given up after a day.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson

from telephony.base.shared_store import Row
from telephony.call.call_events import CallEventKind, Json
from telephony.server.event_hook import Delivery

log = logging.getLogger(__name__)

PREFIX = "event:"
KEPT_S = 86_400.0
"""An event is worth delivering for so long."""
MOST = 10_000
"""Events on their way at once; what comes beyond is lost, and counted."""
LANES = 8
"""Calls whose events are posted at the same time; one call's stay in one lane, in order."""
WAITS_S = (1.0, 2.0, 5.0, 15.0, 60.0, 300.0)
"""Between attempts; the last is repeated."""
CLOSE_S = 3.0
"""How long the end of the server waits for deliveries."""


class Hook(Protocol):
    """See `EventHook`."""

    async def post(self, event_id: str, body: bytes, unix_s: float) -> Delivery: ...


class Store(Protocol):
    """What of the shared store is used: see `SharedStore`."""

    async def claim(self, key: str, ttl_s: float) -> bool: ...

    async def put_all(self, rows: Sequence[Row], ttl_s: float) -> None: ...

    async def get(self, key: str) -> dict[str, Any] | None: ...

    async def take(self, key: str) -> dict[str, Any] | None: ...

    async def newest(self, prefix: str, most: int) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class _Event:
    key: str
    event_id: str
    call_sid: str
    body: str
    at: float
    """Unix seconds."""

    def as_row(self) -> Row:
        kept = {"id": self.event_id, "sid": self.call_sid, "body": self.body, "at": self.at}
        return (self.key, kept, "")


class EventOutbox:
    """Delivers events in the background. `process` is this one; `lives` says whether another still runs."""

    def __init__(
        self,
        hook: Hook,
        store: Store,
        process: str,
        lives: Callable[[str], bool],
        clock: Callable[[], float],
    ) -> None:
        self.wanted = True
        self.counts: Counter[str] = Counter()
        """`delivered`, `failed` attempts, `refused`, `expired`, `lost`."""
        self._hook, self._store, self._clock = hook, store, clock
        self._process, self._lives = process or uuid.uuid4().hex[:16], lives
        self._written: asyncio.Queue[_Event] = asyncio.Queue()
        self._lanes: list[asyncio.Queue[_Event]] = [asyncio.Queue() for _ in range(LANES)]
        self._under_way = 0
        self._number = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def start(self) -> None:
        """Begin to deliver; first what dead processes left."""
        self._tasks = [asyncio.create_task(self._adopt()), asyncio.create_task(self._write())]
        self._tasks += [asyncio.create_task(self._deliver(lane)) for lane in self._lanes]

    def emit(self, call_sid: str, kind: CallEventKind, data: Json) -> None:
        """Take an event. Never waits, never raises."""
        if self._under_way >= MOST:
            self.counts["lost"] += 1
            if self.counts["lost"] == 1:
                log.error("events of calls are lost: %d are waiting for WEBHOOK_URL", MOST)
            return
        self._number += 1
        event_id, at = f"evt_{uuid.uuid4().hex}", self._clock()
        stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
        event = {"type": kind.value, "timestamp": stamp, "data": dict(data)}
        try:
            body = orjson.dumps(event, repr, orjson.OPT_NON_STR_KEYS).decode()
        except (TypeError, ValueError):  # half a surrogate pair, a number beyond 64 bits, a value in itself
            body = json.dumps(event, default=repr)
        key = f"{PREFIX}{self._process}:{self._number:012d}"
        self._begin()
        self._written.put_nowait(_Event(key, event_id, call_sid, body, at))

    async def close(self) -> None:
        """Deliver what can be delivered now; the rest stays for the next server."""
        self._closing.set()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._idle.wait()
        except TimeoutError:
            log.warning("%d events of calls wait for the next start", self._under_way)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ---- on the way

    def _begin(self) -> None:
        self._under_way += 1
        self._idle.clear()

    def _end(self) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()

    def _lane(self, call_sid: str) -> asyncio.Queue[_Event]:
        return self._lanes[hash(call_sid) % LANES]

    async def _adopt(self) -> None:
        """Take over what processes left that live no more, oldest first."""
        for key in reversed(await self._store.newest(PREFIX, MOST)):
            process = key.removeprefix(PREFIX).partition(":")[0]
            if process == self._process or self._lives(process):
                continue
            if not await self._store.claim(f"adopted-{key}", KEPT_S):
                continue
            kept = await self._store.get(key)
            if kept is not None:
                self._begin()
                event = _Event(key, str(kept["id"]), str(kept["sid"]), str(kept["body"]), float(kept["at"]))
                self._lane(event.call_sid).put_nowait(event)

    async def _write(self) -> None:
        """Write events down before they are posted, many at once."""
        while True:
            batch = [await self._written.get()]
            while not self._written.empty():
                batch.append(self._written.get_nowait())
            await self._store.put_all([event.as_row() for event in batch], KEPT_S)
            for event in batch:
                self._lane(event.call_sid).put_nowait(event)

    async def _deliver(self, lane: asyncio.Queue[_Event]) -> None:
        while True:
            event = await lane.get()
            if await self._delivered(event):
                await self._store.take(event.key)
            self._end()

    async def _delivered(self, event: _Event) -> bool:
        """Post until it is taken, refused, or too old. False: the server ends, and it stays."""
        attempt = 0
        while True:
            now = self._clock()
            if now - event.at > KEPT_S:
                self.counts["expired"] += 1
                log.error("call %s: an event was not delivered within a day and is given up", event.call_sid)
                return True
            delivery = await self._hook.post(event.event_id, event.body.encode(), now)
            if delivery.delivered:
                self.counts["delivered"] += 1
                return True
            self.counts["failed"] += 1
            if not delivery.again:
                self.counts["refused"] += 1
                log.error("call %s: WEBHOOK_URL refuses an event: %s", event.call_sid, delivery.why)
                return True
            if attempt == 0:
                log.warning("WEBHOOK_URL does not take an event: %s; it is tried again", delivery.why)
            wait = WAITS_S[min(attempt, len(WAITS_S) - 1)]
            attempt += 1
            if await self._ends_within(delivery.after_s if delivery.after_s is not None else wait):
                return False

    async def _ends_within(self, seconds: float) -> bool:
        """Wait so long; True at once when the server ends."""
        if seconds <= 0.0:
            return False
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
                return True
        except TimeoutError:
            return False
