"""Conversations, saved while they run, so that a process that dies takes no caller's call with it.

One is saved when the caller's turn ends, when the agent's words for it are complete, when a phrase of them is
heard to its end, and when something is cut: at most the sentence that was being said is then said again. What
is saved is made in one place (resuming.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from telephony import events as ev
from telephony.base.tasks import guarded_task
from telephony.deepgram.flux_codec import END_OF_TURN

log = logging.getLogger(__name__)

State = Mapping[str, Any]

EVERY_S = 0.1
"""What all calls want saved within this time is saved together: each time the store's thread and the event
loop wake each other, and wait for each other, which costs far more than the saving."""
EARLY_S = 0.15
"""A phrase is saved as heard by so much before it is: when a process dies, the caller goes on hearing what
was sent until the carrier has noticed, a network's way and a busy machine's moment later. Voices end their
sentences with about as much silence."""
AHEAD_S = EARLY_S + 0.05
LATE_LOOK_S = 0.02
LATE_LOOKS = 25
"""A line that is later than this says so with its marks; then the next phrase's end is the next save."""


class CheckpointWriter:
    """Saves the conversations of one process. `write` gets their states by CallSid, and may fail."""

    def __init__(self, write: Callable[[Mapping[str, State]], Awaitable[None]]) -> None:
        self._write = write
        self._wanted: dict[str, Callable[[], State]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._next = 0.0

    def want(self, call_sid: str, state: Callable[[], State]) -> None:
        """Have a conversation saved: at once, or with those of others in a moment."""
        self._wanted[call_sid] = state
        self._arm()

    def drop(self, call_sid: str) -> None:
        """The call is over: what is saved last of it is somebody else's affair."""
        self._wanted.pop(call_sid, None)

    def _arm(self) -> None:
        if self._timer is None and self._task is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time(), self._next), self._begin)

    def _begin(self) -> None:
        self._timer = None
        wanted, self._wanted = self._wanted, {}
        if wanted:
            loop = asyncio.get_running_loop()
            self._next = loop.time() + EVERY_S
            self._task = loop.create_task(self._save(wanted))

    async def _write_all(self, wanted: Mapping[str, Callable[[], State]]) -> None:
        await self._write({call_sid: state() for call_sid, state in wanted.items()})

    async def _save(self, wanted: Mapping[str, Callable[[], State]]) -> None:
        try:
            await guarded_task(_not_saved, self._write_all(wanted))
        finally:
            self._task = None
            if self._wanted:
                self._arm()


def _not_saved(error: Exception) -> None:
    """This costs a call nothing as long as its process lives."""
    log.error("conversations were not saved", exc_info=error)


class Checkpoints:
    """Knows when one call's conversation must be saved.

    `state` gives it, our words of so many seconds ahead counting as heard.
    """

    def __init__(self, call_sid: str, state: Callable[[float], State], saver: CheckpointWriter) -> None:
        self._call_sid = call_sid
        self._state = state
        self._saver = saver
        self._loop = asyncio.get_running_loop()
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
            self._want(AHEAD_S)

    def look(self, event: ev.Event, commands: list[ev.Command]) -> None:
        """Called for all that happens, so it is cheap."""
        if type(event) is ev.TurnInfoReceived:
            worth = event.info.event == END_OF_TURN
        else:
            worth = type(event) is ev.ReplyEnded
        if worth or (commands and any(map(_decided, commands))):
            self._want(0.0)

    def _want(self, ahead_s: float) -> None:
        if not self._closed:
            self._saver.want(self._call_sid, lambda: self._state(ahead_s))

    def stop(self) -> None:
        """Save nothing more."""
        self._closed = True
        self._saver.drop(self._call_sid)


def _decided(command: ev.Command) -> bool:
    """Whether the conversation stands otherwise after it: an answer begins, or something is cut."""
    return type(command) is ev.CancelReply or (type(command) is ev.StartReply and not command.draft)
