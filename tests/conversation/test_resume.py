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


def cut_off(*then: Said) -> dict[str, Any]:
    """What is left when the stream is lost in the middle of a long answer that ends with this."""
    talk = VirtualCall(says(LONG, *then), QUIET)
    talk.caller("count")
    talk.run(2)
    return left(talk)


def test_what_the_rest_of_a_sentence_asks_is_asked_on_the_next_stream() -> None:
    seen: list[Turn] = []
    again = after(cut_off(Expect("digits", length=2)), listening(seen, "Thanks."))
    again.run(6)
    again.press("1", "2")
    again.run(0.1)
    assert [turn.digits for turn in seen] == ["12"]


def test_where_the_rest_of_a_sentence_leads_the_next_stream_goes() -> None:
    again = after(cut_off(Transfer("+14155550111")), says("no"))
    again.run(6)
    assert again.transferred_to == "+14155550111"


def test_words_of_several_turns_are_answered_as_one() -> None:
    talk = VirtualCall(says(LONG), QUIET, speak_s=5.0)
    talk.caller("a latte")
    talk.run(0.5)
    talk.flux("StartOfTurn", "and a muffin")
    seen: list[Turn] = []
    again = after(left(talk), listening(seen, "Fine."))
    again.run(2)
    assert [turn.text for turn in seen] == ["a latte and a muffin"]


def test_words_that_were_kept_for_later_are_not_lost() -> None:
    talk = VirtualCall(says(Say(LONG, interruptible=False)), QUIET)
    talk.caller("count")
    talk.run(1)
    talk.caller("and a muffin")
    assert left(talk)["unanswered"] == ["and a muffin"]


def test_a_sensitive_question_stays_with_its_answer_that_nobody_confirmed() -> None:
    talk = VirtualCall(secretive, QUIET, speak_s=lambda phrase: 0.05)
    talk.caller("hello")
    talk.run(3)
    talk.flux("StartOfTurn", "4417")
    talk.flux("EndOfTurn", "4417")
    saved = left(talk)
    assert saved["question"][:1] == ["digits"] and saved["answers"] == ["4417"] == saved["unanswered"]
