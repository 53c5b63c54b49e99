"""A call's conversation, saved while it runs, so that a process that dies takes no caller's call with it.

It is saved when the caller's turn ends, when the agent's words for it are complete, when a phrase of them is
heard to its end, and when something is cut: at most the sentence that was being said is then said again. What
is saved is made in one place (resuming.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from telephony import events as ev
from telephony.listen.flux import END_OF_TURN

log = logging.getLogger(__name__)

GAP_S = 0.05
"""Between two saves of a call: what happens together is saved once."""
EARLY_S = 0.04
"""A phrase is saved as heard by so much before it is, since saving takes a while. A process that dies within
that time costs the caller the last of its last sound; after one that dies later the next phrase is said."""

_DECIDED = frozenset({ev.StartReply, ev.CancelReply, ev.DropAudio})
"""Commands after which the conversation stands otherwise: an answer begins, is given up, was heard out."""


class Saving:
    """Saves one call's conversation, one save at a time. `state` gives it; `save` writes it, and may fail."""

    def __init__(
        self,
        state: Callable[[], Mapping[str, Any]],
        save: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        self._state = state
        self._save = save
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._next = 0.0
        self._closed = False

    def phrase_ends(self, in_s: float) -> None:
        """All of a phrase was sent: in so many seconds it is heard, if nobody interrupts it."""
        self._loop.call_later(in_s - EARLY_S, self._soon)

    def look(self, event: ev.Event, commands: list[ev.Command]) -> None:
        """Called for all that happens, so it is cheap."""
        if self._timer is not None:
            return
        if type(event) is ev.TurnHeard:
            worth = event.info.event == END_OF_TURN
        else:
            worth = type(event) is ev.ReplyEnded
        if worth or (commands and any(type(command) in _DECIDED for command in commands)):
            self._soon()

    def stop(self) -> None:
        """Begin to save nothing more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def close(self) -> None:
        """Save nothing more; returns when nothing is being saved."""
        self.stop()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def _soon(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = self._loop.call_at(max(self._loop.time(), self._next), self._begin)

    def _begin(self) -> None:
        self._timer = None
        if self._task is not None:  # a slow store: what is saved next holds all of it
            self._next = self._loop.time() + GAP_S
            self._soon()
            return
        self._next = self._loop.time() + GAP_S
        self._task = self._loop.create_task(self._write())

    async def _write(self) -> None:
        try:
            await self._save(self._state())
        except Exception:  # the edge of a task: it costs the call nothing as long as its process lives
            log.exception("a conversation was not saved")
        finally:
            self._task = None
