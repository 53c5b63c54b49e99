"""Synchronous tools run in threads of their own, so that one that hangs holds up nothing but itself.

A pool's threads would be used up by tools that hang, and would keep the server from ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

MOST = 64
"""Threads at once; each costs some 100 KiB, and callers talk for most of a call."""


class TooManyThreads(Exception):
    """So many tools run, or hang, in threads that this one is not begun."""


_running = threading.BoundedSemaphore(MOST)


async def in_thread(work: Callable[[], T]) -> T:
    """What `work` returns or raises, done in a thread; cancelled, that is left to itself.

    Raises TooManyThreads.
    """
    if not _running.acquire(blocking=False):
        raise TooManyThreads(f"{MOST} tools run in threads")
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return  # nobody waits any more
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # there is no error, so there is a result

    def run() -> None:
        result, error = None, None
        try:
            result = context.run(work)
        except BaseException as raised:  # what a user's function raises is the caller's to see
            stops = isinstance(raised, StopIteration | SystemExit | KeyboardInterrupt)
            error = RuntimeError(f"{type(raised).__name__} in a tool") if stops else raised
        finally:
            _running.release()
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server stops
                loop.call_soon_threadsafe(settle, result, error)

    try:
        threading.Thread(target=run, name="tool", daemon=True).start()
    except RuntimeError:  # the system has no more
        _running.release()
        raise TooManyThreads("the system has no more threads") from None
    return await done
