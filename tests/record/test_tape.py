"""The tape: what was written can be read back, and run again with the same outcome."""

from __future__ import annotations

import pytest

from telephony import events as ev
from telephony.conversation.policy import Policy
from telephony.errors import BadInput
from telephony.record import tape
from telephony.reply.agent import Expect, HangUp, Note, Wording
from telephony.testing.virtual_call import VirtualCall


def test_a_tape_read_back_and_run_again_gives_the_same_commands() -> None:
    policy = Policy(eager="voice", eager_eot_threshold=0.5)
    talk = VirtualCall(
        lambda turn, notes: (
            [Note(order=turn.text), f"So {turn.text}. Anything else?", Expect("yes_no")]
            if turn.index < 2
            else ["Goodbye.", HangUp()]
        ),
        Wording(),
        policy,
    )
    talk.run(3)
    talk.caller("a small latte", eager=True)
    talk.run(1)
    talk.caller("no a mocha please", eager=True)
    talk.press("1")
    talk.run(4)
    talk.caller("that's all", eager=True)
    talk.run(6)
    assert talk.over

    lines = [tape.header(talk.wording, policy), *(tape.entry(*row) for row in talk.tape)]
    wording, read_policy, entries = tape.read(lines)
    assert (wording, read_policy) == (talk.wording, policy)
    rows = list(entries)
    assert [row.event for row in rows] == [event for _, event, _ in talk.tape]
    assert [row.commands for row in rows] == [commands for _, _, commands in talk.tape]
    assert tape.run_again(wording, read_policy, rows) == [row.commands for row in rows]


@pytest.mark.parametrize("text", [b"", b"{}", b"hello", b'{"tape": 99}'])
def test_what_is_no_tape_is_refused_in_one_line(text: bytes) -> None:
    with pytest.raises(BadInput, match="tape"):
        tape.read([text])


def test_a_tape_of_an_older_version_is_refused_with_one_line_that_says_so() -> None:
    """Its events have other names: run again, it would mean something else, or nothing."""
    first = tape.header(Wording(), Policy()).replace(b'"tape":2', b'"tape":1')
    with pytest.raises(BadInput) as refused:
        tape.read([first, b'{"at": 0.1, "event": {"_": "TurnHeard"}, "commands": []}'])
    assert str(refused.value) == "this tape has version 1, and this telephony reads version 2 only"


def test_what_decides_comes_back_as_what_it_was() -> None:
    """An end, a hang-up and a decision are enums again, not their texts."""
    talk = VirtualCall(lambda turn, notes: ["Goodbye.", HangUp()])
    talk.run(3)
    talk.caller("bye")
    talk.run(6)
    _, _, rows = tape.read([tape.header(Wording(), Policy()), *(tape.entry(*row) for row in talk.tape)])
    commands = [command for row in rows for command in row.commands]
    (end,) = [command for command in commands if isinstance(command, ev.EndCall)]
    assert end.reason is ev.HangUpReason.GOODBYE
    stopped = tape.entry(
        1.0, ev.CallStopped(ev.EndReason.SOCKET_LOST), [ev.DecisionLogged(ev.Decision.CUT, "x")]
    )
    _, _, rows = tape.read([tape.header(Wording(), Policy()), stopped])
    (row,) = rows
    assert isinstance(row.event, ev.CallStopped) and row.event.reason is ev.EndReason.SOCKET_LOST
    assert isinstance(row.commands[0], ev.DecisionLogged) and row.commands[0].what is ev.Decision.CUT
