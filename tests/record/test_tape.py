"""The tape: what was written can be read back, and run again with the same outcome."""

from __future__ import annotations

import pytest

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
