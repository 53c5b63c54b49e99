"""The audio that a listening client sends, in whatever form, as linear16 at 8000 Hz. PURE."""

from __future__ import annotations

import audioop
from collections.abc import Callable, Mapping

from telephony.audio import PHONE_RATE, Resampler
from telephony.errors import BadAudio

LISTEN_ENCODINGS = ("linear16", "linear32", "mulaw", "alaw")
"""Of the service's encodings, those that need no decoder of a library; Opus is refused."""

_MAX_HEADER = 64 * 1024
"""Bytes: no sensible WAV header is longer, and a client must not fill our memory with one."""
_RATES = range(8000, 48001)
_UNTIL_THE_END = (0, 0xFFFFFFFF)
"""Sizes of a data chunk whose writer did not know how long it would be (a pipe)."""

_Decode = Callable[[bytes], bytes]

_DECODERS: Mapping[str, tuple[int, _Decode]] = {
    "linear16": (2, bytes),
    "linear32": (4, lambda raw: audioop.lin2lin(raw, 4, 2)),
    "mulaw": (1, lambda raw: audioop.ulaw2lin(raw, 2)),
    "alaw": (1, lambda raw: audioop.alaw2lin(raw, 2)),
}
"""Encoding -> bytes a sample, and what makes linear16 of whole samples."""

_WAV_FORMATS = {(1, 16): "linear16", (1, 32): "linear32", (7, 8): "mulaw", (6, 8): "alaw"}
"""Format tag and bits of a WAV header -> encoding."""


_OTHER_CONTAINERS = {
    b"OggS": "Ogg",
    b"\x1a\x45\xdf\xa3": "WebM",
    b"RF64": "an RF64 file",
    b"ID3": "an MP3",
    b"fLaC": "FLAC",
}


class AudioInput:
    """Takes bytes cut anywhere, also in the middle of a sample."""

    def __init__(self, encoding: str | None = None, sample_rate: int | None = None) -> None:
        """`encoding` None: the form stands in a WAV header at the beginning of the audio."""
        self.form = "" if encoding is None else f"{encoding} {sample_rate}"
        """For the log, once it is known."""
        self._rest = b""
        self._left: int | None = None
        """Bytes of a WAV's data chunk still to come; None: no end is known."""
        self._header = bytearray()
        self._resampler: Resampler | None = None
        if encoding is not None and sample_rate is not None:
            self._start(encoding, sample_rate)

    def feed(self, data: bytes) -> bytes:
        """More audio. Raises BadAudio where a header is not one of a WAV that can be heard."""
        if self._resampler is None:
            data = self._read_header(data)
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        if self._resampler is None or not data:
            return b""
        if self._rest:
            data = self._rest + data
        whole = len(data) - len(data) % self._width
        data, self._rest = data[:whole], data[whole:]
        return self._resampler.feed(self._decode(data))

    def flush(self) -> bytes:
        """The audio is over: what the change of rate still holds."""
        return b"" if self._resampler is None else self._resampler.flush()

    def _start(self, encoding: str, sample_rate: int) -> None:
        self._width, self._decode = _DECODERS[encoding]
        self._resampler = Resampler(sample_rate, PHONE_RATE)
        self.form = f"{encoding} {sample_rate}"

    def _read_header(self, data: bytes) -> bytes:
        """Collects a WAV header; returns the audio behind it."""
        header = self._header
        header += data
        if not b"RIFF".startswith(header[:4]):
            raise BadAudio(_not_a_wav(header))
        if len(header) >= 12 and header[8:12] != b"WAVE":
            raise BadAudio("the container is not a WAV")
        at, form = 12, b""
        while at + 8 <= len(header):
            name, size = bytes(header[at : at + 4]), int.from_bytes(header[at + 4 : at + 8], "little")
            if name == b"data":
                self._start(*_wav_form(form))
                self._left = None if size in _UNTIL_THE_END else size
                behind = bytes(header[at + 8 :])
                self._header = bytearray()
                return behind
            if name == b"fmt ":
                form = bytes(header[at + 8 : at + 8 + size])
            at += 8 + size + size % 2
        if len(header) > _MAX_HEADER:
            raise BadAudio("the WAV header has no data chunk")
        return b""


def _not_a_wav(header: bytearray) -> str:
    for begin, name in _OTHER_CONTAINERS.items():
        if header.startswith(begin):
            return f"the audio is {name}: the local engine reads WAV and raw audio only"
    return "the audio has no WAV header: name its encoding and sample_rate in the query"


def _wav_form(form: bytes) -> tuple[str, int]:
    if len(form) < 16:
        raise BadAudio("the WAV has no format before its data")
    tag, channels = int.from_bytes(form[0:2], "little"), int.from_bytes(form[2:4], "little")
    rate, bits = int.from_bytes(form[4:8], "little"), int.from_bytes(form[14:16], "little")
    if tag == 0xFFFE and len(form) >= 26:
        tag = int.from_bytes(form[24:26], "little")
    encoding = _WAV_FORMATS.get((tag, bits))
    if encoding is None:
        raise BadAudio(f"the WAV has format tag {tag} with {bits} bits: linear16, linear32, mulaw, alaw")
    if channels != 1:
        raise BadAudio(f"the WAV has {channels} channels: only mono can be heard")
    if rate not in _RATES:
        raise BadAudio(f"the WAV has {rate} Hz: 8000 to 48000")
    return encoding, rate
