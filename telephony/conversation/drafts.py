"""A reply begun before the end of the caller's turn is certain: released with it, or discarded. PURE.

A draft is made from what will be remembered if the turn ends here. What we are saying is cut then, and its
heard part belongs to the history. A draft that was made from anything else is not released.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from telephony import events as ev
from telephony.base.frozen import frozen
from telephony.conversation.backchannel import spoken_words
from telephony.conversation.queued_reply import QueuedReply, ReplyKind, Unanswered
from telephony.conversation.state import ConversationState
from telephony.conversation.transcript import add_line, is_remembered, take_back
from telephony.conversation.turn_record import TurnRecord
from telephony.reply.agent import Message, Turn


@frozen
class Foreseen:
    """What a turn that ends here would be answered from."""

    texts: tuple[str, ...]
    """What the caller said before and was never answered aloud."""
    history: tuple[Message, ...]
    notes: Mapping[str, Any]
    first: int | None
    """See `Turn.first`."""


def unheard(state: ConversationState, reply: QueuedReply) -> bool:
    """Whether not one word of a reply was heard: then it was no answer."""
    return not state.ledger.heard_text(reply.number, state.now)


def foresee(state: ConversationState, unanswered: Unanswered) -> Foreseen:
    """History, notes and unanswered words as they will be when all of the queue is cut."""
    history, notes, left = state.transcript.history.copy(), None, unanswered.copy()
    for reply in state.replies.queue:
        if reply.kind is ReplyKind.ANSWER and unheard(state, reply):
            left.take_back(reply)
            take_back(history, reply)
            notes = reply.notes_before if notes is None else notes
        line = state.transcript.line(reply, state.now, interrupted=True)
        if is_remembered(reply, line):
            add_line(history, line)
    return Foreseen(
        tuple([text for text in left.texts if text]),
        tuple(history),
        dict(state.notes if notes is None else notes),
        left.first,
    )


class Drafts:
    """At most one draft, and what the discarded ones cost."""

    def __init__(self, state: ConversationState) -> None:
        self._state = state
        self._draft: QueuedReply | None = None
        self._made_from: tuple[Turn, Mapping[str, Any]] | None = None
        self._wasted: dict[str, int] = {}

    def begin(self, reply: QueuedReply, turn: Turn, notes: Mapping[str, Any]) -> None:
        """A draft is being made from this turn and these notes."""
        self._draft, self._made_from = reply, (turn, notes)

    def take(self, turn: Turn, notes: Mapping[str, Any], record: TurnRecord) -> QueuedReply | None:
        """The draft, if it was made from this turn, however its words are written, and from these notes."""
        draft, state = self._draft, self._state
        if draft is None or self._made_from is None:
            return None
        seen, noted = self._made_from
        if spoken_words(seen.text) != spoken_words(turn.text):
            self.drop("the words changed")
            return None
        if replace(seen, text=turn.text) != turn or noted != notes:
            self.drop("what was heard before changed")
            return None
        self._draft = None
        record.draft_saved(round((state.now - draft.began_at) * 1000))
        state.command(ev.ReleaseReply(draft.number))
        return draft

    def drop(self, reason: str) -> None:
        """Give the draft up, if there is one; what it cost is counted."""
        draft, self._draft = self._draft, None
        if draft is not None:
            self._wasted["drafts"] = self._wasted.get("drafts", 0) + 1
            self._wasted["characters"] = self._wasted.get("characters", 0) + len(draft.text)
            self._state.replies.discard(draft, self._state.now, reason)

    def take_wasted(self) -> dict[str, int]:
        """What drafts cost that were discarded since this was last asked."""
        wasted, self._wasted = self._wasted, {}
        return wasted
