"""What a conversation leaves for the call's next stream, and what may be written of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from telephony import events as ev
from telephony.carrier.call_flow import ResumeReason
from telephony.conversation.resume import split_secrets
from telephony.reply.agent import Expect, HangUp, Note, Said, Say, Transfer, Turn, Wording
from telephony.testing.virtual_call import VirtualCall

QUIET = Wording(greeting=Say(""), silence=())
LONG = "One two three four five six seven eight nine ten eleven twelve."


def says(*said: Said) -> Any:
    return lambda turn, notes: list(said)


def listening(turns: list[Turn], *said: Said) -> Any:
    """An agent that keeps the turns that it is given."""

    def agent(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        turns.append(turn)
        return list(said)

    return agent


def left(talk: VirtualCall) -> dict[str, Any]:
    """What the stream leaves when its socket is lost, through JSON."""
    talk.put(ev.CallStopped(ev.EndReason.SOCKET_LOST))
    state: dict[str, Any] = json.loads(json.dumps(talk.conversation.state_to_resume()))
    return state


def after(saved: Mapping[str, Any], agent: Any, why: str = "socket lost") -> VirtualCall:
    return VirtualCall(agent, QUIET, resumed=saved, parameters={"resumed": why})


def test_the_rest_of_a_sentence_is_said_on_the_next_stream_with_what_follows_it() -> None:
    talk = VirtualCall(says(LONG, HangUp()), QUIET)
    talk.caller("count")
    talk.run(2)
    saved = left(talk)
    heard = saved["history"][-1][2].split()
    assert (
        0 < len(heard) < 12 and saved["unspoken"].split() == LONG.split()[len(heard) :] and saved["hang_up"]
    )
    again = after(saved, says("no"))
    again.run(6)
    assert again.said_by_agent == [" ".join(heard), saved["unspoken"]] and again.ended == "goodbye"


def test_an_answer_that_nobody_heard_is_made_again_from_the_notes_before_it() -> None:
    talk = VirtualCall(says(Note(order="latte"), LONG), QUIET, speak_s=5.0)
    talk.caller("a latte")
    talk.run(1)
    assert dict(talk.conversation.notes) == {"order": "latte"}
    saved = left(talk)
    assert (saved["unanswered"], saved["notes"], saved["history"]) == (["a latte"], {}, [])
    asked: list[Turn] = []
    again = after(saved, listening(asked, "A latte, fine."))
    again.run(4)
    assert [turn.text for turn in asked] == ["a latte"] and again.said_by_agent == ["A latte, fine."]


def test_a_turn_that_was_open_is_answered_on_the_next_stream() -> None:
    talk = VirtualCall(says("no"), QUIET)
    talk.flux("StartOfTurn", "a latte")
    assert left(talk)["unanswered"] == ["a latte"]


def test_the_question_and_the_count_of_turns_go_on() -> None:
    talk = VirtualCall(says("Your number?", Expect("digits", length=2)), QUIET)
    talk.caller("hello")
    talk.run(3)
    seen: list[Turn] = []
    again = after(left(talk), listening(seen, "Thanks."))
    again.press("1", "2")
    again.run(3)
    assert [(turn.index, turn.digits) for turn in seen] == [(1, "12")]


@pytest.mark.parametrize("why", ResumeReason)
def test_only_after_a_transfer_that_failed_the_caller_is_told_so(why: ResumeReason) -> None:
    talk = VirtualCall(says("Fine."), QUIET)
    talk.caller("hello")
    talk.run(3)
    again = after(left(talk), says("no"), why)
    again.run(6)
    assert (again.said_by_agent[1:] == [again.policy.transfer_failed]) == why.transfer_failed
    assert why.transfer_failed == why.startswith("transfer")


def secretive(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
    if turn.index == 0:
        return ["Your PIN?", Expect("digits", sensitive=True)]
    return [Note(pin=turn.digits or turn.text), "Thank you."]


def test_a_secret_answer_is_not_written_and_is_asked_for_again_where_it_is_lost() -> None:
    talk = VirtualCall(secretive, QUIET)
    talk.caller("hello")
    talk.run(3)
    talk.flux("StartOfTurn", "four four")
    talk.flux("Update", "four four one seven")
    saved = left(talk)
    written, kept = split_secrets(saved)
    assert "four" not in json.dumps(written) and written["ask_again"] and written["unanswered"] == []
    assert kept["unanswered"] == ["four four one seven"]
    here, elsewhere = after(written | kept, secretive), after(written, secretive)
    for again in (here, elsewhere):
        again.run(6)
    assert here.said_by_agent[-1] == "Thank you."
    assert elsewhere.said_by_agent[-1] == elsewhere.wording.reask[0]


def test_without_a_secret_all_is_written() -> None:
    talk = VirtualCall(says("Fine.", Transfer("+14155550111")), QUIET)
    talk.flux("StartOfTurn", "a latte")
    written, kept = split_secrets(left(talk))
    assert kept == {} and written["unanswered"] == ["a latte"] and "redacted" not in written
