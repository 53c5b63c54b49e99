"""The caller's ear: sound in order, marks when heard, everything back at a clear."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.g711 import PHONE_RATE
from telephony.simulator.playout import MAX_BUFFERED_S, SILENCE, Playout

HALF = bytes(4000)
"""Half a second of loud sound."""


def test_a_mark_comes_back_when_what_was_before_it_has_played() -> None:
    ear = Playout()
    ear.media(1.0, HALF)
    assert ear.mark(1.1, "a") == []
    ear.media(1.2, HALF)
    assert ear.mark(1.2, "b") == []
    assert ear.next_deadline() == 1.5
    assert ear.due(1.499) == []
    assert ear.due(1.5) == ["a"]
    assert ear.next_deadline() == 2.0
    assert ear.due(9.0) == ["b"]
    assert ear.next_deadline() is None


def test_a_mark_comes_back_at_once_when_nothing_is_queued() -> None:
    ear = Playout()
    assert ear.mark(0.0, "first") == ["first"]
    ear.media(0.0, HALF)
    assert ear.due(0.6) == []
    assert ear.mark(0.6, "late") == ["late"]


def test_clear_returns_all_marks_and_silences_the_rest() -> None:
    ear = Playout()
    ear.media(0.0, HALF)
    ear.mark(0.0, "heard")
    ear.media(0.0, HALF)
    ear.mark(0.0, "cut")
    ear.media(0.0, HALF)
    ear.mark(0.0, "never")
    assert ear.clear(0.75) == ["heard", "cut", "never"]
    assert (ear.marks_sent, ear.marks_cleared, ear.clears) == (3, 2, [0.75])
    assert ear.buffered_s(0.75) == 0
    assert ear.played(1.5) == bytes(6000) + bytes([SILENCE]) * 6000
    assert ear.clear(0.8) == []


def test_what_comes_after_a_clear_plays_at_once() -> None:
    ear = Playout()
    ear.media(0.0, HALF * 4)
    ear.clear(0.5)
    ear.media(0.6, HALF)
    assert ear.mark(0.6, "new") == []
    assert ear.next_deadline() == 1.1
    assert ear.played(1.2) == HALF + bytes([SILENCE]) * 800 + HALF + bytes([SILENCE]) * 800


def test_sound_that_comes_in_time_plays_without_a_gap() -> None:
    """Pieces with an odd number of samples, each sent while the one before still plays."""
    ear = Playout()
    now = 0.0133
    for _ in range(50):
        ear.media(now, bytes(777))
        now += 777 / PHONE_RATE - 1e-4
    assert ear.played(now)[round(0.0133 * PHONE_RATE) :].count(SILENCE) == 0


def test_ten_minutes_fit_and_no_more() -> None:
    ear = Playout()
    assert ear.media(0.0, bytes(int(MAX_BUFFERED_S * PHONE_RATE)))
    assert not ear.media(0.0, HALF)
    assert ear.overflows == 1
    assert ear.buffered_s(0.0) == MAX_BUFFERED_S
    assert not ear.media(0.25, HALF)  # a quarter of a second has been played: half of it fits
    assert ear.buffered_s(0.25) == MAX_BUFFERED_S


def test_silence_that_is_sent_is_not_heard() -> None:
    ear = Playout()
    ear.media(0.0, bytes([0xFF, 0x7E]) * 800)
    assert not ear.audible(0.0)
    ear.media(0.0, HALF)
    assert ear.audible(0.1)
    assert ear.heard_until == 0.7
    ear.clear(0.3)
    assert not ear.audible(0.3)


@given(
    st.lists(st.tuples(st.sampled_from("mmmmkc"), st.integers(0, 4000), st.integers(0, 2000)), max_size=30)
)
def test_every_mark_comes_back_once_and_in_order(steps: list[tuple[str, int, int]]) -> None:
    """And what was heard is what was queued, less what was cleared, and never early."""
    ear, samples = Playout(), 0
    sent: list[str] = []
    back: list[str] = []
    for step, size, wait in steps:
        now = samples / PHONE_RATE
        back += ear.due(now)
        if step == "m":
            ear.media(now, bytes(size))
        elif step == "k":
            sent.append(str(len(sent)))
            back += ear.mark(now, sent[-1])
        else:
            back += ear.clear(now)
            assert ear.next_deadline() is None and ear.buffered_s(now) == 0
        deadline = ear.next_deadline()
        assert deadline is None or deadline > now
        samples += wait
    back += ear.due(1e9)
    assert back == sent
    whole = ear.played(samples / PHONE_RATE + 20)
    assert ear.window(100, 5000) == whole[100:5000]
    assert whole.count(0) == sum(len(segment.payload) for segment in ear.segments)


@pytest.mark.parametrize("now", [1e-9, 0.1, 12.34567])
def test_a_timer_set_to_the_deadline_finds_the_mark_due(now: float) -> None:
    ear = Playout()
    ear.media(now, bytes(333))
    ear.mark(now, "a")
    deadline = ear.next_deadline()
    assert deadline is not None
    assert ear.due(deadline) == ["a"]
