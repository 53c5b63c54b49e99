"""What is written to the carrier: at once while it keeps up, else by a task that waits for it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable

from telephony.carrier.reader_watch import AnswerWatch, Asking, ReaderWatch
from telephony.carrier.websocket import FrameSocket

log = logging.getLogger(__name__)

STUCK_S = 2.0
"""A write that takes longer is a fault of the peer."""
LIMIT = 500
"""Messages: the pacer's lead is 3 of them, so this is reached by a stuck peer only."""


class CarrierWriter:
    """Putting never waits; a task of its own does, when the peer does not keep up."""

    def __init__(self, socket: FrameSocket, barged_in: Callable[[float], None]) -> None:
        """`barged_in` gets the seconds from what the caller did to the `clear` that was written for it."""
        self._socket = socket
        self._waiting: deque[str] = deque()
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._idle = False
        """The writer task has nothing to do, and the peer is known to keep up."""
        self._writing_since: float | None = None
        self._overflowed = False
        self._watch = ReaderWatch()
        self._answers = AnswerWatch()
        self._barged_in = barged_in
        self._cause: tuple[str, float] | None = None

    def stuck(self, now: float, overdue_s: float = 0.0) -> bool:
        """Whether the peer must be given up: it took nothing for 2 s, or reads nothing, or it overflowed.

        `overdue_s`: for how many seconds a mark is overdue while the peer's own messages come. Call this now
        and then: a deadline of its own for each message would cost more than the message.
        """
        since = self._writing_since
        if self._overflowed or (since is not None and now - since > STUCK_S):
            return True
        state = self._socket.tcp_state()
        unread = state is not None and self._watch.reads_nothing(state, now)
        if not unread and not self._answers_nothing(overdue_s, now):
            return False
        log.warning("the carrier reads nothing of what it is sent: its stream is ended")
        return True

    def _answers_nothing(self, overdue_s: float, now: float) -> bool:
        pongs = self._socket.pongs
        asking = Asking.NOTHING if pongs is None else self._answers.look(overdue_s, pongs, now)
        if asking is Asking.PING:
            self._socket.ask()
        return asking is Asking.GIVE_UP

    def put(self, *texts: str) -> None:
        """Have messages written behind those that wait."""
        if self._idle:
            self._write(*texts)
        elif len(self._waiting) >= LIMIT:
            self._overflowed = True
        else:
            self._waiting += texts
            self._wake.set()

    def clear(self, text: str, since: float | None = None) -> None:
        """Throw away what waits, media and its marks alike, and have the `clear` written first.

        `since`: the monotonic time of what the caller did, if it was the caller.
        """
        self._cause = None if since is None else (text, since)
        self._waiting.clear()
        if self._idle:
            self._write(text)
        else:
            self._waiting.append(text)
            self._wake.set()

    async def run(self) -> None:
        """Write until cancelled, or until the peer is gone."""
        try:
            while True:
                self._writing_since = self._loop.time()
                await self._socket.drained()
                if self._waiting:
                    await self._write_next()
                    continue
                self._writing_since = None
                self._wake.clear()
                self._idle = self._socket.keeps_up is True
                await self._wake.wait()
        except ConnectionError:
            return  # the reader sees the end too, and says so
        finally:
            self._idle = False

    async def _write_next(self) -> None:
        text = self._waiting.popleft()
        if self._socket.keeps_up is None:
            await self._socket.send_str(text)
            self._note_clear(text)
        else:
            self._write(text)

    def _write(self, *texts: str) -> None:
        """Write now. The task waits for what the peer does not take at once, or never will."""
        try:
            keeps_up = self._socket.write_texts(texts)
        except ConnectionError:
            keeps_up = False
        else:
            self._note_clear(texts[0])
        if not keeps_up:
            self._idle = False
            self._wake.set()

    def _note_clear(self, text: str) -> None:
        # The very `clear`: what was being written when it came is not it.
        if self._cause is not None and text is self._cause[0]:
            self._barged_in(time.monotonic() - self._cause[1])
            self._cause = None
