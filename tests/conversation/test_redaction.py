"""Sensitive answers are in no file, spoken or keyed in; the tape still runs again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from telephony import events as ev
from telephony.conversation.policy import Policy
from telephony.conversation.resume import split_secrets
from telephony.record import tape
from telephony.reply.agent import Expect, Note, Said, Say, Turn, Wording
from telephony.reply.script_state import State
from telephony.reply.yielded import checked
from telephony.testing.virtual_call import VirtualCall

QUIET = Wording(greeting=Say(""), silence=())
PIN = Expect("digits", sensitive=True)


class Bank:
    """Asks for a PIN, notes it, and goes on to something else."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def __call__(self, turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        self.turns.append(turn)
        if turn.index == 0:
            return ["Please key in or say your pin.", PIN]
        if turn.index == 1:
            return [Note(pin=turn.digits or turn.text), "Thank you. Which account?"]
        return ["Fine."]


def written(talk: VirtualCall) -> bytes:
    """All that is kept of a call: the tape, the record, what it was resumed from."""
    lines = [tape.entry(at, event, commands) for at, event, commands in talk.written]
    record = json.dumps(talk.conversation.transcript.turns_json(0.0))
    return tape.header(talk.wording, talk.policy) + b"".join(lines) + record.encode()


def assert_runs_again(talk: VirtualCall) -> None:
    lines = [tape.entry(at, event, commands) for at, event, commands in talk.written]
    wording, policy, rows = tape.read([tape.header(talk.wording, talk.policy), *lines])
    entries = list(rows)
    assert tape.run_again(wording, policy, entries) == [entry.commands for entry in entries]


@pytest.mark.parametrize("early", [False, True])
def test_keys_are_neither_on_the_tape_nor_in_the_record(early: bool) -> None:
    bank = Bank()
    talk = VirtualCall(bank, QUIET)
    talk.caller("my account")
    talk.run(0.8 if early else 4)
    talk.press("4", "9", "3", "7", "#")
    talk.run(5)
    talk.caller("savings")
    talk.run(3)
    assert [turn.digits for turn in bank.turns] == [None, "4937", None], "the agent has them"
    assert b"4937" not in written(talk) and b'"digit":"4"' not in written(talk)
    assert_runs_again(talk)


@pytest.mark.parametrize("eager", ["off", "voice"])
def test_words_are_neither_on_the_tape_nor_in_the_record(eager: Any) -> None:
    bank = Bank()
    talk = VirtualCall(bank, QUIET, Policy(eager=eager, eager_eot_threshold=0.5))
    talk.caller("my account")
    talk.run(4)
    talk.caller("it is tangerine seven", eager=True)
    talk.run(0.2)
    talk.caller("no tangerine eight")
    talk.run(5)
    talk.caller("savings")
    talk.run(3)
    assert "it is tangerine seven" in [turn.text for turn in bank.turns], "the agent has them"
    text = written(talk)
    assert b"tangerine" not in text and b"seven" not in text
    assert b"savings" in text, "what is said later is written down"
    assert "(redacted)" in [line.text for line in talk.conversation.transcript.history]
    assert_runs_again(talk)


def test_a_resumed_call_keeps_it_to_itself_too() -> None:
    bank = Bank()
    talk = VirtualCall(bank, QUIET, speak_s=2.0)
    talk.caller("my account")
    talk.run(6)
    talk.press("4", "9", "3", "7", "#")
    talk.run(0.5)
    talk.put(ev.CallStopped(ev.EndReason.SOCKET_LOST))
    again = VirtualCall(bank, QUIET, resumed=talk.conversation.state_to_resume())
    again.run(4)
    assert bank.turns[-1].digits == "4937"
    assert b"4937" not in written(talk) + written(again)
    assert_runs_again(again)


def test_a_step_that_is_not_sensitive_is_written_as_it_is() -> None:
    talk = VirtualCall(lambda turn, notes: ["Which table?", Expect("digits")], QUIET)
    talk.caller("my account")
    talk.run(3)
    talk.press("4", "2", "#")
    talk.run(2)
    assert talk.written == talk.tape


