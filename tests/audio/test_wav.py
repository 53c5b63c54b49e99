"""Recordings: whatever a recorder wrote is read, and what is not a recording is refused in one line."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.wav import read_wav, write_wav
from telephony.errors import BadAudio
from tests.shared import shared_path

RAMP = np.arange(-32768, 32768, 16, dtype="<i2")


def wav(
    tag: int, width: int, data: bytes, *, rate: int = 8000, channels: int = 1, size: int | None = None
) -> bytes:
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * channels * width, channels * width, 8 * width)
    head = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"LIST\x03\0\0\0abc\0data"
    return b"RIFF\0\0\0\0" + head + struct.pack("<I", len(data) if size is None else size) + data


def shifted(width: int) -> bytes:
    wide = RAMP.astype("<i8") << (8 * (width - 2))
    return b"".join(int(sample).to_bytes(width, "little", signed=True) for sample in wide)


@pytest.mark.parametrize(
    ("tag", "width", "data", "tolerance"),
    [
        (1, 1, ((RAMP.astype(int) >> 8) + 128).astype("u1").tobytes(), 255),
        (1, 2, RAMP.tobytes(), 0),
        (1, 3, shifted(3), 0),
        (1, 4, shifted(4), 0),
        (3, 4, (RAMP / 32768).astype("<f4").tobytes(), 0),
        (3, 8, (RAMP / 32768).astype("<f8").tobytes(), 0),
    ],
)
def test_numbers_of_any_width_are_read(tag: int, width: int, data: bytes, tolerance: int) -> None:
    read = read_wav(wav(tag, width, data, rate=44100))
    assert (read.rate, read.channels) == (44100, 1)
    got = np.frombuffer(read.linear16, "<i2").astype(int)
    assert np.abs(got - RAMP).max() <= tolerance


def test_g711_is_read() -> None:
    assert read_wav(wav(7, 1, b"\x80\x00\xff")).linear16 == struct.pack("<3h", 32124, -32124, 0)
    # G.711 table 1a: the largest A-law values, with the even bits inverted.
    assert read_wav(wav(6, 1, b"\xaa\x2a\xd5")).linear16 == struct.pack("<3h", 32256, -32256, 8)


def test_an_extensible_header_is_read() -> None:
    form = (
        struct.pack("<HHIIHHHHI", 0xFFFE, 2, 16000, 64000, 4, 16, 22, 16, 3)
        + struct.pack("<H", 1)
        + bytes(14)
    )
    data = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", len(form)) + form + b"data\x08\0\0\0" + bytes(8)
    read = read_wav(data)
    assert (read.rate, read.channels, read.duration_s) == (16000, 2, 2 / 16000)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_recording_that_was_cut_short_is_read_to_its_end(size: int) -> None:
    assert read_wav(wav(1, 2, RAMP.tobytes(), size=size)).linear16 == RAMP.tobytes()


def test_the_shared_calls_are_read() -> None:
    read = read_wav(shared_path("calls/open/open_01_clean_bargein.wav").read_bytes())
    assert (read.rate, read.channels) == (8000, 1)
    assert abs(read.duration_s - 39.26) < 0.01


@pytest.mark.parametrize("mulaw", [True, False])
@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_written_is_read_again(mulaw: bool, channels: int) -> None:
    data = bytes([0x80, 0x00, 0xFF, 0x31])
    read = read_wav(write_wav(data, rate=8000, channels=channels, mulaw=mulaw))
    assert (read.rate, read.channels) == (8000, channels)
    assert read.linear16 == (read_wav(wav(7, 1, data)).linear16 if mulaw else data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"ID3\x04 this is music", "not a WAV file"),
        (b"RIFX\0\0\0\0WAVE", "RIFX"),
        (b"RIFF\0\0\0\0WAVE", "no data"),
        (b"RIFF\0\0\0\0WAVEdata\x04\0\0\0abcd", "before its format"),
        (b"RIFF\0\0\0\0WAVEfmt \x02\0\0\0\x01\0data\x02\0\0\0\0\0", "too short"),
        (wav(1, 2, b""), "no sound"),
        (wav(1, 2, b"\0\0", channels=0), "0 channels"),
        (wav(1, 2, b"\0\0", rate=3), "3 Hz"),
        (wav(85, 1, b"\0\0"), "format tag 85"),
        (
            wav(1, 2, b"\0\0")[:24] + b"\x40\x1f\0\0\x80\x3e\0\0\x02\0\x04\0" + wav(1, 2, b"\0\0")[36:],
            "4 bits",
        ),
    ],
)
def test_what_is_not_a_recording_is_refused_in_one_line(data: bytes, says: str) -> None:
    with pytest.raises(BadAudio, match=says) as caught:
        read_wav(data)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200), st.integers(0, 60), st.integers(0, 255))
def test_a_damaged_file_is_read_or_refused_never_a_crash(data: bytes, at: int, value: int) -> None:
    damaged = bytearray(wav(1, 2, data + b"\0\0"))
    damaged[min(at, len(damaged) - 1)] = value
    for candidate in (bytes(damaged), data, b"RIFF\0\0\0\0WAVE" + data):
        try:
            read_wav(candidate)
        except BadAudio:
            continue
