"""What waits to be written to the carrier. Putting never waits; a writer of its own does."""

from __future__ import annotations

import asyncio
from collections import deque

from aiohttp import web

STUCK_S = 2.0
"""A write that takes longer is a fault of the peer."""
LIMIT = 500
"""Messages: the pacer's lead is 3 of them, so this is reached by a stuck peer only."""


class CarrierOutbox:
    """The carrier's outbox and its writer task."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        self._waiting: deque[str] = deque()
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._writing_since: float | None = None
        self._overflowed = False

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

    def clear(self, text: str) -> None:
        """Throw away what waits, media and its marks alike, and have the `clear` written first."""
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
                    await self._socket.send_str(self._waiting.popleft())
                self._writing_since = None
        except ConnectionError:
            return  # the reader sees the end too, and says so
