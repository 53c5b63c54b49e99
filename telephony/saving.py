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
EARLY_S = 0.15
"""A phrase is saved as heard by so much before it is: when a process dies, the caller goes on hearing what
was sent until the carrier has noticed, a network's way and a busy machine's moment later. Voices end their
sentences with about as much silence."""
AHEAD_S = EARLY_S + 0.05
LATE_LOOK_S = 0.02
LATE_LOOKS = 25
"""A line that is later than this says so with its marks; then the next phrase's end is the next save."""

_DECIDED = frozenset({ev.StartReply, ev.CancelReply, ev.DropAudio})
"""Commands after which the conversation stands otherwise: an answer begins, is given up, was heard out."""


class Saving:
    """Saves one call's conversation, one save at a time.

    `state` gives it, our words of so many seconds ahead counting as heard; `save` writes it, and may fail.
    """

    def __init__(
        self,
        state: Callable[[float], Mapping[str, Any]],
        save: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        self._state = state
        self._save = save
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._next = 0.0
        self._ahead_s = 0.0
        self._closed = False

    def phrase_ends(self, in_s: float, heard: Callable[[], bool]) -> None:
        """All of a phrase was sent: in so many seconds it should be heard, if nobody interrupts it.

        `heard` says whether it is, or will be in a moment: a line may be late.
        """
        self._loop.call_later(max(0.0, in_s - EARLY_S), self._phrase_ended, heard, LATE_LOOKS)

    def _phrase_ended(self, heard: Callable[[], bool], looks: int) -> None:
        if self._closed:
            return
        if looks and not heard():
            self._loop.call_later(LATE_LOOK_S, self._phrase_ended, heard, looks - 1)
        else:
            self._ahead_s = AHEAD_S
            self._soon()

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
            ahead_s, self._ahead_s = self._ahead_s, 0.0
            await self._save(self._state(ahead_s))
        except Exception:  # the edge of a task: it costs the call nothing as long as its process lives
            log.exception("a conversation was not saved")
        finally:
            self._task = None
