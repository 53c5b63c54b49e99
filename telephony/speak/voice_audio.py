"""A voice's bytes, as they come, made fit for the phone line. PURE.

The voice is asked for raw linear16 at 8000 Hz, not mu-law: one level for whatever voice speaks needs linear
samples, and the server, which renders at a higher rate, then does the resampling. What comes
with a WAV header, at another rate, or cut inside a sample is put right; what is not audio is refused.
"""

from __future__ import annotations

from telephony.audio.agc import AutomaticGain, VoiceLevel
from telephony.audio.g711 import PHONE_RATE, linear16_to_ulaw
from telephony.audio.resampler import Resampler
from telephony.errors import BadAudio

_HEADER_LIMIT = 4096  # bytes; a WAV header that is longer is none
_SNIFFED = 12  # bytes: RIFF, a size, WAVE
_OTHERS = {
    b"OggS": "an Ogg file",
    b"fLaC": "a FLAC file",
    b"ID3": "an MP3 file",
    b"<!DO": "HTML",
    b"<!do": "HTML",
    b"<htm": "HTML",
    b"<?xm": "XML",
    b'{"': "JSON text",
}


class VoiceAudio:
    """Turns the audio of one phrase after another into mu-law. What was learnt of the level stays."""

    def __init__(self, level: VoiceLevel | None = None) -> None:
        """`level`: what is known of the voice's level, shared by all that it speaks."""
        self._gain = AutomaticGain(PHONE_RATE, level)
        self._resampler: Resampler | None = None
        self._head: bytes | None = b""
        """The first bytes of a phrase until it is known what they are; None after that."""
        self._odd = b""

    def feed(self, data: bytes) -> bytes:
        """More of a phrase; returns mu-law. Raises BadAudio for what is not audio."""
        if self._head is not None:
            self._head += data
            start = _audio_start(self._head)
            if start is None:
                return b""
            offset, rate = start
            data, self._head = self._head[offset:], None
            self._resampler = Resampler(rate, PHONE_RATE) if rate != PHONE_RATE else None
        return self._ulaw(data)

    def finish(self) -> bytes:
        """The rest of a phrase. The next feed() begins another one."""
        out = self._ulaw(self._head) if self._head else b""
        rest = self._resampler.flush() if self._resampler else b""
        out += linear16_to_ulaw(self._gain.feed(rest) + self._gain.flush())
        self.drop()
        return out

    def drop(self) -> None:
        """Forget what is left of a phrase, so that nothing of it is heard in the next one."""
        self._gain.flush()
        self._resampler, self._head, self._odd = None, b"", b""

    def _ulaw(self, data: bytes) -> bytes:
        data = self._odd + data
        even = len(data) - len(data) % 2
        self._odd = data[even:]
        linear = data[:even]
        if self._resampler is not None:
            linear = self._resampler.feed(linear)
        return linear16_to_ulaw(self._gain.feed(linear))


def _audio_start(head: bytes) -> tuple[int, int] | None:
    """Where the samples begin, and their rate; None: not certain yet. Raises BadAudio."""
    for magic, name in _OTHERS.items():
        if head.startswith(magic):
            raise BadAudio(f"the voice sent {name} instead of audio")
    if len(head) < _SNIFFED:
        return None
    if not (head.startswith(b"RIFF") and head[8:12] == b"WAVE"):
        return 0, PHONE_RATE
    rate, at = PHONE_RATE, _SNIFFED
    while at + 8 <= len(head):
        chunk, size = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
        if chunk == b"data":
            return at + 8, rate
        if chunk == b"fmt " and at + 24 <= len(head):
            rate = _format_rate(head[at + 8 : at + 24])
        at += 8 + size + size % 2
    if len(head) > _HEADER_LIMIT:
        raise BadAudio("the voice sent a WAV header without samples")
    return None


def _format_rate(fmt: bytes) -> int:
    channels, rate = int.from_bytes(fmt[2:4], "little"), int.from_bytes(fmt[4:8], "little")
    bits = int.from_bytes(fmt[14:16], "little")
    if channels != 1 or bits != 16 or not 4000 <= rate <= 192_000:
        raise BadAudio(
            f"the voice sent a WAV of {channels} channels, {bits} bits, {rate} Hz; mono linear16 is needed"
        )
    return rate
