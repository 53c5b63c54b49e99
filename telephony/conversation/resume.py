"""What a conversation leaves when its stream ends, and how the call's next stream goes on from it. PURE.

Restored are the history, the notes, the words that were not heard, what was asked, and what was not answered.
What was redacted is restored in the same process only: `split_secrets` takes it out of what is saved.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from telephony.carrier.call_flow import ResumeReason
from telephony.conversation.agent_turn import AgentTurn
from telephony.conversation.queued_reply import QueuedReply, ReplyKind, Unanswered
from telephony.conversation.state import ConversationState, answered_by
from telephony.conversation.transcript import add_line, take_back
from telephony.conversation.turn_record import REDACTED, CallerPart
from telephony.reply.agent import Expect, HangUp, Message, Transfer


@dataclass(slots=True)
class _Left:
    """What is left of a conversation, while the queue is gone through."""

    history: list[Message]
    unanswered: Unanswered
    question: Expect | None
    notes: dict[str, Any] | None = None
    """The notes as they were before an answer that nobody heard."""
    unspoken: list[str] = dataclasses.field(default_factory=list)
    hang_up: bool = False
    transfer: str = ""

    def take_back(self, reply: QueuedReply) -> None:
        """Nothing of an answer was heard: it is made again, from the caller's words and the old notes."""
        self.unanswered.take_back(reply)
        self.question = reply.answers or self.question
        self.notes = reply.notes_before if self.notes is None else self.notes
        take_back(self.history, reply)

    def go_on_with(self, reply: QueuedReply, line: Message) -> None:
        """Part of a reply was not heard: it is said on the next stream, and has its effects there."""
        self.unspoken += reply.text.split()[len(line.heard.split()) :]
        self.question = reply.question or self.question
        self.hang_up |= reply.ends_call
        transfers = [action.to for action in reply.actions if isinstance(action, Transfer)]
        self.transfer = self.transfer or next(iter(transfers), "")
        if line.heard:
            add_line(self.history, line)


def save(state: ConversationState, agent: AgentTurn, now: float) -> dict[str, Any]:
    """What the next stream needs, as JSON can hold it. Under `redacted`: what may be written in its place.

    Our words count as heard up to `now`.
    """
    left = _Left(state.transcript.history.copy(), agent.pending(), state.question)
    redacted = left.unanswered.redacted or state.sensitive
    for reply in state.replies.queue:
        heard = state.ledger.heard_text(reply.number, now)
        if reply.kind is ReplyKind.ANSWER and not heard:
            left.take_back(reply)
        elif reply.kind is not ReplyKind.FILLER:
            line = state.transcript.line(reply, now, interrupted=True)
            left.go_on_with(reply, replace(line, heard=heard))
    texts = left.unanswered.texts
    redacted |= left.unanswered.redacted
    if state.speaking is not None:
        texts.append(state.speaking.latest.text)
        redacted |= state.redacts(state.speaking.latest.text)
    question = left.question
    saved = {
        "history": [list(dataclasses.astuple(line)) for line in left.history],
        "notes": dict(state.notes if left.notes is None else left.notes),
        "unspoken": " ".join(left.unspoken),
        "question": None if question is None else list(dataclasses.astuple(question)),
        "hang_up": left.hang_up,
        "transfer": left.transfer,
        "unanswered": [text for text in texts if text],
        "digits": left.unanswered.digits,
        "answers": [text for text in texts if answered_by(question, text)],
        "ask_again": False,
        "secret": redacted,
        "redacted_digits": left.unanswered.redacted_digits,
        "sensitive_asked": state.sensitive_asked,
        "secrets": state.secrets.known(),
        "redacted_notes": sorted(state.redacted_notes),
        "turns": agent.turn_count,
        "first": left.unanswered.first,
    }
    return {**saved, "redacted": _without_secrets(state, saved)}


