"""The checker notices each guarantee that a server may break."""

from __future__ import annotations

from dataclasses import replace

import pytest

from telephony.deepgram import flux_codec
from telephony.deepgram.flux_protocol_check import Checker


def said(event: str, text: str, end: float, sequence: int, **changes: object) -> flux_codec.TurnInfo:
    words = tuple(flux_codec.Word(word, 0.9) for word in text.split())
    info = flux_codec.TurnInfo(event, 0, text, words, 0.5, 0.0, end, None, sequence, "r")
    return replace(info, **changes)  # type: ignore[arg-type]


def broken_by(
    *messages: flux_codec.ServerMessage, eager: bool | None = None, forced: bool = False
) -> list[str]:
    checker = Checker(eager=eager)
    if forced:
        checker.sent(flux_codec.ForceEndTurn())
    for message in messages:
        checker.receive(message)
    checker.finish()
    return checker.problems


HELLO = flux_codec.Connected("r", 0)
START = said("StartOfTurn", "yes", 0.24, 1)
EAGER = said("EagerEndOfTurn", "yes", 0.48, 2)

BROKEN = {
    "Connected is the first": (replace(START, sequence_id=0),),
    "sequence_id 5": (HELLO, replace(START, sequence_id=5)),
    "request_id changed": (HELLO, replace(START, request_id="other")),
    "StartOfTurn without text": (HELLO, said("StartOfTurn", "", 0.24, 1)),
    "StartOfTurn while turn": (HELLO, START, said("StartOfTurn", "yes no", 0.48, 2)),
    "EndOfTurn while ready": (HELLO, said("EndOfTurn", "yes", 0.24, 1)),
    "TurnResumed while turn": (HELLO, START, said("TurnResumed", "yes no", 0.48, 2)),
    "EagerEndOfTurn while ready": (HELLO, said("EagerEndOfTurn", "yes", 0.24, 1)),
    "Sneeze while ready": (HELLO, said("Sneeze", "", 0.24, 1)),
    "turn_index 1": (HELLO, replace(START, turn_index=1)),
    "audio_window_start 0.1": (HELLO, replace(START, audio_window_start=0.1)),
    "went back": (HELLO, START, said("Update", "yes", 0.16, 2)),
    "nothing was said about": (HELLO, said("Update", "", 0.5, 1)),
    "the words are not": (HELLO, replace(START, transcript="no")),
    "confidence 1.5": (HELLO, replace(START, end_of_turn_confidence=1.5)),
    "outside the window": (HELLO, replace(START, words=(flux_codec.Word("yes", 0.9, 0.1, 0.3),))),
    "trigger on Update": (HELLO, said("Update", "", 0.24, 1, trigger="model")),
    "changed after EagerEndOfTurn": (HELLO, START, EAGER, said("Update", "yes it", 0.72, 3)),
    "not its EagerEndOfTurn's": (HELLO, START, EAGER, said("EndOfTurn", "yes it", 0.72, 3)),
    "nobody asked for": (HELLO, START, said("EndOfTurn", "yes", 0.48, 2, trigger="manual")),
    "after Error": (HELLO, flux_codec.FatalError("x", "", 1), replace(START, sequence_id=2)),
    "never sent": (HELLO, flux_codec.ConfigureSuccess(0.7, None, 5000, sequence_id=1, request_id="r")),
    "'Odd' unknown type": (HELLO, flux_codec.Unknown("Odd")),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_guarantee_is_named(rule: str) -> None:
    """Each rule is found where it is broken, and nothing else is."""
    problems = broken_by(*BROKEN[rule])
    assert len(problems) == 1, problems
    assert rule in problems[0]


def test_eager_events_need_the_threshold() -> None:
    """Without eager_eot_threshold no eager event may come; a Configure may set it later."""
    assert "without eager" in broken_by(HELLO, START, EAGER, eager=False)[0]
    checker = Checker(eager=False)
    checker.sent(flux_codec.Configure(eager_eot_threshold=0.5))
    for message in (HELLO, START, EAGER):
        assert checker.receive(message) == []
    assert "without an answer" in checker.finish()[0]


def test_a_manual_end_has_the_text_of_the_latest_update() -> None:
    """It may follow an EagerEndOfTurn with no TurnResumed between."""
    end = said("EndOfTurn", "yes", 0.56, 3, trigger="manual")
    assert broken_by(HELLO, START, EAGER, end, forced=True) == []
    assert (
        "latest Update"
        in broken_by(
            HELLO, START, EAGER, replace(end, transcript="no", words=(flux_codec.Word("no", 1),)), forced=True
        )[0]
    )


def test_the_turn_after_an_end_begins_where_it_ended() -> None:
    """turn_index grows by one, audio_window_start is the end of the last window."""
    end = said("EndOfTurn", "yes", 0.48, 2, trigger="model")
    assert (
        broken_by(HELLO, START, end, said("Update", "", 0.56, 3, turn_index=1, audio_window_start=0.48)) == []
    )
