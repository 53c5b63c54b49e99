"""The state of a conversation: what is asked, what must be redacted, how it ends."""

from __future__ import annotations

import pytest

from telephony import events as ev
from telephony.conversation.policy import Policy
from telephony.conversation.queued_reply import QueuedReply, ReplyKind
from telephony.conversation.state import OPEN_TURNS, SETTLE_S, STALLED_S, ConversationState, answered_by
from telephony.conversation.timers import Timer
from telephony.listen.turns import TurnEvent, TurnKind
from telephony.reply.agent import Expect, Wording

PIN = Expect("digits", sensitive=True)


@pytest.fixture
def state() -> ConversationState:
    return ConversationState(Wording(), Policy(), before_close=lambda: None)


def asking(state: ConversationState, question: Expect) -> QueuedReply:
    """A reply in the queue that asks this."""
    reply = state.replies.new(ReplyKind.ANSWER)
    reply.add_actions([question])
    state.replies.enqueue(reply)
    return reply


def turn(text: str, audio_end: float = 1.0) -> TurnEvent:
    return TurnEvent(TurnKind.UPDATED, 0, text, (), 0.5, 0.0, audio_end)


def test_what_is_being_asked_goes_before_what_was_asked(state: ConversationState) -> None:
    state.ask(Expect("yes_no"))
    assert state.asking == Expect("yes_no")
    asking(state, PIN)
    assert state.asking == PIN and state.question == Expect("yes_no")


def test_a_sensitive_question_stays_open_until_it_is_answered_or_for_some_turns(
    state: ConversationState,
) -> None:
    state.ask(PIN)
    assert state.answer_question(["one second"], None) == PIN and state.question == PIN
    assert state.answer_question(["it is 4417"], None) == PIN and state.question is None
    state.ask(PIN)
    for _ in range(OPEN_TURNS):
        assert state.question == PIN
        state.answer_question(["what was that?"], None)
    assert state.question is None


def test_keys_answer_and_a_harmless_question_is_answered_by_anything(state: ConversationState) -> None:
    state.ask(PIN)
    state.answer_question([""], "4417")
    assert state.question is None
    state.ask(Expect("choice"))
    state.answer_question(["what?"], None)
    assert state.question is None


def test_while_something_sensitive_is_asked_all_words_are_redacted(state: ConversationState) -> None:
    assert not state.redacts("hello")
    reply = asking(state, PIN)
    assert state.sensitive and state.redacts("hello")
    state.replies.discard(reply, 0.0, "over")
    assert not state.sensitive


def test_a_correction_over_the_answer_to_a_sensitive_question_is_redacted_too(
    state: ConversationState,
) -> None:
    reply = state.replies.new(ReplyKind.ANSWER, redacted=True)
    state.replies.enqueue(reply)
    assert state.redacts("no, I said five")


def test_once_something_sensitive_was_asked_long_numbers_are_redacted(state: ConversationState) -> None:
    assert not state.redacts("1234567")
    state.expect(PIN)
    assert state.redacts("1234567") and state.redacts("123") and not state.redacts("12 lattes")
    state.ask(Expect("choice"))
    assert not state.redacts("123"), "something else is asked: this is not a correction"
    state.ask(Expect("digits"))
    assert not state.redacts("1234567"), "asked for as something harmless"


def test_keys_that_were_asked_for_are_harmless_unless_the_question_is_sensitive(
    state: ConversationState,
) -> None:
    state.ask(Expect("digits"))
    assert state.digits_asked
    state.ask(PIN)
    assert not state.digits_asked


def test_a_stalled_line_is_stalled_until_what_was_stalled_has_been_heard(state: ConversationState) -> None:
    assert not state.line_stalled, "before the first media nothing is expected"
    state.tick(1.0)
    state.media_came()
    state.tick(1.0 + STALLED_S + 0.1)
    assert state.line_stalled
    state.media_came()
    assert state.line_stalled
    state.tick(state.now + SETTLE_S)
    state.media_came()
    assert not state.line_stalled


def test_commands_are_taken_once_and_in_order(state: ConversationState) -> None:
    state.command(ev.EndTurn("a"))
    state.decide(ev.Decision.CUT, "b")
    assert state.take_commands() == [ev.EndTurn("a"), ev.DecisionLogged(ev.Decision.CUT, "b")]
    assert state.take_commands() == []


def test_a_turns_new_words_are_noticed(state: ConversationState) -> None:
    speaking = state.open_turn(turn("hello"))
    assert not speaking.update(turn("hello", 2.0)) and speaking.new_word_audio == 1.0
    assert speaking.update(turn("hello there", 3.0)) and speaking.new_word_audio == 3.0
    assert state.close_turn() is speaking and state.speaking is None


def test_the_end_is_written_down_while_everything_still_stands() -> None:
    queued: list[int] = []
    kept: list[ConversationState] = []
    state = ConversationState(
        Wording(), Policy(), before_close=lambda: queued.append(len(kept[0].replies.queue))
    )
    kept.append(state)
    asking(state, PIN)
    state.timers.set(Timer.SILENCE, 9.0)
    state.end_call(ev.HangUpReason.GOODBYE)
    assert queued == [1] and state.replies.queue == [] and state.over and state.timers.next() is None
    assert (state.ended_by, state.hang_up_reason) == (ev.EndReason.AGENT, ev.HangUpReason.GOODBYE)
    assert [type(c) for c in state.take_commands()] == [ev.EndCall, ev.CancelReply]


def test_notes_of_sensitive_answers_are_written_redacted(state: ConversationState) -> None:
    state.add_notes({"name": "Ada", "pin": "4417", "said": "it is 4417"})
    state.redact_notes(["pin"])
    state.keep_secret("", "4417")
    assert state.written_notes() == {"name": "Ada", "pin": "(redacted)", "said": "it is (redacted)"}
    assert state.notes["pin"] == "4417", "the agent has them"


@pytest.mark.parametrize(
    ("question", "text", "answered"),
    [
        (Expect("digits"), "it is 4417", True),
        (Expect("digits"), "one second", False),
        (Expect("spelling"), "A D A", True),
        (Expect("spelling"), "let me see", False),
        (Expect("spelling"), "what for?", False),
        (Expect("spelling"), "okay", False),
        (Expect("yes_no"), "okay", True),
    ],
)
def test_what_may_be_an_answer(question: Expect, text: str, answered: bool) -> None:
    assert answered_by(question, text) == answered
