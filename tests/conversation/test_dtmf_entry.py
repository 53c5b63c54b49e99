"""Keys: when an entry is complete, and what its tones are not taken for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from telephony import events as ev
from telephony.conversation.dtmf_entry import LONGEST_ENTRY
from telephony.reply.agent import Expect, Said, Say, Turn, Wording
from telephony.testing.virtual_call import VirtualCall

QUIET = Wording(greeting=Say(""), silence=())


class Desk:
    """A call to an agent that asks once and keeps what was keyed in."""

    def __init__(self, *question: Expect) -> None:
        self.entries: list[str | None] = []
        self.question = question
        self.talk = VirtualCall(self.answer, QUIET)
        self.talk.caller("hello")
        self.talk.run(3)

    def answer(self, turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        if turn.index == 0:
            return ["Your number?", *self.question]
        self.entries.append(turn.digits)
        return ["Thanks."]

    def press(self, keys: str, then_s: float = 0.0) -> None:
        self.talk.press(*keys)
        self.talk.run(then_s)


def test_a_hash_ends_an_entry_at_once_and_does_not_belong_to_it() -> None:
    desk = Desk(Expect("digits"))
    desk.press("1234#")
    assert desk.entries == ["1234"]


@pytest.mark.parametrize(
    ("question", "pause_s"), [(Expect("digits"), 5.0), (Expect("digits", pause_s=2.0), 2.0)]
)
def test_a_pause_ends_an_entry_that_was_asked_for(question: Expect, pause_s: float) -> None:
    desk = Desk(question)
    desk.press("12", pause_s - 0.3)
    assert desk.entries == []
    desk.talk.run(0.3)
    assert desk.entries == ["12"]


def test_a_key_that_nobody_asked_for_is_an_entry_after_a_moment() -> None:
    desk = Desk()
    desk.press("0", 1.5)
    assert desk.entries == ["0"]


def test_the_last_key_of_a_known_length_ends_it_and_the_hash_after_it_is_part_of_it() -> None:
    desk = Desk(Expect("digits", length=3))
    desk.press("123")
    assert desk.entries == ["123"]
    desk.press("#", 6.0)
    assert desk.entries == ["123"], "the # is not an entry of its own"


def test_an_entry_is_bounded_to_its_newest_keys() -> None:
    desk = Desk(Expect("digits"))
    desk.press("1" * 10 + "2" * LONGEST_ENTRY + "#")
    assert desk.entries == ["2" * LONGEST_ENTRY]


def test_a_key_over_the_question_cuts_it_and_answers_it() -> None:
    talk = VirtualCall(lambda turn, notes: ["Please key in your number now.", Expect("digits", length=2)]
                       if turn.index == 0 else [f"Got {turn.digits}."], QUIET)  # fmt: skip
    talk.caller("hello")
    talk.run(0.6)
    talk.press("1", "2")
    talk.run(3)
    assert "cut: a key was pressed" in talk.decisions() and talk.said_by_agent[-1] == "Got 12."


def test_an_entry_in_mid_turn_ends_the_turn_and_is_answered_with_it() -> None:
    desk = Desk(Expect("digits"))
    desk.talk.flux("StartOfTurn", "my number is")
    desk.press("12#")
    assert any(isinstance(command, ev.EndTurn) for command in desk.talk.commands) and desk.entries == []
    desk.talk.flux("EndOfTurn", "my number is")
    assert desk.entries == ["12"]


def test_a_word_in_a_keys_tone_is_not_a_turn_of_the_caller() -> None:
    desk = Desk(Expect("digits"))
    desk.talk.put(ev.DtmfPressed("5"))
    at = desk.talk.now
    desk.talk.run(0.3)
    desk.talk.flux("EndOfTurn", "beep", times=[(at, at + 0.1)])
    assert desk.talk.decisions()[-1] == "go on: the keys' own sound" and desk.entries == []


def test_words_beside_a_tone_are() -> None:
    desk = Desk(Expect("digits"))
    desk.talk.put(ev.DtmfPressed("5"))
    desk.talk.run(2.0)
    desk.talk.caller("five, I said")
    desk.talk.run(6.0)
    assert (
        desk.entries == ["5"]
        and "keep: answered with the keys that are being pressed" in desk.talk.decisions()
    )


def test_a_recording_is_silent_where_keys_that_nobody_asked_for_were_pressed() -> None:
    asked, unasked = Desk(Expect("digits")), Desk()
    for desk in (asked, unasked):
        desk.press("5", 2.0)
    assert asked.talk.conversation.blanks == [] and len(unasked.talk.conversation.blanks) == 1
    begin, end = unasked.talk.conversation.blanks[0]
    pressed = next(at for at, event, _ in unasked.talk.tape if isinstance(event, ev.DtmfPressed))
    assert begin < pressed < end
