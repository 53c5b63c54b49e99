"""The virtual line: late, lossy and drifting, but always in order."""

from __future__ import annotations

from telephony.testing.virtual_line import FRAME_MS, VirtualLine


def line(*delays: float, lost: int = 0) -> VirtualLine:
    """A line whose way out has these delays in turn, and which loses the newest frames."""
    each, left = iter(delays), iter([True] * lost + [False] * 9)
    return VirtualLine(lambda now: next(each), lambda now: 0.1, lambda: next(left), 100.0)


def test_what_is_sent_later_never_comes_sooner() -> None:
    way = line(0.5, 0.1, 0.1)
    arrivals = [now + way.out_s(now) for now in (1.0, 1.1, 2.0)]
    assert arrivals == [1.5, 1.5, 2.1]


def test_both_ways_are_on_their_own() -> None:
    way = line(5.0)
    way.out_s(1.0)
    assert abs(way.back_s(1.0) - 0.1) < 1e-9


def test_the_newest_frame_is_the_last_that_was_not_lost() -> None:
    assert line().newest_frame_ms(1.01) == 1000
    assert line(lost=3).newest_frame_ms(1.01) == 1000 - 3 * FRAME_MS
    assert line(lost=9).newest_frame_ms(0.03) == 0


def test_the_ears_clock_drifts() -> None:
    assert line().rate == 1.0001
