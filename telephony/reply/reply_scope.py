"""What the code under one reply may ask of it: has the caller's turn surely ended, is it to be kept quiet?

A context variable carries it, so that it goes with the reply into its tasks and threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field


class Release:
    """The moment at which a draft becomes the answer: before it, a reply must have no effects.

    It may be awaited in any event loop.
    """

    def __init__(self, released: bool = False) -> None:
        self._lock = threading.Lock()
        self._released = released
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    @property
    def released(self) -> bool:
        """Whether it has come."""
        return self._released

    def set(self) -> None:
        """It has come."""
        with self._lock:
            self._released = True
            waiting, self._waiting = self._waiting, set()
        for loop, event in waiting:
            with contextlib.suppress(RuntimeError):  # that loop is closed
                loop.call_soon_threadsafe(event.set)

    async def wait(self) -> None:
        """Wait for it. The reply of a draft that is thrown away is cancelled here."""
        waiter = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            if self._released:
                return
            self._waiting.add(waiter)
        try:
            await waiter[1].wait()
        finally:
            with self._lock:
                self._waiting.discard(waiter)


@dataclass(frozen=True, slots=True)
class ReplyScope:
    """One reply, as code under it sees it."""

    release: Release = field(default_factory=lambda: Release(released=True))
    withholding: Callable[[], bool] = lambda: False
    """Whether something was said in this call that is not to be written down."""


_scope: ContextVar[ReplyScope | None] = ContextVar("reply scope", default=None)
_NONE = ReplyScope()


def current() -> ReplyScope:
    """The scope of the reply that this code runs under; outside of one, of one that is released."""
    return _scope.get() or _NONE


def enter(scope: ReplyScope) -> None:
    """What is begun from here on, in this task, runs under this reply."""
    _scope.set(scope)