def _without_secrets(state: ConversationState, saved: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of what is saved that hold a secret, as they may be written: without it."""
    hide, redacted = state.secrets.hide, state.redacted_notes
    safe: dict[str, Any] = {}
    if state.sensitive_asked or state.secrets:
        notes = {name: hide(value) for name, value in saved["notes"].items() if name not in redacted}
        # A note of which a part is hidden would mislead the agent: it is left out.
        safe["notes"] = {name: value for name, value in notes.items() if REDACTED not in str(value)}
        safe["history"] = hide(saved["history"])
        safe["unspoken"] = "" if hide(saved["unspoken"]) != saved["unspoken"] else saved["unspoken"]
        safe["transfer"] = "" if hide(saved["transfer"]) != saved["transfer"] else saved["transfer"]
        safe["secrets"] = []
    if saved["secret"] and saved["unanswered"]:
        safe["unanswered"], safe["answers"], safe["ask_again"] = [], [], True
    if saved["digits"] and (saved["secret"] or saved["redacted_digits"]):
        safe["digits"], safe["ask_again"] = "", True
    return safe


def split_secrets(saved: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of what `save` gave: what may be written, and the values that it replaces.

    The latter stay in memory, or are lost.
    """
    redacted = saved.get("redacted", {})
    whole = {name: value for name, value in saved.items() if name != "redacted"}
    return {**whole, **redacted}, {name: whole[name] for name in redacted}


def restore(state: ConversationState, agent: AgentTurn, saved: Mapping[str, Any], why: ResumeReason) -> None:
    """Go on where the earlier stream ended; `why` there is another one."""
    history = [_line(line) for line in saved.get("history", ())]
    state.restore(history, dict(saved.get("notes", {})), bool(saved.get("sensitive_asked")))
    state.redact_notes(saved.get("redacted_notes", ()))
    state.secrets.learn(saved.get("secrets", ()))
    known = saved.get("question")
    question = Expect(known[0], tuple(known[1]), *known[2:]) if known else None
    unanswered = Unanswered(
        [str(text) for text in saved.get("unanswered", ())],
        str(saved.get("digits", "")),
        redacted=bool(saved.get("secret")),
        redacted_digits=bool(saved.get("redacted_digits")),
        first=saved.get("first"),
    )
    turn_count = int(saved.get("turns", 0))
    if saved.get("unspoken"):
        agent.restore(turn_count, unanswered)
        _say_the_rest(state, agent, saved, question)
        return
    agent.restore(turn_count, Unanswered(first=unanswered.first))
    state.ask(question)
    state.expect(question)
    if saved.get("ask_again"):  # what the caller said was not saved
        agent.say(ReplyKind.REASK, state.prompts.reask(), [question] if question else [])
    elif unanswered.texts or unanswered.digits:
        _answer(state, agent, turn_count, unanswered)
    elif why.transfer_failed:
        agent.say(ReplyKind.NOTICE, state.policy.transfer_failed)


def _line(saved: Sequence[Any]) -> Message:
    """A line of the history, as `save` or JSON gave it."""
    who, text, heard, interrupted, *rest = saved
    kind, digits, backchannels, noise, number = rest or ("", "", (), False, 0)
    return Message(who, text, heard, interrupted, kind, digits, tuple(backchannels), noise, number)


def _say_the_rest(
    state: ConversationState, agent: AgentTurn, saved: Mapping[str, Any], question: Expect | None
) -> None:
    actions: list[Expect | Transfer | HangUp] = [question] if question else []
    if saved.get("transfer"):
        actions.append(Transfer(str(saved["transfer"])))
    if saved.get("hang_up"):
        actions.append(HangUp())
    state.expect(question)
    agent.say(ReplyKind.NOTICE, str(saved["unspoken"]), actions, redact_numbers=state.sensitive_asked)


def _answer(state: ConversationState, agent: AgentTurn, turn_count: int, unanswered: Unanswered) -> None:
    """Answer what the caller said last, together with what they said before."""
    written = REDACTED if unanswered.redacted else " ".join(unanswered.texts)
    part = CallerPart(
        written, eot_at=state.now, redacted=unanswered.redacted, asked_digits=not unanswered.redacted_digits
    )
    record = state.transcript.caller_turn(part)
    *before, latest = unanswered.texts or [""]
    agent.restore(turn_count, Unanswered(before, first=unanswered.first))
    agent.answer(latest, record, unanswered.digits or None)
