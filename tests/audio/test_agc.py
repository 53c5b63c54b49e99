"""One level for whatever voice speaks; no clipping; no steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio.agc import CEILING, TARGET_DBFS, AutomaticGain, VoiceLevel

RATE = 8000


def syllables(seconds: float, level: float, seed: int = 1) -> bytes:
    """Like speech: noise that swells four times a second, with pauses; `level` is its active rms."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    envelope = np.abs(np.sin(2 * np.pi * 2 * time)) * (np.sin(2 * np.pi * 0.4 * time) > -0.6)
    sound = np.convolve(rng.normal(0, 1, len(time)), np.ones(4) / 4, "same") * envelope
    active = np.sqrt((sound[envelope > 0.1] ** 2).mean())
    scaled = np.clip(sound * level / active, -32768, 32767)
    return bytes(scaled.astype("<i2").tobytes())


def level_db(audio: bytes) -> float:
    """Active level: blocks within 16 dB of it, as in ITU-T P.56, in dB of full scale."""
    samples = np.frombuffer(audio, "<i2").astype(float)
    power = (samples[: len(samples) // 160 * 160].reshape(-1, 160) ** 2).mean(axis=1)
    gate = 0.0
    for _ in range(10):
        active = power[power > gate].mean()
        gate = active / 40
    return float(10 * np.log10(active / 32768**2))


def level_all(gain: AutomaticGain, audio: bytes, sizes: list[int]) -> bytes:
    out, at, turn = [], 0, 0
    while at < len(audio):
        out.append(gain.feed(audio[at : at + sizes[turn % len(sizes)]]))
        at, turn = at + sizes[turn % len(sizes)], turn + 1
    return b"".join(out) + gain.flush()


@pytest.mark.parametrize("rms", [600, 1500, 3300, 8000, 14000])
def test_every_voice_comes_out_at_the_same_level(rms: float) -> None:
    out = level_all(AutomaticGain(RATE), syllables(6, rms), [320])
    assert abs(level_db(out[2 * RATE * 2 :]) - TARGET_DBFS) < 1.5


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=5),
    seed=st.integers(0, 9),
    rms=st.integers(0, 30000),
)
def test_the_output_does_not_depend_on_how_the_input_was_cut(sizes: list[int], seed: int, rms: int) -> None:
    audio = syllables(0.4, rms, seed)
    whole = level_all(AutomaticGain(RATE), audio, [len(audio)])
    assert level_all(AutomaticGain(RATE), audio, sizes) == whole
    assert len(whole) == len(audio)


def test_nothing_clips() -> None:
    """A quiet voice that suddenly shouts: the limiter is in time for the first loud sample."""
    audio = syllables(2, 500) + syllables(1, 20_000, seed=2)
    out = np.frombuffer(level_all(AutomaticGain(RATE), audio, [400]), "<i2")
    assert np.abs(out.astype(int)).max() <= CEILING


def test_the_gain_never_steps() -> None:
    """On a constant signal the gain is seen bare: no jump from one sample to the next."""
    quiet_then_loud = np.concatenate((np.full(8000, 1000), np.full(8000, 29_000), np.full(8000, 1000)))
    out = np.frombuffer(level_all(AutomaticGain(RATE), quiet_then_loud.astype("<i2").tobytes(), [160]), "<i2")
    gain = out / quiet_then_loud
    inside = np.abs(np.diff(gain))[np.diff(quiet_then_loud) == 0]
    assert inside.max() < 8 / (0.005 * RATE)
    assert np.abs(np.diff(gain))[9000:15_000].max() < 0.002


def test_the_first_word_keeps_its_shape() -> None:
    """The gain begins at 1 and moves slowly: by less than 4 dB within 50 ms, whatever the level."""
    audio = np.frombuffer(syllables(1, 900), "<i2")
    out = np.frombuffer(level_all(AutomaticGain(RATE), audio.tobytes(), [320]), "<i2")
    loud = np.abs(audio[:400]) > 100
    ratio = out[:400][loud] / audio[:400][loud]
    assert 0.9 < ratio.min() and ratio.max() < 10 ** (4 / 20)


def test_silence_stays_silent_and_teaches_nothing() -> None:
    gain = AutomaticGain(RATE)
    assert level_all(gain, bytes(16_000), [320]) == bytes(16_000)
    audio = syllables(1, 3000)
    assert level_all(gain, audio, [320]) == level_all(AutomaticGain(RATE), audio, [320])


def test_what_was_learnt_outlives_a_phrase() -> None:
    gain = AutomaticGain(RATE)
    level_all(gain, syllables(4, 900), [320])
    assert abs(level_db(level_all(gain, syllables(2, 900, seed=3), [320])) - TARGET_DBFS) < 1.5


def test_a_known_voice_has_its_level_from_the_first_word_and_a_constant_gain() -> None:
    voice = VoiceLevel()
    level_all(AutomaticGain(RATE, voice), syllables(12, 900), [1600])
    assert voice.settled
    audio = syllables(1, 900, seed=3)
    out = np.frombuffer(level_all(AutomaticGain(RATE, voice), audio, [320]), "<i2").astype(float)
    heard = np.frombuffer(audio, "<i2").astype(float)
    gain = (out @ heard) / (heard @ heard)
    assert abs(20 * np.log10(gain * 900 / 32768) - TARGET_DBFS) < 1.5
    assert np.abs(out - heard * gain).max() <= 1
