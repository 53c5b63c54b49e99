"""AGENT_ISOLATION=thread: a user's agent runs in its own event loops; what blocks it does not stop the audio.

Each loop is a thread's. A reply goes to a thread in which nothing else runs, or to a new one, while there are
fewer than MOST_THREADS: an agent that blocks in one call then does not hold up its replies in the others.
Each thread has its own agent, made by its class in that thread, since what is bound to a loop (an HTTP
session, a lock) cannot be used in another one. Where AGENT names an object, there is one thread.

A thread that computes in Python still shares the interpreter's lock: it slows the calls, but does not stop
them. What holds the lock in C code for long needs a process, which is the agent's own affair.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from telephony.base.tasks import guarded_user_task
from telephony.reply.agent import Agent, EndedCall, HasWording, Notes, Said, Turn
from telephony.reply.runner import CLOSE_S, agent_name, iterator_of, raised

log = logging.getLogger(__name__)

MOST_THREADS = 8
ANSWER_S = 0.02  # a loop that is busy answers within a millisecond
JOIN_S = 1.0  # at the end of the server; a thread that is blocked then is left to the end of the process


class _End:
    """The agent has nothing to add."""


class _Thread:
    """One event loop for agents, and the agent in it. It is started when it is first needed."""

    def __init__(self, make: Callable[[], Agent]) -> None:
        self.busy = 0
        """Replies that run in it; counted in the calls' loop."""
        self._make = make
        self._agent: Agent | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="agent", daemon=True)
        self._thread.start()

    def agent(self) -> Agent:
        """Its agent. Called in the thread: an agent's constructor may block, too."""
        if self._agent is None:
            self._agent = self._make()
        return self._agent

    def call(self, do: Callable[[], object]) -> None:
        """Have something done in the loop."""
        with contextlib.suppress(RuntimeError):  # it is closed: the server stops
            self._loop.call_soon_threadsafe(do)

    async def answers(self) -> bool:
        """Whether its loop runs, rather than being blocked by an agent."""
        home = asyncio.get_running_loop()
        answered = asyncio.Event()

        def answer() -> None:
            with contextlib.suppress(RuntimeError):  # the calls' loop is closed
                home.call_soon_threadsafe(answered.set)

        self.call(answer)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                await answered.wait()
        return answered.is_set()

    def begin(self, work: Coroutine[Any, Any, None], context: contextvars.Context) -> asyncio.Task[None]:
        """A task in the loop; called in the thread."""
        return self._loop.create_task(work, context=context)

    async def close(self) -> None:
        """Cancel what runs, and end the thread, if it is not blocked."""
        self.call(self._loop.stop)
        await asyncio.to_thread(self._thread.join, JOIN_S)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._run()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            if tasks:
                self._loop.run_until_complete(asyncio.wait(tasks, timeout=JOIN_S / 2))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    def _run(self) -> None:
        """Run the loop until it is stopped: it hands on what a task of the agent's own raised to exit."""
        while True:
            try:
                self._loop.run_forever()
                return
            except (SystemExit, KeyboardInterrupt) as error:
                log.error("%s in a task of an agent's; its thread goes on", type(error).__name__)


