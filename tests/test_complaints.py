"""What users of other phone agents complain about, and what happens here instead.

Each test plays the complaint's situation on virtual time, and looks at what the caller truly heard.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from telephony import events as ev
from telephony.conversation.policy import Policy
from telephony.reply.agent import Expect, HangUp, Message, Said, Say, SilenceStep, Turn, Wording
from telephony.testing.virtual_call import VirtualCall

QUIET = Wording(greeting=Say(""), silence=())
STORY = "Once there was a small house by the river and in it lived a very old man with his seven cats."


def heard(talk: VirtualCall) -> str:
    """The words that the caller heard to their end, in order; 25 ms less is no loss."""
    return " ".join(word.text for word, samples in talk.truly_heard() if samples >= word.samples - 200)


def answers(*lines: str) -> Any:
    return lambda turn, notes: [lines[min(turn.index, len(lines) - 1)]]


# "Noise triggers StartOfTurn, the reply is cancelled before a sound, and the bot never answers again"


@pytest.mark.parametrize("noise", ["", "uh"])
def test_noise_before_the_reply_sounds_does_not_cost_the_caller_the_reply(noise: str) -> None:
    talk = VirtualCall(answers("A small latte, got it."), QUIET, think_s=1.0)
    talk.caller("a small latte")
    talk.run(0.3)
    talk.flux("StartOfTurn", noise)
    talk.run(0.3)
    talk.flux("Update", "")
    talk.run(6)
    assert heard(talk) == "A small latte, got it."


def test_a_word_before_the_reply_sounds_holds_it_back_until_its_turn_ends() -> None:
    """A word is taken for one: nothing is said over it, and its turn's end brings the answer to both."""
    talk = VirtualCall(answers("A small latte, got it."), QUIET, think_s=1.0)
    talk.caller("a small latte")
    talk.run(0.3)
    talk.flux("StartOfTurn", "the")
    talk.run(0.3)
    talk.flux("Update", "the")
    talk.run(3)
    assert heard(talk) == ""
    talk.flux("EndOfTurn", "the", quiet_s=0.5)
    talk.run(6)
    assert heard(talk) == "A small latte, got it."


def test_noise_again_and_again_cannot_keep_the_agent_from_answering() -> None:
    talk = VirtualCall(answers(STORY), QUIET, think_s=0.5)
    talk.caller("tell me a story")
    for _ in range(30):
        talk.run(0.7)
        if talk.said_by_agent:
            break
        talk.flux("StartOfTurn", "uh")
        talk.run(0.5)
        talk.flux("EndOfTurn", "uh", quiet_s=0.4)
    talk.run(12)
    assert heard(talk) == STORY
    assert sum(isinstance(c, ev.StartReply) for c in talk.commands) == 1


# "Back-channels (hmm, yeah) stop the agent"


@pytest.mark.parametrize(
    "backchannel",
    ["hmm", "yeah", "uh-huh", "Mm-hmm.", "okay", "right", "I see", "yeah yeah", "oh okay", "got it",
     "you know", "Uh huh.", "sure, sure", "all right", "makes sense"],
)  # fmt: skip
def test_a_backchannel_does_not_stop_the_agent(backchannel: str) -> None:
    talk = VirtualCall(answers(STORY), QUIET)
    talk.caller("tell me a story")
    talk.run(3)
    talk.caller(backchannel)
    talk.run(12)
    assert heard(talk) == STORY
    (line,) = [x for x in talk.conversation.transcript.history if x.who == "agent"]
    assert line == Message("agent", STORY, STORY, False)


@pytest.mark.parametrize(
    "words",
    ["no", "stop", "wait", "no no", "okay stop", "yeah but", "hold on", "uh no", "sorry", "what", "hello",
     "right no", "uh-uh", "I see but", "wait a second", "excuse me", "not that", "cancel"],
)  # fmt: skip
def test_an_objection_however_short_stops_the_agent(words: str) -> None:
    talk = VirtualCall(answers(STORY, "Of course."), QUIET)
    talk.caller("tell me a story")
    talk.run(3)
    talk.caller(words)
    talk.run(4)
    assert STORY.split()[-1] not in heard(talk)
    assert heard(talk).endswith("Of course.")


