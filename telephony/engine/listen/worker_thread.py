"""A few threads for one model, with a queue in which what cannot wait overtakes what can."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from telephony.base.tasks import guarded

_T = TypeVar("_T")
_LEAVE_S: Final = 1.0
"""Longest wait for what still runs at the end: a process that exits while a model works is aborted by it."""
_NICENESS: Final = 3  # of background work: frames, voice activity and messages come first


class WorkerThread:
    """Runs work in order, urgent work first. Its threads are daemons: they do not keep a process alive."""

    def __init__(self, name: str, threads: int = 1, in_background: bool = True) -> None:
        self._urgent: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._later: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._ready = threading.Condition()
        self._running = 0
        self._closed = False
        self._in_background = in_background
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], _T], urgent: bool = True) -> Future[_T]:
        """Queue some work; its result, or what it raised, is the future's."""
        future: Future[_T] = Future()
        with self._ready:
            if self._closed:
                future.cancel()
            else:
                (self._urgent if urgent else self._later).append((future, work))
                self._ready.notify()
        return future

    def hurry(self, future: Future[Any]) -> None:
        """What waits has become urgent."""
        with self._ready:
            for item in self._later:
                if item[0] is future:
                    self._later.remove(item)
                    self._urgent.append(item)
                    return

    @property
    def queued(self) -> int:
        """How much is under way or waits, of all streams."""
        with self._ready:
            waiting = [item for queue in (self._urgent, self._later) for item in queue]
            return self._running + sum(not future.cancelled() for future, _ in waiting)

    def close(self) -> None:
        """No more work; what waits is given up, what runs has a second to end. Blocks for as long."""
        with self._ready:
            self._closed = True
            for queue in (self._urgent, self._later):
                for future, _ in queue:
                    future.cancel()
                queue.clear()
            self._ready.notify_all()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_LEAVE_S)

    def _work(self) -> None:
        if self._in_background:
            _step_back()
        while (item := self._next()) is not None:
            future, work = item
            if future.set_running_or_notify_cancel():
                guarded(future.set_exception, _settle, future, work)
            with self._ready:
                self._running -= 1
            del item, future, work  # audio is not kept until the next job

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._ready:
            self._ready.wait_for(lambda: self._urgent or self._later or self._closed)
            if self._closed:
                return None
            self._running += 1
            return (self._urgent or self._later).popleft()


def _settle(future: Future[Any], work: Callable[[], Any]) -> None:
    future.set_result(work())


def _step_back() -> None:
    """Lower the priority of this thread (Linux knows one per thread; elsewhere it would be the process's)."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        # Only ever down: raising it back is not allowed to everybody.
        if os.getpriority(os.PRIO_PROCESS, thread) < _NICENESS:
            os.setpriority(os.PRIO_PROCESS, thread, _NICENESS)
