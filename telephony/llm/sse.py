"""Server-sent events, read piece by piece: bytes in, events out. PURE.

The format is that of the HTML standard, 9.2.6 "Interpreting an event stream".
"""

from __future__ import annotations

from telephony.base.frozen import frozen
from telephony.errors import RemoteProtocolError

MOST_EVENT_BYTES = 1 << 20
"""Of one event. A whole answer that a server sends at once has far less."""
BOM = b"\xef\xbb\xbf"
LF = 10


@frozen
class ServerSentEvent:
    """One event. Comments, ids and reconnection times are left out."""

    data: bytes
    """Its data lines, joined by line feeds."""
    type: str = ""
    """What its `event` field says; mostly nothing."""


class EventReader:
    """Reads one stream."""

    def __init__(self, most_bytes: int = MOST_EVENT_BYTES) -> None:
        self._most = most_bytes
        self._line = bytearray()  # begun, not ended: may come in single bytes
        self._data: list[bytes] = []
        self._size = 0
        self._type = ""
        self._first = True
        self._after_cr = False

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """The events that end within `data`. Raises RemoteProtocolError for one that is too long."""
        if self._is_one_event(data):
            return [ServerSentEvent(data[5:-2].removeprefix(b" "))]
        if self._after_cr and data:
            data = data[1:] if data[0] == LF else data  # the second half of a line end that was cut in two
            self._after_cr = False
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = data.split(b"\n")
        begun = lines.pop()
        events: list[ServerSentEvent] = []
        if lines and self._line:
            lines[0] = bytes(self._line) + lines[0]
            self._line.clear()
        for line in lines:
            self._take(line, events)
        self._line += begun
        if len(self._line) + self._size > self._most:
            raise RemoteProtocolError(f"an event of more than {self._most} bytes")
        return events

    def _is_one_event(self, data: bytes) -> bool:
        """The common case, which comes with every token: one data line, and nothing begun before it."""
        return (
            data.startswith(b"data:")
            and data.find(b"\n") == len(data) - 2
            and data.endswith(b"\n\n")
            and b"\r" not in data
            and not (self._line or self._data or self._after_cr or self._type or self._first)
        )

    def end(self) -> list[ServerSentEvent]:
        """What the stream ended in. A last event may lack its empty line."""
        events: list[ServerSentEvent] = []
        line = bytes(self._line)
        self._line.clear()
        self._take(line, events)
        self._take(b"", events)
        return events

    def _take(self, line: bytes, events: list[ServerSentEvent]) -> None:
        if self._first:
            self._first, line = False, line.removeprefix(BOM)
        if not line:
            if self._data:
                events.append(ServerSentEvent(b"\n".join(self._data), self._type))
                self._data, self._size = [], 0
            self._type = ""
            return
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._size += len(value) + 1
            if self._size > self._most:
                raise RemoteProtocolError(f"an event of more than {self._most} bytes")
        elif name == b"event":
            self._type = value.removeprefix(b" ").decode("utf-8", "replace")