@pytest.mark.parametrize("yes", ["yeah", "okay", "uh-huh", "sure", "right"])
@pytest.mark.parametrize("after_s", [-0.3, 0.0, 0.5, 1.5])
def test_a_yes_to_a_question_is_an_answer_whenever_it_comes(yes: str, after_s: float) -> None:
    """After the question, at its end, and over the sentence that follows it."""
    question, more = "Shall I add oat milk to your order?", " It is fifty cents more than cow milk today."
    talk = VirtualCall(answers(question + more, "Added."), QUIET)
    talk.caller("a latte")
    talk.run(len(question) * 0.07 + 0.1 + after_s)
    talk.caller(yes)
    talk.run(4)
    assert heard(talk).endswith("Added.")


# "The caller speaks during a muted greeting and is unheard for the rest of the call"


def test_what_is_said_over_a_greeting_that_must_be_heard_is_answered_after_it() -> None:
    greeting = "This call may be recorded for training. How can I help you today?"
    talk = VirtualCall(
        lambda turn, notes: [f"You said {turn.text}."],
        Wording(greeting=Say(greeting, interruptible=False), silence=()),
    )
    talk.run(1)
    talk.caller("hello I need a latte")
    talk.run(10)
    assert heard(talk) == f"{greeting} You said hello I need a latte."
    talk.caller("and a mocha")
    talk.run(5)
    assert heard(talk).endswith("You said and a mocha.")


def test_a_greeting_that_may_be_interrupted_is() -> None:
    talk = VirtualCall(answers("Of course."), Wording(greeting=Say(STORY), silence=()))
    talk.run(2)
    talk.caller("a latte please")
    talk.run(3)
    assert STORY.split()[-1] not in heard(talk) and heard(talk).endswith("Of course.")


# "The agent remembers words that were never played, or loses words that were"


