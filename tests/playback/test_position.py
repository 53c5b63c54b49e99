"""Positions: how much of what was sent was played, by the clock and by marks."""

from __future__ import annotations

import pytest

from telephony.playback.position import FORGOTTEN_MARK_S, LINE_ALLOWANCE_S, LOST_MARK_S, Positions


def test_what_is_sent_plays_behind_what_was_sent_before_it() -> None:
    """Two seconds in one go: the second one begins when the first is over."""
    positions = Positions()
    positions.sent(1, 0, 8000, 5.0)
    positions.sent(2, 0, 8000, 5.1)
    assert positions.play_end == 7.0
    assert (positions.heard(1, 5.5).samples, positions.heard(2, 5.5).samples) == (4000, 0)
    assert (positions.heard(1, 6.5).samples, positions.heard(2, 6.5).samples) == (8000, 4000)
    assert positions.played_at(2, 4000) == 6.5 and positions.played_at(2, 8000) is None


def test_a_clear_settles_what_was_heard_and_takes_the_rest_back() -> None:
    positions = Positions()
    positions.sent(1, 0, 8000, 5.0)
    positions.cleared(5.25)
    for later in (5.25, 6.0, 60.0):
        assert positions.heard(1, later).samples == 2000
    assert positions.sent_samples(1) == 2000 and positions.play_end == 5.25


def test_a_mark_proves_its_position_whatever_the_clock_says() -> None:
    positions = Positions()
    positions.sent(1, 0, 8000, 5.0)
    positions.mark_sent("a", 1, 8000, 5.0)
    assert positions.mark_played("a", 6.02)
    assert (positions.heard(1, 6.02).samples, positions.heard(1, 6.02).bound_ms) == (8000, 0.0)


def test_a_mark_that_comes_out_of_order_makes_those_before_it_lost() -> None:
    positions = Positions()
    positions.sent(1, 0, 8000, 5.0)
    positions.mark_sent("a", 1, 4000, 5.0)
    positions.mark_sent("b", 1, 8000, 5.0)
    assert positions.mark_played("b", 6.0) and not positions.mark_played("a", 6.1)


def test_an_overdue_mark_makes_the_answer_as_uncertain_as_what_was_not_proved() -> None:
    positions = Positions()
    positions.sent(1, 0, 8000, 5.0)
    positions.mark_sent("a", 1, 8000, 5.0)
    assert positions.heard(1, 5.9).bound_ms < 200
    late = positions.heard(1, 8.0)
    assert late.bound_ms >= 1000 and positions.unanswered_s(8.0) == pytest.approx(2.0)


def test_the_last_mark_may_be_lost_and_the_reply_still_ends() -> None:
    positions = Positions()
    positions.sent(1, 0, 8000, 5.0)
    positions.mark_sent("a", 1, 8000, 5.0)
    assert positions.played_out_at() == 6.0 + LOST_MARK_S
    assert not positions.all_heard(1, 6.99) and positions.all_heard(1, 7.0)


def test_the_caller_may_hear_us_a_little_longer_than_the_model_says() -> None:
    positions = Positions()
    assert not positions.audible(0.0)
    positions.sent(1, 0, 8000, 5.0)
    assert positions.audible(6.0 + LINE_ALLOWANCE_S - 0.01) and not positions.audible(6.0 + LINE_ALLOWANCE_S)
    positions.mark_sent("a", 1, 8000, 5.0)
    assert positions.audible(6.0 + FORGOTTEN_MARK_S - 0.01) and not positions.audible(6.0 + FORGOTTEN_MARK_S)


def test_a_clear_that_a_mark_shows_to_be_late_let_more_be_heard() -> None:
    """A cleared mark comes back 60 ms after the `clear` should have worked: so much more was played."""
    positions = Positions()
    positions.sent(1, 0, 800, 5.0)
    positions.mark_sent("early", 1, 800, 5.0)
    positions.sent(1, 800, 8000, 5.0)
    positions.mark_sent("late", 1, 8000, 5.0)
    positions.mark_played("early", 5.1)
    positions.cleared(5.25)
    assert positions.heard(1, 5.25).samples == 2000
    positions.mark_played("late", 5.31)
    assert positions.heard(1, 6.0).samples == pytest.approx(2480, abs=2)


def test_what_a_reply_has_proved_is_forgotten_with_it() -> None:
    positions = Positions()
    positions.sent(1, 0, 8000, 5.0)
    positions.forget(1)
    assert positions.heard(1, 9.0).samples == 0 and positions.first_sent_at(1) is None


def send(positions: Positions, start: int, end: int, now: float, mark: str) -> None:
    """Samples of reply 1, and a mark behind them."""
    positions.sent(1, start, end, now)
    positions.mark_sent(mark, 1, end, now)


def test_after_a_break_a_late_mark_counts_for_what_plays_since_then_only() -> None:
    """A line may have become slower meanwhile: one mark of the new run shows it."""
    positions = Positions()
    send(positions, 0, 8000, 5.0, "a")
    positions.mark_played("a", 6.0)
    send(positions, 8000, 16000, 10.0, "b")
    send(positions, 16000, 24000, 10.0, "c")
    positions.mark_played("b", 11.3)
    assert positions.heard(1, 11.7).samples == pytest.approx(16000 + 3200, abs=2)


def test_a_mark_proves_a_reply_before_it_that_was_sent_with_a_break() -> None:
    positions = Positions()
    positions.sent(1, 0, 8000, 5.0)
    positions.sent(1, 8000, 16000, 8.0)
    positions.sent(2, 0, 800, 8.1)
    positions.mark_sent("c", 2, 800, 8.1)
    assert positions.mark_played("c", 9.12)
    assert positions.heard(1, 9.12).samples == 16000 and positions.heard(1, 9.12).bound_ms == 0.0


def test_a_clear_on_a_line_that_had_stalled_leaves_only_what_was_proved_sure() -> None:
    positions = Positions()
    send(positions, 0, 4000, 5.0, "a")
    send(positions, 4000, 8000, 5.0, "b")
    send(positions, 8000, 24000, 5.0, "c")
    positions.mark_played("a", 5.5)
    positions.cleared(6.9)
    heard = positions.heard(1, 7.0)
    assert heard.samples > 8000 and heard.bound_ms >= (heard.samples - 4000) / 8


def test_a_mark_that_was_due_long_before_the_clear_and_comes_with_it_bounds_what_was_heard() -> None:
    """The playout buffer had run dry before that mark: nothing behind it was played."""
    positions = Positions()
    send(positions, 0, 4000, 5.0, "a")
    send(positions, 4000, 16000, 5.0, "b")
    positions.cleared(6.5)
    assert positions.heard(1, 6.5).samples > 4000
    positions.mark_played("a", 6.52)
    assert positions.heard(1, 7.0).samples == 4000
