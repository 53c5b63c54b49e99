"""What the code under one reply may ask of it: has the turn surely ended, does the caller make a sound?

A context variable carries it, so that it goes with the reply into its tasks and threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
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


class Pause:
    """Whether the caller makes a sound over a reply that is still being made: its end, or nothing.

    Work that costs something stops meanwhile. It belongs to the event loop of the calls.
    """

    def __init__(self) -> None:
        self._on = False
        self._cut: set[asyncio.Timeout] = set()
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def on(self) -> bool:
        """The caller makes a sound, and nobody knows yet what it is."""
        return self._on

    def begin(self) -> None:
        """The caller makes a sound."""
        self._on = True
        cut, self._cut = self._cut, set()
        for limit in cut:
            limit.reschedule(asyncio.get_running_loop().time())

    def end(self) -> None:
        """It was nothing: the reply goes on."""
        self._on = False
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def over(self) -> None:
        """Wait until there is none. The reply of a turn that is over is cancelled here."""
        while self._on:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
            try:
                await future
            finally:
                self._waiting.discard(future)

    @contextlib.contextmanager
    def expires(self, limit: asyncio.Timeout) -> Iterator[None]:
        """Within it, this time-out expires with the caller's first sound."""
        self._cut.add(limit)
        try:
            yield
        finally:
            self._cut.discard(limit)


@dataclass(frozen=True, slots=True)
class ToolStep:
    """A tool of a reply was called, or ended."""

    name: str
    arguments: str
    """JSON, as the model wrote it."""
    state: str
    """`called`, and later `done`, `failed`, `refused` and the like."""
    text: str = ""
    """What the model learns of it."""


@dataclass(frozen=True, slots=True)
class ReplyScope:
    """One reply, as code under it sees it."""

    release: Release = field(default_factory=lambda: Release(released=True))
    redacting: Callable[[], bool] = lambda: False
    """Whether something was said in this call that is not to be written down."""
    pause: Pause = field(default_factory=Pause)
    on_tool: Callable[[ToolStep], None] = lambda step: None
    """Is given each step of the tools that the reply calls."""


_scope: ContextVar[ReplyScope | None] = ContextVar("reply scope", default=None)
_NONE = ReplyScope()


def current() -> ReplyScope:
    """The scope of the reply that this code runs under; outside of one, of one that is released."""
    return _scope.get() or _NONE


def enter(scope: ReplyScope) -> None:
    """What is begun from here on, in this task, runs under this reply."""
    _scope.set(scope)
