"""Recordings in WAV files: any rate, mu-law, A-law, whole or floating numbers. PURE: bytes in and out."""

from __future__ import annotations

import audioop
import struct
from dataclasses import dataclass

import numpy as np

from .errors import BadAudio

PCM, FLOAT, ALAW, MULAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
"""Format tags of the RIFF `fmt ` chunk (mmreg.h)."""
RATES = range(1000, 384_001)
"""What can be a sampling rate; anything else is a damaged header."""


@dataclass(frozen=True, slots=True)
class Wav:
    """The sound of a WAV file."""

    rate: int
    """Samples a second."""
    channels: int
    """1 mono, 2 stereo ..."""
    linear16: bytes
    """Samples as 16-bit signed little-endian numbers, channels interleaved."""

    @property
    def duration_s(self) -> float:
        """Seconds of sound."""
        return len(self.linear16) / 2 / self.channels / self.rate


def read_wav(data: bytes) -> Wav:
    """Read a whole WAV file. Raises BadAudio, in one line, for what is not one or cannot be read."""
    if not data:
        raise BadAudio("is empty")
    if data[:4] not in (b"RIFF", b"RIFX") or data[8:12] != b"WAVE":
        raise BadAudio("is not a WAV file (it does not begin with RIFF....WAVE)")
    if data[:4] == b"RIFX":
        raise BadAudio("is a big-endian WAV file (RIFX), which is not supported")
    form: bytes | None = None
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        # A size of 0, or past the end, is what a recorder leaves that was stopped or wrote to a pipe.
        body = data[at + 8 : at + 8 + size]
        if name == b"fmt ":
            form = body
        elif name == b"data":
            if form is None:
                raise BadAudio("is a damaged WAV file: its data comes before its format")
            return _decode(form, body if size else data[at + 8 :])
        at += 8 + size + size % 2
    raise BadAudio("is a damaged WAV file: it has no data chunk")


def _decode(form: bytes, body: bytes) -> Wav:
    if len(form) < 16:
        raise BadAudio("is a damaged WAV file: its format chunk is too short")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", form[:16])
    if tag == EXTENSIBLE and len(form) >= 26:
        (tag,) = struct.unpack("<H", form[24:26])
    if not channels or rate not in RATES:
        raise BadAudio(f"is a damaged WAV file: {channels} channels at {rate} Hz")
    width = bits // 8
    if not width or bits % 8:
        raise BadAudio(f"has {bits} bits a sample, which is not supported")
    body = body[: len(body) - len(body) % (width * channels)]
    if not body:
        raise BadAudio("holds no sound")
    return Wav(rate, channels, _linear16(tag, width, body))


def _linear16(tag: int, width: int, body: bytes) -> bytes:
    if tag == MULAW and width == 1:
        return audioop.ulaw2lin(body, 2)
    if tag == ALAW and width == 1:
        return audioop.alaw2lin(body, 2)
    if tag == PCM and width == 1:  # eight bits are unsigned in WAV, all other widths signed
        return audioop.lin2lin(audioop.bias(body, 1, -128), 1, 2)
    if tag == PCM and width in (2, 3, 4):
        return body if width == 2 else audioop.lin2lin(body, width, 2)
    if tag == FLOAT and width in (4, 8):
        numbers = np.frombuffer(body, f"<f{width}").astype(np.float64)
        clipped = np.clip(np.nan_to_num(numbers) * 32768.0, -32768.0, 32767.0)
        return np.rint(clipped).astype("<i2").tobytes()
    raise BadAudio(f"is coded in a way that is not supported (format tag {tag}, {8 * width} bits)")


def write_wav(ulaw_or_linear16: bytes, *, rate: int = 8000, channels: int = 1, mulaw: bool = False) -> bytes:
    """A whole WAV file around samples, mu-law (format tag 7) or linear16."""
    width = 1 if mulaw else 2
    data = ulaw_or_linear16
    form = struct.pack(
        "<HHIIHH",
        MULAW if mulaw else PCM,
        channels,
        rate,
        rate * channels * width,
        channels * width,
        8 * width,
    )
    if mulaw:  # a format other than PCM has an extension size and a fact chunk (RIFF, 1994)
        form += struct.pack("<H", 0)
    chunks = _chunk(b"fmt ", form)
    if mulaw:
        chunks += _chunk(b"fact", struct.pack("<I", len(data) // channels))
    chunks += _chunk(b"data", data)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
