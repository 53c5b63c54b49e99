"""What the kernel knows of a connection: how much its peer has taken, and whether it takes more.

A peer that reads nothing is noticed late above TCP: the kernels on both sides take megabytes for it first.
Linux only; elsewhere nothing is known, and what an event loop buffers must do.
"""

from __future__ import annotations

import socket
import struct
from asyncio import BaseTransport

from telephony.carrier.reader_watch import TcpState

_TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)
_SIZE = 232
# struct tcp_info of linux/tcp.h: tcpi_unacked, tcpi_bytes_acked, tcpi_notsent_bytes, tcpi_snd_wnd (Linux 5.4)
_UNACKED, _ACKED, _UNSENT, _WINDOW = 24, 120, 144, 228


def tcp_state(transport: BaseTransport | None) -> TcpState | None:
    """The state of a transport's connection; None where it cannot be had."""
    plain = None if transport is None else transport.get_extra_info("socket")
    if _TCP_INFO is None or plain is None:
        return None
    try:
        info = plain.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _SIZE)
    except (OSError, ValueError):  # ValueError: uvloop's, of a socket that is closed
        return None
    if len(info) < _SIZE:
        return None
    (unacked,) = struct.unpack_from("=I", info, _UNACKED)
    (taken,) = struct.unpack_from("=Q", info, _ACKED)
    (unsent,) = struct.unpack_from("=I", info, _UNSENT)
    (window,) = struct.unpack_from("=I", info, _WINDOW)
    return TcpState(taken, bool(unacked or unsent), window)
