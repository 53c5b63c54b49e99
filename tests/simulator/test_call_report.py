"""The report of a call: the wire's moments, the server's words."""

from __future__ import annotations

import re
from typing import Any

from telephony.simulator.call_report import (
    AudibleSpan,
    CallReporter,
    CallResult,
    audible_spans,
    clock,
    painted,
    summary,
    turns,
)
from telephony.simulator.caller import RecordingCaller
from telephony.simulator.carrier_stream import CarrierStream
from telephony.simulator.network import Impairments, NetworkModel
from telephony.simulator.phone import Phone
from telephony.simulator.playout import Playout

CONTRACT: dict[str, Any] = {
    "call_id": None,
    "call_sid": "CA1",
    "source": "a.wav",
    "duration_s": 0.0,
    "ended_by": "error",
    "violations": [],
    "turns": [],
    "clears_s": [],
    "marks": {"sent": 0, "played": 0, "cleared": 0},
    "dtmf": [],
    "files": {"caller": None, "agent": None, "stereo": None, "tape": None, "report": None},
}


def playout(*sounds: tuple[float, float]) -> Playout:
    """An ear that heard sound from each start for so many seconds."""
    heard = Playout()
    for start, seconds in sounds:
        heard.media(start, bytes(round(seconds * 8000)))
    return heard


def turn(index: int, **agent: Any) -> dict[str, Any]:
    caller = {"text": "a latte", "start_s": 1.0, "end_s": 2.0, "eot_s": 2.3}
    whole = {
        "text": "Okay.",
        "heard": "Okay.",
        "first_audio_s": 2.4,
        "last_audio_s": 3.4,
        "interrupted": False,
    }
    return {"index": index, "caller": caller, "agent": {**whole, **agent}, "latency_ms": None}


def test_the_names_are_the_contracts_even_of_a_call_that_never_was() -> None:
    told = CallResult("CA1", "a.wav").as_json()
    assert {name: told[name] for name in CONTRACT} == CONTRACT


def test_a_pause_longer_than_a_frame_makes_a_new_stretch() -> None:
    heard = playout((1.0, 0.5), (1.51, 0.5), (2.5, 0.5))
    heard.clear(2.75)
    assert audible_spans(heard) == [AudibleSpan(1.0, 2.01), AudibleSpan(2.5, 2.75, cut=True)]


def test_the_wires_moments_replace_the_servers_estimates() -> None:
    told = turns({"turns": [turn(0)]}, playout((2.52, 1.05)))
    assert (told[0]["agent"]["first_audio_s"], told[0]["agent"]["last_audio_s"]) == (2.52, 3.57)


def test_two_replies_without_a_pause_between_them_are_told_apart_by_their_pieces() -> None:
    heard = playout(*((2.5 + 0.1 * n, 0.1) for n in range(20)))
    told = turns({"turns": [turn(0), turn(1, first_audio_s=3.48, last_audio_s=4.46)]}, heard)
    assert told[0]["agent"]["last_audio_s"] == told[1]["agent"]["first_audio_s"] == 3.5 or (
        told[0]["agent"]["last_audio_s"] == 3.4
    )
    assert told[1]["agent"]["last_audio_s"] == 4.5


def test_a_servers_moment_that_nothing_on_the_wire_is_near_stays() -> None:
    assert turns({"turns": [turn(0)]}, playout((9.0, 1.0)))[0]["agent"]["first_audio_s"] == 2.4


def test_without_a_servers_word_the_wire_alone_is_told() -> None:
    told = turns(None, playout((1.0, 0.5), (3.0, 0.5)))
    assert [part["agent"]["first_audio_s"] for part in told] == [1.0, 3.0]
    assert {part["caller"] for part in told} == {None}
    assert told[0]["agent"]["text"] is None


def test_each_line_of_a_conversation_is_told_once() -> None:
    teller = CallReporter()
    half = {"turns": [{"index": 0, "caller": {"text": "a", "start_s": 1.0, "eot_s": None}, "agent": None}]}
    assert teller.lines(half) == []
    whole = {"turns": [turn(0, interrupted=True, heard="Ok")]}
    assert teller.lines(whole) == [
        "0:01.0  caller  a latte",
        '0:02.4  agent   Okay.   [interrupted; heard: "Ok"]',
    ]
    assert teller.lines(whole) == []


