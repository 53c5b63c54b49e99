"""An answer that was cut by what then came to nothing is given after all."""

from __future__ import annotations

import pytest

from telephony import events as ev
from telephony.conversation.policy import Policy
from telephony.testing.virtual_call import VirtualCall


@pytest.mark.parametrize("think_s", [0.5, 2.0])
def test_our_echo_does_not_cost_the_caller_their_answer(think_s: float) -> None:
    """The answer is cut at the first sound, before it is known that the sound is our own greeting's echo."""
    talk = VirtualCall(
        lambda turn, notes: [f"You said {turn.text}."], None, Policy("immediate"), think_s=think_s
    )
    talk.run(1.9)
    talk.flux("StartOfTurn", "a")
    talk.flux("EndOfTurn", "a small latte", quiet_s=0.1)
    talk.run(0.2)
    talk.flux("StartOfTurn", "yeah")
    talk.run(0.3)
    talk.flux("EndOfTurn", "how can I help you", quiet_s=0.3)
    echoes = [c for c in talk.commands if isinstance(c, ev.DecisionLogged) and "echo" in c.reason]
    assert echoes, "the sound was not taken for our echo"
    talk.run(6)
    answers = [c.turn.text for c in talk.commands if isinstance(c, ev.StartReply)]
    assert answers == ["a small latte", "a small latte"]
    assert talk.said_by_agent.count("You said a small latte.") == 1
