"""Runs one reply of an agent, whose code is not ours: it may fail, block, never end, refuse to be cancelled.

None of that may reach the call. What the agent yields is checked and handed to `emit`, then None for a good
end or the exception for a bad one; after the runner was cancelled, nothing more. What may not be yielded is
left out and logged, and the reply goes on: a transfer that follows it is not lost. Its end is a bad one then.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb
from types import MappingProxyType
from typing import Any

from telephony.base import json_codec
from telephony.errors import ReplyFailed
from telephony.reply import reply_scope
from telephony.reply.agent import Agent, HangUp, Note, Notes, Said, Say, Transfer, Turn
from telephony.reply.agent_steps import AgentSteps
from telephony.reply.reply_scope import Pause, Release, ReplyScope, ToolStep
from telephony.reply.yielded import NotAllowed, checked

log = logging.getLogger(__name__)

CLOSE_S = 1.0  # how long a cancelled reply may take to end, before it is left to itself
MAX_CHARS = 20_000  # 20 minutes of speech: a reply is never meant to be so long
MAX_NOTES = 262_144  # characters of all that is noted in a call, as JSON: it is written down at each turn
LAST_S = 5.0  # longest wait for what comes after a transfer or a hang-up: the caller must not be left
MAX_LEFT_OUT = 20  # of what an agent yields in one reply; then it is ended
MAX_LINES = 8  # of a traceback whose text is redacted

Emit = Callable[[Said | None | Exception], None]

STEPS = AgentSteps()
"""The steps of this process's agents, for the monitor of the event loop's lag; by `time.monotonic`."""
_abandoned: set[asyncio.Task[None]] = set()
"""Replies that would not end; kept here so that they are not collected while they run."""


async def run_reply(
    agent: Agent,
    reply: int,
    turn: Turn,
    notes: Notes,
    emit: Emit,
    redacting: Callable[[], bool] = lambda: False,
    release: Release | None = None,
    pause: Pause | None = None,
    on_tool: Callable[[ToolStep], None] = lambda step: None,
    last_s: float = LAST_S,
) -> None:
    """Run the agent's reply to its end. Cancel this task to cancel the reply.

    After a transfer or a hang-up, `last_s` seconds are left for each thing that follows it.

    Agents whose code keeps the event loop are named in the log by what watches the loop, out of `STEPS`. An
    exception is logged with its text and traceback; by its type and lines only where `redacting` says
    that the agent may know something that is not to be written down. `release`: of a draft, when it becomes
    the answer; see `Turn.released`. `pause`: while the caller makes a sound over it. `on_tool` is
    given the steps of the tools that the reply calls.
    """
    scope = ReplyScope(release or Release(released=True), redacting, pause or Pause(), on_tool)
    reply_scope.enter(scope)
    out = _Outlet(emit, redacting)
    inner = asyncio.create_task(_drive(agent, reply, turn, notes, out, last_s), name=f"reply {reply}")
    try:
        await asyncio.wait((inner,))
    except asyncio.CancelledError:
        out.close()
        await _end(inner, agent)
        raise


class _Outlet:
    """`emit` until the reply was cancelled."""

    def __init__(self, emit: Emit, redacting: Callable[[], bool]) -> None:
        self._emit: Emit | None = emit
        self._redacting = redacting

    def __call__(self, said: Said | None | Exception) -> None:
        if self._emit is not None:
            self._emit(said)

    def close(self) -> None:
        self._emit = None

    @property
    def closed(self) -> bool:
        return self._emit is None

    def failed(self, name: str, reply: int, error: BaseException) -> None:
        """Log an exception of the agent's."""
        if self.closed:
            return
        if isinstance(error, ReplyFailed):
            log.warning("agent %s: reply %d failed: %s", name, reply, error)
            return
        log_failure(f"agent {name}: reply {reply} failed", error, self._redacting())


def log_failure(what: str, error: BaseException, redacted: bool) -> None:
    """Log an exception of an agent's code; only where it was if its text may be what a caller said."""
    if redacted:
        log.error("%s: %s at %s (its text is redacted)", what, type(error).__name__, _lines_of(error))
    else:
        log.error("%s", what, exc_info=error)


def _lines_of(error: BaseException) -> str:
    """Where an exception was raised: files and lines, without the code in them."""
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in walk_tb(error.__traceback__)]
    shown = [f"{file.name}:{line}" for file, line in frames if file != Path(__file__)]
    return ", ".join(shown[-MAX_LINES:]) or "the runner"


async def _end(inner: asyncio.Task[None], agent: Agent) -> None:
    """Cancel the agent's code; when it will not end, leave it to itself."""
    inner.cancel()
    await asyncio.wait((inner,), timeout=CLOSE_S)
    if not inner.done():
        log.warning("agent %s: a cancelled reply has not ended after %g s; is CancelledError caught?",
                    agent_name(agent), CLOSE_S)  # fmt: skip
        _abandoned.add(inner)
        inner.add_done_callback(_abandoned.discard)


