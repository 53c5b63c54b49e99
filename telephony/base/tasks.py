"""The edges of tasks: where a failure of one call, message or user function must not reach the others.

Only here, and at the few edges that have more to do, are exceptions of every kind caught. An edge is given
what to do with the exception: log it, count it, hand it on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def guarded(failed: Callable[[Exception], T], work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of `work`, or of `failed` with the exception that `work` raised.

    `failed` is called while the exception is being handled, so that `log.exception` has its traceback.
    """
    try:
        return work(*args, **kwargs)
    except Exception as error:
        return failed(error)


async def guarded_task(failed: Callable[[Exception], T], work: Awaitable[T]) -> T:
    """The same for something that is awaited. A cancellation passes."""
    try:
        return await work
    except Exception as error:
        return failed(error)


async def guarded_user_task(failed: Callable[[BaseException], T], work: Awaitable[T]) -> T:
    """The same for code of users and of other packages, which may raise anything: also SystemExit."""
    try:
        return await work
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        return failed(error)


@contextmanager
def undone_on_failure(undo: Callable[[], object]) -> Iterator[None]:
    """Call `undo` when the block raises, whatever it raises; a cancellation, too."""
    with ExitStack() as stack:
        stack.callback(undo)
        yield
        stack.pop_all()


@asynccontextmanager
async def closed_on_failure(close: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """The same with something that is awaited."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(close)
        yield
        stack.pop_all()
