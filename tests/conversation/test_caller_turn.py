"""The caller's turn while we speak: pause, go on or cut; and listening that fails."""

from __future__ import annotations

from typing import Any

import pytest

from telephony import events as ev
from telephony.conversation.policy import FORCED_END_S, Policy
from telephony.listen.events import SttConnected, SttDisconnected
from telephony.reply.agent import Say, Wording
from telephony.testing.virtual_call import VirtualCall

QUIET = Wording(greeting=Say(""), silence=())
LONG = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen."


def speaking(policy: Policy | None = None, *, interruptible: bool = True) -> VirtualCall:
    """A call in which the agent is in the middle of a long answer, and has another one."""

    def agent(turn: Any, notes: Any) -> list[Any]:
        return [Say(LONG, interruptible)] if turn.index == 0 else [f"You said {turn.text}."]

    talk = VirtualCall(agent, QUIET, policy)
    talk.caller("count")
    talk.run(2)
    return talk


def kinds(talk: VirtualCall, since: int) -> list[str]:
    return [decision.split(":")[0] for decision in talk.decisions()[since:]]


def test_a_start_of_turn_pauses_us_and_words_cut_us_at_their_end() -> None:
    talk = speaking()
    before = len(talk.decisions())
    talk.caller("no stop that")
    assert kinds(talk, before) == ["pause", "cut"]
    talk.run(3)
    assert talk.said_by_agent[-1] == "You said no stop that."


def test_a_start_that_no_word_follows_lets_us_go_on_after_the_pause() -> None:
    talk = speaking()
    before = len(talk.decisions())
    talk.flux("StartOfTurn", "uh")
    talk.run(talk.policy.pause_s - 0.1)
    assert kinds(talk, before) == ["pause"]
    talk.run(0.2)
    assert kinds(talk, before) == ["pause", "go on"]
    talk.run(8)
    assert talk.said_by_agent == [LONG]


def test_words_after_a_backchannel_pause_us_again() -> None:
    talk = speaking()
    before = len(talk.decisions())
    talk.flux("StartOfTurn", "uh-huh")
    talk.run(0.3)
    talk.flux("Update", "uh-huh", quiet_s=talk.policy.early_quiet_s - 0.1)
    assert kinds(talk, before) == ["pause"]
    talk.run(0.2)
    talk.flux("Update", "uh-huh", quiet_s=talk.policy.early_quiet_s + 0.01)
    assert talk.decisions()[before + 1 :] == ["go on: a backchannel, then silence"]
    talk.run(0.2)
    talk.flux("Update", "uh-huh but wait")
    assert kinds(talk, before) == ["pause", "go on", "pause"]


def test_a_turn_while_we_are_silent_pauses_nothing() -> None:
    talk = VirtualCall(lambda turn, notes: ["Fine."], QUIET)
    talk.caller("hello there")
    assert talk.decisions() == []


def test_a_turn_whose_listening_is_lost_and_not_back_is_asked_for_again() -> None:
    talk = VirtualCall(lambda turn, notes: ["no"], QUIET)
    talk.flux("StartOfTurn", "a latte")
    talk.put(SttDisconnected("reset"))
    talk.run(talk.policy.silent_listener_s - 0.1)
    assert talk.decisions() == []
    talk.run(0.2)
    assert talk.decisions() == ["ask again: listening was lost"]


@pytest.mark.parametrize(
    ("barge_in", "first"), [("patient", "pause"), ("immediate", "cut"), ("off", "no pause")]
)
def test_the_policy_says_what_a_start_of_turn_does(barge_in: Any, first: str) -> None:
    talk = speaking(Policy(barge_in=barge_in))
    before = len(talk.decisions())
    talk.flux("StartOfTurn", "no stop")
    assert kinds(talk, before) == [first]


def test_what_is_said_over_words_that_must_be_finished_is_answered_after_them() -> None:
    talk = speaking(interruptible=False)
    before = len(talk.decisions())
    talk.caller("no stop that")
    assert kinds(talk, before) == ["no pause", "keep"]
    talk.run(10)
    assert talk.said_by_agent == [LONG, "You said no stop that."]


def test_our_own_sound_pauses_nothing() -> None:
    talk = speaking()
    before = len(talk.decisions())
    talk.put(ev.EchoMeasured(0.9, talk.now))
    talk.flux("StartOfTurn", "some other words")
    talk.put(ev.EchoMeasured(0.9, talk.now))
    talk.flux("EndOfTurn", "some other words")
    assert kinds(talk, before) == ["no pause", "go on"] and "our own echo" in talk.decisions()[-1]


def commands(talk: VirtualCall, kind: type) -> list[float]:
    """When commands of a kind came out."""
    return [at for at, _, made in talk.tape for command in made if isinstance(command, kind)]


def test_a_turn_that_does_not_end_is_ended_and_its_dead_socket_reopened() -> None:
    talk = VirtualCall(lambda turn, notes: ["no"], QUIET)
    talk.flux("StartOfTurn", "a latte")
    begun = talk.now
    talk.run(20)
    (forced,), (reopened,) = commands(talk, ev.EndTurn), commands(talk, ev.ReopenListening)
    stuck_s = talk.policy.eot_timeout_ms / 1000 + 2.0
    assert forced == pytest.approx(begun + stuck_s) and reopened == pytest.approx(forced + FORCED_END_S)
    assert talk.said_by_agent[-1] == talk.wording.reask[0]


def test_a_turn_that_was_open_when_listening_was_lost_is_asked_for_again_if_it_does_not_come() -> None:
    talk = VirtualCall(lambda turn, notes: ["no"], QUIET)
    talk.flux("StartOfTurn", "a latte")
    talk.put(SttDisconnected("reset"))
    talk.put(SttConnected(2, talk.now))
    talk.run(9)
    assert talk.said_by_agent == [talk.wording.reask[0]]


@pytest.mark.parametrize(("retry", "within_s"), [(False, 0.5), (True, 4.0)])
def test_without_listening_the_caller_hears_an_apology_and_the_call_ends(
    retry: bool, within_s: float
) -> None:
    talk = VirtualCall(lambda turn, notes: ["no"], QUIET)
    talk.put(SttDisconnected("refused", 401, retry=retry))
    talk.run(within_s + 10)
    assert talk.said_by_agent[-1] == talk.policy.apology and talk.ended == "goodbye"


def test_a_long_turn_is_acknowledged_once_at_a_pause() -> None:
    talk = VirtualCall(lambda turn, notes: ["no"], QUIET, Policy(monologue_s=5.0))
    talk.flux("StartOfTurn", "so")
    for count in range(2, 30):
        talk.run(0.4)
        talk.flux("Update", " ".join(["so"] * count), quiet_s=0.4)
    assert [d for d in talk.decisions() if d.startswith("acknowledge")] == [
        "acknowledge: a long turn, at a pause"
    ]
