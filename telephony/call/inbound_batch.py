"""The frames that all callers' sockets bring in, handled in batches.

A frame is little work, and there are fifty a second for each call. Handled one by one, between everything
else that a call does, each finds its code and its tables cold in the processor's caches, at two to three
times the cost (bench/README.md). A frame that comes alone is handled in the same turn of the event loop;
among many calls it waits for the others, for at most 4 ms.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
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
        for inbound, text in waiting:
            guarded(partial(_failed, inbound), inbound.receive_frame, text, now)
        self._convert()
        for inbound in {inbound: None for inbound, _ in waiting}:
            guarded(partial(_failed, inbound), inbound.flush)


def _failed(inbound: FrameReceiver, error: Exception) -> None:
    """One call's messages cannot be handled; those of the others are."""
    log.error("a message of the carrier could not be handled", exc_info=error)
    inbound.fail(error)
