"""The caller's playout: sound in order, marks when heard, everything back at a clear."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.g711 import PHONE_RATE
from telephony.simulator.playout import MAX_BUFFERED_S, SILENCE, Playout

HALF = bytes(4000)
"""Half a second of loud sound."""


def test_a_mark_comes_back_when_what_was_before_it_has_played() -> None:
    playout = Playout()
    playout.media(1.0, HALF)
    assert playout.mark(1.1, "a") == []
    playout.media(1.2, HALF)
    assert playout.mark(1.2, "b") == []
    assert playout.next_deadline() == 1.5
    assert playout.due(1.499) == []
    assert playout.due(1.5) == ["a"]
    assert playout.next_deadline() == 2.0
    assert playout.due(9.0) == ["b"]
    assert playout.next_deadline() is None


def test_a_mark_comes_back_at_once_when_nothing_is_queued() -> None:
    playout = Playout()
    assert playout.mark(0.0, "first") == ["first"]
    playout.media(0.0, HALF)
    assert playout.due(0.6) == []
    assert playout.mark(0.6, "late") == ["late"]


def test_clear_returns_all_marks_and_silences_the_rest() -> None:
    playout = Playout()
    playout.media(0.0, HALF)
    playout.mark(0.0, "heard")
    playout.media(0.0, HALF)
    playout.mark(0.0, "cut")
    playout.media(0.0, HALF)
    playout.mark(0.0, "never")
    assert playout.clear(0.75) == ["heard", "cut", "never"]
    assert (playout.marks_sent, playout.marks_cleared, playout.clears) == (3, 2, [0.75])
    assert playout.buffered_s(0.75) == 0
    assert playout.played(1.5) == bytes(6000) + bytes([SILENCE]) * 6000
    assert playout.clear(0.8) == []


def test_what_comes_after_a_clear_plays_at_once() -> None:
    playout = Playout()
    playout.media(0.0, HALF * 4)
    playout.clear(0.5)
    playout.media(0.6, HALF)
    assert playout.mark(0.6, "new") == []
    assert playout.next_deadline() == 1.1
    assert playout.played(1.2) == HALF + bytes([SILENCE]) * 800 + HALF + bytes([SILENCE]) * 800


def test_sound_that_comes_in_time_plays_without_a_gap() -> None:
    """Pieces with an odd number of samples, each sent while the one before still plays."""
    playout = Playout()
    now = 0.0133
    for _ in range(50):
        playout.media(now, bytes(777))
        now += 777 / PHONE_RATE - 1e-4
    assert playout.played(now)[round(0.0133 * PHONE_RATE) :].count(SILENCE) == 0


def test_ten_minutes_fit_and_no_more() -> None:
    playout = Playout()
    assert playout.media(0.0, bytes(int(MAX_BUFFERED_S * PHONE_RATE)))
    assert not playout.media(0.0, HALF)
    assert playout.overflows == 1
    assert playout.buffered_s(0.0) == MAX_BUFFERED_S
    assert not playout.media(0.25, HALF)  # a quarter of a second has been played: half of it fits
    assert playout.buffered_s(0.25) == MAX_BUFFERED_S


def test_silence_that_is_sent_is_not_heard() -> None:
    playout = Playout()
    playout.media(0.0, bytes([0xFF, 0x7E]) * 800)
    assert not playout.audible(0.0)
    playout.media(0.0, HALF)
    assert playout.audible(0.1)
    assert playout.heard_until == 0.7
    playout.clear(0.3)
    assert not playout.audible(0.3)


@given(
    st.lists(st.tuples(st.sampled_from("mmmmkc"), st.integers(0, 4000), st.integers(0, 2000)), max_size=30)
)
def test_every_mark_comes_back_once_and_in_order(steps: list[tuple[str, int, int]]) -> None:
    """And what was heard is what was queued, less what was cleared, and never early."""
    playout, samples = Playout(), 0
    sent: list[str] = []
    back: list[str] = []
    for step, size, wait in steps:
        now = samples / PHONE_RATE
        back += playout.due(now)
        if step == "m":
            playout.media(now, bytes(size))
        elif step == "k":
            sent.append(str(len(sent)))
            back += playout.mark(now, sent[-1])
        else:
            back += playout.clear(now)
            assert playout.next_deadline() is None and playout.buffered_s(now) == 0
        deadline = playout.next_deadline()
        assert deadline is None or deadline > now
        samples += wait
    back += playout.due(1e9)
    assert back == sent
    whole = playout.played(samples / PHONE_RATE + 20)
    assert playout.window(100, 5000) == whole[100:5000]
    assert whole.count(0) == sum(len(segment.payload) for segment in playout.segments)


@pytest.mark.parametrize("now", [1e-9, 0.1, 12.34567])
def test_a_timer_set_to_the_deadline_finds_the_mark_due(now: float) -> None:
    playout = Playout()
    playout.media(now, bytes(333))
    playout.mark(now, "a")
    deadline = playout.next_deadline()
    assert deadline is not None
    assert playout.due(deadline) == ["a"]