def card_desk(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
    """Asks once, answers everything, and notes whatever it is given."""
    if turn.index == 0:
        return ["Your card number, please.", PIN]
    return [Note(card=turn.digits or turn.text, last=(turn.digits or turn.text)[-4:]), "All right."]


FILLERS = ["okay one second", "let me get my card", "the first one?", "hold on", "give me two minutes",
           "why do you need that", "say that again", "sure", "one moment please"]  # fmt: skip


@pytest.mark.parametrize("filler", FILLERS)
def test_a_sensitive_question_stays_open_until_it_is_answered(filler: str) -> None:
    talk = VirtualCall(card_desk, QUIET)
    talk.caller("my account")
    talk.run(4)
    talk.caller(filler)
    talk.run(4)
    talk.caller("it is tangerine four one one one")
    talk.run(4)
    text = written(talk)
    assert b"tangerine" not in text and b"one one" not in text
    talk.caller("savings please")
    talk.run(3)
    assert b"savings" in written(talk), "it was answered"
    assert_runs_again(talk)


def test_a_sensitive_question_is_given_up() -> None:
    """When the agent expects something else; or after three turns that do not answer it."""
    answers: list[tuple[list[Said], int]] = [
        (["Never mind. Which table?", Expect("open")], 1),
        (["All right."], 3),
    ]
    for answer, turns in answers:

        def desk(turn: Turn, notes: Mapping[str, Any], answer: list[Said] = answer) -> list[Said]:
            return ["Your card number, please.", PIN] if turn.index == 0 else answer

        talk = VirtualCall(desk, QUIET)
        talk.caller("my account")
        talk.run(4)
        for _ in range(turns):
            talk.caller("I will not tell you that")
            talk.run(4)
        talk.caller("savings please")
        talk.run(3)
        assert b"savings" in written(talk), turns
        assert_runs_again(talk)


@pytest.mark.parametrize("question", [None, Expect("yes_no"), Expect("open"), Expect("choice", ("a", "b"))])
def test_keys_that_nobody_asked_for_are_masked(question: Expect | None) -> None:
    def desk(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        asked: list[Said] = [question] if question else []
        return (
            ["Yes?", *asked]
            if turn.index == 0
            else [Note(k=turn.digits, last=(turn.digits or "")[-4:]), "Fine."]
        )

    talk = VirtualCall(desk, QUIET)
    talk.caller("my account")
    talk.run(4)
    talk.press(*"41728364915052", "#")
    talk.run(4)
    text = written(talk)
    assert b"4172" not in text and b"5052" not in text and not re.search(rb'"digit":"[0-9]"', text)
    assert talk.conversation.notes["k"] == "41728364915052", "the agent has them"
    assert "5052" not in json.dumps(talk.conversation.written_notes())
    assert_runs_again(talk)


@pytest.mark.parametrize("said", ["no it is four one one two", "I meant 4112 1111", "4 1 1 1 you know"])
def test_a_number_that_is_said_later_is_redacted_too(said: str) -> None:
    """It may correct the answer, or be it once more: unless the agent has asked for a number."""
    talk = VirtualCall(card_desk, QUIET)
    talk.caller("my account")
    talk.run(4)
    talk.press(*"4111", "#")
    talk.run(6)
    talk.caller(said)
    talk.run(4)
    text = written(talk).lower()
    assert b"one one" not in text and b"4112" not in text and b"1 1 1" not in text
    assert_runs_again(talk)


def test_a_harmless_number_that_is_asked_for_afterwards_is_written() -> None:
    def desk(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        return ["Your card number, please.", PIN] if turn.index == 0 else ["Your table?", Expect("digits")]

    talk = VirtualCall(desk, QUIET)
    talk.caller("my account")
    talk.run(4)
    talk.press(*"4111", "#")
    talk.run(6)
    talk.caller("seven two three four")
    talk.run(6)
    talk.press(*"7234", "#")
    talk.run(4)
    text = written(talk)
    assert b"seven two three four" in text and b"7234" in text and b"4111" not in text
    assert_runs_again(talk)


READ_BACK = [["I have 41728364915052. Right?"], ["I have 4172", "8364", "915052. ", "Right?"]]


@pytest.mark.parametrize("deltas", READ_BACK)
@pytest.mark.parametrize("keyed", [True, False])
def test_what_the_agent_reads_back_is_hidden(deltas: list[str], keyed: bool) -> None:
    """On the tape, in the record, and in what a later stream gets."""

    def desk(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        return ["Your card number, please.", PIN] if turn.index == 0 else [*deltas]

    talk = VirtualCall(desk, QUIET)
    talk.caller("my account")
    talk.run(4)
    if keyed:
        talk.press(*"41728364915052", "#")
    else:
        talk.caller("four one seven two eight three six four nine one five zero five two")
    talk.run(8)
    talk.caller("yes that is right")
    talk.run(8)
    text = written(talk) + json.dumps(split_secrets(talk.conversation.state_to_resume())[0]).encode()
    for part in (b"4172", b"8364", b"5052", b"seven two"):
        assert part not in text
    assert "I have 41728364915052. Right?" in talk.said_by_agent[-1], "the caller heard it"
    assert_runs_again(talk)


def resumed(talk: VirtualCall, *, here: bool) -> dict[str, Any]:
    """What the next stream gets: in this process, or in another one."""
    saved, secrets = split_secrets(json.loads(json.dumps(talk.conversation.state_to_resume())))
    assert b"4937" not in json.dumps(saved).encode() and b"tangerine" not in json.dumps(saved).encode()
    return saved | secrets if here else saved


@pytest.mark.parametrize("spoken", [True, False])
def test_another_process_asks_again_for_what_was_not_saved(spoken: bool) -> None:
    bank = Bank()
    talk = VirtualCall(bank, QUIET, speak_s=2.0)
    talk.caller("my account")
    talk.run(6)
    if spoken:
        talk.caller("tangerine four nine three seven")
    else:
        talk.press("4", "9", "3", "7", "#")
    talk.run(0.5)
    talk.put(ev.CallStopped(ev.EndReason.SOCKET_LOST))
    here = VirtualCall(bank, QUIET, resumed=resumed(talk, here=True))
    here.run(4)
    assert (bank.turns[-1].digits, bank.turns[-1].text)[spoken] in ("4937", "tangerine four nine three seven")
    there = VirtualCall(bank, QUIET, resumed=resumed(talk, here=False))
    there.run(6)
    assert there.said_by_agent[-1] == Wording().reask[0], "and the question is open"
    there.press("4", "9", "3", "7", "#")
    there.run(4)
    assert bank.turns[-1].digits == "4937"
    assert b"4937" not in written(here) + written(there)
    for again in (here, there):
        assert_runs_again(again)


def test_notes_of_secrets_are_lost_elsewhere_and_others_are_not() -> None:
    def desk(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        if turn.index == 0:
            return [Note(name="Ada"), "Your pin, please.", PIN]
        return [Note(pin=turn.digits), Note.without_secrets(paid=True), "Thank you."]

    talk = VirtualCall(desk, QUIET)
    talk.caller("my account")
    talk.run(4)
    talk.press("4", "9", "3", "7", "#")
    talk.run(4)
    assert talk.conversation.written_notes() == {"name": "Ada", "pin": "(redacted)", "paid": True}
    assert resumed(talk, here=False)["notes"] == {"name": "Ada", "paid": True}
    assert resumed(talk, here=True)["notes"] == {"name": "Ada", "pin": "4937", "paid": True}


def test_a_script_goes_on_elsewhere_after_a_sensitive_question() -> None:
    """What it notes says that something was given, not what."""
    note = State(asked="book.phone", partial={"name": "Ada"}).note()
    assert note.clean and checked(note).clean  # type: ignore[union-attr]
