"""The frames that all callers' sockets bring in, handled in batches.

A frame is little work, and there are fifty a second for each call. Handled one by one, between everything
else that a call does, each finds its code and its tables cold in the processor's caches, at two to three
times the cost (bench/README.md). A frame that comes alone is handled in the same turn of the event loop;
among many calls it waits for the others, for at most 4 ms.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Protocol

from telephony.base.tasks import guarded

EVERY_S = 0.004
"""While it is busy it handles no more often than this: among 240 calls, 48 frames and 12 chunks at a time."""

MOST = 256
"""More is a flood: it is handled piece by piece, so that the other calls have their turns in between."""

log = logging.getLogger(__name__)


class FrameReceiver(Protocol):
    """One call's side of the batch."""

    def receive_frame(self, text: str, now: float, /) -> None:
        """A message of its carrier; `now` is the loop's time. What this raises ends the stream."""

    def flush(self) -> None:
        """It was given all messages that had come."""

    def fail(self, error: Exception, /) -> None:
        """One of these has raised this error."""


class InboundBatch:
    """One process's. `convert` is called when all waiting messages were handled."""

    def __init__(self, convert: Callable[[], None]) -> None:
        self._convert = convert
        self._next_at = 0.0
        self._waiting: list[tuple[FrameReceiver, str]] = []
        self._current: FrameReceiver | None = None

    def add(self, inbound: FrameReceiver, text: str) -> None:
        """A message for this call: it is handled soon, behind those that came before it."""
        if not self._waiting:
            loop = asyncio.get_running_loop()
            if loop.time() >= self._next_at:
                loop.call_soon(self.deliver)
            else:
                loop.call_at(self._next_at, self.deliver)
        self._waiting.append((inbound, text))
        if len(self._waiting) >= MOST:
            self.deliver()

    def deliver(self) -> None:
        """Handle what waits now."""
        now = asyncio.get_running_loop().time()
        self._next_at = now + EVERY_S
        waiting, self._waiting = self._waiting, []
        frames = iter(waiting)
        while guarded(self._failed, self._receive, frames, now):
            pass
        self._convert()
        receivers = iter({inbound: None for inbound, _ in waiting})
        while guarded(self._failed, self._flush, receivers):
            pass
        self._current = None  # a call that is over must not stay

    # One guard for a batch: a guard for each frame costs a call and an object, 50 times a second and call.

    def _receive(self, frames: Iterator[tuple[FrameReceiver, str]], now: float) -> bool:
        """Hand out the rest of the frames. False: none is left."""
        for self._current, text in frames:
            self._current.receive_frame(text, now)
        return False

    def _flush(self, receivers: Iterator[FrameReceiver]) -> bool:
        for self._current in receivers:
            self._current.flush()
        return False

    def _failed(self, error: Exception) -> bool:
        """One call's messages cannot be handled; those of the others are: True, there may be more."""
        log.error("a message of the carrier could not be handled", exc_info=error)
        if self._current is not None:
            self._current.fail(error)
        return True
