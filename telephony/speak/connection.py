"""One call's voice: a socket that is open all the time, and a spare one once there are drafts."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from telephony.speak.channel import Channel, VoicePeer
from telephony.speak.events import VoiceDisconnected, VoiceEvent
from telephony.speak.voice_state import Phrase, VoiceCounts

REPLIES_KEPT = 64
"""Replies of which is known on which socket they are spoken."""


def _ignore(event: VoiceEvent) -> None:
    """Takes what comes after the end."""


class VoiceConnection:
    """One call's voice: a socket that is open all the time, and a spare one once there are drafts.

    A draft is spoken on the spare. When it is released, the spare becomes the call's socket, and the other
    one the spare; when it is thrown away, so is its socket: what was finished of it cannot be taken back.
    """

    def __init__(
        self,
        client: VoicePeer,
        on_event: Callable[[VoiceEvent], None],
        ahead_s: Callable[[], float] | None = None,
    ) -> None:
        self.counts = VoiceCounts()
        self._client = client
        self._on_event = on_event
        self._ahead_s = ahead_s
        self._main = self._channel()
        self._spare: Channel | None = None
        self._where: OrderedDict[int, Channel] = OrderedDict()
        self._drafts: set[int] = set()
        self._tasks: dict[asyncio.Task[None], Channel] = {}
        self._running: asyncio.Task[None] | None = None
        self._one_socket = False
        """The service granted no second one."""
        self._over = asyncio.Event()

    def speak(self, reply: int, phrase: int, text: str, draft: bool = False, *, rest: bool = False) -> None:
        """Speak a phrase after those given before. Never waits; what becomes of it is reported by events.

        `rest`: it is what was left of a phrase that failed in the middle.
        """
        if self._over.is_set():
            return
        channel = self._where.get(reply)
        if channel is None:
            channel = self._spare_channel() if draft else self._main
            self._where[reply] = channel
            if draft:
                self._drafts.add(reply)
            while len(self._where) > REPLIES_KEPT:
                self._drafts.discard(self._where.popitem(last=False)[0])
        channel.speak(Phrase(reply, phrase, text, rest))

    def release(self, reply: int) -> None:
        """A draft has become the answer: its socket is the call's from now on."""
        self._drafts.discard(reply)
        channel = self._where.get(reply)
        if channel is not None and channel is self._spare:
            self._main, self._spare = channel, self._main

    def cancel(self, reply: int, heard_ms: float | None = None) -> None:
        """Give a reply up: no event of its phrases comes any more.

        `heard_ms`: how much of the reply's audio the caller has heard, for the service's own account.
        """
        draft = reply in self._drafts
        self._drafts.discard(reply)
        channel = self._where.pop(reply, None)
        if channel is not None:
            channel.cancel(reply, heard_ms, fresh=draft)

    def start(self) -> None:
        """Connect now, in a task of its own; `run` waits for its end."""
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="voice")

    async def run(self) -> None:
        """Keep the sockets open until `close()`; cancelling ends it."""
        self.start()
        assert self._running is not None
        try:
            await self._running
        finally:
            self._running = None  # a task that was cancelled knows us by its traceback

    async def _run(self) -> None:
        try:
            self._start(self._main)
            if self._spare is not None:
                self._start(self._spare)
            await self._over.wait()
        finally:
            self._over.set()
            tasks, self._tasks = self._tasks, {}
            for task, channel in tasks.items():
                channel.stop()
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end

    def close(self) -> None:
        """The call is over: `run` returns, the sockets are dropped, and no event comes any more."""
        self._over.set()
        for channel in filter(None, (self._main, self._spare, *self._where.values())):
            channel.stop()
        self._where.clear()
        self._on_event, self._ahead_s = _ignore, None  # they know the call, which knows us

    def _channel(self) -> Channel:
        return Channel(self._client, self._on_event, self.counts, self._down, self._ahead_s)

    def _down(self, channel: Channel, down: VoiceDisconnected) -> None:
        """A socket was lost. The call has to know; but where only the spare is refused, one has to do."""
        if channel is self._main or down.status is None:
            self._on_event(down)
            return
        self._one_socket, self._spare = True, None
        for reply, where in self._where.items():
            if where is channel:
                self._where[reply] = self._main
        for phrase in channel.take_queue():
            self._main.speak(phrase)
        for task, one in self._tasks.items():
            if one is channel:
                task.cancel()

    def _spare_channel(self) -> Channel:
        if self._one_socket:
            return self._main
        if self._spare is None:
            self._spare = self._channel()
            if self._running is not None:
                self._start(self._spare)
        return self._spare

    def _start(self, channel: Channel) -> None:
        task = asyncio.create_task(channel.run(), name="voice")
        self._tasks[task] = channel
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._over.set()  # a defect of ours: `run` raises it
