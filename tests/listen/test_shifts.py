"""Listening's audio and the caller's clock, where they part."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.deepgram.flux_codec import TurnInfo, Word
from telephony.listen.shifts import KEPT, Shifts
from telephony.listen.turns import TurnKind, TurnTracker


def test_the_callers_clock_stands_still_while_something_is_put_in() -> None:
    shifts = Shifts()
    assert not shifts and shifts.caller_s(7.0) == 7.0
    shifts.add(5.0, 0.5)
    shifts.add(5.5, 0.1)  # it goes on
    shifts.add(9.0, -2.0)
    assert [shifts.caller_s(given) for given in (4.0, 5.3, 5.6, 6.6, 9.0, 10.0)] == pytest.approx(
        [4.0, 5.0, 5.0, 6.0, 8.4, 11.4]
    )


@given(st.lists(st.tuples(st.floats(0.1, 5), st.floats(-5, 5)), max_size=3 * KEPT))
def test_after_any_number_of_shifts_it_is_their_sum_away(steps: list[tuple[float, float]]) -> None:
    shifts, at = Shifts(), 0.0
    for after, seconds in steps:
        at += after + max(0.0, steps[0][1])
        shifts.add(at, seconds)
        at += max(0.0, seconds)
    total = sum(seconds for _, seconds in steps)
    assert shifts.caller_s(at + 10) == pytest.approx(at + 10 - total)


def test_a_turns_times_are_the_callers_own() -> None:
    """On a second connection, too, whose second 0 is one of the audio that was given."""
    turns = TurnTracker()
    turns.connected(0.0)
    turns.shifted(4.0, 2.0)
    info = TurnInfo("EndOfTurn", 0, "yes", (Word("yes", 0.9, 7.0, 7.4),), 0.9, 3.0, 8.0, "model", 1)
    ended = turns.receive(info)[-1]
    assert ended.kind is TurnKind.ENDED
    assert (ended.audio_start, ended.speech_start, ended.audio_end) == (3.0, 5.0, 6.0)
    turns.connected(10.0)
    info = TurnInfo("EndOfTurn", 0, "no", (Word("no", 0.9, 1.0, 1.5),), 0.9, 0.0, 2.0, "model", 1)
    ended = turns.receive(info)[-1]
    assert (ended.audio_start, ended.speech_start, ended.audio_end) == (8.0, 9.0, 10.0)
