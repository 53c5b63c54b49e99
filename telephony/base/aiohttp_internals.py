"""The only module that uses names which aiohttp does not promise to keep.

Four things have no public door in aiohttp, and each of them is on the path of every frame or every 80 ms:

- a websocket message that is handed to a function, instead of waking the task that waits in `receive()`;
- whether a socket's peer keeps up, and when it does again, without a task for each write;
- a websocket message that is written without the coroutines around aiohttp's writer;
- a heartbeat that costs no callback of the event loop for each packet.

bench/README.md has the figures. Each assumption has a test (tests/base/test_aiohttp_internals.py). In a
version of aiohttp that was not checked, or one where a name is missing, nothing of this is used: everything
goes through aiohttp's public API then, at a higher cost (tests/test_closed_fences.py runs a whole call so).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import ClientWebSocketResponse, WSMessage, WSMsgType, web

from telephony.errors import forget_frames

log = logging.getLogger(__name__)

CHECKED = ("3.14.",)
"""Versions of aiohttp that this was checked against: 3.14.4 and 3.14.5."""

if TYPE_CHECKING:
    from aiohttp._websocket.reader import WebSocketDataQueue
else:
    try:
        from aiohttp._websocket.reader import WebSocketDataQueue
    except ImportError:
        WebSocketDataQueue = None

in_use = WebSocketDataQueue is not None and aiohttp.__version__.startswith(CHECKED)
"""Whether the names below are what they were. Tests set it to False."""

if not in_use:
    log.warning("aiohttp %s was not checked: its public API is used, at more CPU", aiohttp.__version__)

_TEXT = WSMsgType.TEXT  # looking a member up in its enum costs more than the test that it is for
_PONG = WSMsgType.PONG

Tap = Callable[[str], None]
"""Takes a text message. Called in the event loop, from aiohttp's parser; it must not raise."""


class TappedQueue(object if WebSocketDataQueue is None else WebSocketDataQueue):  # type: ignore[misc]
    """aiohttp's queue between its parser and `receive()`, with a function that takes the texts."""

    tap: Tap | None = None
    pongs = 0

    def feed_data(self, data: Any, size: int) -> None:
        """aiohttp's parser has read a message."""
        # What is still in the queue came before this, and receive() gives it first.
        if self.tap is None or data[0] is not _TEXT or self._buffer:
            if data[0] is _PONG:
                self.pongs += 1
            super().feed_data(data, size)
            return
        self.tap(data[1])


class TappableSocket(web.WebSocketResponse):
    """aiohttp's server socket, with a tap for text messages and a way to see whether the peer keeps up."""

    _queue: Any = None

    def tap(self, tap: Tap | None) -> bool:
        """Give text messages to `tap` as they come in; None: to `receive()` again. False: not possible here.

        All other messages go to `receive()`, and so do texts that came before one that waits there.
        """
        if not isinstance(self._queue, TappedQueue):
            return False
        self._queue.tap = tap
        return True

    def fail(self, error: Exception) -> None:
        """A tapped message could not be handled: `receive()` gives the error, which ends the socket."""
        if isinstance(self._queue, TappedQueue):
            self._queue.tap = None
            self._queue.set_exception(error)

    def give_back(self, text: str) -> None:
        """A text that was tapped is for the reader after all: `receive()` gives it, behind what waits."""
        if isinstance(self._queue, TappedQueue):
            WebSocketDataQueue.feed_data(self._queue, WSMessage(_TEXT, text, None), len(text))

    @property
    def pongs(self) -> int | None:
        """How many pings were answered; None where that cannot be seen."""
        return self._queue.pongs if isinstance(self._queue, TappedQueue) else None

    @property
    def keeps_up(self) -> bool | None:
        """Whether the peer takes what it is sent; None where that cannot be seen."""
        if not in_use or self._writer is None:
            return None
        return not self._writer.protocol.writing_paused

    async def drained(self) -> None:
        """Wait until the peer has taken most of what was written. Raises ConnectionError when it is gone."""
        if in_use and self._writer is not None:
            await self._writer.protocol._drain_helper()

    # aiohttp makes its queue, keeps it here, and makes the parser that feeds it from what is kept here.
    @property
    def _reader(self) -> Any:
        return self._queue

    @_reader.setter
    def _reader(self, queue: Any) -> None:
        if in_use and type(queue) is WebSocketDataQueue:
            queue = TappedQueue(queue._protocol, queue._limit // 2, loop=asyncio.get_running_loop())
        self._queue = queue


class LeanClientSocket(ClientWebSocketResponse[Any]):
    """aiohttp's client socket: cheaper heartbeats, writes without coroutines, and an abort."""

    def send_now(self, data: bytes) -> bool:
        """Write a binary message if the socket takes it at once. False: nothing was written."""
        writer = self._writer
        if not in_use or writer._closing or writer.protocol.writing_paused or writer.transport.is_closing():
            return False
        writer._write_websocket_frame(data, WSMsgType.BINARY, 0)
        return True

    def abort(self) -> None:
        """Drop the connection now: a close handshake would wait behind a full send buffer."""
        connection = self._response.connection if in_use else None
        if connection is not None and connection.transport is not None:
            connection.transport.abort()
            return
        plain = self.get_extra_info("socket")
        if plain is not None:  # uvloop's sockets have no shutdown() of their own
            with suppress(OSError), socket.socket(fileno=os.dup(plain.fileno())) as same:
                same.shutdown(socket.SHUT_RDWR)

    def drop(self) -> None:
        """Nobody wants it: drop the connection, and what of aiohttp's would wait for its close."""
        self.abort()
        self._response.close()
        self.dispose()

    def dispose(self) -> None:
        """It is over: break the reference cycles that aiohttp leaves, 12 KiB a socket."""
        forget_frames(self.exception())
        if in_use:
            forget_frames(self._reader.exception())
        protocol = getattr(self._writer, "protocol", None) if in_use else None
        if getattr(protocol, "_data_received_cb", None) is not None:  # it would report each packet to us
            setattr(protocol, "_data_received_cb", None)  # noqa: B010 - to mypy it is not an attribute

    def _on_data_received(self) -> None:
        """aiohttp reports each packet, which puts the next ping off.

        aiohttp itself does so in a callback of the loop. Noting the moment is enough: its timer, when it
        fires too early, looks at this and waits on.
        """
        if not in_use or self._pong_response_cb is not None or self._heartbeat is None or self._loop is None:
            super()._on_data_received()
        else:
            self._heartbeat_when = self._loop.time() + self._heartbeat
