"""When each word of a clause is said, estimated from its phonemes and from the pauses in the audio.

Piper's command line does not give the durations that its model chose. Measured against them (15 sentences of
the joe voice, 126 words), the times below are off by 30 ms at the median and by 120 ms for one word in ten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

# Milliseconds that the joe voice takes on average; stress marks and spaces are units of time to it as well.
_PHONEME_MS = 46.0
_MARK_MS = {
    "ˈ": 61.0,
    "ˌ": 51.0,
    "ː": 44.0,
    " ": 55.0,
    ",": 0.0,
    ".": 0.0,
    "?": 0.0,
    "!": 0.0,
    ";": 0.0,
    ":": 0.0,
}
_LETTER_MS = 55.0  # where a voice does not tell its phonemes
_SPACE_MS = 55.0
_MOST_MERGED = 3  # espeak says "in the" as one word: up to this many words in one of its own

_FRAME_S = 0.010
_GAP_S = 0.06  # a silence this long within a clause is a pause; a stop consonant's closure is shorter
_GAP_REACH_S = 0.40  # a pause belongs to a comma that is expected this near


@dataclass(frozen=True, slots=True)
class Weighed:
    """A word with its share of the clause's time."""

    weight: float
    """Expected milliseconds."""
    pause_after: bool
    """Punctuation follows, so there may be silence."""


def weights(words: Sequence[str], phonemes: str) -> list[float]:
    """Expected milliseconds of each of the words said; `phonemes` may be empty, or join words."""
    letters = [_LETTER_MS * max(1, sum(letter.isalnum() for letter in word)) + _SPACE_MS for word in words]
    groups = [group for group in phonemes.split() if any(letter.isalpha() for letter in group)]
    sizes = _group_sizes(letters, [_phoneme_ms(group) for group in groups])
    if sizes is None:
        return letters
    result: list[float] = []
    for group, size in zip(groups, sizes, strict=True):
        share = letters[len(result) : len(result) + size]
        total = _phoneme_ms(group)
        result += [total * part / sum(share) for part in share]
    return result


def _phoneme_ms(group: str) -> float:
    return sum(_MARK_MS.get(phoneme, _PHONEME_MS) for phoneme in group) + _SPACE_MS


def _group_sizes(words: Sequence[float], groups: Sequence[float]) -> list[int] | None:
    """How many words each group of phonemes says, so that lengths fit best; None where none can fit."""
    if not groups or not len(groups) <= len(words) <= len(groups) * _MOST_MERGED:
        return None
    if len(groups) == len(words):
        return [1] * len(words)
    sums = [0.0, *accumulate(words)]
    best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
    for group in groups:
        row: dict[int, tuple[float, int]] = {}
        for done, (cost, _) in best[-1].items():
            for size in range(1, min(_MOST_MERGED, len(words) - done) + 1):
                candidate = cost + abs(sums[done + size] - sums[done] - group)
                if done + size not in row or candidate < row[done + size][0]:
                    row[done + size] = (candidate, size)
        best.append(row)
    sizes: list[int] = []
    at = len(words)
    for row in reversed(best[1:]):
        if at not in row:
            return None
        sizes.append(row[at][1])
        at -= row[at][1]
    return sizes[::-1]


def place(words: Sequence[Weighed], samples: npt.NDArray[np.float32], rate: int) -> list[tuple[float, float]]:
    """Start and end of each word in seconds of `samples`, in order and within it."""
    if not words:
        return []
    gaps = silences(samples, rate)
    length = len(samples) / rate
    begin = gaps[0][1] if gaps and gaps[0][0] <= 0.0 else 0.0
    end = gaps[-1][0] if gaps and gaps[-1][1] >= length - _FRAME_S else length
    if end <= begin:
        begin, end = 0.0, length
    inner = [gap for gap in gaps if gap[0] > begin and gap[1] < end]
    times: list[tuple[float, float]] = []
    first = 0
    for last, gap in [*_pauses(words, inner, begin, end), (len(words) - 1, None)]:
        stop = gap[0] if gap else end
        times += _spread(words[first : last + 1], begin, stop)
        begin, first = (gap[1] if gap else end), last + 1
    return times


def _pauses(
    words: Sequence[Weighed], gaps: Sequence[tuple[float, float]], begin: float, end: float
) -> list[tuple[int, tuple[float, float]]]:
    """Which silence follows which comma: the nearest to where the comma is expected, in order."""
    silent = sum(stop - start for start, stop in gaps)
    scale = max(0.0, end - begin - silent) / sum(word.weight for word in words)
    found: list[tuple[int, tuple[float, float]]] = []
    expected, waiting = begin, list(gaps)
    for index, word in enumerate(words[:-1]):
        expected += word.weight * scale
        if not word.pause_after or not waiting:
            continue
        nearest = min(waiting, key=lambda gap: abs(gap[0] - expected))
        if abs(nearest[0] - expected) <= _GAP_REACH_S:
            found.append((index, nearest))
            waiting = [gap for gap in waiting if gap[0] > nearest[0]]
            expected = nearest[1]
    return found


def _spread(words: Sequence[Weighed], begin: float, end: float) -> list[tuple[float, float]]:
    total = sum(word.weight for word in words)
    ends = [begin + (end - begin) * done / total for done in accumulate(word.weight for word in words)]
    return list(zip([begin, *ends[:-1]], ends, strict=True))


def silences(samples: npt.NDArray[np.float32], rate: int) -> list[tuple[float, float]]:
    """Stretches without speech, in seconds: any at the two ends, and those of 60 ms or more between."""
    quiet = ~speech_frames(samples, rate)
    gaps: list[tuple[float, float]] = []
    edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False])).astype(np.int8)))
    for start, stop in edges.reshape(-1, 2).tolist():
        at_an_end = start == 0 or stop == len(quiet)
        if at_an_end or (stop - start) * _FRAME_S >= _GAP_S:
            gaps.append((start * _FRAME_S, stop * _FRAME_S))
    return gaps


def speech_frames(samples: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.bool_]:
    """Whether each 10 ms holds speech: within 36 dB of the clause's loud parts (samples in -1 to 1)."""
    size = int(rate * _FRAME_S)
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    if not len(frames):
        return np.zeros(0, dtype=np.bool_)
    power = np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=1))
    loud = float(np.percentile(power, 90))
    return np.asarray(power > max(loud * 0.016, 2e-4), dtype=np.bool_)
