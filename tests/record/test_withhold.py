"""Sensitive answers are in no file, spoken or keyed in; the tape runs again all the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from telephony import events as ev
from telephony.policy import Policy
from telephony.record import tape
from telephony.rehearsal import Rehearsal
from telephony.reply.agent import Expect, Manners, Note, Said, Say, Turn

QUIET = Manners(greeting=Say(""), silence=())
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


def written(talk: Rehearsal) -> bytes:
    """All that is kept of a call: the tape, the record, what it was resumed from."""
    lines = [tape.entry(at, event, commands) for at, event, commands in talk.written]
    record = json.dumps(talk.conversation.account.turns_json(0.0))
    return tape.header(talk.manners, talk.policy) + b"".join(lines) + record.encode()


def assert_runs_again(talk: Rehearsal) -> None:
    lines = [tape.entry(at, event, commands) for at, event, commands in talk.written]
    manners, policy, rows = tape.read([tape.header(talk.manners, talk.policy), *lines])
    entries = list(rows)
    assert tape.run_again(manners, policy, entries) == [entry.commands for entry in entries]


@pytest.mark.parametrize("early", [False, True])
def test_keys_are_neither_on_the_tape_nor_in_the_record(early: bool) -> None:
    bank = Bank()
    talk = Rehearsal(bank, QUIET)
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
    talk = Rehearsal(bank, QUIET, Policy(eager=eager, eager_eot_threshold=0.5))
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
    assert "(withheld)" in [line.text for line in talk.conversation.account.history]
    assert_runs_again(talk)


def test_a_resumed_call_keeps_it_to_itself_too() -> None:
    bank = Bank()
    talk = Rehearsal(bank, QUIET, speak_s=2.0)
    talk.caller("my account")
    talk.run(6)
    talk.press("4", "9", "3", "7", "#")
    talk.run(0.5)
    talk.put(ev.CallStopped("the socket was lost"))
    again = Rehearsal(bank, QUIET, resumed=talk.conversation.state_to_resume())
    again.run(4)
    assert bank.turns[-1].digits == "4937"
    assert b"4937" not in written(talk) + written(again)
    assert_runs_again(again)


def test_a_step_that_is_not_sensitive_is_written_as_it_is() -> None:
    talk = Rehearsal(lambda turn, notes: ["Which table?", Expect("digits")], QUIET)
    talk.caller("my account")
    talk.run(3)
    talk.press("4", "2", "#")
    talk.run(2)
    assert talk.written == talk.tape
