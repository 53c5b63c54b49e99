"""What the callers' sockets bring in, taken together.

A frame is little work, and there are fifty a second for each call. Done one by one, between everything else
that a call does, each finds its code and its tables cold in the processor's caches, at two to three times the
cost (bench/README.md). A frame that comes alone is taken in the same turn of the event loop; among many calls
it waits for the others, for at most 4 ms.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from telephony.carrier.websocket import FrameSocket
from telephony.listen.transcoder import Transcoder

EVERY_S = 0.004
"""While it is busy it takes no more often than this: among 240 calls, 48 frames and 12 chunks at a time."""

MOST = 256
"""More is a flood: it is taken piece by piece, so that the other calls have their turns in between."""

log = logging.getLogger(__name__)

Take = Callable[[str, float], None]


class InboundBatch:
    """One process's share of it."""

    def __init__(self) -> None:
        self.conversion = Transcoder()
        self._next_at = 0.0
        self._waiting: list[tuple[FrameSocket, Take, Callable[[], None], str]] = []

    def attach(self, socket: FrameSocket, take: Take, taken: Callable[[], None]) -> None:
        """From now on `take` gets the socket's text messages, in their order, and the loop's time.

        `taken` is called when it was given all that was there. What `take` raises ends that socket: its
        `receive()` gives it.
        """
        loop, waiting = asyncio.get_running_loop(), self._waiting

        def tap(text: str) -> bool:
            if not waiting:
                if loop.time() >= self._next_at:
                    loop.call_soon(self.take_all)
                else:
                    loop.call_at(self._next_at, self.take_all)
            waiting.append((socket, take, taken, text))
            if len(waiting) >= MOST:
                self.take_all()
            return True

        socket.tap(tap)

    def take_all(self) -> None:
        """Take what waits now."""
        now = asyncio.get_running_loop().time()
        self._next_at = now + EVERY_S
        waiting = self._waiting.copy()
        self._waiting.clear()
        done: dict[Callable[[], None], FrameSocket] = {}
        for socket, take, taken, text in waiting:
            done[taken] = socket
            try:
                take(text, now)
            except Exception as error:
                self._failed(socket, error)
        self.conversion.convert()
        for taken, socket in done.items():
            try:
                taken()
            except Exception as error:
                self._failed(socket, error)

    def _failed(self, socket: FrameSocket, error: Exception) -> None:
        log.error("a message of the carrier could not be handled", exc_info=error)
        socket.fail(error)
