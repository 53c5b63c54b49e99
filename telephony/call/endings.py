"""The end of a call, reported to its agent once: an agent's optional method `ended`.

A call may have several streams: one whose socket broke goes on in another, one that was transferred may
come back. So the end of a stream is the end of the call only when somebody hung up; else it is when the
carrier says so, or when nobody has come back for so long that nothing is left of the call to go on with.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from telephony.base.tasks import guarded_user_task
from telephony.reply.agent import Agent, EndedCall
from telephony.reply.runner import agent_name, log_failure

log = logging.getLogger(__name__)

NOTIFY_S = 10.0
"""How long an agent may take with the end of a call."""
LOOK_S = 5.0
"""How often to look whether the carrier has told another process that a call is over."""


async def notify_ended(
    agent: Agent, call: EndedCall, redacting: Callable[[], bool], within_s: float = NOTIFY_S
) -> None:
    """Call the agent's `ended`, if it has one; what fails in it is logged."""
    ended = _hook(agent)
    if ended is None:
        return

    def failed(error: BaseException) -> None:
        if isinstance(error, TimeoutError):
            log.warning("agent %s: ended() took more than %g s and was stopped", agent_name(agent), within_s)
        else:
            log_failure(f"agent {agent_name(agent)}: ended() failed", error, redacting())

    async def notify() -> None:
        async with asyncio.timeout(within_s):
            await ended(call)

    await guarded_user_task(failed, notify())


def _hook(agent: object) -> Callable[[EndedCall], Awaitable[None]] | None:
    """The agent's method; of an agent around another one, the other one's."""
    while not callable(ended := getattr(agent, "ended", None)):
        agent = getattr(agent, "__wrapped__", None)
        if agent is None:
            return None
    hook: Callable[[EndedCall], Awaitable[None]] = ended
    return hook


@dataclass(slots=True)
class _Waiting:
    """A call that may go on."""

    notify: Callable[[], Coroutine[Any, Any, None]]
    until: float
    """By the loop's clock."""


class Endings:
    """Which calls of this process have ended, and which may go on."""

    def __init__(self, is_ended: Callable[[str], Awaitable[bool]], ttl_s: float) -> None:
        """`is_ended`: whether a call is known to be over; `ttl_s`: how long one may be away."""
        self._is_ended = is_ended
        self._ttl_s = ttl_s
        self._waiting: dict[str, _Waiting] = {}
        self._notifying: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None

    def stream_began(self, call_sid: str) -> None:
        """The call goes on here: its end is reported when it ends."""
        self._waiting.pop(call_sid, None)

    def stream_ended(
        self, call_sid: str, notify: Callable[[], Coroutine[Any, Any, None]], *, final: bool
    ) -> None:
        """A stream has ended; `final`: the call with it. `notify` calls its agent."""
        if final:
            self._waiting.pop(call_sid, None)
            self._notify(notify)
            return
        loop = asyncio.get_running_loop()
        self._waiting[call_sid] = _Waiting(notify, loop.time() + self._ttl_s)
        if self._looking is None:
            self._looking = loop.create_task(self._look())

    def call_ended(self, call_sid: str) -> None:
        """The carrier says that a call is over."""
        waiting = self._waiting.pop(call_sid, None)
        if waiting is not None:
            self._notify(waiting.notify)

    async def close(self) -> None:
        """The server stops: wait for agents that are being notified. Other calls may go on elsewhere."""
        if self._looking is not None:
            self._looking.cancel()
        self._waiting.clear()
        if self._notifying:
            await asyncio.wait(self._notifying, timeout=NOTIFY_S)

    def _notify(self, notify: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.get_running_loop().create_task(notify())
        self._notifying.add(task)
        task.add_done_callback(self._notifying.discard)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            await asyncio.sleep(LOOK_S)
            for call_sid, waiting in list(self._waiting.items()):
                if loop.time() >= waiting.until or await self._is_ended(call_sid):
                    self.call_ended(call_sid)
        self._looking = None
