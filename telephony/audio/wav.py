"""Recordings in WAV files: any rate, mu-law, A-law, whole or floating numbers. PURE: bytes in and out."""

from __future__ import annotations

import audioop
import struct
from dataclasses import dataclass

import numpy as np

from telephony.errors import BadAudio

PCM, FLOAT, ALAW, MULAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
"""Format tags of the RIFF `fmt ` chunk (mmreg.h)."""
RATES = range(1000, 384_001)
"""What can be a sampling rate; anything else is a damaged header."""


LONGEST_HEADER = 64 * 1024
"""Bytes: no sensible header is longer, and nobody must fill our memory with one."""


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


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What stands before the sound of a WAV."""

    tag: int
    """How it is coded: PCM, FLOAT, ALAW, MULAW or another format tag."""
    channels: int
    rate: int
    """Samples a second."""
    bits: int
    """Bits a sample."""
    start: int
    """Bytes before the first sample."""
    size: int | None
    """Bytes of sound; None: to the end, as of a recorder that was stopped or wrote to a pipe."""

    @property
    def width(self) -> int:
        """Bytes a sample of one channel."""
        return self.bits // 8

    @property
    def form(self) -> str:
        """For messages: "16 bits PCM, mono, 8000 Hz"."""
        names = {PCM: "PCM", FLOAT: "float", ALAW: "A-law", MULAW: "mu-law"}
        channels = {1: "mono", 2: "stereo"}.get(self.channels, f"{self.channels} channels")
        return f"{self.bits} bits {names.get(self.tag, f'format tag {self.tag}')}, {channels}, {self.rate} Hz"


def wav_header(data: bytes | bytearray) -> WavHeader | None:
    """The header of a WAV of which `data` is the beginning; None: more is needed.

    Raises BadAudio, in one line that follows the name of a file, for what is not a WAV or cannot be read.
    """
    if bytes(data[:4]) == b"RIFX":
        raise BadAudio("is a big-endian WAV file (RIFX), which is not supported")
    if not b"RIFF".startswith(data[:4]) or not b"WAVE".startswith(data[8:12]):
        raise BadAudio("is not a WAV file (it does not begin with RIFF....WAVE)")
    form: bytes | None = None
    at = 12
    while at + 8 <= len(data):
        name, size = bytes(data[at : at + 4]), int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"data":
            if form is None:
                raise BadAudio("is a damaged WAV file with no format: its data comes before its format")
            return _header(form, at + 8, size if size not in (0, 0xFFFFFFFF) else None)
        if name == b"fmt ":
            if at + 8 + size > len(data) and size <= LONGEST_HEADER:
                return None
            form = bytes(data[at + 8 : at + 8 + size])
        at = _next_chunk(data, at + 8 + size, size % 2)
    if at > LONGEST_HEADER:
        raise BadAudio("is a damaged WAV file: it has no data chunk where one should begin")
    return None


def _next_chunk(data: bytes | bytearray, end: int, odd: int) -> int:
    """Where the next chunk begins: an odd one is filled up to even (RIFF, 1991); some writers forget that."""
    padded, unpadded = bytes(data[end + odd : end + odd + 4]), bytes(data[end : end + 4])
    forgotten = odd and unpadded in (b"data", b"fmt ", b"LIST", b"fact") and padded != unpadded
    return end if forgotten else end + odd


def _header(form: bytes, start: int, size: int | None) -> WavHeader:
    if len(form) < 16:
        raise BadAudio("is a damaged WAV file: its format chunk is too short")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", form[:16])
    if tag == EXTENSIBLE and len(form) >= 26:
        (tag,) = struct.unpack("<H", form[24:26])
    if not channels or rate not in RATES:
        raise BadAudio(f"is a damaged WAV file: {channels} channels at {rate} Hz")
    if tag not in (PCM, FLOAT, ALAW, MULAW):
        raise BadAudio(f"is coded in a way that is not supported (format tag {tag}, {bits} bits)")
    if not bits or bits % 8:
        raise BadAudio(f"has {bits} bits a sample, which is not supported")
    linear16(tag, bits // 8, b"")  # raises for a width that nobody writes
    return WavHeader(tag, channels, rate, bits, start, size)


def read_wav(data: bytes) -> Wav:
    """Read a whole WAV file. Raises BadAudio, in one line, for what is not one or cannot be read."""
    if not data:
        raise BadAudio("is empty")
    header = wav_header(data)
    if header is None:
        raise BadAudio("is a damaged WAV file: it has no data chunk, so it has no sound in it")
    end = None if header.size is None else header.start + header.size
    body = data[header.start : end]
    body = body[: len(body) - len(body) % (header.width * header.channels)]
    if not body:
        raise BadAudio("has no sound in it")
    return Wav(header.rate, header.channels, linear16(header.tag, header.width, body))


def linear16(tag: int, width: int, body: bytes) -> bytes:
    """Whole samples of a coding and a width in bytes, as linear16. Raises BadAudio for what is not known."""
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
    data = ulaw_or_linear16
    pad = b"\0" * (len(data) % 2)  # a chunk of an odd size is filled up (RIFF, 1991)
    tag = MULAW if mulaw else PCM
    return wav_head(tag, len(data), rate=rate, channels=channels, pad=len(pad)) + data + pad


def wav_head(tag: int, data_bytes: int, *, rate: int, channels: int = 1, pad: int = 0) -> bytes:
    """What stands before the samples of a WAV file.

    `tag`: PCM (16 bits), ALAW or MULAW. `data_bytes` of samples follow, and `pad` bytes to make that even.
    """
    width = 2 if tag == PCM else 1
    frame = channels * width
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, 8 * width)
    fact = b""
    if tag != PCM:  # a format other than PCM has an extension size and a fact chunk (RIFF, 1994)
        form += struct.pack("<H", 0)
        fact = b"fact" + struct.pack("<II", 4, data_bytes // frame)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + fact + b"data" + struct.pack("<I", data_bytes)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks) + data_bytes + pad) + b"WAVE" + chunks
