"""Voice activity and its gates, on real recordings where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from telephony.audio.wav import read_wav
from telephony.engine.listen.features import Floats
from telephony.engine.listen.vad import (
    BLOCK,
    RATE,
    DtmfMask,
    LevelGate,
    Silero,
    VadResult,
    VoiceActivity,
    dtmf_frames,
)
from tests.shared import shared_path
from tests.speech_models import model_path

DTMF = {"1": (697, 1209), "5": (770, 1336), "#": (941, 1477), "D": (941, 1633)}


def tone(*hertz: float, seconds: float = 0.08, amplitude: float = 0.1) -> Floats:
    time = np.arange(int(seconds * RATE)) / RATE
    waves = np.array([amplitude * np.sin(2 * np.pi * f * time) for f in hertz])
    return np.asarray(waves.sum(axis=0), dtype=np.float32)


def recording(name: str) -> Floats:
    wav = read_wav(shared_path(f"calls/{name}").read_bytes())
    return np.frombuffer(wav.linear16, "<i2").astype(np.float32) / 32768.0


def heard(samples: Floats) -> list[VadResult]:
    voice = VoiceActivity(Silero(model_path("silero-vad/silero_vad.onnx")))
    samples = np.concatenate([samples, np.zeros(RATE // 2, np.float32)])
    return [voice.receive(samples[at : at + BLOCK]) for at in range(0, len(samples) - BLOCK + 1, BLOCK)]


@pytest.mark.parametrize("digit", DTMF)
def test_dtmf_is_found_at_any_level_and_with_twist(digit: str) -> None:
    row, column = DTMF[digit]
    for amplitude in (0.02, 0.3):
        assert all(dtmf_frames(tone(row, column, amplitude=amplitude)))
    assert all(dtmf_frames(tone(row) * 0.45 + tone(column)))


def test_other_sounds_are_no_dtmf() -> None:
    ringback = tone(440, 480)
    noise = np.random.default_rng(1).normal(0, 0.1, BLOCK).astype(np.float32)
    for samples in (ringback, tone(697), tone(1209), noise, np.zeros(BLOCK, np.float32)):
        assert not any(dtmf_frames(samples))


def test_a_digit_is_silenced_with_its_edges_and_nothing_else() -> None:
    mask = DtmfMask()
    speech = tone(200, 450, 900)
    masked, found = mask.apply(np.concatenate([speech[:320], tone(770, 1336)[:320]]))
    assert found and np.array_equal(masked[:160], speech[:160]) and not masked[320:].any()
    masked, found = mask.apply(speech)
    assert found and not masked[:160].any() and np.array_equal(masked[160:], speech[160:])
    assert mask.apply(speech)[1] is False


def test_the_floor_is_learnt_from_silence_only() -> None:
    """Half a minute of unbroken speech must not make the caller's own voice the room."""
    gate = LevelGate()
    for _ in range(20):
        gate.above(tone(300, amplitude=0.001), 0.0)
    quiet = gate.floor_db
    for _ in range(400):
        gate.above(tone(300, amplitude=0.2), 0.99)
    assert gate.floor_db == quiet == pytest.approx(-63.0, abs=0.1)


@pytest.mark.parametrize("kind", ["tones", "noise"])
def test_no_tone_music_or_far_voice_is_surely_a_caller(kind: str) -> None:
    """Two sure blocks in a row would begin a turn."""
    folder: Path = shared_path(f"calls/{kind}")
    for path in sorted(folder.glob("*.wav")):
        sure = [block.speech and block.sure for block in heard(recording(f"{kind}/{path.name}"))]
        starts = sum(a and b for a, b in zip(sure, sure[1:], strict=False))
        assert starts == 0, path.name


def test_every_utterance_of_the_call_is_heard_at_once() -> None:
    blocks = heard(recording("open/open_01_clean_bargein.wav"))
    for start_s, end_s in ((2.67, 5.93), (10.88, 13.91), (24.01, 24.77), (34.26, 35.01)):
        inside = [block.speech for block in blocks[int(start_s / 0.08) : int(end_s / 0.08)]]
        assert any(inside[:4]) and sum(inside) > 0.7 * len(inside)
    assert not any(block.speech for block in blocks[: int(2.5 / 0.08)])
