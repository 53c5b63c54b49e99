"""What waits to be written to the carrier. Putting never waits; a writer of its own does."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from aiohttp import web

STUCK_S = 2.0
"""A write that takes longer is a fault of the peer."""
LIMIT = 500
"""Messages: the pacer's lead is 3 of them, so this is reached by a stuck peer only."""


class CarrierOutbox:
    """The carrier's outbox and its writer task."""

    def __init__(
        self, socket: web.WebSocketResponse, barged_in: Callable[[float], None] = lambda seconds: None
    ) -> None:
        """`barged_in` is told how many seconds after its cause a `clear` was written."""
        self._socket = socket
        self._waiting: deque[str] = deque()
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._writing_since: float | None = None
        self._overflowed = False
        self._barged_in = barged_in
        self._cause: tuple[str, float] | None = None

    def stuck(self, now: float) -> bool:
        """Whether the peer is to be given up: it took nothing for 2 s, or the outbox overflowed.

        To be asked now and then; a deadline of its own for each message would cost more than the message.
        """
        since = self._writing_since
        return self._overflowed or (since is not None and now - since > STUCK_S)

    def put(self, text: str) -> None:
        """Have a message written behind those that wait."""
        if len(self._waiting) >= LIMIT:
            self._overflowed = True
            return
        self._waiting.append(text)
        self._wake.set()

    def clear(self, text: str, since: float | None = None) -> None:
        """Throw away what waits, media and its marks alike, and have the `clear` written first.

        `since`: the monotonic time of what the caller did, if it was the caller.
        """
        self._cause = None if since is None else (text, since)
        self._waiting.clear()
        self._waiting.append(text)
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled, or until the peer is gone."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._writing_since = self._loop.time()
                while self._waiting:
                    text = self._waiting.popleft()
                    await self._socket.send_str(text)
                    # The very `clear`: what was being written when it came is not it.
                    if self._cause is not None and text is self._cause[0]:
                        self._barged_in(time.monotonic() - self._cause[1])
                        self._cause = None
                self._writing_since = None
        except ConnectionError:
            return  # the reader sees the end too, and says so
