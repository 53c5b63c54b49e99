"""`Turn.first`: an answer of which nothing was heard is made again as the answer of the same turn.

An answer has effects: what was done for the first attempt must not be done for the second.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from telephony import events as ev
from telephony.conversation.policy import Policy
from telephony.reply.agent import Said, Say, Turn, Wording
from telephony.testing.virtual_call import VirtualCall

QUIET = Wording(greeting=Say(""), silence=(), fillers=(), bridge="")


def answer(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
    return [f"You said {turn.text}."]


def turns(talk: VirtualCall, *, drafts: bool = False) -> list[tuple[int, int | None]]:
    """Number and first number of every turn that was answered, or begun to be."""
    begun = [command for command in talk.commands if isinstance(command, ev.StartReply)]
    return [(one.turn.index, one.turn.first) for one in begun if one.draft == drafts]


def test_turns_that_are_heard_stand_for_themselves() -> None:
    talk = VirtualCall(answer, QUIET)
    for text in ("a table please", "for two people"):
        talk.caller(text)
        talk.run(5)
    assert turns(talk) == [(0, None), (1, None)]


def test_words_added_before_anything_was_heard_are_of_the_same_first_turn() -> None:
    """However often: until something is heard."""
    talk = VirtualCall(answer, QUIET, think_s=2.0)
    for text in ("a table please", "for two people", "on monday evening"):
        talk.caller(text)
    talk.run(8)
    talk.caller("that is all")
    talk.run(8)
    assert turns(talk) == [(0, None), (1, 0), (2, 0), (3, None)]


def test_a_draft_knows_it_too() -> None:
    """Else it would not be what the turn is answered with."""
    talk = VirtualCall(answer, QUIET, Policy(eager="text"), think_s=1.0)
    talk.caller("a table please", eager=True)
    talk.caller("for two people", eager=True)
    talk.run(8)
    assert turns(talk, drafts=True) == [(0, None), (1, 0)] and turns(talk) == []
    assert talk.said_by_agent == ["You said a table please for two people."]


def test_a_caller_who_is_asked_again_repeats_the_same_turn() -> None:
    """The answer never came: what it did is not done again when the caller says it again."""
    talk = VirtualCall(lambda turn, notes: [] if turn.index == 0 else ["Done."], QUIET)
    talk.caller("a table please")
    talk.run(6)
    talk.caller("I said a table please")
    talk.run(6)
    assert turns(talk) == [(0, None), (1, 0)]


@pytest.mark.parametrize("again", [1, 2])
def test_it_goes_with_the_call_to_another_stream(again: int) -> None:
    talk = VirtualCall(answer, QUIET, think_s=9.0)
    talk.caller("a table please")
    for _ in range(again):
        state = json.loads(json.dumps(talk.conversation.state_to_resume()))
        talk = VirtualCall(answer, QUIET, resumed=state, think_s=9.0)
        talk.run(1.0)
    assert turns(talk) == [(again, 0)]
