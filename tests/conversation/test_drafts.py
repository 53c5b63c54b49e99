"""Drafts: made from what will be remembered, and released only if that is what came to pass."""

from __future__ import annotations

import pytest

from telephony import events as ev
from telephony.conversation.drafts import Drafts, foresee
from telephony.conversation.policy import Policy
from telephony.conversation.queued_reply import QueuedReply, ReplyKind, Stage, Unanswered
from telephony.conversation.state import ConversationState
from telephony.conversation.turn_record import TurnRecord
from telephony.reply.agent import CallInfo, Turn, Wording


def turn_of(text: str, index: int = 0) -> Turn:
    return Turn(text, index, (), None, CallInfo("call"))


class Table:
    """A state, its drafts, and a draft of a turn that was made at 1.0."""

    def __init__(self, text: str = "a latte please") -> None:
        self.state = ConversationState(Wording(), Policy(), before_close=lambda: None)
        self.drafts = Drafts(self.state)
        self.draft = self.state.replies.new(ReplyKind.ANSWER, stage=Stage.DRAFT, drafted=True, began_at=1.0)
        self.drafts.begin(self.draft, turn_of(text), {})
        self.state.tick(1.3)

    def cancelled(self) -> list[int]:
        return [c.reply for c in self.state.take_commands() if isinstance(c, ev.CancelReply)]


@pytest.mark.parametrize("text", ["a latte please", "A latte, please."])
def test_a_draft_is_released_when_the_turn_ends_with_its_words(text: str) -> None:
    table, record = Table(), TurnRecord(0)
    assert table.drafts.take(turn_of(text), {}, record) is table.draft
    assert record.saved_ms == 300 and table.state.take_commands() == [ev.ReleaseReply(table.draft.number)]
    assert table.drafts.take(turn_of(text), {}, record) is None, "once"


@pytest.mark.parametrize(
    ("turn", "notes"),
    [
        (turn_of("a latte, no, tea"), {}),
        (turn_of("a latte please", 1), {}),
        (turn_of("a latte please"), {"size": "small"}),
    ],
)
def test_a_draft_of_anything_else_is_discarded_and_its_cost_counted(
    turn: Turn, notes: dict[str, str]
) -> None:
    table = Table()
    table.draft.add_text("One latte")
    assert table.drafts.take(turn, notes, TurnRecord(0)) is None
    assert table.cancelled() == [table.draft.number]
    assert table.drafts.take_wasted() == {"drafts": 1, "characters": len("One latte")}
    assert table.drafts.take_wasted() == {}


def sent(state: ConversationState, kind: ReplyKind = ReplyKind.ANSWER, **fields: object) -> QueuedReply:
    """A queued reply of four words in one second, sent at 10.0."""
    reply = state.replies.new(kind, **fields)
    state.replies.add_text(reply, "One two three four.")
    state.replies.end_text(reply)
    state.replies.enqueue(reply)
    state.replies.audio(ev.ReplyAudio(reply.number, 0, 8000))
    state.replies.phrase_spoken(ev.PhraseSpoken(reply.number, 0))
    state.replies.advance(10.0)
    state.ledger.sent(reply.number, 0, 8000, 10.0)
    return reply


def test_what_will_be_remembered_is_the_heard_part_of_what_we_are_saying() -> None:
    state = ConversationState(Wording(), Policy(), before_close=lambda: None)
    sent(state)
    state.tick(10.55)
    foreseen = foresee(state, Unanswered(["hello"]))
    assert [line.heard for line in foreseen.history] == ["One two"] and foreseen.texts == ("hello",)
    assert state.transcript.history == [], "foreseen only"


def test_an_answer_that_nobody_heard_will_be_made_again_with_the_notes_before_it() -> None:
    state = ConversationState(Wording(), Policy(), before_close=lambda: None)
    reply = sent(state, turn_text="a latte", parts=("a latte",), first_turn=4)
    state.transcript.caller_said(reply)
    reply.remember_notes({"size": "small"})
    state.add_notes({"size": "large"})
    state.tick(10.01)
    waiting = Unanswered()
    foreseen = foresee(state, waiting)
    assert (foreseen.texts, foreseen.notes, foreseen.history) == (("a latte",), {"size": "small"}, ())
    assert foreseen.first == 4 and waiting == Unanswered()
