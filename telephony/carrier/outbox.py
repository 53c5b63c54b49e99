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
        self._waiting: deque[tuple[str, bool]] = deque()
        self._wake = asyncio.Event()
        self.stuck = False
        """The peer has not taken a message for 2 s, or the outbox overflowed: it is to be given up."""

    def put(self, text: str, *, media: bool) -> None:
        """Have a message written behind those that wait."""
        if len(self._waiting) >= LIMIT:
            self.stuck = True
            return
        self._waiting.append((text, media))
        self._wake.set()

    def clear(self, text: str) -> None:
        """Throw away what waits, media and its marks alike, and have the `clear` written first."""
        self._waiting.clear()
        self._waiting.append((text, False))
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled, or until the peer is stuck or gone."""
        while not self.stuck:
            await self._wake.wait()
            self._wake.clear()
            try:
                async with asyncio.timeout(STUCK_S):
                    while self._waiting:
                        text, _ = self._waiting.popleft()
                        await self._socket.send_str(text)
            except TimeoutError:
                self.stuck = True
            except ConnectionError:
                return  # the reader sees the end too, and says so
