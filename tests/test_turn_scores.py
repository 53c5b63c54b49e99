"""The bench's scoring, on made-up calls."""

from __future__ import annotations

from typing import Any

import pytest

from bench.turn_scores import Event, score_call, word_errors


def truth(*turns: dict[str, Any], events: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {"duration_s": 20.0, "boundary_accuracy_s": 0.05, "turns": list(turns), "events": list(events)}


def turn(start_s: float, end_s: float, text: str, *pauses: tuple[float, float, str]) -> dict[str, Any]:
    spans = [{"start_s": start, "end_s": end, "kind": kind} for start, end, kind in pauses]
    return {"start_s": start_s, "end_s": end_s, "text": text, "text_tier": "A", "pauses": spans}


def test_a_good_turn() -> None:
    events = [
        Event("StartOfTurn", 1.2, "Yes,"),
        Event("EagerEndOfTurn", 2.2, "Yes, please."),
        Event("EndOfTurn", 2.4, "Yes, please."),
    ]
    score = score_call(truth(turn(1.0, 2.0, "yes please")), events)
    assert score.latencies == [pytest.approx(0.4)] and score.start_delays == [pytest.approx(0.2)]
    assert (score.cut, score.missed, score.word_errors, score.with_eager) == (0, 0, 0, 1)
    assert score.first_words == [True]


def test_cuts_in_inserted_pauses_are_counted_apart() -> None:
    one = turn(1.0, 5.0, "a b", (2.0, 2.8, "natural"))
    other = turn(8.0, 12.0, "a b", (9.0, 9.8, "inserted"))
    events = [Event("EndOfTurn", at, "A.") for at in (2.5, 5.3, 9.5, 12.3)]
    score = score_call(truth(one, other), events)
    assert (score.cut, score.cut_inserted, len(score.latencies)) == (1, 1, 2)


def test_missed_merged_and_false() -> None:
    events = [Event("StartOfTurn", 0.5, "Hm"), Event("StartOfTurn", 4.2, "A"), Event("EndOfTurn", 9.0, "A b")]
    noise = {"type": "noise", "start_s": 0.0, "end_s": 1.0}
    score = score_call(truth(turn(2, 3, "a"), turn(4, 5, "a"), turn(6, 7, "b"), events=(noise,)), events)
    assert (score.missed, score.merged, score.false_starts) == (1, 1, {"noise": 1})


@pytest.mark.parametrize(
    ("true", "heard", "errors"),
    [
        ("two thirty pm", "2:30 p.m.", 0),
        ("four one five", "415", 0),
        ("S M I T H", "S-M-I-T-H.", 0),
        ("S M I T H", "SMITH", 0),
        ("x-ray", "X ray", 0),
        ("brown sugar", "Brown shoe girl", 2),
    ],
)
def test_word_errors_take_digits_and_words_alike(true: str, heard: str, errors: int) -> None:
    assert word_errors(true, heard)[0] == errors
