"""Media sockets that have not sent `start` yet: few at a time, new ones before idle ones.

Twilio sends `start` right after the handshake (Twilio, "Media Streams: WebSocket messages"). So a burst of
sockets passes in milliseconds, each waiting for its place before it is upgraded, and strangers who only keep
sockets open lose theirs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

CAP = 64
IDLE_S = 1.0  # who has been in the room for longer is an idler
START_S = 5.0  # Twilio sends connected and start right after the handshake
PATIENCE_S = 2.0  # how long a handshake waits for its turn
QUEUE = 1000


class PendingStream(Protocol):
    """A socket that has not sent `start`."""

    def cancel(self) -> object:
        """Its place is needed: end it."""


class PendingStreams:
    """At most CAP sockets without a start; more of them queue up."""

    def __init__(self, cap: int = CAP, queue: int = QUEUE, start_s: float = START_S) -> None:
        self.start_s = start_s
        """After so many seconds without a start a socket is closed, whether others wait or not."""
        self._cap = cap
        self._limit = queue
        self._since: dict[PendingStream, float] = {}
        self._queue: deque[tuple[PendingStream, asyncio.Future[None]]] = deque()

    def __len__(self) -> int:
        return len(self._since)

    async def enter(self, stream: PendingStream) -> bool:
        """Wait for a place; False when there is none in time."""
        loop = asyncio.get_running_loop()
        if not self._queue and self._admit(stream, loop.time()):
            return True
        if len(self._queue) >= self._limit:
            return False
        turn: asyncio.Future[None] = loop.create_future()
        entry = (stream, turn)
        self._queue.append(entry)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not turn.done():
                    # No place becomes free by itself when the streams that have them become idle.
                    await asyncio.wait((turn,), timeout=IDLE_S)
                    self._admit_waiting(loop.time())
        except TimeoutError:
            pass
        finally:
            if not turn.done():
                self._queue.remove(entry)
        return turn.done()

    def leave(self, stream: PendingStream) -> None:
        """It has started, or is gone."""
        if self._since.pop(stream, None) is not None:
            self._admit_waiting(asyncio.get_running_loop().time())

    def _admit_waiting(self, now: float) -> None:
        while self._queue and self._admit(self._queue[0][0], now):
            _, turn = self._queue.popleft()
            turn.set_result(None)

    def _admit(self, stream: PendingStream, now: float) -> bool:
        """Let one more in, in the place of the oldest idle one if need be."""
        if len(self._since) >= self._cap:
            oldest = next(iter(self._since))
            if now - self._since[oldest] < IDLE_S:
                return False
            del self._since[oldest]
            oldest.cancel()
        self._since[stream] = now
        return True
