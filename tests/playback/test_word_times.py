"""Where words lie in a phrase's audio when the voice does not say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.g711 import linear16_to_ulaw
from telephony.playback.word_times import estimate_words, listen

RATE = 8000


def speech(parts: list[tuple[str, float, float]]) -> tuple[bytes, list[float]]:
    """Noise for each of `parts` (word, seconds, seconds of silence behind it); and where the words end."""
    noise = np.random.Generator(np.random.PCG64(1)).normal(0, 3000, 10 * RATE)
    pieces, ends, at = [np.zeros(int(0.15 * RATE))], [], 0.15
    for _, lasts, silent in parts:
        pieces += [noise[: int(lasts * RATE)], np.zeros(int(silent * RATE))]
        ends.append(at + lasts)
        at += lasts + silent
    return linear16_to_ulaw(np.concatenate(pieces).astype("<i2").tobytes()), ends


PHRASE = [
    ("Sure,", 0.4, 0.35), ("a", 0.08, 0.0), ("large", 0.3, 0.0), ("latte;", 0.45, 0.5),
    ("anything", 0.45, 0.0), ("else", 0.25, 0.0), ("today?", 0.4, 0.3),
]  # fmt: skip


def test_words_lie_between_the_pauses_that_the_voice_makes() -> None:
    ulaw, ends = speech(PHRASE)
    text = " ".join(word for word, _, _ in PHRASE)
    words = estimate_words(text, len(ulaw), listen(ulaw))
    assert [w.text for w in words] == text.split()
    assert all(w.estimated for w in words)
    errors = [abs(w.end / RATE - end) for w, end in zip(words, ends, strict=True)]
    assert max(errors) < 0.12
    blind = [abs(w.end / RATE - e) for w, e in zip(estimate_words(text, len(ulaw)), ends, strict=True)]
    assert sum(errors) < sum(blind) / 3


def test_the_silence_at_both_ends_is_no_word() -> None:
    ulaw, _ = speech([("Hello", 0.5, 0.4)])
    (word,) = estimate_words("Hello", len(ulaw), listen(ulaw))
    assert word.start == pytest.approx(0.15 * RATE, abs=80) and word.end == pytest.approx(0.65 * RATE, abs=80)


def test_silence_is_no_sound() -> None:
    assert listen(b"\xff" * 8000) is None
    assert listen(b"") is None


@given(
    st.text(st.sampled_from("ab ,.?"), max_size=40),
    st.binary(max_size=4000),
)
def test_words_are_in_order_and_within_the_audio(text: str, ulaw: bytes) -> None:
    words = estimate_words(text, len(ulaw), listen(ulaw))
    assert not ulaw or [w.text for w in words] == text.split()
    at = 0
    for word in words:
        assert at <= word.start <= word.end <= len(ulaw)
        at = word.end
