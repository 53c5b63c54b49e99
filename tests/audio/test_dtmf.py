"""Keys are found in sound where there are any, and nowhere else."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio.dtmf import KEYS, find_keys, tones
from telephony.audio.g711 import linear16_to_ulaw, ulaw_to_linear16
from telephony.audio.wav import read_wav
from tests.shared import shared_path

ALL = "".join(KEYS)


@pytest.mark.parametrize("level", [500, 3000, 14_000])
def test_every_key_is_found_at_its_time(level: float) -> None:
    pieces = [tones(digit, 0.08, level) + bytes(1280) for digit in ALL]
    sound = ulaw_to_linear16(linear16_to_ulaw(bytes(1600) + b"".join(pieces)))
    found = find_keys(sound)
    assert "".join(key.digit for key in found) == ALL
    for number, key in enumerate(found):
        assert abs(key.start_s - (0.1 + 0.16 * number)) <= 0.02
        assert key.start_s < key.known_s < key.start_s + 0.07


def test_a_key_held_long_is_one_key_and_pressed_twice_is_two() -> None:
    assert [key.digit for key in find_keys(tones("5", 2.0))] == ["5"]
    twice = tones("5", 0.1) + bytes(2 * 320) + tones("5", 0.1)
    assert [key.digit for key in find_keys(twice)] == ["5", "5"]


def test_keys_are_found_in_noise() -> None:
    noise = np.random.default_rng(1).normal(0, 600, 4000)
    sound = np.frombuffer(bytes(1600) + tones("7", 0.12, 3000) + bytes(6400), "<i2")[:4000] + noise
    assert [key.digit for key in find_keys(sound.astype("<i2").tobytes())] == ["7"]


@pytest.mark.parametrize("sound", [b"", bytes(100), bytes(32_000)])
def test_silence_has_no_keys(sound: bytes) -> None:
    assert find_keys(sound) == []


def test_a_blip_and_a_single_tone_are_no_keys() -> None:
    assert find_keys(bytes(1600) + tones("5", 0.02) + bytes(1600)) == []
    wave = (8000 * np.sin(2 * np.pi * 770 * np.arange(4000) / 8000)).astype("<i2")
    assert find_keys(wave.tobytes()) == []


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_noise_has_no_keys(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 5000, 16_000)
    assert find_keys(noise.astype("<i2").tobytes()) == []


def test_keys_of_a_recorded_call_are_found_and_speech_is_none() -> None:
    truth = json.loads(shared_path("calls/open/open_03_digits_dtmf.json").read_text())
    pressed = [event for event in truth["events"] if event["type"] == "dtmf"]
    found = find_keys(read_wav(shared_path("calls/open/open_03_digits_dtmf.wav").read_bytes()).linear16)
    assert [key.digit for key in found] == [event["digit"] for event in pressed]
    for key, event in zip(found, pressed, strict=True):
        assert abs(key.start_s - event["start_s"]) <= 0.02
    music = shared_path("calls/open/open_06_hold_music.wav")
    assert find_keys(read_wav(music.read_bytes()).linear16) == []
