"""Where the words lie in a phrase's audio when the voice does not say. PURE."""

from __future__ import annotations

import re

from telephony.events import PHONE_RATE, WordTime

_TOKEN = re.compile(r"\S+")
_LETTERS_A_SECOND = 15.0
"""English at a phone voice's pace: about 170 words of 4.7 letters and a space in a minute."""
_EDGE_S = 0.04
"""A rendered phrase begins and ends with about this much near-silence."""
_WORD_OVERHEAD = 1.5
_PAUSE = {",": 3.0, ";": 3.5, ":": 3.5, ".": 5.0, "?": 5.0, "!": 5.0}
"""The pause behind a mark of punctuation, in letters' worth of time; none at the end of the phrase."""


def speaking_samples(text: str) -> int:
    """How long `text` will take to say, roughly, in samples: for a phrase whose audio is not all here yet."""
    return int((len(text) / _LETTERS_A_SECOND + 2 * _EDGE_S) * PHONE_RATE)


def estimate_words(text: str, samples: int) -> tuple[WordTime, ...]:
    """Spread the words of `text` over `samples` of audio by their length; marked as an estimate."""
    tokens = _TOKEN.findall(text)
    if not tokens or samples <= 0:
        return ()
    edge = min(int(_EDGE_S * PHONE_RATE), samples // 8)
    sizes = [sum(c.isalnum() for c in token) + _WORD_OVERHEAD for token in tokens]
    pauses = [_PAUSE.get(token[-1], 0.0) for token in tokens[:-1]] + [0.0]
    scale = (samples - 2 * edge) / (sum(sizes) + sum(pauses))
    words = []
    position = float(edge)
    for token, size, pause in zip(tokens, sizes, pauses, strict=True):
        end = position + size * scale
        words.append(WordTime(token, round(position), round(end)))
        position = end + pause * scale
    return tuple(words)
