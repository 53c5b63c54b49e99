"""What a listening client may send as audio."""

from __future__ import annotations

import audioop
import math
import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio import write_wav
from telephony.engine.audio_input import AudioInput
from telephony.errors import BadAudio


def tone(rate: int, seconds: float = 0.5) -> bytes:
    """440 Hz, linear16."""
    return b"".join(
        struct.pack("<h", round(8000 * math.sin(2 * math.pi * 440 * n / rate)))
        for n in range(int(rate * seconds))
    )


def wav(
    rate: int, tag: int = 1, bits: int = 16, channels: int = 1, body: bytes = b"", size: int | None = None
) -> bytes:
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * bits // 8, bits // 8, bits)
    length = len(body) if size is None else size
    return b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", length) + body


ENCODE: dict[str, Callable[[bytes], bytes]] = {
    "linear16": bytes,
    "linear32": lambda audio: audioop.lin2lin(audio, 2, 4),
    "mulaw": lambda audio: audioop.lin2ulaw(audio, 2),
    "alaw": lambda audio: audioop.lin2alaw(audio, 2),
}


@pytest.mark.parametrize("encoding", ENCODE)
@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_every_encoding_and_rate_is_the_same_sound(encoding: str, rate: int) -> None:
    heard = AudioInput(encoding, rate)
    sound = heard.feed(ENCODE[encoding](tone(rate))) + heard.flush()
    assert len(sound) == 2 * 4000
    assert abs(audioop.rms(sound, 2) - 8000 / math.sqrt(2)) < 120


@settings(deadline=None, max_examples=60)
@given(cuts=st.lists(st.integers(0, 500), max_size=30), encoding=st.sampled_from(sorted(ENCODE)))
def test_odd_cuts_change_nothing(cuts: list[int], encoding: str) -> None:
    audio = ENCODE[encoding](tone(16000, 0.1))
    whole, pieces = AudioInput(encoding, 16000), AudioInput(encoding, 16000)
    expected = whole.feed(audio) + whole.flush()
    got, at = b"", 0
    for cut in cuts:
        got += pieces.feed(audio[at : at + cut])
        at += cut
    got += pieces.feed(audio[at:]) + pieces.flush()
    assert got == expected


@pytest.mark.parametrize("cut", [1, 7, 44, 45, 1000])
def test_a_wav_says_itself_what_it_is(cut: int) -> None:
    audio = write_wav(tone(8000), rate=8000) + b"LIST\4\0\0\0data"
    heard = AudioInput()
    sound = b"".join(heard.feed(audio[at : at + cut]) for at in range(0, len(audio), cut))
    assert sound == tone(8000)
    assert heard.form == "linear16 8000"


def test_a_wav_from_a_pipe_has_no_known_length() -> None:
    heard = AudioInput()
    assert heard.feed(wav(8000, body=tone(8000), size=0xFFFFFFFF)) == tone(8000)
    assert heard.feed(b"\1\0") == b"\1\0"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"OggS" + bytes(100), "is Ogg"),
        (b"RIFF\0\0\0\0AVI ", "not a WAV"),
        (wav(8000, channels=2), "2 channels"),
        (wav(96000), "96000 Hz"),
        (wav(8000, tag=85, bits=16), "format tag 85"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "no format"),
        (b"RIFF\0\0\0\0WAVEjunk\xff\xff\xff\0" + bytes(70_000), "no data chunk"),
    ],
)
def test_what_cannot_be_heard_is_refused_with_the_reason(data: bytes, says: str) -> None:
    with pytest.raises(BadAudio, match=says):
        AudioInput().feed(data)


@given(st.binary(max_size=3000), st.sampled_from([None, *ENCODE]))
def test_garbage_never_does_worse_than_bad_audio(data: bytes, encoding: str | None) -> None:
    heard = AudioInput(encoding, None if encoding is None else 24000)
    try:
        heard.feed(data)
        heard.flush()
    except BadAudio:
        assert encoding is None
