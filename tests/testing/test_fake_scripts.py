"""What a stand-in hears is legal Flux, at the audio times it promises."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.deepgram import flux_codec
from telephony.testing.fake_scripts import CYCLE_S, FIRST, SECOND, Cycle


def said(cycle: Cycle, seconds: float, chunk_s: float = 0.08) -> list[tuple[float, flux_codec.TurnInfo]]:
    """Each message with the audio that had come."""
    heard = []
    for n in range(1, round(seconds / chunk_s) + 1):
        heard += [(n * chunk_s, info) for info in cycle.due(n * chunk_s)]
    return heard


def check(messages: list[flux_codec.TurnInfo], eager: bool, forced: bool = False) -> list[str]:
    checker = flux_codec.Checker(eager=eager)
    checker.receive(flux_codec.Connected("r", 0))
    if forced:
        checker.sent(flux_codec.ForceEndTurn())
    for number, message in enumerate(messages, 1):
        checker.receive(replace(message, sequence_id=number, request_id="r"))
    return checker.problems


@pytest.mark.parametrize("eager", [False, True])
def test_the_cycle_is_the_one_of_the_capacity_bench(eager: bool) -> None:
    """Two turns every 6 s, at the promised moments, with a message each 0.25 s."""
    heard = [info for _, info in said(Cycle(eager=eager), 2 * CYCLE_S + 0.3)]
    marks = [(i.audio_window_end - 0.25, i.event) for i in heard if i.event != flux_codec.UPDATE]
    cycle = [(0.0, "StartOfTurn"), (1.0, "EagerEndOfTurn"), (1.25, "EndOfTurn")]
    cycle += [(2.25, "StartOfTurn"), (3.25, "EagerEndOfTurn"), (3.5, "EndOfTurn")]
    once = [(at, event) for at, event in cycle if eager or event != "EagerEndOfTurn"]
    twice = [*once, *((at + CYCLE_S, event) for at, event in once), (2 * CYCLE_S, "StartOfTurn")]
    assert marks == twice
    assert len(heard) == 49
    assert [i.transcript for i in heard if i.event == "EndOfTurn"] == [FIRST, SECOND, FIRST, SECOND]


@given(st.floats(0, CYCLE_S), st.booleans(), st.floats(0.02, 0.3))
def test_the_cycle_is_legal_flux(phase: float, eager: bool, chunk_s: float) -> None:
    """Whatever the phase and the chunks, the guarantees of the service hold."""
    assert check([info for _, info in said(Cycle(phase, eager=eager), 20, chunk_s)], eager) == []


def test_a_forced_end_is_legal_flux() -> None:
    """ForceEndTurn ends the open turn with the text so far; without a turn there is nothing to end."""
    cycle = Cycle(eager=True)
    assert cycle.force(0.0) is None
    before = [info for _, info in said(cycle, 0.8)]
    forced = cycle.force(0.8)
    assert forced is not None
    assert (forced.event, forced.trigger, forced.transcript) == ("EndOfTurn", "manual", before[-1].transcript)
    after = [info for n in range(11, 60) for info in cycle.due(n * 0.08)]
    assert check([*before, forced, *after], True, forced=True) == []