def test_lines_come_in_the_order_of_time() -> None:
    """An agent's line is whole when it has been heard; what the caller said over it was whole before that."""
    teller = CallReporter()
    first = turn(0, first_audio_s=2.4, last_audio_s=None, text="")  # it is written down when it is over
    over_it = {"index": 1, "caller": {"text": "Tea.", "start_s": 3.0, "eot_s": 3.9}, "agent": None}
    assert teller.lines({"live": True, "turns": [first]}) == ["0:01.0  caller  a latte"]
    assert teller.lines({"live": True, "turns": [first, over_it]}) == []
    first["agent"] |= {"text": "We have coffee, latte and tea."}
    first["agent"] |= {"last_audio_s": 3.2, "interrupted": True, "heard": "We have"}
    assert teller.lines({"live": True, "turns": [first, over_it]}) == [
        '0:02.4  agent   We have coffee, latte and tea.   [interrupted; heard: "We have"]',
        "0:03.0  caller  Tea.",
    ]


def test_what_never_ended_holds_nothing_back_when_the_call_is_over() -> None:
    teller = CallReporter()
    open_turn = {"index": 0, "caller": {"text": "So", "start_s": 1.0, "eot_s": None}, "agent": None}
    later = {"index": 1, "caller": {"text": "Tea.", "start_s": 3.0, "eot_s": 3.9}, "agent": None}
    assert teller.lines({"live": True, "turns": [open_turn, later]}) == []
    assert teller.lines({"live": False, "turns": [open_turn, later]}) == ["0:03.0  caller  Tea."]


def test_reasons_and_notes_are_told_to_who_asks() -> None:
    told = turn(0) | {"decisions": [{"at_s": 2.3, "what": "held", "reason": "mm-hm"}]}
    record = {"turns": [told], "notes": {"order": "latte"}}
    assert CallReporter().lines(record) == ["0:01.0  caller  a latte", "0:02.4  agent   Okay."]
    assert CallReporter(verbose=True).lines(record) == [
        "0:01.0  caller  a latte",
        "0:02.3  why     held: mm-hm",
        "0:02.4  agent   Okay.",
        '0:02.4  notes   {"order": "latte"}',
    ]


def test_notes_are_told_when_they_change() -> None:
    teller = CallReporter(verbose=True)
    teller.lines({"live": True, "turns": [turn(0)], "notes": {"order": "latte", "size": "small"}})
    assert teller.lines({"live": True, "turns": [turn(0)], "notes": {"order": "latte", "size": "big"}}) == [
        '0:02.4  notes   {"size": "big"}'
    ]
    assert teller.lines({"turns": [turn(0)], "notes": {"order": "latte", "size": "big"}}) == []


def test_colour_only_adds_to_a_line() -> None:
    lines = [
        "0:01.0  caller  a latte",
        '0:02.4  agent   Okay.   [interrupted; heard: "Ok"]',
        "Twilio would flag 31951 at 1.50 s: not JSON",
        "not as expected: goodbye",
        "0:02.3  why     held: mm-hm",
    ]
    shown = [painted(line) for line in lines]
    assert all("\x1b[" in line for line in shown)
    assert [re.sub(r"\x1b\[\d+m", "", line) for line in shown] == lines
    assert painted("0:02.4  agent   Okay.") == "0:02.4  agent   Okay."
    assert shown[2].startswith("\x1b[31m") and "\x1b[33m[interrupted" in shown[1]


def test_the_files_of_a_call_are_one_line() -> None:
    result = CallResult("CA1", "a.wav", "caller")
    result.files |= {"caller": "/o/a/caller.wav", "agent": "/o/a/agent.wav", "stereo": "/o/a/call.wav"}
    assert summary(result)[-1] == (
        "files: /o/a: call.wav (both), caller.wav (the caller), agent.wav (the agent)"
    )


def test_moments_are_written_for_people() -> None:
    assert [clock(at) for at in (0.0, 6.24, 59.96, 754.31)] == ["0:00.0", "0:06.2", "1:00.0", "12:34.3"]
    assert len(clock(None)) == len("0:06.2")


def test_the_summary_says_what_matters() -> None:
    phone = Phone(RecordingCaller(b"\xff" * 8000), NetworkModel(Impairments()))
    phone.connect(0.0, CarrierStream("MZ1", "CA1", "AC1"), {})
    phone.flag(1.5, 31951, "not JSON")
    result = CallResult("CA1", "a.wav", "caller", duration_s=4.0, phone=phone, flags=phone.facts.flags)
    result.record = {"call_id": "x", "turns": [turn(0, interrupted=True, heard="Ok")]}
    result.broken.append("the agent says goodbye")
    lines = summary(result)
    assert lines == [
        "4.0 s, ended by the caller",
        "turns: 1 of the caller, 1 of the agent",
        "response: median 0.40 s, at most 0.40 s, 1 answer",
        'interrupted: "Okay.", heard: "Ok"',
        "Twilio would flag 31951 at 1.50 s: not JSON",
        "not as expected: the agent says goodbye",
    ]
    assert not result.good
