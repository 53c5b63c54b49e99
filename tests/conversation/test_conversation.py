"""Turn-taking, on virtual time: what a caller would notice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from telephony import events as ev
from telephony.conversation.conversation import Conversation
from telephony.conversation.policy import Policy
from telephony.listen.events import SttConnected, SttDisconnected
from telephony.reply.agent import Expect, HangUp, Note, Said, Say, SilenceStep, Transfer, Turn, Wait, Wording
from telephony.testing.virtual_call import VirtualCall, VirtualVoice
from tests.speakerphone import echo as echo_of_the_agent

LONG = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen."
QUIET = Wording(greeting=Say(""), silence=())


def echo(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
    return [f"You said {turn.text}."]


def fixed(*said: Said) -> Any:
    return lambda turn, notes: list(said)


def clears(talk: VirtualCall) -> int:
    return sum(isinstance(command, ev.ClearAudio) for command in talk.commands)


def heard_words(talk: VirtualCall) -> list[str]:
    return [word.text for word, _ in talk.truly_heard()]


def test_the_greeting_is_heard_and_every_turn_is_answered() -> None:
    talk = VirtualCall(echo)
    talk.run(3)
    talk.caller("a small latte please")
    talk.run(3)
    assert talk.said_by_agent == ["Hello, how can I help you?", "You said a small latte please."]
    first, second = talk.conversation.transcript.turns_json(0.0)
    assert first["caller"] is None and first["agent"]["heard"] == "Hello, how can I help you?"
    assert second["caller"]["text"] == "a small latte please"
    assert second["latency_ms"]["mouth_to_ear"] == sum(
        ms for part, ms in second["latency_ms"].items() if part != "mouth_to_ear"
    )


def test_a_caller_who_speaks_over_the_agent_is_heard_and_the_agent_is_silent_at_once() -> None:
    talk = VirtualCall(lambda turn, notes: [LONG] if turn.index == 0 else ["All right."], QUIET)
    talk.caller("count for me")
    talk.run(2)
    before = talk.now
    talk.flux("StartOfTurn", "please stop")
    talk.run(0.1)
    assert clears(talk) == 1
    assert not talk.playout.audible(talk.now)
    talk.run(0.5)
    talk.flux("EndOfTurn", "please stop counting", quiet_s=0.3)
    talk.run(3)
    line = [x for x in talk.conversation.transcript.history if x.who == "agent"][0]
    truly = [w.text for w, n in talk.truly_heard(before + 0.1) if n == w.samples]
    assert line.interrupted and line.heard.split() == truly[: len(line.heard.split())]
    part = talk.conversation.transcript.turns_json(0.0)[0]["agent"]
    assert part["bound_ms"] < 200 and len(part["uncertain"]) <= 2
    assert abs(len(line.heard.split()) - len(truly)) <= 1
    assert talk.said_by_agent[-1] == "All right."


def test_clear_comes_before_anything_else_of_the_same_moment() -> None:
    talk = VirtualCall(fixed(LONG), QUIET)
    talk.caller("count for me")
    talk.run(2)
    talk.flux("StartOfTurn", "please stop")
    commands = talk.tape[-1][2]
    assert isinstance(commands[0], ev.ClearAudio)


def test_nothing_is_sent_between_a_hold_and_its_decision() -> None:
    talk = VirtualCall(fixed(LONG), QUIET)
    talk.caller("count for me")
    talk.run(2)
    talk.flux("StartOfTurn", "uh")
    sent = sum(isinstance(event, ev.Sent) for _, event, _ in talk.tape)
    talk.run(1.0)
    assert sum(isinstance(event, ev.Sent) for _, event, _ in talk.tape) == sent


def test_a_voice_that_comes_late_stays_silent_while_the_caller_speaks() -> None:
    """All that was sent has been heard, so there is nothing to clear; what the voice brings now must wait."""
    talk = VirtualCall(fixed("One two three. " + LONG), QUIET, speak_s=lambda phrase: 3.0 if phrase else 0.05)
    talk.caller("count for me")
    talk.run(2)
    talk.flux("StartOfTurn", "please stop")
    sent = sum(isinstance(event, ev.Sent) for _, event, _ in talk.tape)
    for more in range(5):
        talk.run(0.5)
        talk.flux("Update", "please stop" + " now" * more)
    assert sum(isinstance(event, ev.Sent) for _, event, _ in talk.tape) == sent
    assert clears(talk) == 0
    talk.flux("EndOfTurn", "please stop now", quiet_s=0.3)
    talk.run(9)
    given_up = [c.reply for c in talk.commands if isinstance(c, ev.CancelReply)]
    at = next(n for n, (_, _, cs) in enumerate(talk.tape) if any(isinstance(c, ev.CancelReply) for c in cs))
    assert not any(isinstance(e, ev.Sent) and e.reply in given_up for _, e, _ in talk.tape[at:])


@pytest.mark.parametrize("backchannel", ["uh-huh", "okay", "mm-hmm, right", "I see"])
def test_a_backchannel_lets_the_reply_go_on_from_the_first_word_not_wholly_heard(backchannel: str) -> None:
    talk = VirtualCall(fixed(LONG), QUIET)
    talk.caller("count for me")
    talk.run(2.5)
    talk.flux("StartOfTurn", backchannel)
    talk.run(0.5)
    talk.flux("EndOfTurn", backchannel, quiet_s=0.4)
    talk.run(9)
    whole = [w.text for w, n in talk.truly_heard() if n == w.samples]
    assert whole == LONG.split(), "no word is lost, and none that was wholly heard is said again"
    assert talk.said_by_agent == [LONG]
    assert not any(isinstance(c, ev.StartReply) and c.turn.text == backchannel for c in talk.commands)


def test_a_backchannel_after_a_question_is_an_answer() -> None:
    talk = VirtualCall(
        lambda turn, notes: ["Would you like milk?", Expect("yes_no")] if turn.index == 0 else ["Fine."],
        QUIET,
    )
    talk.caller("a coffee please")
    talk.run(2.4)
    talk.caller("yeah")
    talk.run(2)
    assert talk.said_by_agent[-1] == "Fine."


def test_noise_that_starts_a_turn_and_brings_no_end_lets_the_reply_go_on() -> None:
    talk = VirtualCall(fixed(LONG), QUIET)
    talk.caller("count for me")
    talk.run(2)
    talk.flux("StartOfTurn", "uh")
    talk.run(12)
    assert talk.said_by_agent == [LONG]


def test_words_after_a_backchannel_stop_the_agent_again() -> None:
    talk = VirtualCall(lambda turn, notes: [LONG] if turn.index == 0 else ["Stopped."], QUIET)
    talk.caller("count for me")
    talk.run(2)
    talk.flux("StartOfTurn", "okay")
    talk.run(0.5)
    talk.flux("Update", "okay", quiet_s=0.5)
    talk.run(0.5)
    talk.flux("Update", "okay but please stop now")
    talk.run(0.2)
    talk.flux("EndOfTurn", "okay but please stop now", quiet_s=0.2)
    talk.run(3)
    assert clears(talk) == 2
    assert talk.said_by_agent[-1] == "Stopped."


def test_immediate_cuts_at_once_and_off_never_stops() -> None:
    talk = VirtualCall(fixed(LONG), QUIET, Policy(barge_in="immediate"))
    talk.caller("count for me")
    talk.run(2)
    talk.flux("StartOfTurn", "uh")
    assert any(isinstance(c, ev.CancelReply) for c in talk.tape[-1][2])

    talk = VirtualCall(
        lambda turn, notes: [LONG] if turn.index == 0 else ["After."], QUIET, Policy(barge_in="off")
    )
    talk.caller("count for me")
    talk.run(2)
    talk.caller("please stop")
    talk.run(10)
    assert clears(talk) == 0
    assert talk.said_by_agent == [LONG, "After."]


def test_an_uninterruptible_utterance_is_finished_and_what_was_said_meanwhile_is_answered() -> None:
    talk = VirtualCall(
        lambda turn, notes: [Say(LONG, interruptible=False)] if turn.index == 0 else [f"Now {turn.text}."],
        QUIET,
    )
    talk.caller("count for me")
    talk.run(2)
    talk.caller("make it a mocha")
    talk.run(12)
    assert clears(talk) == 0
    assert talk.said_by_agent == [LONG, "Now make it a mocha."]


def test_a_greeting_that_must_be_heard_is_heard_though_the_caller_speaks_first() -> None:
    greeting = "This call is recorded. How can I help?"
    talk = VirtualCall(echo, Wording(greeting=Say(greeting, interruptible=False), silence=()), speak_s=0.8)
    talk.caller("hello a latte", pace_s=0.2)
    talk.run(8)
    assert heard_words(talk)[:8] == greeting.split()
    assert talk.said_by_agent == [greeting, "You said hello a latte."]


def test_words_before_the_answer_was_heard_are_answered_together() -> None:
    talk = VirtualCall(echo, QUIET, think_s=0.6)
    talk.caller("a small latte")
    talk.run(0.2)
    talk.caller("and a mocha")
    talk.run(6)
    assert talk.said_by_agent == ["You said a small latte and a mocha."]
    assert [x.text for x in talk.conversation.transcript.history if x.who == "caller"] == [
        "a small latte and a mocha"
    ]


def test_a_turn_whose_answer_never_sounded_is_told_as_unanswered() -> None:
    talk = VirtualCall(echo, QUIET, speak_s=1.0)
    talk.caller("a small latte")
    talk.run(0.2)
    talk.caller("and a mocha")
    talk.run(6)
    first, second = talk.conversation.transcript.turns_json(0.0)
    assert first["caller"]["text"] == "a small latte"
    assert first["agent"] is None and first["latency_ms"] is None
    assert second["agent"]["heard"] == "You said a small latte and a mocha."


def test_notes_of_a_reply_that_nobody_heard_are_forgotten() -> None:
    def agent(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        return [Note(count=notes.get("count", 0) + 1), f"Number {notes.get('count', 0) + 1}."]

    talk = VirtualCall(agent, QUIET, speak_s=0.8)
    talk.caller("first")
    talk.run(0.2)
    talk.caller("second")
    talk.run(3)
    assert talk.conversation.notes == {"count": 1}
    talk.caller("third")
    talk.run(3)
    assert talk.conversation.notes == {"count": 2}


def test_an_eager_draft_is_released_when_the_turn_ends_with_the_same_words() -> None:
    policy = Policy(eager="voice", eager_eot_threshold=0.5)
    talk = VirtualCall(echo, QUIET, policy, think_s=0.2, speak_s=0.2)
    talk.caller("a small latte", eot_s=0.6, eager=True)
    talk.run(3)
    assert talk.said_by_agent == ["You said a small latte."]
    drafts = [c for c in talk.commands if isinstance(c, ev.StartReply)]
    assert len(drafts) == 1 and drafts[0].draft
    assert talk.conversation.transcript.records[0].saved_ms == 300


def interrupted_talk(agent: Any, eager: Any = "voice") -> VirtualCall:
    """The agent is in the middle of its answer when the caller speaks over it."""
    policy = Policy(eager=eager, eager_eot_threshold=None if eager == "off" else 0.5)
    talk = VirtualCall(agent, QUIET, policy)
    talk.caller("count for me")
    talk.run(2.5)
    talk.flux("StartOfTurn", "the first")
    talk.run(0.6)
    return talk


@pytest.mark.parametrize("eager", ["off", "text", "voice"])
def test_whatever_becomes_the_answer_was_made_knowing_what_was_heard_of_the_interrupted_one(
    eager: Any,
) -> None:
    seen: list[Turn] = []

    def agent(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        seen.append(turn)
        return [Note(turns=turn.index), LONG if turn.index == 0 else "All right."]

    talk = interrupted_talk(agent, eager)
    if eager != "off":
        talk.flux("EagerEndOfTurn", "the first one please", quiet_s=0.2)
        talk.run(0.3)
    talk.flux("EndOfTurn", "the first one please", quiet_s=0.5)
    talk.run(2)
    begun = [command for command in talk.commands if isinstance(command, ev.StartReply)]
    assert [command.draft for command in begun] == [False, eager != "off"], "nothing was made twice"
    caller, agent_line = seen[1].history
    assert (caller.who, caller.text) == ("caller", "count for me")
    assert agent_line.interrupted and agent_line.text == LONG
    assert agent_line.heard and LONG.startswith(agent_line.heard) and agent_line.heard != LONG
    assert talk.conversation.transcript.history[1] == agent_line
    assert begun[1].notes == {"turns": 0}


def test_a_draft_is_not_released_when_what_it_knew_of_the_held_sentence_turned_out_otherwise() -> None:
    seen: list[Turn] = []

    def agent(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        seen.append(turn)
        return [LONG if turn.index == 0 else "All right."]

    talk = interrupted_talk(agent)
    talk.flux("EagerEndOfTurn", "the first one please", quiet_s=0.2)
    talk.put(ev.ReplyText(1, "And seventeen."))  # an agent that yields as it thinks meant to say more
    talk.run(0.3)
    talk.flux("EndOfTurn", "the first one please", quiet_s=0.5)
    talk.run(2)
    assert len(seen) == 3 and seen[2].history == tuple(talk.conversation.transcript.history[:2])
    assert seen[1].history != seen[2].history
    assert talk.said_by_agent[-1] == "All right."


def test_a_draft_is_thrown_away_when_the_caller_goes_on_and_its_cost_is_counted() -> None:
    policy = Policy(eager="voice", eager_eot_threshold=0.5)
    talk = VirtualCall(echo, QUIET, policy)
    talk.run(1)
    talk.flux("StartOfTurn", "a small")
    talk.run(0.3)
    talk.flux("EagerEndOfTurn", "a small latte")
    talk.run(0.3)
    talk.flux("TurnResumed", "a small latte and")
    talk.run(0.5)
    talk.flux("EndOfTurn", "a small latte and a mocha", quiet_s=0.3)
    talk.run(3)
    assert talk.said_by_agent == ["You said a small latte and a mocha."]
    assert talk.conversation.transcript.records[0].wasted == {
        "drafts": 1,
        "characters": len("You said a small latte."),
    }


def test_no_audio_of_a_draft_is_sent_before_its_release() -> None:
    talk = VirtualCall(echo, QUIET, Policy(eager="voice", eager_eot_threshold=0.5))
    talk.run(1)
    talk.flux("StartOfTurn", "a small")
    talk.run(0.2)
    talk.flux("EagerEndOfTurn", "a small latte")
    talk.run(1)
    assert not talk.truly_heard()


def test_while_a_reply_does_not_come_something_is_heard_every_few_seconds() -> None:
    talk = VirtualCall(echo, Wording(greeting=Say(""), silence=()), Policy(give_up_s=30.0), think_s=20.0)
    talk.caller("a small latte")
    begun = talk.now
    talk.run(30)
    sounds = [at for _, at, _ in talk.played_words() if at > begun]
    assert sounds[0] - begun < 1.5
    assert max(b - a for a, b in zip(sounds, sounds[1:], strict=False)) < 5.0
    assert talk.said_by_agent[-1] == "You said a small latte."


def test_a_slow_reply_is_bridged_and_then_given() -> None:
    talk = VirtualCall(echo, Wording(greeting=Say(""), silence=()), think_s=5.0)
    talk.caller("a small latte")
    talk.run(12)
    heard = " ".join(heard_words(talk))
    assert heard == "Let me see. I'm still working on that. Please stay on the line. You said a small latte."


def test_a_reply_that_never_comes_ends_in_a_spoken_re_ask() -> None:
    talk = VirtualCall(echo, Wording(greeting=Say(""), silence=()), think_s=60.0)
    talk.caller("a small latte")
    talk.run(16)
    assert talk.said_by_agent == ["Sorry, something went wrong there. Could you say that again?"]


@pytest.mark.parametrize("said", [(), ("   ",)])
def test_an_empty_reply_ends_in_a_spoken_re_ask(said: tuple[Said, ...]) -> None:
    talk = VirtualCall(fixed(*said), QUIET)
    talk.caller("a small latte")
    talk.run(5)
    assert talk.said_by_agent == ["Sorry, something went wrong there. Could you say that again?"]
    (turn,) = talk.conversation.transcript.turns_json(0.0)
    assert turn["agent"]["kind"] == "re-ask"


def test_silence_is_asked_into_and_then_the_line_says_goodbye_and_hangs_up() -> None:
    talk = VirtualCall(echo)
    talk.run(40)
    assert talk.over and talk.ended == "goodbye"
    assert talk.said_by_agent[-2:] == ["Are you still there?", "I'll let you go. Goodbye."]


def test_the_silence_is_counted_from_when_the_agent_was_heard() -> None:
    wording = Wording(greeting=Say(LONG), silence=(SilenceStep(3.0, "Hello?"),))
    talk = VirtualCall(echo, wording)
    length = len(LONG) * 560 / 8000
    talk.run(length + 2.5)
    assert talk.said_by_agent == [LONG]
    talk.run(3)
    assert talk.said_by_agent == [LONG, "Hello?"]


def test_hold_on_is_waited_for_without_nagging() -> None:
    talk = VirtualCall(
        fixed("Sure.", Wait()), Wording(greeting=Say(""), silence=(SilenceStep(3.0, "Hello?"),))
    )
    talk.caller("hold on a second")
    talk.run(30)
    assert talk.said_by_agent == ["Sure."]


def test_a_goodbye_is_heard_in_full_before_the_line_is_cut() -> None:
    talk = VirtualCall(fixed("Thank you for calling, goodbye.", HangUp()), QUIET)
    talk.caller("that's all")
    talk.run(10)
    assert talk.ended == "goodbye"
    assert heard_words(talk) == "Thank you for calling, goodbye.".split()


def test_a_goodbye_that_takes_half_a_minute_is_heard_to_its_end() -> None:
    long = " ".join(["Thank you for calling and for waiting so long."] * 10) + " Goodbye."
    talk = VirtualCall(fixed(long, HangUp()), QUIET)
    talk.caller("that's all")
    talk.run(60)
    assert talk.ended == "goodbye"
    assert heard_words(talk) == long.split()


def test_a_goodbye_is_called_off_when_the_caller_speaks() -> None:
    talk = VirtualCall(
        lambda turn, notes: (
            ["Thank you for calling, goodbye.", HangUp()] if turn.index == 0 else ["Of course."]
        ),
        QUIET,
    )
    talk.caller("that's all")
    talk.run(0.8)
    talk.caller("wait one more thing please")
    talk.run(3)
    assert not talk.over
    assert talk.said_by_agent[-1] == "Of course."


def test_bye_does_not_call_the_goodbye_off() -> None:
    talk = VirtualCall(fixed("Thank you for calling, goodbye.", HangUp()), QUIET)
    talk.caller("that's all")
    talk.run(1.2)
    talk.caller("thanks bye")
    talk.run(5)
    assert talk.ended == "goodbye"


def test_a_transfer_happens_once_its_words_were_heard() -> None:
    talk = VirtualCall(fixed("One moment.", Transfer("+14155550132")), QUIET)
    talk.caller("a person please")
    talk.run(4)
    assert talk.transferred_to == "+14155550132"
    assert heard_words(talk) == ["One", "moment."]


def test_a_call_has_a_greatest_length_and_a_warning_before_it() -> None:
    wording = Wording(greeting=Say("Hi."), silence=())
    talk = VirtualCall(echo, wording, Policy(max_call_s=200, warning_s=60))
    talk.run(145)
    assert talk.said_by_agent == ["Hi.", wording.warning]
    talk.run(65)
    assert talk.ended == "goodbye" and talk.said_by_agent[-1] == wording.farewell


def test_keys_are_an_answer_with_a_terminator_or_a_pause() -> None:
    def agent(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        return ["Your pin?", Expect("digits")] if turn.index == 0 else [f"Got {len(turn.digits or '')} keys."]

    talk = VirtualCall(agent, QUIET)
    talk.caller("my account")
    talk.run(2)
    talk.press("1", "2", "3", "4", "#")
    talk.run(2)
    assert talk.said_by_agent[-1] == "Got 4 keys."
    talk.press("7", "7")
    talk.run(5)
    assert talk.said_by_agent[-1] == "Got 2 keys."
    entry = talk.conversation.transcript.turns_json(0.0)[-1]
    assert entry["caller"]["text"] == "", "what was keyed in is not kept"
    assert entry["caller"]["end_s"] - entry["caller"]["start_s"] == pytest.approx(0.2)
    assert entry["latency_ms"]["mouth_to_ear"] > 0


def test_what_is_said_while_keys_are_pressed_is_answered_with_them() -> None:
    turns: list[tuple[str, str | None]] = []

    def agent(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        turns.append((turn.text, turn.digits))
        return ["Your number?", Expect("digits")] if turn.index == 0 else ["Thanks."]

    talk = VirtualCall(agent, QUIET)
    talk.caller("my account")
    talk.run(2)
    talk.flux("StartOfTurn", "my number is")
    talk.press("4", "2")
    talk.flux("EndOfTurn", "my number is", quiet_s=0.3)
    talk.run(0.5)
    assert len(turns) == 1, "the entry is not complete"
    talk.press("7", "#")
    talk.run(3)
    assert turns[1:] == [("my number is", "427")]


def test_an_entry_that_ends_within_a_turn_ends_the_turn() -> None:
    turns: list[tuple[str, str | None]] = []

    def agent(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        turns.append((turn.text, turn.digits))
        return ["Fine."]

    talk = VirtualCall(agent, QUIET)
    talk.run(1)
    talk.flux("StartOfTurn", "here it comes")
    talk.run(1.5)
    talk.press("4", "#")
    assert any(isinstance(c, ev.EndTurn) for c in talk.commands)
    talk.flux("EndOfTurn", "here it comes", quiet_s=0.3, trigger="manual")
    talk.run(3)
    assert turns == [("here it comes", "4")]


def test_an_entry_is_answered_although_the_turns_end_never_comes() -> None:
    talk = VirtualCall(lambda turn, notes: [f"Got {turn.digits}."], QUIET)
    talk.run(1)
    talk.flux("StartOfTurn", "here it comes")
    talk.run(1.5)
    talk.press("4", "#")
    talk.run(4)
    assert talk.said_by_agent[0] == "Got 4."


def test_keys_are_not_lost_when_the_caller_speaks_before_their_answer() -> None:
    turns: list[tuple[str, str | None]] = []

    def agent(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        turns.append((turn.text, turn.digits))
        return ["Fine."]

    talk = VirtualCall(agent, QUIET, speak_s=1.0)
    talk.run(1)
    talk.press("4", "2", "#")
    talk.run(0.3)
    talk.caller("that is my table")
    talk.run(4)
    assert turns == [("", "42"), ("that is my table", "42")]


def test_a_question_for_digits_makes_listening_more_patient_until_it_is_answered() -> None:
    talk = VirtualCall(
        lambda turn, notes: ["Your number?", Expect("digits")] if turn.index == 0 else ["Thanks."], QUIET
    )
    talk.caller("call me back")
    talk.run(2)
    talk.caller("five five five")
    talk.run(2)
    values = [(c.eot_threshold, c.eot_timeout_ms) for c in talk.commands if isinstance(c, ev.SetThresholds)]
    assert values == [(0.85, 7000), (0.7, 5000)]


def test_a_turn_that_does_not_end_is_ended_and_a_dead_socket_is_replaced_with_words() -> None:
    talk = VirtualCall(echo, QUIET)
    talk.run(1)
    talk.flux("StartOfTurn", "a small")
    talk.run(7.5)
    assert any(isinstance(c, ev.EndTurn) for c in talk.commands)
    assert not any(isinstance(c, ev.ReopenListening) for c in talk.commands)
    talk.run(8)
    assert any(isinstance(c, ev.ReopenListening) for c in talk.commands)
    assert talk.said_by_agent == ["Sorry, something went wrong there. Could you say that again?"]


MENU = "We have fresh lattes and mochas and very good espresso today for everybody here."


@pytest.mark.parametrize("delay_s", [0.05, 0.3, 0.8])
def test_our_own_words_coming_back_do_not_interrupt_us(delay_s: float) -> None:
    talk = VirtualCall(fixed(MENU), QUIET)
    talk.caller("what do you have")
    echo_of_the_agent(talk, 12, delay_s=delay_s)
    assert talk.said_by_agent == [MENU]
    assert heard_words(talk) == MENU.split(), "not even a word was broken off"
    assert sum(isinstance(c, ev.StartReply) for c in talk.commands) == 1, "and nobody answered them"


def test_an_echo_that_is_misheard_does_not_interrupt_us() -> None:
    misheard = {"lattes": "lattice", "mochas": "mocha's", "very": "berry", "espresso": "expresso"}
    talk = VirtualCall(fixed(MENU), QUIET)
    talk.caller("what do you have")
    echo_of_the_agent(talk, 12, mishear=lambda word: misheard.get(word, word))
    assert talk.said_by_agent == [MENU]
    assert sum(isinstance(c, ev.StartReply) for c in talk.commands) == 1


def test_the_agents_words_said_later_by_the_caller_are_the_callers() -> None:
    """An echo comes back within a second; who repeats a sentence after that wants an answer."""
    talk = VirtualCall(echo, Wording(greeting=Say("We have fresh lattes and mochas."), silence=()))
    talk.run(5)
    talk.caller("we have fresh lattes and mochas")
    talk.run(6)
    assert talk.said_by_agent[-1] == "You said we have fresh lattes and mochas."


def test_an_interruption_within_an_echo_is_heard() -> None:
    talk = VirtualCall(lambda turn, notes: [MENU] if turn.index == 0 else ["All right."], QUIET)
    talk.caller("what do you have")
    echo_of_the_agent(talk, 2)
    talk.flux("Update", "We have fresh stop it please I want a mocha")
    assert clears(talk) == 1
    talk.flux("EndOfTurn", "We have fresh stop it please I want a mocha", quiet_s=0.3)
    talk.run(3)
    assert talk.said_by_agent[-1] == "All right."


def test_the_option_just_offered_is_an_answer_and_not_an_echo() -> None:
    def agent(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        options = ("small", "medium", "large")
        return (
            ["Small, medium or large?", Expect("choice", options)]
            if turn.index == 0
            else [f"A {turn.text} it is."]
        )

    talk = VirtualCall(agent, QUIET)
    talk.caller("a coffee")
    talk.run(1.7)
    talk.caller("small")
    talk.run(3)
    assert talk.said_by_agent[-1] == "A small it is."


OFFERS = (
    ("small", "medium", "large"), ("oat milk", "soy milk", "whole milk"), ("for here", "to go"),
    ("hot", "iced"), ("a latte", "a mocha", "an espresso"), ("cash", "card"), ("today", "tomorrow"),
    ("sales", "support", "billing"), ("red", "green", "blue"), ("morning", "afternoon", "evening"),
    ("one way", "a round trip"), ("economy", "business"), ("window", "aisle"), ("chicken", "fish", "pasta"),
    ("the blue room", "the green room"), ("English", "Spanish"), ("monthly", "yearly"),
    ("a small oat latte", "a large soy mocha"), ("checking", "savings"), ("yes", "no", "not sure"),
)  # fmt: skip


@pytest.mark.parametrize("options", OFFERS)
@pytest.mark.parametrize("expected", [True, False])
def test_an_option_that_was_just_offered_is_an_answer_and_not_an_echo(
    options: tuple[str, ...], expected: bool
) -> None:
    """Whenever it is said: over the question, at its end, or later; whether or not we know the options."""
    question = f"Would you like {', '.join(options[:-1])} or {options[-1]}?"
    ask: list[Said] = [question, Expect("choice", options)] if expected else [question]
    for option in options:
        for later in (0.2, 1.0, 2.5):
            talk = VirtualCall(lambda turn, notes: ask if turn.index == 0 else [f"{turn.text} it is."], QUIET)
            talk.caller("hello there")
            talk.run(0.2)
            ends = {w.text.strip(",?"): at + n / 8000 for w, at, n in talk.played_words(talk.now + 20)}
            spoken = option.split()
            while spoken[-1] not in ends and talk.now < 30:
                talk.run(0.1)
                ends = {w.text.strip(",?"): at + n / 8000 for w, at, n in talk.played_words()}
            talk.run(max(0.0, ends[spoken[-1]] + later - talk.now))
            talk.caller(option, pace_s=0.25)
            talk.run(4)
            assert talk.said_by_agent[-1] == f"{option} it is.", (option, later)


def taken_up(talk: VirtualCall, agent: Any, why: str = "socket lost") -> VirtualCall:
    """The same call on a new stream, with what the first left behind, as JSON has it."""
    state = json.loads(json.dumps(talk.conversation.state_to_resume()))
    return VirtualCall(agent, QUIET, resumed=state, parameters={"resumed": why})


def test_a_call_whose_socket_was_lost_goes_on_with_the_words_that_were_not_heard() -> None:
    talk = VirtualCall(fixed(Note(order="latte"), LONG, Expect("yes_no")), QUIET)
    talk.caller("count for me")
    talk.run(3)
    talk.put(ev.CallStopped(ev.EndReason.SOCKET_LOST))
    heard = talk.said_by_agent[0]
    again = taken_up(talk, fixed("Fine."))
    again.run(9)
    assert " ".join([heard, *heard_words(again)]) == LONG
    assert again.conversation.notes == {"order": "latte"}
    assert any(isinstance(c, ev.SetThresholds) for c in again.commands), "the question is being asked again"
    again.caller("yes")
    again.run(2)
    (reply,) = [c for c in again.commands if isinstance(c, ev.StartReply)]
    assert [line.text for line in reply.turn.history][:1] == ["count for me"]
    assert reply.turn.index == 1


def test_a_question_that_was_not_answered_when_the_socket_was_lost_is_answered_on_the_next() -> None:
    talk = VirtualCall(fixed(Note(count=1), "One."), QUIET, think_s=2.0)
    talk.caller("a small latte")
    talk.run(1)
    talk.put(ev.CallStopped(ev.EndReason.SOCKET_LOST))
    again = taken_up(talk, echo)
    again.run(4)
    assert again.said_by_agent == ["You said a small latte."]
    assert again.conversation.notes == {}
    assert [x.text for x in again.conversation.transcript.history] == [
        "a small latte",
        "You said a small latte.",
    ]


def test_a_goodbye_that_the_lost_socket_cut_is_finished_and_ends_the_call() -> None:
    talk = VirtualCall(fixed("Thank you for calling, goodbye.", HangUp()), QUIET)
    talk.caller("that's all")
    talk.run(0.8)
    talk.put(ev.CallStopped(ev.EndReason.SOCKET_LOST))
    again = taken_up(talk, fixed("Fine."))
    again.run(5)
    assert again.ended == "goodbye"
    assert heard_words(again)[-1] == "goodbye."


def test_a_caller_who_comes_back_from_a_transfer_that_failed_is_told() -> None:
    talk = VirtualCall(fixed("One moment.", Transfer("+14155550132")), QUIET)
    talk.caller("a person please")
    talk.run(4)
    again = taken_up(talk, fixed("Fine."), "transfer busy")
    again.run(1)
    assert again.conversation.transcript.turns_json(0.0)[0]["agent"]["kind"] == "notice"
    again.run(9)
    assert again.said_by_agent[-1] == again.policy.transfer_failed


def test_a_monologue_is_acknowledged_once_at_a_pause() -> None:
    talk = VirtualCall(echo, QUIET, Policy(monologue_s=10.0))
    talk.run(0.6)
    talk.flux("StartOfTurn", "so it")
    for count in range(60):
        talk.run(0.3)
        pause = 0.35 if count in (20, 45, 50) else 0.1
        talk.flux("Update", " ".join(f"word{n}" for n in range(count + 2)), quiet_s=pause)
        if count == 40:
            assert not talk.truly_heard(), "not in the middle of a word"
    talk.flux("EndOfTurn", "so it was", quiet_s=0.5)
    talk.run(3)
    assert heard_words(talk)[0] == "Mm-hm." and heard_words(talk).count("Mm-hm.") == 1
    assert [what for what in talk.decisions() if what.startswith("acknowledge")] == [
        "acknowledge: a long turn, at a pause"
    ]


def test_the_warning_of_the_greatest_length_waits_until_the_caller_has_finished() -> None:
    wording = Wording(greeting=Say(""), silence=())
    talk = VirtualCall(echo, wording, Policy(max_call_s=200, warning_s=60))
    talk.run(139)
    talk.flux("StartOfTurn", "I would")
    talk.run(3)
    assert not talk.truly_heard()
    talk.flux("EndOfTurn", "I would like a latte", quiet_s=0.3)
    talk.run(12)
    assert talk.said_by_agent == ["You said I would like a latte.", wording.warning]


def test_a_turn_is_stuck_by_its_own_audio_and_not_while_the_line_stands_still() -> None:
    talk = VirtualCall(echo, QUIET)
    talk.run(1)
    talk.flux("StartOfTurn", "a small")
    talk.run(0.5)
    talk.flux("Update", "a small")  # half a second of audio, then the line stalls for six seconds
    talk.run(7.0)
    assert not any(isinstance(c, ev.EndTurn) for c in talk.commands)
    talk.run(7.0)
    assert any(isinstance(c, ev.EndTurn) for c in talk.commands), "but not for ever"


def test_an_eager_draft_saves_no_more_than_it_took_to_make() -> None:
    policy = Policy(eager="voice", eager_eot_threshold=0.5)
    talk = VirtualCall(echo, QUIET, policy, think_s=0.1, speak_s=0.1)
    talk.caller("a small latte", eot_s=2.0, eager=True)
    talk.run(3)
    assert talk.conversation.transcript.records[0].saved_ms == 200


def test_a_draft_answers_the_same_words_however_they_are_written() -> None:
    policy = Policy(eager="voice", eager_eot_threshold=0.5)
    talk = VirtualCall(fixed("Fine."), QUIET, policy)
    talk.run(1)
    talk.flux("StartOfTurn", "a small")
    talk.run(0.3)
    talk.flux("EagerEndOfTurn", "a small latte")
    talk.run(0.3)
    talk.flux("EndOfTurn", "A small latte.", quiet_s=0.5)
    talk.run(2)
    assert sum(isinstance(c, ev.StartReply) for c in talk.commands) == 1
    assert talk.said_by_agent == ["Fine."]


def test_eager_off_makes_no_drafts_and_text_voices_none_before_its_release() -> None:
    for eager, drafts in (("off", 0), ("text", 1)):
        policy = Policy(eager=eager, eager_eot_threshold=0.5)  # type: ignore[arg-type]
        talk = VirtualCall(echo, QUIET, policy)
        talk.run(1)
        talk.flux("StartOfTurn", "a small")
        talk.run(0.3)
        talk.flux("EagerEndOfTurn", "a small latte")
        talk.run(0.5)
        assert sum(isinstance(c, ev.StartReply) and c.draft for c in talk.commands) == drafts
        assert not any(isinstance(c, ev.Speak) for c in talk.commands)
        talk.flux("EndOfTurn", "a small latte", quiet_s=0.8)
        talk.run(3)
        assert talk.said_by_agent == ["You said a small latte."]


def test_a_phrase_that_cannot_be_spoken_ends_in_a_re_ask_although_the_one_before_was_heard() -> None:
    talk = VirtualCall(
        fixed("That is one small latte for you. Anything else?"), QUIET, speak_s=lambda n: 0.05 + n
    )
    talk.caller("a small latte")
    talk.run(0.5)
    talk.failing_phrases = 2
    talk.run(8)
    assert heard_words(talk)[-8:] == "something went wrong there. Could you say that again?".split()[-8:]


def test_a_filler_never_talks_over_the_caller() -> None:
    talk = VirtualCall(echo, Wording(greeting=Say(""), silence=()), think_s=4.0)
    talk.caller("a small latte")
    talk.run(0.9)
    talk.flux("StartOfTurn", "and also")
    for count in range(12):
        talk.run(0.25)
        talk.flux("Update", "and also" + " please" * count)
    assert not talk.truly_heard()


def test_what_is_kept_while_we_cannot_be_interrupted_is_answered_in_one_piece() -> None:
    talk = VirtualCall(
        lambda turn, notes: [Say(LONG, interruptible=False)] if turn.index == 0 else [f"Now {turn.text}."],
        QUIET,
    )
    talk.caller("count for me")
    talk.run(1)
    talk.caller("make it a mocha")
    talk.run(0.5)
    talk.caller("and a tea")
    talk.run(12)
    assert talk.said_by_agent == [LONG, "Now make it a mocha and a tea."]


def test_a_turn_that_listening_lost_and_never_heard_again_ends_in_a_re_ask() -> None:
    talk = VirtualCall(echo, QUIET)
    talk.run(1)
    talk.flux("StartOfTurn", "a small latte")
    talk.run(0.5)
    talk.put(SttDisconnected("no message for 2 s of audio"))
    talk.run(0.2)
    talk.put(SttConnected(2, talk.now - 1))
    lost = talk.now
    talk.run(10)
    assert talk.said_by_agent == ["Sorry, something went wrong there. Could you say that again?"]
    assert talk.played_words()[0][1] - lost < 4.0


def test_a_turn_that_is_heard_again_on_the_next_connection_is_answered() -> None:
    talk = VirtualCall(echo, QUIET)
    talk.run(1)
    talk.flux("StartOfTurn", "a small")
    talk.run(0.5)
    talk.put(SttDisconnected("reset"))
    talk.run(0.2)
    talk.put(SttConnected(2, 0.0))
    talk.forget_flux()
    talk.run(0.5)
    talk.flux("StartOfTurn", "a small")
    talk.run(3)
    talk.flux("EndOfTurn", "a small latte", quiet_s=0.3)
    talk.run(4)
    assert talk.said_by_agent == ["You said a small latte."]


def test_listening_that_is_refused_ends_in_a_sentence_and_a_hang_up() -> None:
    talk = VirtualCall(echo)
    talk.put(SttDisconnected("401", 401, "INVALID_AUTH", retry=False))
    talk.run(12)
    assert talk.over and talk.said_by_agent[-1] == talk.policy.apology


def test_the_same_tape_gives_the_same_commands() -> None:
    talk = VirtualCall(echo)
    talk.run(1)
    talk.caller("a small latte please")
    talk.run(1)
    talk.caller("no wait a mocha")
    talk.run(20)
    again = Conversation(talk.wording, talk.policy)
    assert [again.receive(event, at) for at, event, _ in talk.tape] == [c for _, _, c in talk.tape]


def test_what_the_voice_reports_of_an_interrupted_phrase_replaces_an_estimate() -> None:
    talk = VirtualCall(
        lambda turn, notes: [LONG] if turn.index == 0 else ["All right."],
        QUIET,
        voice=VirtualVoice(exact=False),
    )
    talk.caller("count for me")
    talk.run(2)
    talk.caller("please stop now")
    reply, phrase = next((c.reply, c.phrase) for c in talk.commands if isinstance(c, ev.Speak))
    talk.put(ev.PhraseCut(reply, phrase, "One two three"))
    assert talk.said_by_agent[0] == "One two three"
    assert talk.conversation.transcript.records[0].agent is not None
    assert talk.conversation.transcript.records[0].agent.heard == "One two three"


def test_a_voice_that_is_only_busy_does_not_end_the_call() -> None:
    talk = VirtualCall(echo)
    talk.put(ev.TtsDisconnected("TOO_MANY_REQUESTS", 429))
    assert not talk.over
    talk.put(ev.TtsDisconnected("INVALID_AUTH", 401))
    assert talk.ended == "voice refused"


DIGITS = Wording(greeting=Say(""), silence=())


def asked_for_keys(*said: Said, **policy: Any) -> tuple[VirtualCall, list[str | None]]:
    """The caller has heard a question; the keys of each later turn."""
    keyed: list[str | None] = []

    def agent(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        keyed.append(turn.digits)
        return list(said) if turn.index == 0 else ["Thank you."]

    talk = VirtualCall(agent, DIGITS, Policy(**policy))
    talk.caller("my account please")
    talk.run(4)
    keyed.clear()
    return talk, keyed


def press_slowly(talk: VirtualCall, keys: str, apart_s: float) -> None:
    for key in keys:
        talk.put(ev.DtmfPressed(key))
        talk.run(apart_s)


@pytest.mark.parametrize(
    ("expect", "apart_s"),
    [
        (Expect("digits"), 4.9),
        (Expect("digits", pause_s=12.0), 11.0),
        (Expect("digits", pause_s=1.0), 0.9),
    ],
)
def test_keys_pressed_slowly_are_one_entry_as_long_as_the_question_waits(
    expect: Expect, apart_s: float
) -> None:
    talk, keyed = asked_for_keys("Your account number?", expect)
    press_slowly(talk, "4711", apart_s)
    talk.run(apart_s + 1)
    assert keyed == ["4711"]


def test_an_entry_ends_with_the_pause_of_its_question_and_not_sooner() -> None:
    talk, keyed = asked_for_keys("Your account number?", Expect("digits", pause_s=2.0))
    press_slowly(talk, "47", 1.9)
    assert keyed == []
    talk.run(0.2)
    assert keyed == ["47"]


def test_an_entry_of_known_length_ends_with_its_last_key_and_a_hash_behind_it_is_part_of_it() -> None:
    talk, keyed = asked_for_keys("Your pin?", Expect("digits", length=4))
    press_slowly(talk, "4711", 0.3)
    assert keyed == ["4711"]
    press_slowly(talk, "#", 0.3)
    talk.run(10)
    assert keyed == ["4711"]
    assert talk.said_by_agent[-1] == "Thank you.", "nor did the # interrupt it"


def test_a_key_over_the_question_waits_as_the_question_says() -> None:
    """The question need not have been heard to its end, nor may it be interruptible."""
    for question in (Say("Your account number, please, or four digits of it?"), Say("Your number?", False)):
        talk = VirtualCall(fixed(question, Expect("digits", pause_s=3.0)), DIGITS)
        talk.caller("my account please")
        talk.run(0.5)
        press_slowly(talk, "47", 2.8)
        talk.run(0.5)
        begun = [command.turn.digits for command in talk.commands if isinstance(command, ev.StartReply)]
        assert begun == [None, "47"]


def test_what_a_question_waits_for_survives_the_stream() -> None:
    talk, _ = asked_for_keys("Your pin?", Expect("digits", (), True, 9.0, 4))
    state = json.loads(json.dumps(talk.conversation.state_to_resume()))
    again = VirtualCall(fixed("Thank you."), DIGITS, resumed=state)
    press_slowly(again, "471", 8.5)
    assert not any(isinstance(c, ev.StartReply) for c in again.commands)
    press_slowly(again, "1", 0.1)
    assert any(isinstance(c, ev.StartReply) and c.turn.digits == "4711" for c in again.commands)


def echoed(talk: VirtualCall, event: str, text: str, share: float, until_s: float = 0.0, **more: Any) -> None:
    """News of a turn, with what its sound was found to be."""
    talk.put(ev.EchoMeasured(share, until_s))
    talk.flux(event, text, **more)


def test_an_echo_that_is_known_by_its_sound_does_not_hold_us_whatever_words_are_made_of_it() -> None:
    talk = VirtualCall(fixed("Sorry?"), Wording(greeting=Say(LONG), silence=()))
    for text in ("Tell.", "Alar.", "All large."):
        talk.run(0.5)
        echoed(talk, "StartOfTurn" if text == "Tell." else "Update", text, 0.9)
    echoed(talk, "EagerEndOfTurn", "All large.", 0.9, talk.now)
    talk.run(0.2)
    echoed(talk, "EndOfTurn", "All large.", 0.9, talk.now)
    talk.run(10)
    assert clears(talk) == 0
    assert talk.said_by_agent == [LONG]


def test_a_caller_who_speaks_over_an_echo_is_heard_at_once() -> None:
    talk = VirtualCall(fixed("Yes?"), Wording(greeting=Say(LONG), silence=()))
    talk.run(0.5)
    echoed(talk, "StartOfTurn", "Won.", 0.9)
    talk.run(0.5)
    assert talk.playout.audible(talk.now)
    echoed(talk, "Update", "Won. Stop", 0.1)
    talk.run(0.1)
    assert not talk.playout.audible(talk.now)


def test_who_speaks_over_a_known_echo_is_heard_before_their_words_are_known() -> None:
    talk = VirtualCall(fixed("Yes?"), Wording(greeting=Say(MENU), silence=()))
    talk.run(1.0)
    echoed(talk, "StartOfTurn", "We have", 0.9)
    talk.run(0.5)
    echoed(talk, "Update", "We have fresh", 0.9)
    talk.run(0.3)
    assert talk.playout.audible(talk.now)
    echoed(talk, "Update", "We have fresh", 0.1)
    talk.run(0.1)
    assert not talk.playout.audible(talk.now)


def test_we_do_not_speak_on_over_the_caller_while_only_our_words_are_recognized() -> None:
    """The words of an echo come late: what is heard by then is the caller, whose words come later still."""
    talk = VirtualCall(fixed("Yes?"), Wording(greeting=Say(MENU), silence=()))
    talk.run(1.5)
    echoed(talk, "StartOfTurn", "Way have", 0.1)
    talk.run(0.3)
    echoed(talk, "Update", "We have fresh lattes", 0.1)
    talk.run(0.3)
    assert not talk.playout.audible(talk.now)
    echoed(talk, "Update", "We have fresh lattes", 0.1, quiet_s=0.5)
    talk.run(0.3)
    assert not talk.playout.audible(talk.now), "they speak, though no word of it is known yet"
    talk.run(1.2)
    assert talk.playout.audible(talk.now), "nobody has spoken, after all"


def test_what_the_caller_says_behind_our_echo_in_one_turn_is_what_is_answered() -> None:
    talk = VirtualCall(echo, Wording(greeting=Say("Anything else?"), silence=()))
    talk.run(2.0)
    times = [(0.2, 0.6), (0.6, 1.0), (1.5, 1.7), (1.7, 2.0)]
    echoed(talk, "StartOfTurn", "Any elf?", 0.9, times=times[:2])
    echoed(talk, "EagerEndOfTurn", "Any elf? No thanks.", 0.0, 1.2, times=times)
    echoed(talk, "EndOfTurn", "Any elf? No thanks.", 0.0, 1.2, times=times)
    talk.run(3)
    assert talk.said_by_agent[-1] == "You said No thanks.."


def test_a_turn_that_goes_on_when_no_echo_can_come_any_more_is_no_echo() -> None:
    """Whatever share of its words was ours."""
    talk = VirtualCall(
        echo, Wording(greeting=Say("Hi, this is the coffee line. What can I get you?"), silence=())
    )
    talk.run(0.8)
    talk.flux("StartOfTurn", "Hi", times=[(0.3, 0.5)])
    talk.run(7.2)
    text = "Hi this is the coffee line what can I get you a large one"
    played = [at for _, at, _ in talk.played_words()]
    times = [(at + 0.2, at + 0.4) for at in played] + [(7.0, 7.2), (7.2, 7.5), (7.5, 7.8)]
    talk.flux("EndOfTurn", text, times=times)
    talk.run(10)
    assert talk.said_by_agent[-1].startswith("You said")


@pytest.mark.parametrize("still", [(), (1.5, 3.2), (1.5, 4.5)])
def test_while_the_line_stands_still_nobody_is_asked_whether_they_are_there(still: tuple[float, ...]) -> None:
    """Nor before what came then, all at once, can have been heard."""
    talk = Conversation(
        Wording(greeting=Say(""), silence=(SilenceStep(3.0, "Hello?"),)), Policy(warning_s=0.0)
    )
    talk.receive(ev.CallStarted("c", "CA1", "MZ1", "", "", {}), 0.0)
    asked: list[float] = []
    for now in [tick / 10 for tick in range(1, 80)]:
        comes = now == int(now) and not (still and still[0] <= now < still[1]) or now in still[1:]
        event = ev.MediaTimestamp(round(now * 1000)) if comes else ev.TimerFired()
        asked += [now for command in talk.receive(event, now) if isinstance(command, ev.Speak)]
    assert asked == [pytest.approx(still[1] + 1.0 if still else 3.0, abs=0.3)]
