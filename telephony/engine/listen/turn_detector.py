"""Has the caller finished? PURE: measured evidence in, end_of_turn_confidence out.

The evidence: how long the silence is, what smart-turn thinks of the sound (its mean over the silence), and
the text where it helps. Each thought has a waiting time for each of three thresholds; between them confidence
rises evenly with the silence, so a threshold means what the service says of it: higher is later and surer.

Calibrated on recorded calls (bench/turns.py): what is left of wrong ends are pauses after phrases that sound
and read complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from telephony.engine.listen.recognized import BLOCK_S
from telephony.engine.listen.turn_text import Ending, ending_of

HIGHEST: Final = 0.99  # an eot_threshold of 1.0 suppresses the model's end
_SPEAKING: Final = 0.03
_STIRRING: Final = 0.25  # a single block of speech in a pause: below any threshold

THRESHOLDS: Final = (0.3, 0.5, 0.7, 0.9)
"""The confidences for which waiting times are given."""

Waits = tuple[float, float, float, float]

# Seconds of silence until confidence reaches .3, .5, .7 and .9, by smart-turn's mean probability.
_BY_SOUND: Final[tuple[tuple[float, Waits], ...]] = (
    (0.03, (1.00, 1.16, 1.36, 2.00)),
    (0.30, (0.80, 1.00, 1.24, 1.92)),
    (0.60, (0.64, 0.96, 1.20, 1.76)),
    (0.75, (0.40, 0.56, 0.72, 1.44)),
    (0.95, (0.20, 0.24, 0.48, 1.28)),
    (0.975, (0.12, 0.16, 0.40, 1.04)),
)

# What the text asks for at least, whatever the sound.
_AT_LEAST: Final[dict[Ending, Waits]] = {
    Ending.DICTATION: (1.00, 1.10, 1.30, 1.80),
    Ending.DICTATION_GROUP: (0.70, 0.80, 0.90, 1.60),
    Ending.UNFINISHED: (0.96, 1.12, 1.36, 2.00),
}

# What is enough for the text, whatever the sound: a single word has too little of it to judge.
_ENOUGH: Final[dict[Ending, Waits]] = {
    Ending.ANSWER: (0.16, 0.24, 0.48, 1.04),
    Ending.WHOLE_NUMBER: (0.40, 0.56, 0.72, 1.28),
}


class DetectorPhase(Enum):
    """What the caller is doing, as far as the audio shows."""

    QUIET = auto()
    """No turn."""
    STIRRING = auto()
    """A block of speech, too short to be sure."""
    SPEAKING = auto()
    PAUSE = auto()
    """Silence after speech; the turn may be over."""
    BACK = auto()
    """A block of speech in a pause, too short to be sure."""


class SoundEvidence(Enum):
    """What a block of audio holds."""

    SILENCE = auto()
    UNSURE = auto()
    """Speech, perhaps of somebody in the room."""
    SPEECH = auto()


_NEXT: Final[dict[tuple[DetectorPhase, SoundEvidence], DetectorPhase]] = {
    (DetectorPhase.QUIET, SoundEvidence.SILENCE): DetectorPhase.QUIET,
    (DetectorPhase.QUIET, SoundEvidence.UNSURE): DetectorPhase.STIRRING,
    (DetectorPhase.QUIET, SoundEvidence.SPEECH): DetectorPhase.STIRRING,
    (DetectorPhase.STIRRING, SoundEvidence.SILENCE): DetectorPhase.QUIET,
    (DetectorPhase.STIRRING, SoundEvidence.UNSURE): DetectorPhase.STIRRING,
    (DetectorPhase.STIRRING, SoundEvidence.SPEECH): DetectorPhase.SPEAKING,
    (DetectorPhase.SPEAKING, SoundEvidence.SILENCE): DetectorPhase.PAUSE,
    (DetectorPhase.SPEAKING, SoundEvidence.UNSURE): DetectorPhase.SPEAKING,
    (DetectorPhase.SPEAKING, SoundEvidence.SPEECH): DetectorPhase.SPEAKING,
    (DetectorPhase.PAUSE, SoundEvidence.SILENCE): DetectorPhase.PAUSE,
    (DetectorPhase.PAUSE, SoundEvidence.UNSURE): DetectorPhase.PAUSE,
    (DetectorPhase.PAUSE, SoundEvidence.SPEECH): DetectorPhase.BACK,
    (DetectorPhase.BACK, SoundEvidence.SILENCE): DetectorPhase.PAUSE,
    (DetectorPhase.BACK, SoundEvidence.UNSURE): DetectorPhase.BACK,
    (DetectorPhase.BACK, SoundEvidence.SPEECH): DetectorPhase.SPEAKING,
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known in a pause."""

    silence_s: float
    probabilities: tuple[float, ...]
    """smart-turn's, over this silence; empty: no such model."""
    text: str


