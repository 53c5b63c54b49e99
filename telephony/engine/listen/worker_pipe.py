"""Messages of engine and recognition worker: Python objects, length first, over a private socket pair."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

_LENGTH = 4
_MAX = 16 * 1024 * 1024

READY = "ready"
"""Worker: the models are loaded; what is missing, as lines."""
FAILED = "failed"
"""Worker: nothing here can recognize speech; the reason."""
OPEN = "open"
"""Engine: a new stream with these options."""
AUDIO = "hear"
"""Engine: 80 ms of audio, and whether all before it was processed when it came; answered with BLOCKS."""
FLUSH = "flush"
"""Engine: what is known of the turn now? Answered with BLOCKS, one or none."""
END_TURN = "end_turn"
CONFIGURE = "configure"
CLOSE = "close"
BLOCKS = "blocks"
ERROR = "error"
"""Worker: the recognition of this stream broke down; the reason."""

WorkerMessage = tuple[int, str, Any]
"""Number of the stream (0: the worker itself), what, and its content."""


def pack(message: WorkerMessage) -> bytes:
    """The bytes of a message. Both ends are ours and the pair is private, so pickle is safe."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return len(body).to_bytes(_LENGTH, "big") + body


async def unpack(reader: asyncio.StreamReader) -> WorkerMessage | None:
    """The next message; None when the other end is gone."""
    try:
        length = int.from_bytes(await reader.readexactly(_LENGTH), "big")
        if length > _MAX:
            return None
        message: WorkerMessage = pickle.loads(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return message