async def _drive(agent: Agent, reply: int, turn: Turn, notes: Notes, out: _Outlet, last_s: float) -> None:
    """Hand on what the agent yields. Ends quietly whatever the agent's code does."""
    name = agent_name(agent)
    try:
        with _step(name):
            iterator = iterator_of(agent, turn, notes, name)
        try:
            left_out = await _hand_on(iterator, out, _Checker(name, reply, notes, last_s))
        finally:
            aclose = getattr(iterator, "aclose", None)
            if aclose is not None:
                with _step(name):
                    await aclose()
        out(left_out)
    except asyncio.CancelledError:
        # By the agent's own code; when it was ours, nobody listens any more.
        out(RuntimeError("the reply cancelled itself"))
        raise
    except BaseException as error:
        # An agent's code may raise anything; the caller is asked again. SystemExit would end every call.
        out.failed(name, reply, error)
        out(raised(error))


def raised(error: BaseException) -> Exception:
    """What an agent's code raised, as something that ends no task and no loop of ours."""
    return error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__} in an agent")


async def _hand_on(iterator: AsyncIterator[Said], out: _Outlet, checker: _Checker) -> NotAllowed | None:
    """Everything that the agent yields; returns the first that had to be left out."""
    left_out: NotAllowed | None = None
    while not out.closed:
        try:
            async with asyncio.timeout(checker.last_s if checker.leaves else None) as last:
                with _step(checker.reply[0]):
                    said = await anext(iterator)
        except StopAsyncIteration:
            break
        except TimeoutError:
            if not last.expired():
                raise
            log.warning("agent %s: reply %d has not ended %g s after it let the caller go", *checker.reply,
                        checker.last_s)  # fmt: skip
            break
        try:
            said = checker(said)
        except NotAllowed as error:
            if not out.closed:
                checker.leave_out(error, iterator)
            left_out = left_out or error
        else:
            out(said)
        await asyncio.sleep(0)  # an agent that awaits nothing must not keep the loop
    return left_out


class _Checker:
    """Checks what one reply yields, and that it has bounds."""

    def __init__(self, name: str, reply: int, notes: Notes, last_s: float) -> None:
        self.reply = (name, reply)
        self.last_s = last_s
        self.leaves = False
        """The caller will be let go, or handed over."""
        self._notes = dict(notes)
        self._chars = 0
        self._left_out = 0

    def __call__(self, yielded: object) -> Said:
        """The same in plain types. Raises NotAllowed, and ValueError for a reply that is too long."""
        said = checked(yielded)
        if isinstance(said, Note):
            noted = self._notes | dict(said.values)
            if len(json_codec.dumps(noted)) > MAX_NOTES:
                raise NotAllowed(f"Note: what is noted in this call has more than {MAX_NOTES} characters")
            self._notes = noted
        elif isinstance(said, HangUp | Transfer):
            self.leaves = True
        elif isinstance(said, str | Say):
            self._chars += len(said if isinstance(said, str) else said.text)
            if self._chars > MAX_CHARS:
                raise ValueError(f"agent {self.reply[0]}: a reply of more than {MAX_CHARS} characters")
        return said

    def leave_out(self, error: NotAllowed, iterator: object) -> None:
        """Log what was yielded in vain, and where. Raises the error when that has become a habit."""
        log.error("agent %s: reply %d%s: %s; it was left out", *self.reply, _where(iterator), error)
        self._left_out += 1
        if self._left_out >= MAX_LEFT_OUT:
            raise error


def _where(iterator: object) -> str:
    """File and line of the `yield` at which an agent's generator waits, where there is one."""
    frame = getattr(iterator, "ag_frame", None)
    if frame is None or str(frame.f_globals.get("__name__")).startswith("telephony."):
        return ""  # an agent of ours around the user's
    return f", {Path(frame.f_code.co_filename).name} line {frame.f_lineno}"


def iterator_of(agent: Agent, turn: Turn, notes: Notes, name: str) -> AsyncIterator[Said]:
    """What an agent's reply yields; TypeError where it is nothing that yields."""
    # Its own copy: what an agent does to its notes must not change the call's.
    made: Any = agent.reply(turn, MappingProxyType(copy.deepcopy(dict(notes))))
    if inspect.iscoroutine(made):
        made.close()
        raise TypeError(f"agent {name}: reply() must `yield` what it says, not return it")
    if not hasattr(made, "__aiter__"):
        raise TypeError(f"agent {name}: reply() gave {type(made).__name__}, not an async iterator")
    iterator: AsyncIterator[Said] = made.__aiter__()
    return iterator


def agent_name(agent: object) -> str:
    """The agent's class, as its author knows it; of an agent around another one, the other one's."""
    while (inner := getattr(agent, "__wrapped__", None)) is not None:
        agent = inner
    cls = type(agent)
    return f"{cls.__module__}.{cls.__qualname__}"


@contextmanager
def _step(agent: str) -> Iterator[None]:
    """A step of the agent's code."""
    STEPS.enter(agent)
    try:
        yield
    finally:
        STEPS.leave(agent, time.monotonic())