class _Run:
    """One reply in its thread. The agent goes on when what it yielded was taken, not before."""

    def __init__(self, thread: _Thread, turn: Turn, notes: Notes, close_s: float) -> None:
        self._thread = thread
        self._close_s = close_s
        self._turn, self._notes = turn, notes
        self._home = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._wanted = asyncio.Event()
        self._got: asyncio.Future[object] | None = None
        self._task: asyncio.Task[None] | None = None
        self._over = False
        thread.busy += 1
        thread.call(self._begin)

    # in the call's loop

    async def next(self) -> object:
        """What the agent yields next, or _End. Raises what the agent raised."""
        self._got = self._home.create_future()
        self._thread.call(self._wanted.set)
        got = await self._got
        if isinstance(got, BaseException):
            raise got
        return got

    def stop(self) -> None:
        """The reply is over, or given up."""
        self._got = None
        if not self._over:
            self._thread.call(self._cancel)
            self._home.call_later(self._close_s, self._look)

    def _look(self) -> None:
        if not self._over:
            what = "a cancelled reply has not ended; it blocks its thread, or catches CancelledError"
            log.warning("agent %s: after %g s %s", self._name(), self._close_s, what)

    def _name(self) -> str:
        agent = self._thread._agent
        return "not made yet" if agent is None else agent_name(agent)

    def _came(self, what: object) -> None:
        if self._got is not None and not self._got.done():
            self._got.set_result(what)

    def _ended(self, what: object) -> None:
        self._over = True
        self._thread.busy -= 1
        self._came(what)

    # in the agent's thread

    def _begin(self) -> None:
        self._task = self._thread.begin(self._drive(), self._context)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _drive(self) -> None:
        end: object = RuntimeError("the reply cancelled itself")
        try:  # an exit would end the thread, and all that runs in it
            end = await guarded_user_task(raised, self._yield_all())
        finally:
            self._tell(self._ended, end)

    async def _yield_all(self) -> object:
        await self._asked()
        agent = self._thread.agent()
        iterator = iterator_of(agent, self._turn, self._notes, agent_name(agent))
        try:
            async for said in iterator:
                self._tell(self._came, said)
                await self._asked()
        finally:
            aclose = getattr(iterator, "aclose", None)
            if aclose is not None:
                await aclose()
        return _End()

    async def _asked(self) -> None:
        await self._wanted.wait()
        self._wanted.clear()

    def _tell(self, how: Callable[[object], None], what: object) -> None:
        with contextlib.suppress(RuntimeError):  # the calls' loop is closed: nobody listens any more
            self._home.call_soon_threadsafe(how, what)


class ThreadedAgent:
    """An agent around a user's, which runs in threads."""

    def __init__(
        self, agent: Agent, make: Callable[[], Agent], most: int = MOST_THREADS, close_s: float = CLOSE_S
    ) -> None:
        """`make` gives each thread its agent; `agent` is one for the calls' loop to know it by.

        A cancelled reply that has not ended after `close_s` seconds is named in the log.
        """
        self.__wrapped__ = agent
        if isinstance(agent, HasWording):
            self.wording = agent.wording
        if callable(getattr(agent, "ended", None)):
            self.ended = self._tell_ended
        self._make = make
        self._most = most
        self._close_s = close_s
        self._threads: list[_Thread] = []

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        """What the user's agent yields. Closing this cancels the reply, and waits for nothing."""
        run = _Run(await self._thread(), turn, notes, self._close_s)
        try:
            while not isinstance(said := await run.next(), _End):
                yield said  # type: ignore[misc]  # checked by the runner
        finally:
            run.stop()

    async def close(self) -> None:
        """At the end of the server, after the calls."""
        threads, self._threads = self._threads, []
        await asyncio.gather(*(thread.close() for thread in threads))

    async def _thread(self) -> _Thread:
        """A thread with nothing to do; a new one; or that with the least to do that is not blocked."""
        ranked = sorted(self._threads, key=lambda thread: thread.busy)
        if ranked and not ranked[0].busy:
            return ranked[0]
        if len(ranked) < self._most:
            self._threads.append(_Thread(self._make))
            return self._threads[-1]
        for thread in ranked:
            if await thread.answers():
                return thread
        return ranked[0]

    async def _tell_ended(self, call: EndedCall) -> None:
        """Tell a thread's agent of the end of a call, and wait for it."""
        thread = await self._thread()
        home, context = asyncio.get_running_loop(), contextvars.copy_context()
        told: asyncio.Future[BaseException | None] = home.create_future()

        def settle(error: BaseException | None) -> None:
            thread.busy -= 1
            if not told.done():
                told.set_result(error)

        async def end() -> None:
            await thread.agent().ended(call)  # type: ignore[attr-defined]

        async def tell() -> None:
            failed: BaseException | None = RuntimeError("it was cancelled")
            try:
                failed = await guarded_user_task(raised, end())
            finally:
                with contextlib.suppress(RuntimeError):  # the calls' loop is closed
                    home.call_soon_threadsafe(settle, failed)

        thread.busy += 1
        tasks: list[asyncio.Task[None]] = []
        thread.call(lambda: tasks.append(thread.begin(tell(), context)))
        try:
            error = await told
        finally:
            thread.call(lambda: [task.cancel() for task in tasks])
        if error is not None:
            raise error
