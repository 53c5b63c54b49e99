"""An agent that is still making its reply learns when the caller makes a sound, and when it was nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telephony import events as ev
from telephony.conversation.policy import Policy
from telephony.reply.agent import Said, Say, Turn, Wording
from telephony.testing.virtual_call import VirtualCall

QUIET = Wording(greeting=Say(""), silence=())


def slow(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
    return ["Here it is."]


def of(talk: VirtualCall, *kinds: type) -> list[str]:
    return [type(command).__name__ for command in talk.commands if isinstance(command, kinds)]


REPLY_COMMANDS = (ev.PauseReply, ev.ContinueReply, ev.CancelReply)


def test_a_backchannel_pauses_a_reply_that_is_being_made_and_lets_it_go_on() -> None:
    talk = VirtualCall(slow, QUIET, think_s=3.0)
    talk.caller("tell me a story")
    talk.run(0.5)
    talk.flux("StartOfTurn", "uh")
    assert of(talk, *REPLY_COMMANDS) == ["PauseReply"]
    talk.run(0.3)
    talk.flux("EndOfTurn", "uh", quiet_s=0.3)
    talk.run(3)
    assert of(talk, *REPLY_COMMANDS)[:2] == ["PauseReply", "ContinueReply"]
    assert talk.said_by_agent == ["Here it is."] or not talk.said_by_agent


def test_words_pause_it_with_their_first_sound_and_cancel_it_at_their_end() -> None:
    talk = VirtualCall(slow, QUIET, think_s=3.0)
    talk.caller("tell me a story")
    talk.run(0.5)
    talk.caller("no wait a minute please")
    assert of(talk, *REPLY_COMMANDS) == ["PauseReply", "CancelReply"]


def test_a_reply_that_is_complete_is_not_paused() -> None:
    talk = VirtualCall(slow, QUIET)
    talk.caller("tell me a story")
    talk.run(0.5)
    talk.flux("StartOfTurn", "uh")
    assert of(talk, *REPLY_COMMANDS) == []


def test_where_the_caller_always_gets_their_way_it_is_cancelled_at_once() -> None:
    talk = VirtualCall(slow, QUIET, Policy(barge_in="immediate"), think_s=3.0)
    talk.caller("tell me a story")
    talk.run(0.5)
    talk.flux("StartOfTurn", "no")
    assert of(talk, *REPLY_COMMANDS) == ["CancelReply"]
