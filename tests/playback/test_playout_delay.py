"""The line's delay, jitter and stalls, learnt from marks and timestamps."""

from __future__ import annotations

import pytest

from telephony.playback.playout_delay import HALF_FRAME_S, PlayoutDelay


def line_with_marks(*delays: float, run: int = 1) -> PlayoutDelay:
    """A line whose clocks agree, and on which marks of one run came back so late."""
    line = PlayoutDelay()
    line.clock(10_000, 10.0)
    for at, delay in enumerate(delays):
        line.mark(run, 20.0 + at, 20.0 + at + delay)
    return line


def test_a_timestamp_dates_a_mark_on_the_callers_clock_to_half_a_frame() -> None:
    line = PlayoutDelay()
    line.clock(1000, 51.0)
    assert line.playout(53.7, 3000) == 3.0 + HALF_FRAME_S
    assert line.playout(53.7, None) == pytest.approx(3.7), "without one, our clock less the offset"


def test_the_quickest_mark_says_how_long_the_way_is() -> None:
    assert PlayoutDelay().least is None
    line = line_with_marks(0.2, 0.1, 0.4)
    assert line.least == pytest.approx(0.1)
    assert line.playout_of_sent(30.0) == pytest.approx(30.1)


def test_one_late_mark_says_nothing_yet_but_two_in_a_row_do() -> None:
    assert line_with_marks(0.1, 0.5).model_time(1, 30.0) == pytest.approx(29.9)
    assert line_with_marks(0.1, 0.5, 0.5).model_time(1, 30.0) == pytest.approx(29.5)


def test_a_mark_is_late_only_beyond_the_lines_jitter() -> None:
    line = line_with_marks(0.1, 0.1, 0.1)
    assert line.late(40.0, 40.15) == 0.0
    assert line.late(40.0, 40.5) == pytest.approx(0.4)
    nervous = line_with_marks(0.1, 0.5, 0.1)
    assert nervous.late(40.0, 40.5) == 0.0


def test_the_offset_follows_a_slow_drift_but_not_a_late_frame() -> None:
    line = PlayoutDelay()
    line.clock(0, 5.0)
    line.clock(1000, 6.5)
    assert line.playout(7.0, None) == pytest.approx(2.0, abs=0.002)
    assert line.jitter_s() >= 0.49, "such a late frame shows how late messages may be"


def test_a_position_is_surer_with_two_marks_of_its_run_and_a_dated_clear() -> None:
    unknown, one, two = PlayoutDelay(), line_with_marks(0.1), line_with_marks(0.1, 0.1)
    bounds = [line.bound_s(1, 1.0, timed=True) for line in (unknown, one, two)]
    assert bounds[0] >= bounds[1] > bounds[2]
    assert two.bound_s(1, 100.0, timed=True) > two.bound_s(1, 1.0, timed=True), "clocks drift apart"


def test_only_the_newest_runs_are_kept() -> None:
    line = PlayoutDelay()
    for run in range(20):
        line.mark(run, 1.0, 1.0 + (0.05 if run == 0 else 0.2))
    assert line.least == pytest.approx(0.2), "what the first run taught is forgotten"


def test_a_clear_that_came_back_shows_the_round_trip_too() -> None:
    line = PlayoutDelay()
    line.clock(0, 3.0)
    line.round_trip(20.0, 17.25)
    assert line.least == pytest.approx(0.25) and line.playout_of_sent(30.0) == pytest.approx(27.25)
    line.mark(1, 21.0, 18.1)
    assert line.least == pytest.approx(0.1)


def test_a_run_without_marks_is_less_sure_than_one_with_them() -> None:
    line = line_with_marks(0.1, 0.1, 0.15)
    assert line.bound_s(2, 1.0, timed=False) > line.bound_s(1, 1.0, timed=False)