class TurnClock:
    """Follows one stream block by block: who speaks since when."""

    def __init__(self) -> None:
        self.phase = DetectorPhase.QUIET
        self.onset_s = 0.0
        """When the speech that goes on began, seconds of the stream."""
        self.speech_end_s = 0.0
        """When its last block of speech ended."""
        self._now_s = 0.0

    @property
    def silence_s(self) -> float:
        """Seconds since the last speech."""
        if self.phase in (DetectorPhase.PAUSE, DetectorPhase.BACK):
            return self._now_s - self.speech_end_s
        return 0.0

    def step(self, now_s: float, sound: SoundEvidence) -> DetectorPhase:
        """The block that ends at `now_s`."""
        before, self._now_s = self.phase, now_s
        self.phase = _NEXT[before, sound]
        if self.phase is not before and self.phase in (DetectorPhase.STIRRING, DetectorPhase.BACK):
            self.onset_s = now_s - BLOCK_S
        if self.phase in (DetectorPhase.SPEAKING, DetectorPhase.BACK):
            self.speech_end_s = now_s
        return self.phase

    def end_turn(self) -> None:
        """What comes belongs to the next turn."""
        self.phase = DetectorPhase.QUIET


def waits(evidence: Evidence) -> Waits:
    """Seconds of silence until the confidence reaches each of `THRESHOLDS`."""
    sound, ending = _by_sound(evidence.probabilities), ending_of(evidence.text)
    if ending in _AT_LEAST:
        return _four([max(pair) for pair in zip(sound, _AT_LEAST[ending], strict=True)])
    if ending in _ENOUGH:
        return _four([min(pair) for pair in zip(sound, _ENOUGH[ending], strict=True)])
    return sound


def confidence(phase: DetectorPhase, evidence: Evidence) -> float:
    """end_of_turn_confidence, 0 to 0.99."""
    if phase is DetectorPhase.BACK:
        return _STIRRING
    if phase is not DetectorPhase.PAUSE:
        return _SPEAKING
    times = (0.0, *waits(evidence))
    levels = (_SPEAKING, *THRESHOLDS)
    # A block's length is not exact in binary: half a millisecond must not cost a block.
    silence = evidence.silence_s + 0.0005
    for index in range(1, len(times)):
        if silence < times[index]:
            share = (silence - times[index - 1]) / (times[index] - times[index - 1])
            return levels[index - 1] + share * (levels[index] - levels[index - 1])
    # Beyond the last it creeps towards certainty.
    over = silence - times[-1]
    return HIGHEST - (HIGHEST - THRESHOLDS[-1]) / (1.0 + over)


def time_to_reach(threshold: float, evidence: Evidence) -> float:
    """Seconds of silence at which the confidence will reach a threshold, as things stand."""
    times = (0.0, *waits(evidence))
    levels = (_SPEAKING, *THRESHOLDS)
    for index in range(1, len(times)):
        if threshold <= levels[index]:
            share = (threshold - levels[index - 1]) / (levels[index] - levels[index - 1])
            return times[index - 1] + max(0.0, share) * (times[index] - times[index - 1])
    return float("inf")


def _by_sound(probabilities: Sequence[float]) -> Waits:
    if not probabilities:
        return _BY_SOUND[2][1]
    mean = max(_mean_of_late(probabilities), _BY_SOUND[0][0])
    for (low, early), (high, late) in zip(_BY_SOUND, _BY_SOUND[1:], strict=False):
        if mean < high:
            share = (mean - low) / (high - low)
            return _four([a + share * (b - a) for a, b in zip(early, late, strict=True)])
    return _BY_SOUND[-1][1]


def _mean_of_late(probabilities: Sequence[float]) -> float:
    """A mean in which each look counts one more than the one before: a longer silence is better evidence."""
    weights = range(1, len(probabilities) + 1)
    return sum(w * p for w, p in zip(weights, probabilities, strict=True)) / sum(weights)


def _four(values: Sequence[float]) -> Waits:
    first, second, third, fourth = values
    return first, second, third, fourth
