"""One caller at the wire, as cheap as it can be: its frames are made beforehand, what comes is not parsed.

Websocket frames are masked with the key 0, which is legal and changes nothing. Only what a figure needs is
read of a message: whether it is media, how much, a mark's name, a clear. Stamps are time.monotonic's, since
uvloop's clock counts milliseconds.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import struct
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import cast
from urllib.parse import urlsplit

_ACCEPTED = b" 101 "
_NAME = re.compile(rb'"name":\s*"([^"]*)"')
_PAYLOAD = re.compile(rb'"payload":\s*"')
FRAME_MS = 20
SPEECH = base64.b64encode(bytes(range(0x20, 0x70)) * 2).decode()


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's frame, with the mask 0."""
    size = len(payload)
    if size < 126:
        return struct.pack(">BBI", 0x80 | opcode, 0x80 | size, 0) + payload
    return struct.pack(">BBHI", 0x80 | opcode, 0x80 | 126, size, 0) + payload


class Caller(asyncio.Protocol):
    """A Twilio media stream. `on_media(caller, samples, now)` and `on_clear(caller, now)` tell what came."""

    def __init__(
        self,
        number: int,
        url: str,
        parameters: dict[str, str],
        on_media: Callable[[Caller, int, float], None],
        on_clear: Callable[[Caller, float], None],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.number = number
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = False
        self.frames = 0
        self.play_end = 0.0
        """When the last sample that came will have been heard."""
        self._url = url
        self._parameters = parameters
        self._on_media = on_media
        self._on_clear = on_clear
        self._more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._sequence = 1
        self._marks: deque[tuple[bytes, asyncio.TimerHandle]] = deque()
        self._sid = f"MZ{number:032x}"
        head = (
            f'{{"event":"media","streamSid":"{self._sid}","media":{{"track":"inbound","payload":"{SPEECH}",'
        )
        self._head = head.encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)
        parts = urlsplit(self._url)
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"{self._more}\r\n".encode()
        )

    def start(self) -> None:
        """Twilio's first two messages."""
        self._send({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        sid = f"CA{self.number:032x}"
        start = {
            "streamSid": self._sid,
            "accountSid": "AC" + "0" * 32,
            "callSid": self._parameters.get("callSid", sid),
            "tracks": ["inbound"],
            "customParameters": self._parameters,
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        }
        self._send({"event": "start", "sequenceNumber": "1", "streamSid": self._sid, "start": start})

    def send_frame(self) -> None:
        """The next 20 ms."""
        if self._transport is None or self.lost:
            return
        self._sequence += 1
        number = self.frames
        self.frames = number + 1
        tail = b'"chunk":"%d","timestamp":"%d"},"sequenceNumber":"%d"}' % (
            self.frames,
            number * FRAME_MS,
            self._sequence,
        )
        size = len(self._head) + len(tail)
        header = b"\x81\xfe" + size.to_bytes(2, "big") + b"\0\0\0\0"
        self._transport.write(header + self._head + tail)

    def hang_up(self) -> None:
        """Twilio's stop, and the socket."""
        self._sequence += 1
        if self._transport is not None and not self.lost:
            stop = {"accountSid": "AC" + "0" * 32, "callSid": self._parameters.get("callSid", "")}
            number = str(self._sequence)
            self._send({"event": "stop", "sequenceNumber": number, "streamSid": self._sid, "stop": stop})
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        for _, timer in self._marks:
            timer.cancel()
        if not self.open.done():
            self.open.set_exception(ConnectionError("the media socket was closed"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.open.done():
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            if _ACCEPTED not in head.partition(b"\r\n")[0]:
                self.open.set_exception(ConnectionError(head.partition(b"\r\n")[0].decode()))
                return
            self._buffer = rest
            self.open.set_result(None)
        now = time.monotonic()
        while (frame := self._frame()) is not None:
            opcode, payload = frame
            if opcode == 1:
                self._message(payload, now)
            elif opcode == 9 and self._transport is not None:
                self._transport.write(masked(10, payload))
            elif opcode == 8 and self._transport is not None:
                self._transport.close()

    def _frame(self) -> tuple[int, bytes] | None:
        data = self._buffer
        if len(data) < 2:
            return None
        size, at = data[1] & 0x7F, 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(data[2:10], "big"), 10
        if len(data) < at + size:
            return None
        self._buffer = data[at + size :]
        return data[0] & 0x0F, data[at : at + size]

    def _message(self, text: bytes, now: float) -> None:
        found = _PAYLOAD.search(text)
        if found is not None:
            end = text.index(b'"', found.end())
            samples = (end - found.end()) * 3 // 4 - text.count(b"=", end - 2, end)
            self._on_media(self, samples, now)
            self.play_end = max(now, self.play_end) + samples / 8000
        elif b'"clear"' in text:
            self._on_clear(self, now)
            self.play_end = now
            while self._marks:
                name, timer = self._marks.popleft()
                timer.cancel()
                self._mark(name)
        elif (name_found := _NAME.search(text)) is not None:
            wait = max(0.0, self.play_end - now)
            self._marks.append((name_found.group(1), self._loop.call_later(wait, self._next_mark)))

    def _next_mark(self) -> None:
        if self._marks:
            self._mark(self._marks.popleft()[0])

    def _mark(self, name: bytes) -> None:
        self._sequence += 1
        self._send(
            {
                "event": "mark",
                "sequenceNumber": str(self._sequence),
                "streamSid": self._sid,
                "mark": {"name": name.decode()},
            }
        )

    def _send(self, message: dict[str, object]) -> None:
        if self._transport is not None and not self.lost:
            self._transport.write(masked(1, json.dumps(message).encode()))
