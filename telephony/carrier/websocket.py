"""The carrier's websocket, whose text messages can go straight to a function instead of waking a task.

It writes without a task, too: several messages at once, in one system call.

A caller sends 50 frames a second, and waking a task for each of them costs more than all that is then done
with it (bench/README.md). aiohttp has no such door, so this reaches below its surface: the queue between its
parser and `receive()` offers each text message to a function first. What the function does not take, and
everything that is no text, goes the usual way, in the order it came. In an aiohttp that is built differently
nothing is offered, and all messages come through `receive()`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from aiohttp import WSMessage, WSMsgType, web
from aiohttp._websocket.reader import WebSocketDataQueue

from telephony.carrier.reader_watch import TcpState
from telephony.carrier.tcp_state import tcp_state

log = logging.getLogger(__name__)

_TEXT = WSMsgType.TEXT  # looking a member up in its enum costs more than the test it is for
_PONG = WSMsgType.PONG
_PING = b"\x89\x00"  # a server's frame (RFC 6455, 5.2): final, ping, not masked, empty

_LOW_WATER: int | None = getattr(socket, "SO_RCVLOWAT", None)

Tap = Callable[[str], bool]
"""Takes a text message, or returns False: then `receive()` gives it. Called in the event loop."""


class _TappedQueue(WebSocketDataQueue):
    """aiohttp's queue of messages, with a function that may take them before they are put in."""

    tap: Tap | None = None
    pongs = 0

    def feed_data(self, data: Any, size: int) -> None:
        """aiohttp's parser has read a message."""
        # What is still in the queue came before this, and receive() will give it first.
        if self.tap is None or data[0] is not _TEXT or self._buffer:
            if data[0] is _PONG:
                self.pongs += 1
            super().feed_data(data, size)
            return
        try:
            taken = self.tap(data[1])
        except Exception as error:  # the parser is C code that would lose it
            log.exception("a message of the carrier could not be handled")
            self.fail(error)
            return
        if not taken:
            super().feed_data(data, size)

    def fail(self, error: Exception) -> None:
        """Have receive() give an error, and nothing be tapped any more."""
        self.tap = None
        self.set_exception(error)

    def give_back(self, text: str) -> None:
        """Have receive() give a text, behind what waits already."""
        super().feed_data(WSMessage(_TEXT, text, None), len(text))


def _frame(text: str) -> bytes:
    """A server's websocket frame (RFC 6455, 5.2): final, text, not masked."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


class FrameSocket(web.WebSocketResponse):
    """aiohttp's server socket with a tap, and a way to write that waits for nothing."""

    _queue: Any = None

    def tap(self, tap: Tap | None) -> None:
        """Offer text messages to `tap` as they come in from now on; None: to nobody but `receive()`.

        An error that it raises ends the socket: `receive()` gives it as a message of the type ERROR.
        """
        if isinstance(self._queue, _TappedQueue):
            self._queue.tap = tap

    def fail(self, error: Exception) -> None:
        """A message that was tapped could not be handled: `receive()` gives the error, the socket ends."""
        if isinstance(self._queue, _TappedQueue):
            self._queue.fail(error)

    def give_back(self, text: str) -> None:
        """A text that was tapped is for the reader after all: `receive()` gives it."""
        if isinstance(self._queue, _TappedQueue):
            self._queue.give_back(text)

    def wake_at(self, size: int) -> None:
        """Have the kernel tell of what has come when it is `size` bytes; 1: of anything.

        An end of the connection is always told. Does nothing where the system cannot, or under TLS, whose
        records have other sizes.
        """
        transport = None if self._writer is None else self._writer.transport
        if _LOW_WATER is None or transport is None or transport.is_closing():
            return
        plain = transport.get_extra_info("socket")
        if plain is not None and transport.get_extra_info("sslcontext") is None:
            with suppress(OSError, ValueError):  # ValueError: uvloop's, of a socket that is closed
                plain.setsockopt(socket.SOL_SOCKET, _LOW_WATER, size)

    @property
    def pongs(self) -> int | None:
        """How many pings were answered; None where that cannot be seen."""
        return self._queue.pongs if isinstance(self._queue, _TappedQueue) else None

    def ask(self) -> None:
        """Ask whether the peer reads, without waiting. A closed socket asks nobody."""
        writer = self._writer
        if writer is not None and not writer._closing and not writer.transport.is_closing():
            writer.transport.write(_PING)

    def tcp_state(self) -> TcpState | None:
        """What the kernel knows of the connection; None when it is closed, or the system does not tell."""
        transport = None if self._writer is None else self._writer.transport
        if transport is None or transport.is_closing():
            return None
        return tcp_state(transport)

    async def close(self, *arguments: Any, **named: Any) -> bool:
        """Close with a handshake; the peer's part of it is a few bytes."""
        self.wake_at(1)
        return await super().close(*arguments, **named)

    def write_texts(self, texts: Sequence[str]) -> bool:
        """Write text messages in one piece, without waiting. False: let the peer catch up (`drained`) now.

        Raises ConnectionError when the socket is closed or closing.
        """
        writer = self._writer
        if writer is None or writer._closing or writer.transport.is_closing():
            raise ConnectionResetError("the carrier's socket is closed")
        writer.transport.write(b"".join([_frame(text) for text in texts]))
        return not writer.protocol.writing_paused

    async def drained(self) -> None:
        """Wait until the peer has taken most of what was written. Raises ConnectionError when it is gone."""
        if self._writer is not None:
            await self._writer.protocol._drain_helper()

    # aiohttp makes its queue, keeps it here, and makes the parser that feeds it from what is kept here.
    @property
    def _reader(self) -> Any:
        return self._queue

    @_reader.setter
    def _reader(self, queue: Any) -> None:
        if type(queue) is WebSocketDataQueue:
            queue = _TappedQueue(queue._protocol, queue._limit // 2, loop=asyncio.get_running_loop())
        self._queue = queue
