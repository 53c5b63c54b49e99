"""The audio that a listening client sends, in whatever form, as linear16 at 8000 Hz. PURE.

What cannot be what was promised is BadAudio: another container, text, a WAV header that says otherwise, and
at the end a WAV whose sound never came, or half a sample.
"""

from __future__ import annotations

import audioop
from collections.abc import Callable, Mapping

from telephony.audio.file_kinds import container, is_text, looks_like_mp3
from telephony.audio.g711 import PHONE_RATE
from telephony.audio.resampler import Resampler
from telephony.audio.wav import ALAW, LONGEST_HEADER, MULAW, PCM, WavHeader, linear16, wav_header
from telephony.errors import BadAudio

LISTEN_ENCODINGS = ("linear16", "linear32", "mulaw", "alaw")
"""Of the service's encodings, those that need no decoder of a library; Opus is refused."""

_HEAD = 64
"""Bytes that are looked at before anything is taken for sound: 2 ms of it."""
_MP3_HEAD = 2048
"""More than the longest frame of an MP3: whether another one follows."""
_RATES = range(8000, 48001)

_Decode = Callable[[bytes], bytes]

_DECODERS: Mapping[str, tuple[int, _Decode]] = {
    "linear16": (2, bytes),
    "linear32": (4, lambda raw: audioop.lin2lin(raw, 4, 2)),
    "mulaw": (1, lambda raw: audioop.ulaw2lin(raw, 2)),
    "alaw": (1, lambda raw: audioop.alaw2lin(raw, 2)),
}
"""Encoding -> bytes a sample, and what makes linear16 of whole samples."""

_NAMES = {(PCM, 16): "linear16", (PCM, 32): "linear32", (MULAW, 8): "mulaw", (ALAW, 8): "alaw"}
"""Format tag and bits of a WAV header -> encoding of a query."""


class AudioInput:
    """Takes bytes cut anywhere, also in the middle of a sample."""

    def __init__(self, encoding: str | None = None, sample_rate: int | None = None) -> None:
        """`encoding` None: the form stands in a WAV header at the beginning of the audio."""
        self.form = "" if encoding is None else f"{encoding} {sample_rate}"
        """For the log, once it is known."""
        self._promised = (encoding, sample_rate) if encoding is not None and sample_rate is not None else None
        self._head = bytearray()
        """The beginning, until it is known what it is."""
        self._came = False
        """Whether any byte of sound came."""
        self._rest = b""
        self._left: int | None = None
        """Bytes of a WAV's data chunk still to come; None: no end is known."""
        self._width = 1
        self._decode: _Decode = bytes
        self._resampler: Resampler | None = None

    def feed(self, data: bytes) -> bytes:
        """More audio. Raises BadAudio where it cannot be what was promised."""
        if self._resampler is None:
            self._head += data
            data = self._begin()
        return self._sound(data)

    def flush(self) -> bytes:
        """The audio is over: what the change of rate still holds."""
        sound = b""
        short = self._resampler is None and self._promised is not None and self._head[:4] != b"RIFF"
        if short and self._head and not self._other_than_promised():  # it was over before its form was sure
            sound = self._sound(self._raw())
        return sound if self._resampler is None else sound + self._resampler.flush()

    def fault(self) -> str | None:
        """What was wrong with the audio as a whole, asked after its end; None: nothing."""
        other = self._other_than_promised() if self._resampler is None else ""
        if other:
            return other
        if self._resampler is None:
            return f"the WAV has no data chunk: {len(self._head)} bytes came" if self._head else None
        if self._rest:
            left = len(self._rest)
            return f"the audio ends in the middle of a sample: {self._width} bytes make one, {left} were left"
        if not self._came:
            return "the WAV has no sound in it"
        return None

    def _sound(self, data: bytes) -> bytes:
        if self._left is not None:
            if not self._left and data.startswith(b"RIFF"):
                raise BadAudio("another WAV follows the first: send one a stream, or raw audio")
            data = data[: self._left]
            self._left -= len(data)
        if self._resampler is None or not data:
            return b""
        self._came = True
        if self._rest:
            data = self._rest + data
        whole = len(data) - len(data) % self._width
        data, self._rest = data[:whole], data[whole:]
        return self._resampler.feed(self._decode(data))

    def _begin(self) -> bytes:
        """The audio in the head once its form is known; else nothing, and it is waited for more."""
        head = self._head
        if self._promised is None or bytes(head[:4]) == b"RIFF" and b"WAVE".startswith(head[8:12]):
            return self._read_header()
        if len(head) < _HEAD or looks_like_mp3(head) and len(head) < _MP3_HEAD:
            return b""
        other = self._other_than_promised()
        if other:
            raise BadAudio(other)
        return self._raw()

    def _other_than_promised(self) -> str:
        """What the head is that no raw sound is; "" for what may be the sound that was promised."""
        if self._promised is None:
            return ""
        named = container(bytes(self._head)) or ("text" if is_text(bytes(self._head)) else "")
        return named and f"the audio is {named}, and not {self.form} as was promised"

    def _raw(self) -> bytes:
        """The head as the audio that was promised."""
        assert self._promised is not None
        encoding, rate = self._promised
        self._width, self._decode = _DECODERS[encoding]
        self._resampler = Resampler(rate, PHONE_RATE)
        return self._take_head(0)

    def _read_header(self) -> bytes:
        """Waits for the whole header of a WAV; returns the audio behind it."""
        head = self._head
        if not b"RIFF".startswith(head[:4]):
            raise BadAudio(_not_a_wav(bytes(head)))
        if len(head) >= 12 and head[8:12] != b"WAVE":
            raise BadAudio("the container is not a WAV")
        try:
            header = wav_header(head)
        except BadAudio as error:
            raise BadAudio(f"the audio {error}") from None
        if header is None:
            if len(head) > LONGEST_HEADER:
                raise BadAudio("the WAV header has no data chunk")
            return b""
        self._check(header)
        self._width = header.width
        self._decode = lambda raw: linear16(header.tag, header.width, raw)
        self._resampler = Resampler(header.rate, PHONE_RATE)
        self._left = header.size
        self.form = f"{_name(header)} {header.rate}"
        return self._take_head(header.start)

    def _check(self, header: WavHeader) -> None:
        if header.channels != 1:
            raise BadAudio(f"the WAV has {header.channels} channels: only mono is supported")
        if header.rate not in _RATES:
            raise BadAudio(f"the WAV has {header.rate} Hz: 8000 to 48000")
        if self._promised and self._promised != (_name(header), header.rate):
            raise BadAudio(
                f"the audio is a WAV of {header.form}, and not {self.form} as was promised: "
                "leave encoding and sample_rate out of the query, and its header is believed"
            )

    def _take_head(self, start: int) -> bytes:
        behind = bytes(self._head[start:])
        self._head = bytearray()
        return behind


def _name(header: WavHeader) -> str:
    return _NAMES.get((header.tag, header.bits), header.form.partition(",")[0])


def _not_a_wav(head: bytes) -> str:
    named = container(head)
    if named:
        return f"the audio is {named}: the local engine reads WAV and raw audio only"
    return "the audio has no WAV header: name its encoding and sample_rate in the query"
