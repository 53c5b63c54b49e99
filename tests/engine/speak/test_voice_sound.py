"""Clauses sound as one speech: trimmed, level, without clicks or dead silence; speed and pitch as asked."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.g711 import linear16_to_ulaw
from telephony.engine.speak import voice_sound, word_times
from telephony.engine.speak.voice_sound import Character
from telephony.engine.speak.word_times import Weighed

RATE = 22050
PLAIN = Character()


def tone(seconds: float, hertz: float = 150.0, amplitude: float = 0.3) -> npt.NDArray[np.float32]:
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def silence(seconds: float) -> npt.NDArray[np.float32]:
    return np.zeros(int(seconds * RATE), dtype=np.float32)


def speech(*parts: npt.NDArray[np.float32]) -> bytes:
    return voice_sound.to_linear16(np.concatenate(parts))


def pitch_of(samples: npt.NDArray[np.float32]) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * RATE / len(samples))


def longest_run(ulaw: bytes) -> int:
    edges = np.flatnonzero(np.diff(np.frombuffer(ulaw, dtype=np.uint8)))
    return int(np.max(np.diff(edges))) if len(edges) > 1 else len(ulaw)


def test_silence_is_trimmed_and_the_pause_is_ours() -> None:
    """At most 30 ms before the first sound; behind the last one its decay and the pause asked for."""
    clause = voice_sound.shape(speech(silence(0.5), tone(1.0), silence(0.7)), RATE, PLAIN, 1.0, 0.28)
    loud = np.flatnonzero(np.abs(clause) > 0.01)
    assert loud[0] / RATE <= 0.030
    assert len(clause) / RATE == pytest.approx(0.02 + 1.0 + 0.06 + 0.28, abs=0.015)


def test_no_dead_silence_on_the_line() -> None:
    """In mu-law at 8 kHz no value stays for 20 ms, pauses and trimmed ends included."""
    clause = voice_sound.shape(speech(tone(0.3), silence(0.4), tone(0.3)), RATE, PLAIN, 1.0, 0.28)
    import soxr

    narrow = soxr.resample(clause, RATE, 8000).astype(np.float32)
    assert longest_run(linear16_to_ulaw(voice_sound.to_linear16(narrow))) < 40


def test_clauses_meet_without_a_step() -> None:
    """A clause begins and ends at the room's tone, whatever the voice's program left there."""
    clause = voice_sound.shape(speech(tone(0.5, amplitude=0.5)), RATE, PLAIN, 1.0, 0.0)
    assert abs(clause[0]) < 0.002
    assert abs(clause[-1]) < 0.002


@pytest.mark.parametrize("amplitude", [0.05, 0.15, 0.5])
def test_one_level_for_every_clause(amplitude: float) -> None:
    """Loud and soft clauses come at -20 dBFS; nothing is clipped."""
    clause = voice_sound.shape(speech(tone(1.0, amplitude=amplitude)), RATE, PLAIN, 1.0, 0.0)
    middle = clause[RATE // 4 : RATE // 2]
    assert 20 * np.log10(np.sqrt(np.mean(middle**2))) == pytest.approx(-20.0, abs=1.5)
    assert np.max(np.abs(clause)) < 0.9


@pytest.mark.parametrize("speed", [0.5, 0.85, 1.0, 1.15, 1.5])
def test_speed_keeps_the_pitch(speed: float) -> None:
    """Slower or faster, the voice stays the same person."""
    clause = voice_sound.shape(speech(tone(2.0)), RATE, PLAIN, speed, 0.0)
    assert len(clause) / RATE == pytest.approx(2.0 / speed, abs=0.1)
    middle = clause[len(clause) // 4 : -len(clause) // 4]
    assert pitch_of(middle) == pytest.approx(150.0, rel=0.03)


def test_another_character_has_another_pitch() -> None:
    """The second voice made of the first: higher, at its own pace."""
    clause = voice_sound.shape(speech(tone(2.0)), RATE, Character(pitch=1.25, pace=1.1), 1.0, 0.0)
    assert len(clause) / RATE == pytest.approx(2.0 / 1.1, abs=0.1)
    assert pitch_of(clause[RATE // 2 : RATE * 3 // 2]) == pytest.approx(187.5, rel=0.03)


def test_silence_is_nothing_to_say() -> None:
    """A program that made no sound gives no audio, and no error."""
    assert len(voice_sound.shape(bytes(1001), RATE, PLAIN, 1.0, 0.1)) == 0
    assert len(voice_sound.shape(b"", RATE, PLAIN, 1.0, 0.1)) == 0


@given(st.binary(max_size=6000), st.floats(0.5, 1.5), st.sampled_from([1.0, 1.22]))
def test_any_audio_can_be_shaped(audio: bytes, speed: float, pitch: float) -> None:
    """Garbage in, bounded audio out."""
    clause = voice_sound.shape(audio, RATE, Character(pitch=pitch), speed, 0.1)
    assert np.all(np.isfinite(clause))
    assert len(clause) < len(audio) * 2 + RATE


def test_words_take_their_places_between_the_pauses() -> None:
    """A comma's silence lies between its word and the next; a word's share follows its weight."""
    samples = np.concatenate((silence(0.02), tone(0.3), silence(0.2), tone(0.6), silence(0.3)))
    words = [Weighed(100, True), Weighed(100, False), Weighed(200, True)]
    times = word_times.place(words, samples, RATE)
    for found, expected in zip(times, [(0.02, 0.32), (0.52, 0.72), (0.72, 1.12)], strict=True):
        assert found == pytest.approx(expected, abs=0.03)


def test_words_joined_by_the_voice_are_parted() -> None:
    """espeak says "in the" as one word: the time of both is found nevertheless."""
    words = ["thirty", "in", "the", "morning"]
    weights = word_times.weights(words, "θˈɜːɾi ɪnðə mˈɔːɹnɪŋ.")
    assert len(weights) == 4
    assert weights[1] + weights[2] == pytest.approx(4 * 46 + 55)
    assert weights[1] == pytest.approx(weights[2], rel=0.5)


@given(
    st.lists(st.text("abc'é1", min_size=1, max_size=12), min_size=1, max_size=12),
    st.text("aəˈː .,", max_size=40),
)
def test_any_words_get_weights(words: list[str], phonemes: str) -> None:
    """One positive weight for each word, whatever the voice says of its phonemes."""
    weights = word_times.weights(words, phonemes)
    assert len(weights) == len(words)
    assert all(weight > 0 for weight in weights)


@given(
    st.lists(st.tuples(st.floats(1, 500), st.booleans()), min_size=1, max_size=10),
    st.lists(st.tuples(st.booleans(), st.floats(0.01, 0.3)), max_size=8),
)
def test_word_times_are_in_order(words: list[tuple[float, bool]], parts: list[tuple[bool, float]]) -> None:
    """Every word has its time, in order, within the audio."""
    audio = [tone(length) if loud else silence(length) for loud, length in parts]
    samples = np.concatenate([silence(0.01), *audio])
    times = word_times.place([Weighed(*word) for word in words], samples, RATE)
    assert len(times) == len(words)
    flat = [time for pair in times for time in pair]
    assert all(early <= late + 1e-9 for early, late in zip(flat, flat[1:], strict=False))
    assert flat[0] >= 0
    assert flat[-1] <= len(samples) / RATE + 1e-9
