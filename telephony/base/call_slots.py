"""Slots for calls: MAX_CALLS over all processes that share one DATA_DIR.

A slot is taken at the webhook, before anything is opened, and kept while this process has the call. It is
renewed all the time, so that it is free again after KEPT_S at the latest; the slots of a process that died
are free at once, where the shared store knows which processes live.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

from telephony.base.shared_store import SharedStore, SharedStoreFailure

NAME = "calls"
STREAMS = "streams"  # the same for streams that bring sound, so that other processes know of them
EXPECTED_S = 20.0  # from the webhook to the stream: Twilio needs half a second, a slow network some more
KEPT_S = 30.0
RENEW_S = 10.0
NO_LIMIT = 1_000_000


class CallSlots:
    """The slots this process has taken, by CallSid. While the store fails it counts by itself."""

    def __init__(self, shared: SharedStore, limit: int) -> None:
        """`limit` is MAX_CALLS."""
        self._shared = shared
        self._limit = limit
        self._kept: Counter[str] = Counter()  # streams by call: a resumed call may briefly have two
        self._expected: dict[str, float] = {}  # until when, by the loop's time
        self._sounding: set[str] = set()

    async def expect(self, call_sid: str, *, returning: bool = False) -> bool:
        """Take a slot for a call whose stream is to come; False when all are taken.

        A returning call, which had a slot before, always gets one. While the shared store fails, the slots
        of other processes are not known, and this process has all of them.
        """
        limit = NO_LIMIT if returning else self._limit
        try:
            acquired = await self._shared.acquire(NAME, call_sid, limit, EXPECTED_S)
        except SharedStoreFailure:
            acquired = call_sid in self._own() or len(self._own()) < limit
        if acquired:
            self._expected[call_sid] = _now() + EXPECTED_S
        return acquired

    async def keep(self, call_sid: str) -> None:
        """A stream of the call is here: keep its slot until `leave`."""
        self._kept[call_sid] += 1
        self._expected.pop(call_sid, None)
        await self._sit(call_sid)

    async def leave(self, call_sid: str) -> None:
        """A stream of the call has ended. With the last one its slot is free."""
        self._kept[call_sid] -= 1
        if self._kept[call_sid] <= 0:
            del self._kept[call_sid]
            await self.sounds(call_sid, False)
            if call_sid not in self._expected:
                await self._free(call_sid)

    async def give_back(self, call_sid: str) -> None:
        """The call is over: a slot that was taken for a stream to come is free."""
        self._expected.pop(call_sid, None)
        if call_sid not in self._kept:
            await self._free(call_sid)

    async def sounds(self, call_sid: str, now: bool) -> None:
        """Let the other processes know whether a stream of the call brings sound here."""
        now = now and call_sid in self._kept
        if now == (call_sid in self._sounding):
            return
        if now:
            self._sounding.add(call_sid)
            await self._sit(call_sid, STREAMS)
        else:
            self._sounding.remove(call_sid)
            await self._free(call_sid, STREAMS)

    async def sounds_elsewhere(self, call_sid: str) -> bool:
        """Whether a stream of the call brings sound in another process."""
        try:
            return await self._shared.held_elsewhere(STREAMS, call_sid)
        except SharedStoreFailure:  # better twice than not at all
            return False

    async def free(self) -> int:
        """How many more calls would be taken now."""
        try:
            taken = await self._shared.slots_taken(NAME)
        except SharedStoreFailure:
            taken = len(self._own())
        return max(0, self._limit - taken)

    async def renew_for_ever(self) -> None:
        """To be run as a task while the server runs."""
        while True:
            await asyncio.sleep(RENEW_S)
            self._own()  # forgets those that nobody waits for any more
            # together: the shared store does in one transaction what is asked at once
            streams = (self._sit(sid, STREAMS) for sid in self._sounding)
            await asyncio.gather(*(self._sit(sid) for sid in self._kept), *streams)

    async def _sit(self, call_sid: str, name: str = NAME) -> None:
        with contextlib.suppress(SharedStoreFailure):  # it is renewed soon
            await self._shared.acquire(name, call_sid, NO_LIMIT, KEPT_S)

    async def _free(self, call_sid: str, name: str = NAME) -> None:
        with contextlib.suppress(SharedStoreFailure):  # it is free when its time is up
            await self._shared.leave(name, call_sid)

    def _own(self) -> set[str]:
        """The calls of this process."""
        now = _now()
        for call_sid in [sid for sid, until in self._expected.items() if until <= now]:
            del self._expected[call_sid]
        return self._kept.keys() | self._expected.keys()


def _now() -> float:
    return asyncio.get_running_loop().time()
