"""Where the words lie in a phrase's audio when the voice does not say: by length and by pauses. PURE."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from telephony.audio.g711 import PHONE_RATE, ulaw_to_linear16
from telephony.base.frozen import frozen
from telephony.events import WordTime

_TOKEN = re.compile(r"\S+")
_LETTERS_A_SECOND = 15.0
"""English at a phone voice's pace: about 170 words of 4.7 letters and a space in a minute."""
_LETTERS_A_DIGIT = 5.0
_SLACK = 1.15
"""A voice is rarely slower than its usual pace by more than this."""
_EDGE_S = 0.04
"""A rendered phrase begins and ends with about this much near-silence."""
_WORD_OVERHEAD = 1.5
_PAUSE = {",": 3.0, ";": 3.5, ":": 3.5, ".": 5.0, "?": 5.0, "!": 5.0}
"""The pause behind a mark of punctuation, in letters' worth of time; none at the end of the phrase."""

FRAME_SAMPLES = 80
"""Loudness is looked at in steps of 10 ms."""
_QUIET_DB = 32.0
"""This far below its loud parts a voice is silent."""
_LEAST_PAUSE_FRAMES = 6
"""The closure of a "t" or a "k" is shorter than 60 ms."""
_REACH_S = 0.5
"""A pause belongs to the punctuation that is expected this near to it."""


@frozen
class VoicedSound:
    """Where in a phrase's audio somebody speaks; in samples."""

    start: int
    end: int
    pauses: tuple[tuple[int, int], ...]
    """Silences between `start` and `end`, in order."""


def listen(ulaw: bytes) -> VoicedSound | None:
    """The speech and the pauses of a phrase's audio; None for silence. About 0.3 ms for 3 s of it."""
    frames = len(ulaw) // FRAME_SAMPLES
    if not frames:
        return None
    linear = np.frombuffer(ulaw_to_linear16(ulaw[: frames * FRAME_SAMPLES]), "<i2").astype(np.float32)
    power = np.square(linear).reshape(frames, FRAME_SAMPLES).mean(axis=1)
    loud = float(np.percentile(power, 90))
    spoken = np.flatnonzero(power > loud * 10 ** (-_QUIET_DB / 10))
    if loud <= 0 or not len(spoken):
        return None
    gaps = np.flatnonzero(np.diff(spoken) > _LEAST_PAUSE_FRAMES)
    pauses = [
        (int(spoken[gap] + 1) * FRAME_SAMPLES, int(spoken[gap + 1]) * FRAME_SAMPLES) for gap in gaps.tolist()
    ]
    return VoicedSound(int(spoken[0]) * FRAME_SAMPLES, int(spoken[-1] + 1) * FRAME_SAMPLES, tuple(pauses))


def speaking_samples(text: str) -> int:
    """How long `text` will take to say, roughly, in samples: for a phrase whose audio is not all here yet."""
    return int((len(text) / _LETTERS_A_SECOND + 2 * _EDGE_S) * PHONE_RATE)


def spoken_letters(text: str) -> float:
    """How much there is to say, in letters: a digit is said as a word."""
    return len(text) + (_LETTERS_A_DIGIT - 1) * sum(c.isdigit() for c in text)


def broken_off(text: str, ulaw: bytes, samples_a_letter: float = 0.0) -> tuple[tuple[WordTime, ...], str]:
    """Of a phrase whose audio broke off: the words that lie wholly in it, and the rest of its text.

    Where it is in doubt a word is in the rest: said twice it is heard, left out it is not.
    `samples_a_letter`: this voice's own pace, where it is known.
    """
    sound = listen(ulaw)
    pace = max(samples_a_letter, PHONE_RATE / _LETTERS_A_SECOND) * _SLACK
    times = estimate_words(text, max(len(ulaw), int(spoken_letters(text) * pace)))
    words = tuple([word for word in times if sound is not None and word.end <= sound.end])
    return words, " ".join([word.text for word in times[len(words) :]])


def estimate_words(text: str, samples: int, sound: VoicedSound | None = None) -> tuple[WordTime, ...]:
    """Spread the words of `text` over `samples` of audio; marked as an estimate.

    By their length; and, with `sound`, between where the voice begins and ends, with the pauses that it makes
    at punctuation.
    """
    tokens = _TOKEN.findall(text)
    if not tokens or samples <= 0:
        return ()
    edge = min(int(_EDGE_S * PHONE_RATE), samples // 8)
    plain = _spread(tokens, edge, samples - edge)
    if sound is None or sound.end - sound.start < samples // 4:
        return plain
    plain = _spread(tokens, sound.start, sound.end)
    words: list[WordTime] = []
    begin, first = sound.start, 0
    for border, (silent, again) in _pauses_at_punctuation(tokens, plain, sound.pauses):
        words += _spread(tokens[first : border + 1], begin, silent)
        begin, first = again, border + 1
    return (*words, *_spread(tokens[first:], begin, sound.end))


def _spread(tokens: Sequence[str], begin: int, end: int) -> tuple[WordTime, ...]:
    """The words one after another, by their letters, with a usual pause behind punctuation."""
    sizes = [sum(c.isalnum() for c in token) + _WORD_OVERHEAD for token in tokens]
    pauses = [_PAUSE.get(token[-1], 0.0) for token in tokens[:-1]] + [0.0]
    scale = (end - begin) / (sum(sizes) + sum(pauses))
    words = []
    position = float(begin)
    for token, size, pause in zip(tokens, sizes, pauses, strict=True):
        after = position + size * scale
        words.append(WordTime(token, round(position), round(after)))
        position = after + pause * scale
    return tuple(words)


def _pauses_at_punctuation(
    tokens: Sequence[str], plain: Sequence[WordTime], pauses: Sequence[tuple[int, int]]
) -> list[tuple[int, tuple[int, int]]]:
    """For each mark of punctuation within the phrase, the longest pause near where it is expected."""
    found: list[tuple[int, tuple[int, int]]] = []
    left = list(pauses)
    shift = 0
    for at, token in enumerate(tokens[:-1]):
        if token[-1] not in _PAUSE:
            continue
        expected = plain[at].end + shift
        near = [pause for pause in left if abs(pause[0] - expected) <= _REACH_S * PHONE_RATE]
        if not near:
            continue
        pause = max(near, key=lambda p: p[1] - p[0])
        left = [later for later in left if later[0] > pause[0]]
        shift = pause[0] - plain[at].end
        found.append((at, pause))
    return found
