"""The carrier's websocket: its texts can go straight to a function, and it is written to without a task.

A caller sends 50 frames a second, and waking a task for each of them costs more than all that is then done
with it (bench/README.md). What of aiohttp this needs is in base/aiohttp_internals.py; where that is not
available, messages come through `receive()` and go through `send_str()`.
"""

from __future__ import annotations

import socket
from asyncio import Transport
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from telephony.base.aiohttp_internals import TappableSocket
from telephony.carrier.reader_watch import TcpState
from telephony.carrier.tcp_state import tcp_state

_PING = b"\x89\x00"  # a server's frame (RFC 6455, 5.2): final, ping, not masked, empty

_LOW_WATER: int | None = getattr(socket, "SO_RCVLOWAT", None)


def _frame(text: str) -> bytes:
    """A server's websocket frame (RFC 6455, 5.2): final, text, not masked."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


class FrameSocket(TappableSocket):
    """aiohttp's server socket with a tap, and a way to write that waits for nothing."""

    _transport: Transport | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Answer the handshake."""
        self._transport = request.transport
        return await super().prepare(request)

    def wake_at(self, size: int) -> None:
        """Have the kernel report what has come when it is `size` bytes; 1: anything.

        An end of the connection is always reported. Does nothing where the system cannot, or under TLS, whose
        records have other sizes.
        """
        transport = self._transport
        if _LOW_WATER is None or transport is None or transport.is_closing():
            return
        plain = transport.get_extra_info("socket")
        if plain is not None and transport.get_extra_info("sslcontext") is None:
            with suppress(OSError, ValueError):  # ValueError: uvloop's, of a socket that is closed
                plain.setsockopt(socket.SOL_SOCKET, _LOW_WATER, size)

    def ask(self) -> None:
        """Ask whether the peer reads, without waiting. A closed socket asks nobody."""
        if self._transport is not None and not self.closed and not self._transport.is_closing():
            self._transport.write(_PING)

    def tcp_state(self) -> TcpState | None:
        """What the kernel knows of the connection; None when it is closed, or where it cannot be had."""
        if self._transport is None or self._transport.is_closing():
            return None
        return tcp_state(self._transport)

    async def close(self, *arguments: Any, **named: Any) -> bool:
        """Close with a handshake; the peer's part of it is a few bytes."""
        self.wake_at(1)
        return await super().close(*arguments, **named)

    def write_texts(self, texts: Sequence[str]) -> bool:
        """Write text messages in one piece, without waiting. False: let the peer catch up (`drained`) now.

        Only where `keeps_up` is not None. Raises ConnectionError when the socket is closed or closing.
        """
        if self._transport is None or self.closed or self._transport.is_closing():
            raise ConnectionResetError("the carrier's socket is closed")
        self._transport.write(b"".join([_frame(text) for text in texts]))
        return bool(self.keeps_up)
