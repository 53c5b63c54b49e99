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
