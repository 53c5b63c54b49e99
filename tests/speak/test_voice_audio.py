"""A voice's bytes come out as mu-law of the right length, however they are cut and wrapped."""

from __future__ import annotations

import pytest

from telephony.audio.wav import write_wav
from telephony.errors import BadAudio
from telephony.speak.voice_audio import VoiceAudio
from tests.speak.voice_server import tone


def spoken(audio: VoiceAudio, data: bytes, size: int) -> bytes:
    pieces = [audio.feed(data[at : at + size]) for at in range(0, len(data), size)]
    return b"".join(pieces) + audio.finish()


@pytest.mark.parametrize("size", [1, 7, 333, 100_000])
def test_the_cut_makes_no_difference(size: int) -> None:
    data = tone(440, 0.5)
    assert spoken(VoiceAudio(), data, size) == spoken(VoiceAudio(), data, 1600)
    assert len(spoken(VoiceAudio(), data, size)) == 4000


@pytest.mark.parametrize("size", [1, 10, 100_000])
def test_a_wav_header_is_no_click(size: int) -> None:
    data = tone(440, 0.5)
    assert spoken(VoiceAudio(), write_wav(data), size) == spoken(VoiceAudio(), data, 1600)


def test_another_rate_in_a_header_is_brought_to_the_phone_s() -> None:
    made = spoken(VoiceAudio(), write_wav(tone(440, 0.5, 24000), rate=24000), 999)
    assert abs(len(made) - 4000) <= 2


def test_half_a_sample_at_the_end_is_dropped() -> None:
    data = tone(440, 0.1)
    assert spoken(VoiceAudio(), data + b"\x01", 100) == spoken(VoiceAudio(), data, 100)


def test_nothing_of_a_dropped_phrase_is_left() -> None:
    audio = VoiceAudio()
    audio.feed(tone(440, 0.1)[:-1])
    audio.drop()
    assert len(spoken(audio, tone(440, 0.1), 1600)) == 800


def test_a_phrase_without_audio_is_empty() -> None:
    assert VoiceAudio().finish() == b""
    assert len(spoken(VoiceAudio(), b"\x01\x00\x02\x00", 10)) == 2


@pytest.mark.parametrize(
    "data", [b"<!DOCTYPE html>", b"<html>", b'{"a": 1}', b"OggS" + bytes(9), b"fLaC" + bytes(9)]
)
def test_what_is_no_audio_is_refused(data: bytes) -> None:
    with pytest.raises(BadAudio, match="instead of audio"):
        VoiceAudio().feed(data)


def test_stereo_is_refused() -> None:
    header = bytearray(write_wav(tone(440, 0.1)))
    header[22] = 2
    with pytest.raises(BadAudio, match="2 channels"):
        VoiceAudio().feed(bytes(header))
