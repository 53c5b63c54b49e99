"""The agent's turn: answers that are late, failed or empty, and what happens once they are heard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from telephony import events as ev
from telephony.conversation.policy import GOODBYE_S, Policy
from telephony.reply.agent import HangUp, Note, Said, Say, SilenceStep, Transfer, Turn, Wait, Wording
from telephony.testing.virtual_call import VirtualCall

QUIET = Wording(greeting=Say(""), silence=())
LONG = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen."


def says(*said: Said) -> Any:
    return lambda turn, notes: list(said)


def outcome(talk: VirtualCall) -> str:
    """Where the caller was sent, or why we hung up, if that has happened."""
    return talk.transferred_to or talk.ended


def test_a_late_answer_is_bridged_by_fillers_until_it_comes() -> None:
    talk = VirtualCall(says("Here it is."), QUIET, think_s=5.0)
    talk.caller("hello")
    talk.run(9)
    assert [line.text for line in talk.conversation.transcript.history if line.who == "agent"] == [
        "Here it is."
    ]
    spoken = [command.text for command in talk.commands if isinstance(command, ev.Speak)]
    assert spoken[0] in talk.wording.fillers and talk.wording.bridge.startswith(spoken[1])


def test_an_answer_that_never_comes_is_given_up_and_asked_for_again() -> None:
    talk = VirtualCall(says("Too late."), QUIET, think_s=60.0)
    talk.caller("hello")
    talk.run(talk.policy.give_up_s - 0.5)
    assert "ask again: no reply in time" not in talk.decisions()
    talk.run(5)
    assert (
        "ask again: no reply in time" in talk.decisions() and talk.said_by_agent[-1] == talk.wording.reask[0]
    )


def test_an_empty_answer_is_asked_for_again_but_not_one_that_does_something() -> None:
    for said, asked in (([], True), ([Say("")], True), ([Transfer("+14155550111")], False)):
        talk = VirtualCall(says(*said), QUIET)
        talk.caller("hello")
        talk.run(1)
        assert any(d.startswith("ask again") for d in talk.decisions()) == asked


def test_an_action_waits_until_its_words_were_heard_and_is_lost_with_them() -> None:
    talk = VirtualCall(says("I will connect you now.", Transfer("+14155550111")), QUIET)
    talk.caller("a human")
    talk.run(1)
    assert not outcome(talk)
    talk.run(4)
    assert outcome(talk) == "+14155550111" and talk.over
    talk = VirtualCall(says("I will connect you now.", Transfer("+14155550111")), QUIET)
    talk.caller("a human")
    talk.run(0.8)
    talk.caller("no please wait")
    talk.run(0.5)
    assert not outcome(talk)


def test_an_answer_that_nobody_heard_is_answered_together_with_the_next_words_and_its_notes_are_undone() -> (
    None
):
    seen: list[tuple[str, dict[str, Any]]] = []

    def agent(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        seen.append((turn.text, dict(notes)))
        return [Note(order=turn.text), LONG]

    talk = VirtualCall(agent, QUIET, speak_s=2.0)
    talk.caller("a latte")
    talk.run(0.5)
    talk.caller("and a muffin")
    talk.run(1)
    assert seen == [("a latte", {}), ("a latte and a muffin", {})]


def test_the_record_says_when_the_words_and_the_sound_of_an_answer_came() -> None:
    talk = VirtualCall(says("Fine."), QUIET, think_s=0.2, speak_s=0.3)
    talk.caller("hello")
    ended = talk.now
    talk.run(3)
    part = talk.conversation.transcript.records[0].agent
    assert part is not None and part.first_text_at == pytest.approx(ended + 0.2)
    assert part.first_sound_at == pytest.approx(ended + 0.5) and part.first_sent_at == part.first_sound_at


def test_a_draft_that_is_empty_is_no_failure_until_it_is_the_answer() -> None:
    talk = VirtualCall(says(), QUIET, Policy(eager="text"))
    talk.flux("StartOfTurn", "hello")
    talk.flux("EagerEndOfTurn", "hello")
    talk.run(0.1)
    assert talk.decisions() == []
    talk.flux("EndOfTurn", "hello")
    assert talk.decisions() == ["ask again: an empty reply"]


def test_silence_is_broken_step_by_step_and_rests_while_the_caller_asked_us_to_wait() -> None:
    wording = Wording(greeting=Say(""), silence=(SilenceStep(3.0, "Hello?"), SilenceStep(3.0, "Bye.", True)))
    talk = VirtualCall(says("Take your time.", Wait()), wording)
    talk.caller("one second")
    talk.run(talk.policy.wait_s - 1)
    assert talk.said_by_agent == ["Take your time."]
    talk.run(20)
    assert talk.said_by_agent == ["Take your time.", "Hello?", "Bye."] and talk.ended == "goodbye"


def test_a_goodbye_whose_marks_never_come_still_ends_the_call() -> None:
    talk = VirtualCall(says("Goodbye.", HangUp()), QUIET, return_mark=lambda name: ())
    talk.caller("bye now")
    talk.run(GOODBYE_S)
    assert talk.ended == "goodbye"


def test_a_goodbye_without_a_voice_is_not_waited_for_for_ever() -> None:
    talk = VirtualCall(says("Goodbye.", HangUp()), QUIET, speak_s=1e6)
    talk.caller("bye now")
    talk.run(talk.policy.give_up_s + GOODBYE_S - 1)
    assert not outcome(talk)
    talk.run(2)
    assert outcome(talk) == "goodbye overdue"


@pytest.mark.parametrize(("failing", "asked_again"), [(1, False), (2, True)])
def test_a_phrase_is_tried_twice_before_the_caller_is_asked_again(failing: int, asked_again: bool) -> None:
    talk = VirtualCall(says("Fine."), QUIET)
    talk.failing_phrases = failing
    talk.caller("hello")
    talk.run(8)
    assert talk.said_by_agent == [talk.wording.reask[0] if asked_again else "Fine."]
