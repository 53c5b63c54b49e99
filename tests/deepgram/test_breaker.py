"""Calls do not hammer a service that is down."""

from __future__ import annotations

import heapq

from telephony.deepgram.breaker import FAILURES, PROBE_S, REMEMBERED_S, Breaker


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES):
        breaker.failed(now)
    return breaker


def test_a_few_failures_stop_nobody() -> None:
    breaker = Breaker()
    for _ in range(FAILURES - 1):
        breaker.failed(1.0)
    assert not breaker.is_open(1.0)
    assert breaker.wait_s(1.0) == 0.0


def test_what_works_between_failures_is_not_down() -> None:
    breaker = Breaker()
    for _ in range(10 * FAILURES):
        breaker.failed(1.0)
        breaker.worked()
    assert not breaker.is_open(1.0)


def test_while_it_is_open_one_call_at_a_time_tries() -> None:
    breaker = opened(1.0)
    assert breaker.opened == 1
    assert breaker.wait_s(1.0) == PROBE_S
    assert breaker.wait_s(1.0 + PROBE_S) == 0.0
    assert breaker.wait_s(1.0 + PROBE_S) == PROBE_S
    breaker.failed(1.0 + PROBE_S)
    assert breaker.opened == 1


def test_a_probe_that_is_answered_lets_everybody_in() -> None:
    breaker = opened()
    breaker.worked()
    assert [breaker.wait_s(0.1) for _ in range(200)] == [0.0] * 200


def test_an_old_failure_stops_nobody() -> None:
    """Without calls nobody probes: that must not keep a process from being ready for ever."""
    breaker = opened()
    assert not breaker.is_open(REMEMBERED_S)
    assert breaker.wait_s(REMEMBERED_S) == 0.0
    breaker.failed(REMEMBERED_S)
    assert breaker.is_open(REMEMBERED_S)
    assert breaker.opened == 2


def test_two_hundred_calls_try_twice_a_second() -> None:
    """Each that may not try comes back when it was told to."""
    breaker, tries = opened(), 0
    waiting = [(0.0, call) for call in range(200)]
    while waiting[0][0] < 10.0:
        now, call = heapq.heappop(waiting)
        wait = breaker.wait_s(now)
        if wait == 0.0:
            tries += 1
            breaker.failed(now)
        heapq.heappush(waiting, (now + (wait or 0.5), call))
    assert 15 <= tries <= 20