@pytest.mark.parametrize("after_s", [0.5, 1.3, 2.2, 3.7, 5.1])
def test_the_agent_remembers_the_words_that_were_heard(after_s: float) -> None:
    histories: list[tuple[Message, ...]] = []

    def agent(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        histories.append(turn.history)
        return [STORY] if turn.index == 0 else ["Of course."]

    talk = VirtualCall(agent, QUIET)
    talk.caller("tell me a story")
    talk.run(after_s)
    talk.caller("please stop now")
    truly = heard(talk)
    talk.run(3)
    lines = [line for line in histories[1] if line.who == "agent"]
    remembered = lines[0].heard if lines else ""
    assert remembered.startswith(truly) or truly.startswith(remembered)
    assert abs(len(remembered.split()) - len(truly.split())) <= 1, "at most the word that was cut"


def test_an_answer_of_which_no_word_was_heard_was_never_said() -> None:
    histories: list[tuple[Message, ...]] = []

    def agent(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        histories.append(turn.history)
        return [f"Answer to {turn.text}."]

    talk = VirtualCall(agent, QUIET, speak_s=1.5)
    talk.caller("a latte")
    talk.run(0.4)
    talk.caller("and a mocha")
    talk.run(6)
    assert histories[-1] == ()
    assert heard(talk) == "Answer to a latte and a mocha."


# "The phone keeps talking after the caller has interrupted"


@pytest.mark.parametrize("barge_in", ["patient", "immediate"])
@pytest.mark.parametrize("left", ["still being made", "made", "sent but for its end", "all sent"])
def test_the_phone_is_silent_at_once_however_much_of_the_reply_was_made(barge_in: Any, left: str) -> None:
    text = "A short answer of eight words is here." if left != "still being made" else STORY + " " + STORY
    speak_s = {"still being made": lambda phrase: 0.1 + 1.5 * phrase}.get(left, lambda phrase: 0.05)
    talk = VirtualCall(answers(text, "Yes?"), QUIET, Policy(barge_in=barge_in), speak_s=speak_s)
    talk.caller("tell me")
    length = len(text) * 0.07
    talk.run({"sent but for its end": length - 0.35, "all sent": length - 0.15}.get(left, 1.0))
    assert talk.playout.audible(talk.now)
    sent = sum(isinstance(event, ev.Sent) for _, event, _ in talk.tape)
    talk.flux("StartOfTurn", "please stop")
    assert isinstance(talk.tape[-1][2][0], ev.ClearAudio)
    talk.run(0.03)
    assert not talk.playout.audible(talk.now), "within one way to the caller"
    talk.run(0.6)
    assert sum(isinstance(event, ev.Sent) for _, event, _ in talk.tape) == sent, "and nothing follows"


# "Silence: no re-prompt, no hang-up, endless calls, a clipped goodbye"


def test_a_silent_caller_is_asked_again_then_told_goodbye_and_the_line_is_closed() -> None:
    talk = VirtualCall(answers("Fine."))
    talk.run(60)
    assert talk.ended == "goodbye"
    assert heard(talk).endswith("Are you still there? I'll let you go. Goodbye.")


def test_a_silent_line_without_a_ladder_still_ends() -> None:
    talk = VirtualCall(answers("Fine."), Wording(silence=()), Policy(max_call_s=120))
    talk.run(140)
    assert talk.over


@pytest.mark.parametrize("lost", [False, True])
def test_the_goodbye_is_heard_to_its_last_word_even_when_no_mark_returns(lost: bool) -> None:
    talk = VirtualCall(
        lambda turn, notes: ["Thank you for calling, goodbye.", HangUp()],
        QUIET,
        way_out=lambda now: 0.15,
        return_mark=lambda name: () if lost else (0.0,),
    )
    talk.caller("that's all")
    talk.run(12)
    assert talk.ended == "goodbye"
    assert heard(talk) == "Thank you for calling, goodbye."
    (ended,) = [at for at, _, commands in talk.tape if any(isinstance(c, ev.EndCall) for c in commands)]
    assert ended >= talk.playout.heard_until


def test_a_caller_who_speaks_after_the_first_re_prompt_is_asked_again_from_the_beginning() -> None:
    ladder = (SilenceStep(3.0, "Hello?"), SilenceStep(3.0, "Goodbye.", hang_up=True))
    talk = VirtualCall(answers("Fine."), Wording(greeting=Say("Hi."), silence=ladder))
    talk.run(5)
    talk.caller("sorry I was away")
    talk.run(5)
    assert not talk.over
    assert heard(talk) == "Hi. Hello? Fine. Hello?"


# "DTMF missing"


@pytest.mark.parametrize("over_the_question", [False, True])
def test_keys_reach_the_agent_as_one_entry(over_the_question: bool) -> None:
    turns: list[Turn] = []

    def agent(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        turns.append(turn)
        return ["Please key in your four digit number.", Expect("digits")] if not turn.index else ["Thanks."]

    talk = VirtualCall(agent, QUIET)
    talk.caller("my account")
    talk.run(1.0 if over_the_question else 4.0)
    talk.press("1", "2", "3", "4")
    talk.run(7)
    assert [turn.digits for turn in turns] == [None, "1234"]
    assert heard(talk).endswith("Thanks.")


@pytest.mark.parametrize("noise", ["beep", "B B", "two"])
def test_the_keys_own_tones_are_no_words(noise: str) -> None:
    turns: list[Turn] = []

    def agent(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        turns.append(turn)
        return ["Please key in your number.", Expect("digits")] if not turn.index else [STORY]

    talk = VirtualCall(agent, QUIET)
    talk.caller("my account")
    talk.run(4)
    for key in "42":
        talk.press(key)
        talk.run(0.2)
    at = talk.now - 0.7
    talk.flux("StartOfTurn", noise, times=[(at, at + 0.1)] * len(noise.split()))
    talk.run(0.5)
    talk.flux("EndOfTurn", noise, times=[(at, at + 0.1)] * len(noise.split()))
    talk.run(12)
    assert [(turn.text, turn.digits) for turn in turns[1:]] == [("", "42")]
    assert heard(talk) == f"Please key in your number. {STORY}"
