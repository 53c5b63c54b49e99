"""Runs one reply of an agent, whose code is not ours: it may fail, block, never end, refuse to be cancelled.

None of that may reach the call. What the agent yields is handed to `emit`, then None for a good end or the
exception for a bad one; after the runner was cancelled, nothing more.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, TypeVar

from .agent import Agent, Expect, HangUp, Note, Notes, Said, Say, Transfer, Turn, Wait

log = logging.getLogger(__name__)

BLOCKING_S = 0.1  # five frames of every call on this process come late
CLOSE_S = 1.0  # how long a cancelled reply may take to end, before it is left to itself
MAX_CHARS = 20_000  # 20 minutes of speech: no reply is meant to be so long

Emit = Callable[[Said | None | Exception], None]
_T = TypeVar("_T")

_abandoned: set[asyncio.Task[None]] = set()
"""Replies that would not end; held so that they are not collected while they run."""


async def run_reply(agent: Agent, reply: int, turn: Turn, notes: Notes, emit: Emit) -> None:
    """Run the agent's reply to its end. Cancel this task to cancel the reply.

    A step of the agent's code that keeps the event loop for more than 100 ms is logged with the agent's name.
    """
    out = _Outlet(emit)
    inner = asyncio.create_task(_drive(agent, reply, turn, notes, out), name=f"reply {reply}")
    try:
        await asyncio.wait((inner,))
    except asyncio.CancelledError:
        out.close()
        await _end(inner, agent)
        raise


class _Outlet:
    """`emit` until the reply was cancelled."""

    def __init__(self, emit: Emit) -> None:
        self._emit: Emit | None = emit

    def __call__(self, said: Said | None | Exception) -> None:
        if self._emit is not None:
            self._emit(said)

    def close(self) -> None:
        self._emit = None

    @property
    def closed(self) -> bool:
        return self._emit is None


async def _end(inner: asyncio.Task[None], agent: Agent) -> None:
    """Cancel the agent's code; when it will not end, leave it to itself."""
    inner.cancel()
    await asyncio.wait((inner,), timeout=CLOSE_S)
    if not inner.done():
        log.warning("agent %s: a cancelled reply has not ended after %g s; is CancelledError caught?",
                    agent_name(agent), CLOSE_S)  # fmt: skip
        _abandoned.add(inner)
        inner.add_done_callback(_abandoned.discard)


async def _drive(agent: Agent, reply: int, turn: Turn, notes: Notes, out: _Outlet) -> None:
    """Hand on what the agent yields. Ends quietly whatever the agent's code does."""
    name = agent_name(agent)
    try:
        steps = _Steps(name)
        iterator = steps.timed_call(lambda: _iterator_of(agent, turn, notes, name))
        try:
            await _hand_on(iterator, steps, out, name)
        finally:
            aclose = getattr(iterator, "aclose", None)
            if aclose is not None:
                await _Timed(aclose(), steps)
        out(None)
    except asyncio.CancelledError:
        # By the agent's own code; when it was ours, nobody listens any more.
        out(RuntimeError("the reply cancelled itself"))
        raise
    except (Exception, SystemExit) as error:
        # An agent's code may raise anything; the caller is asked again. SystemExit would end every call.
        if not out.closed:
            log.exception("agent %s: reply %d failed", name, reply)
        out(error if isinstance(error, Exception) else RuntimeError(f"sys.exit({error.code!r}) in a reply"))


async def _hand_on(iterator: AsyncIterator[Said], steps: _Steps, out: _Outlet, name: str) -> None:
    chars = 0
    while not out.closed:
        try:
            said = await _Timed(iterator.__anext__(), steps)
        except StopAsyncIteration:
            return
        chars += len(_checked(said, name))
        if chars > MAX_CHARS:
            raise ValueError(f"agent {name}: a reply of more than {MAX_CHARS} characters")
        out(said)
        await asyncio.sleep(0)  # an agent that awaits nothing must not keep the loop


def _iterator_of(agent: Agent, turn: Turn, notes: Notes, name: str) -> AsyncIterator[Said]:
    made: Any = agent.reply(turn, notes)
    if inspect.iscoroutine(made):
        made.close()
        raise TypeError(f"agent {name}: reply() must `yield` what it says, not return it")
    if not hasattr(made, "__aiter__"):
        raise TypeError(f"agent {name}: reply() gave {type(made).__name__}, not an async iterator")
    iterator: AsyncIterator[Said] = made.__aiter__()
    return iterator


def _checked(said: object, name: str) -> str:
    """The text of what was yielded; TypeError for what no agent may yield."""
    if isinstance(said, str):
        return said
    if isinstance(said, Say) and isinstance(said.text, str):
        return said.text
    if isinstance(said, Note | HangUp | Transfer | Wait | Expect):
        return ""
    raise TypeError(f"agent {name}: reply() yielded {type(said).__name__}; text, Say, Note, Expect, Wait,"
                    " Transfer and HangUp are allowed")  # fmt: skip


def agent_name(agent: object) -> str:
    """The agent's class, as its author knows it."""
    cls = type(agent)
    return f"{cls.__module__}.{cls.__qualname__}"


class _Steps:
    """Times each step of the agent's code: from when the loop enters it to when it gives the loop back."""

    def __init__(self, name: str) -> None:
        self._name = name

    def took(self, began: float) -> None:
        seconds = time.perf_counter() - began
        if seconds > BLOCKING_S:
            log.warning("agent %s: blocked the event loop for %d ms; every call on this process stood still",
                        self._name, round(seconds * 1000))  # fmt: skip

    def timed_call(self, make: Callable[[], _T]) -> _T:
        began = time.perf_counter()
        try:
            return make()
        finally:
            self.took(began)


class _Timed(Awaitable[_T]):
    """An awaitable whose every step is timed."""

    def __init__(self, awaitable: Awaitable[_T], steps: _Steps) -> None:
        self._awaitable = awaitable
        self._steps = steps

    def __await__(self) -> Generator[Any, Any, _T]:
        inner = self._awaitable.__await__()
        send: Callable[[], Any] = lambda: next(inner)  # noqa: E731 - the next step: a value or an exception
        while True:
            began = time.perf_counter()
            try:
                waited_for = send()
            except StopIteration as stop:
                result: _T = stop.value
                return result
            finally:
                self._steps.took(began)
            send = yield from _one(inner, waited_for)


def _one(inner: Generator[Any, Any, Any], waited_for: Any) -> Generator[Any, Any, Callable[[], Any]]:
    """Give `waited_for` to the loop; return how its answer is put into the agent's code."""
    try:
        value = yield waited_for
    except GeneratorExit:
        inner.close()
        raise
    except BaseException as error:
        thrown = error
        return lambda: _throw(inner, thrown)
    return lambda: inner.send(value) if value is not None else next(inner)


def _throw(inner: Any, error: BaseException) -> Any:
    if not hasattr(inner, "throw"):  # a plain iterator behind __await__
        raise error
    return inner.throw(error)
