"""The carrier's websocket, whose text messages can go straight to a function instead of waking a task.

A caller sends 50 frames a second, and waking a task for each of them costs more than all that is then done
with it (bench/README.md). aiohttp has no such door, so this reaches below its surface: the queue between its
parser and `receive()` offers each text message to a function first. What the function does not take, and
everything that is no text, goes the usual way, in the order it came. In an aiohttp that is built differently
nothing is offered, and all messages come through `receive()`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web
from aiohttp._websocket.reader import WebSocketDataQueue

log = logging.getLogger(__name__)

_TEXT = WSMsgType.TEXT  # looking a member up in its enum costs more than the test it is for

Tap = Callable[[str], bool]
"""Takes a text message, or returns False: then `receive()` gives it. Called in the event loop."""


class _TappedQueue(WebSocketDataQueue):
    """aiohttp's queue of messages, with a function that may take them before they are put in."""

    tap: Tap | None = None

    def feed_data(self, data: Any, size: int) -> None:
        """aiohttp's parser has read a message."""
        # What is still in the queue came before this, and receive() will give it first.
        if self.tap is None or data[0] is not _TEXT or self._buffer:
            super().feed_data(data, size)
            return
        try:
            taken = self.tap(data[1])
        except Exception as error:  # the parser is C code that would lose it
            self.tap = None
            log.exception("a message of the carrier could not be handled")
            self.set_exception(error)
            return
        if not taken:
            super().feed_data(data, size)


class FrameSocket(web.WebSocketResponse):
    """aiohttp's server socket with a tap."""

    _queue: Any = None

    def tap(self, tap: Tap | None) -> None:
        """Offer text messages to `tap` as they come in from now on; None: to nobody but `receive()`.

        An error that it raises ends the socket: `receive()` gives it as a message of the type ERROR.
        """
        if isinstance(self._queue, _TappedQueue):
            self._queue.tap = tap

    # aiohttp makes its queue, keeps it here, and makes the parser that feeds it from what is kept here.
    @property
    def _reader(self) -> Any:
        return self._queue

    @_reader.setter
    def _reader(self, queue: Any) -> None:
        if type(queue) is WebSocketDataQueue:
            queue = _TappedQueue(queue._protocol, queue._limit // 2, loop=asyncio.get_running_loop())
        self._queue = queue
