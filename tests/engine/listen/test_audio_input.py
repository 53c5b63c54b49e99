"""What a listening client may send as audio."""

from __future__ import annotations

import audioop
import math
import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio.file_kinds import container, is_text
from telephony.audio.wav import read_wav, write_wav
from telephony.engine.listen.audio_input import AudioInput
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


MP3_FRAME = b"\xff\xfb\x90\x64" + bytes(413)  # 128 kbit/s at 44,100 Hz: 417 bytes


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"ID3\4\0" + bytes(100), "is an MP3"),
        (MP3_FRAME * 6, "is an MP3"),
        (b"OggS" + bytes(100), "is Ogg"),
        (b"fLaC" + bytes(100), "is FLAC"),
        (b"\x1a\x45\xdf\xa3" + bytes(100), "is WebM"),
        (b"\0\0\0\x20ftypM4A " + bytes(100), "is an MP4"),
        (b"<!DOCTYPE html><html><head><title>Not found</title></head><body>", "is text"),
        (wav(44100, channels=2, body=bytes(400)), "2 channels"),
        (wav(8000, body=bytes(400)), "leave encoding and sample_rate out"),
        (wav(16000, tag=7, bits=8, body=bytes(400)), "8 bits mu-law, mono, 16000 Hz"),
        (wav(16000, tag=85, bits=16, body=bytes(400)), "format tag 85"),
    ],
)
def test_what_is_not_what_was_promised_is_refused(data: bytes, says: str) -> None:
    """A click, or noise, or nothing would be heard of it."""
    for cut in (1, 7, len(data)):
        heard = AudioInput("linear16", 16000)
        with pytest.raises(BadAudio, match=says):
            for at in range(0, len(data), cut):
                heard.feed(data[at : at + cut])


def test_a_wav_that_is_what_was_promised_is_heard_without_its_header() -> None:
    heard = AudioInput("linear16", 8000)
    assert heard.feed(wav(8000, body=tone(8000))) == tone(8000)
    assert heard.fault() is None


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (b"RIF", "no data chunk: 3 bytes came"),
        (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0", "no data chunk"),
        (wav(8000)[:36], "no data chunk"),
        (wav(8000)[:36] + b"LIST\x04\0\0\0abcd", "no data chunk"),
        (wav(8000)[:36] + b"data\xff\xff", "no data chunk"),
        (wav(8000), "no sound in it"),
        (wav(8000, body=bytes(100), size=5000)[:44], "no sound in it"),
        (wav(8000, body=bytes(101)), "in the middle of a sample"),
    ],
)
def test_a_wav_whose_sound_never_came_has_a_fault_at_its_end(header: bytes, says: str) -> None:
    heard = AudioInput()
    assert not any(heard.feed(header) + heard.flush())
    assert says in (heard.fault() or "")


@pytest.mark.parametrize("padded", [b"", b"\0"], ids=["no pad byte", "pad byte"])
def test_an_odd_chunk_before_the_sound_loses_nothing(padded: bytes) -> None:
    """RIFF fills it up to even; some writers do not."""
    whole = wav(8000, body=tone(8000))
    odd = whole[:36] + b"LIST\3\0\0\0abc" + padded + whole[36:]
    for cut in (1, 44, len(odd)):
        heard = AudioInput()
        sound = b"".join(heard.feed(odd[at : at + cut]) for at in range(0, len(odd), cut))
        assert (sound, heard.fault()) == (tone(8000), None)


def test_a_second_wav_behind_the_first_is_not_swallowed() -> None:
    heard = AudioInput()
    heard.feed(wav(8000, body=tone(8000)))
    with pytest.raises(BadAudio, match="another WAV follows"):
        heard.feed(wav(8000, body=tone(8000)))


@pytest.mark.parametrize("encoding", ["linear16", "linear32"])
@pytest.mark.parametrize("length", [1, 63, 65, 1001])
def test_half_a_sample_at_the_end_is_a_fault(encoding: str, length: int) -> None:
    heard = AudioInput(encoding, 8000)
    heard.feed(bytes(length))
    heard.flush()
    assert "middle of a sample" in (heard.fault() or "")


def test_nothing_at_all_is_no_fault() -> None:
    for heard in (AudioInput(), AudioInput("mulaw", 8000)):
        assert (heard.feed(b""), heard.flush(), heard.fault()) == (b"", b"", None)


@pytest.mark.parametrize("form", [(1, 8), (1, 24), (3, 32), (3, 64)])
def test_a_wav_of_any_width_is_heard_as_call_and_transcribe_hear_it(form: tuple[int, int]) -> None:
    tag, bits = form
    samples = np.frombuffer(tone(8000), "<i2").astype(np.int64)
    body = {
        (1, 8): lambda: ((samples >> 8) + 128).astype("u1").tobytes(),
        (1, 24): lambda: b"".join(int(s << 8).to_bytes(3, "little", signed=True) for s in samples),
        (3, 32): lambda: (samples / 32768).astype("<f4").tobytes(),
        (3, 64): lambda: (samples / 32768).astype("<f8").tobytes(),
    }[form]()
    heard = AudioInput()
    assert (
        heard.feed(wav(8000, tag=tag, bits=bits, body=body))
        == read_wav(wav(8000, tag=tag, bits=bits, body=body)).linear16
    )


@given(st.binary(max_size=3000), st.sampled_from([None, *ENCODE]))
def test_garbage_never_does_worse_than_bad_audio(data: bytes, encoding: str | None) -> None:
    heard = AudioInput(encoding, None if encoding is None else 24000)
    try:
        heard.feed(data)
        heard.flush()
        heard.fault()
    except BadAudio:
        assert encoding is None or container(data) or is_text(data) or data.startswith(b"RIFF")
