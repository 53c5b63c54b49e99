"""Sound as the phone line carries it. PURE: bytes in, bytes out.

Linear audio is mono, 16-bit signed little-endian ("linear16") unless something else is said.
"""

from __future__ import annotations

import audioop

PHONE_RATE = 8000
"""Samples a second on a phone line (G.711)."""
FRAME_SAMPLES = 160
"""20 ms, one frame of Twilio's media stream; in mu-law also its size in bytes."""
CHUNK_SAMPLES = 640
"""80 ms, four of Twilio's frames: the chunk size that Deepgram strongly recommends for Flux (its docs, "Flux
quickstart")."""
ULAW_SILENCE = 0xFF
"""The mu-law byte of the sample zero."""


def ulaw_to_linear16(ulaw: bytes) -> bytes:
    """Decode G.711 mu-law; two bytes come out for each one."""
    return audioop.ulaw2lin(ulaw, 2)


def linear16_to_ulaw(linear16: bytes) -> bytes:
    """Encode as G.711 mu-law; one byte comes out for each two."""
    return audioop.lin2ulaw(linear16, 2)


class Framer:
    """Cuts a stream of bytes into pieces of one size."""

    def __init__(self, size_bytes: int) -> None:
        if size_bytes <= 0:
            raise ValueError(f"a frame must have a size above zero, not {size_bytes}")
        self._size = size_bytes
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; return the pieces that are full."""
        data = self._rest + data if self._rest else data
        end = len(data) - len(data) % self._size
        self._rest = data[end:]
        return [data[at : at + self._size] for at in range(0, end, self._size)]

    def flush(self) -> bytes:
        """What is left, shorter than a piece; empty when nothing is."""
        rest, self._rest = self._rest, b""
        return rest
