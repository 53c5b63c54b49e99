"""Seats for calls: MAX_CALLS over all processes that share one DATA_DIR.

A seat is taken at the webhook, before anything is opened, and kept while this process has the call. It is
renewed all the time, so that the seats of a killed process are free again after KEPT_S.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

from telephony.shared import Shared, SharedFailure

log = logging.getLogger(__name__)

NAME = "calls"
EXPECTED_S = 20.0  # from the webhook to the stream: Twilio needs half a second, a slow network some more
KEPT_S = 30.0
RENEW_S = 10.0
NO_LIMIT = 1_000_000


class Seats:
    """The seats this process has taken, by CallSid."""

    def __init__(self, shared: Shared, limit: int) -> None:
        """`limit` is MAX_CALLS."""
        self._shared = shared
        self._limit = limit
        self._kept: Counter[str] = Counter()  # streams by call: a resumed call may briefly have two

    async def expect(self, call_sid: str, *, returning: bool = False) -> bool:
        """Take a seat for a call whose stream is to come; False when all are taken.

        A returning call, which had a seat before, always gets one. Fails closed: without the shared store
        nobody knows how many calls there are.
        """
        try:
            limit = NO_LIMIT if returning else self._limit
            return await self._shared.sit(NAME, call_sid, limit, EXPECTED_S)
        except SharedFailure:
            log.exception("no seat for a call: the shared store fails")
            return False

    async def keep(self, call_sid: str) -> None:
        """A stream of the call is here: keep its seat until `leave`."""
        self._kept[call_sid] += 1
        await self._shared.sit(NAME, call_sid, NO_LIMIT, KEPT_S)

    async def leave(self, call_sid: str) -> None:
        """A stream of the call has ended. With the last one its seat is free."""
        self._kept[call_sid] -= 1
        if self._kept[call_sid] <= 0:
            del self._kept[call_sid]
            await self._shared.leave(NAME, call_sid)

    async def free(self) -> int:
        """How many more calls would be taken now."""
        return max(0, self._limit - await self._shared.seated(NAME))

    async def renew_for_ever(self) -> None:
        """To be run as a task while the server runs."""
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                # together: the shared store does in one transaction what is asked at once
                await asyncio.gather(*(self._shared.sit(NAME, sid, NO_LIMIT, KEPT_S) for sid in self._kept))
            except SharedFailure:
                log.exception("the seats of running calls were not renewed")
