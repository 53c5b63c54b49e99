"""The turn policy: silence, sound and text -> confidence. Times are numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.engine.listen.recognized import BLOCK_S
from telephony.engine.listen.turn_detector import (
    HIGHEST,
    DetectorPhase,
    Evidence,
    SoundEvidence,
    TurnClock,
    confidence,
    waits,
)

DONE, UNSURE, OPEN = (0.99,), (0.8,), (0.01,)


def silence_until(threshold: float, probabilities: tuple[float, ...], text: str) -> float:
    """Seconds of silence at which the confidence reaches the threshold, block by block."""
    for block in range(1, 200):
        if confidence(DetectorPhase.PAUSE, Evidence(block * BLOCK_S, probabilities, text)) >= threshold:
            return block * BLOCK_S
    raise AssertionError("never")


def test_a_sure_end_is_answered_sooner_than_an_unsure_one() -> None:
    times = [silence_until(0.7, p, "a small latte") for p in (DONE, UNSURE, OPEN)]
    assert times == sorted(times) and times[0] <= 0.4 and times[-1] <= 1.5


def test_a_higher_threshold_waits_longer() -> None:
    for sound in (DONE, UNSURE, OPEN):
        times = [silence_until(threshold, sound, "a small latte") for threshold in (0.5, 0.7, 0.9)]
        assert times[0] < times[1] < times[2]


def test_the_model_never_reaches_a_threshold_of_one() -> None:
    """eot_threshold 1.0 suppresses the model's end of turn."""
    assert confidence(DetectorPhase.PAUSE, Evidence(3600.0, DONE, "yes")) < HIGHEST < 1.0


@pytest.mark.parametrize(
    "text", ["four one five", "my number is four one five five", "S, M, I,", "two, two,"]
)
def test_dictation_outlasts_the_pauses_between_its_groups(text: str) -> None:
    """Groups of digits and letters are parted by up to 0.9 s."""
    assert silence_until(0.7, DONE, text) >= 0.9


def test_a_whole_telephone_number_is_not_waited_for() -> None:
    whole = "four one five five five five zero one three two"
    assert silence_until(0.7, OPEN, whole) < 0.8 < silence_until(0.7, OPEN, whole + " and")


def test_a_plain_answer_needs_no_sure_sound() -> None:
    assert silence_until(0.7, OPEN, "Nope.") < 0.6
    assert silence_until(0.7, OPEN, "Nope, I think") > 1.0


def test_a_final_function_word_means_that_more_will_come() -> None:
    assert silence_until(0.7, DONE, "A latte and") > 1.0 > silence_until(0.7, DONE, "A latte and a tea")


def test_while_somebody_speaks_no_threshold_is_reached() -> None:
    for phase in (DetectorPhase.SPEAKING, DetectorPhase.BACK, DetectorPhase.QUIET):
        assert confidence(phase, Evidence(0.0, DONE, "yes")) < 0.3


@given(st.lists(st.floats(0, 1), max_size=8), st.text(max_size=30), st.integers(1, 400))
def test_confidence_rises_with_silence_and_stays_in_range(
    sounds: list[float], text: str, blocks: int
) -> None:
    earlier = confidence(DetectorPhase.PAUSE, Evidence(blocks * BLOCK_S, tuple(sounds), text))
    later = confidence(DetectorPhase.PAUSE, Evidence((blocks + 1) * BLOCK_S, tuple(sounds), text))
    assert 0.0 <= earlier <= later < 1.0
    assert list(waits(Evidence(0.0, tuple(sounds), text))) == sorted(
        waits(Evidence(0.0, tuple(sounds), text))
    )


def phases(clock: TurnClock, sounds: str, start: int = 0) -> list[DetectorPhase]:
    """Step a clock through blocks: `.` silence, `?` unsure, `#` speech."""
    kinds = {".": SoundEvidence.SILENCE, "?": SoundEvidence.UNSURE, "#": SoundEvidence.SPEECH}
    return [clock.step((start + i + 1) * BLOCK_S, kinds[sound]) for i, sound in enumerate(sounds)]


def test_a_lone_block_of_speech_starts_no_turn_and_takes_up_none() -> None:
    clock = TurnClock()
    assert DetectorPhase.SPEAKING not in phases(clock, ".#..#.")
    assert phases(clock, "##..#.", 6)[-3:] == [DetectorPhase.PAUSE, DetectorPhase.BACK, DetectorPhase.PAUSE]


def test_unsure_speech_starts_a_turn_only_when_it_becomes_sure() -> None:
    assert phases(TurnClock(), "????#")[-2:] == [DetectorPhase.STIRRING, DetectorPhase.SPEAKING]


def test_silence_is_counted_from_the_last_speech() -> None:
    clock = TurnClock()
    phases(clock, "####...")
    assert clock.silence_s == pytest.approx(3 * BLOCK_S)
    assert clock.onset_s == pytest.approx(0.0) and clock.speech_end_s == pytest.approx(4 * BLOCK_S)
    clock.end_turn()
    assert clock.silence_s == 0.0
