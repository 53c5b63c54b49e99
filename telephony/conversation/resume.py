"""What a conversation leaves behind when its stream ends, and how the call's next stream takes it up. PURE.

Restored are the history, the notes, the words that were not heard, what was asked, and what was not answered.
What was withheld is restored in the same process only: `parted` takes it out of what is saved.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from telephony.carrier.call_flow import ResumeReason
from telephony.conversation.agent_turn import AgentTurn
from telephony.conversation.reply_queue import ReplyKind
from telephony.conversation.spoken_secrets import without_numbers
from telephony.conversation.state import ConversationState, answered_by
from telephony.conversation.transcript import add_line, take_back
from telephony.conversation.turn_record import REDACTED, CallerPart
from telephony.reply.agent import Expect, HangUp, Message, Transfer


def save(state: ConversationState, agent: AgentTurn, now: float) -> dict[str, Any]:
    """What is to be taken up, as JSON can hold it. Under `redacted`: what may be saved in the place of what.

    Our words count as heard up to `now`.
    """
    before = agent.unanswered
    unanswered, digits = [*before.texts, *(text for text, _ in agent.kept)], before.digits
    secret = before.redacted or state.sensitive or any(r.caller and r.caller.redacted for _, r in agent.kept)
    redacted_digits = before.redacted_digits
    unspoken: list[str] = []
    notes: dict[str, Any] | None = None
    question, actions = state.question, []
    history, first = state.transcript.history.copy(), before.first
    for reply in state.replies.queue:
        heard = state.ledger.heard_text(reply.number, now)
        if reply.kind is ReplyKind.ANSWER and not heard:
            # Nothing of it was heard: it is made anew, from the caller's words and the notes as they were.
            unanswered += reply.parts
            first = reply.first_turn if first is None else min(first, reply.first_turn)
            digits += reply.digits
            secret |= reply.redacted
            redacted_digits |= reply.redacted_digits
            question = reply.answers or question
            notes = reply.notes_before if notes is None else notes
            take_back(history, reply)
        elif reply.kind is not ReplyKind.FILLER:
            unspoken += reply.text.split()[len(heard.split()) :]
            question = reply.question or question
            actions += [a for a in reply.actions if isinstance(a, HangUp | Transfer)]
            if heard:
                add_line(history, replace(state.transcript.line(reply, now, interrupted=True), heard=heard))
    if state.speaking is not None:
        unanswered.append(state.speaking.latest.text)
        secret |= state.redacts(state.speaking.latest.text)
    saved = {
        "history": [list(dataclasses.astuple(line)) for line in history],
        "notes": dict(state.notes if notes is None else notes),
        "unspoken": " ".join(unspoken),
        "question": None if question is None else list(dataclasses.astuple(question)),
        "hang_up": any(isinstance(action, HangUp) for action in actions),
        "transfer": next((action.to for action in actions if isinstance(action, Transfer)), ""),
        "unanswered": [text for text in unanswered if text],
        "digits": digits,
        "answers": [text for text in unanswered if answered_by(question, text)],
        "ask_again": False,
        "secret": secret,
        "redacted_digits": redacted_digits,
        "sensitive_asked": state.sensitive_asked,
        "secrets": state.secrets.known(),
        "redacted_notes": sorted(state.redacted_notes),
        "turns": agent.turn_count,
        "first": first,
    }
    return {**saved, "redacted": _without_secrets(state, saved)}


def _without_secrets(state: ConversationState, saved: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a state that hold something withheld, as they may be saved: without it."""
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
    """What may be saved of a state, and what belongs over it and may not: that is kept in memory, or lost."""
    redacted = saved.get("redacted", {})
    whole = {name: value for name, value in saved.items() if name != "redacted"}
    return {**whole, **redacted}, {name: whole[name] for name in redacted}


def restore(state: ConversationState, agent: AgentTurn, saved: Mapping[str, Any], why: ResumeReason) -> None:
    """Go on where the earlier stream ended; `why` there is another one."""
    state.transcript.history = [_line(line) for line in saved.get("history", ())]
    state.notes = dict(saved.get("notes", {}))
    state.redacted_notes.update(saved.get("redacted_notes", ()))
    _restore_secrets(state, saved)
    agent.turn_count = int(saved.get("turns", 0))
    agent.unanswered.first = saved.get("first")
    known = saved.get("question")
    question = Expect(known[0], tuple(known[1]), *known[2:]) if known else None
    unanswered = [str(text) for text in saved.get("unanswered", ())]
    digits = str(saved.get("digits", ""))
    secret, redacted_digits = bool(saved.get("secret")), bool(saved.get("redacted_digits"))
    if saved.get("unspoken"):
        actions: list[HangUp | Transfer | Expect] = [question] if question else []
        if saved.get("transfer"):
            actions.append(Transfer(str(saved["transfer"])))
        if saved.get("hang_up"):
            actions.append(HangUp())
        agent.unanswered.texts, agent.unanswered.digits = unanswered, digits
        agent.unanswered.redacted, agent.unanswered.redacted_digits = secret, redacted_digits
        state.expect(question)
        agent.say(ReplyKind.NOTICE, str(saved["unspoken"]), actions)
        state.replies.queue[-1].redact_numbers = state.sensitive_asked
        return
    state.question = question
    state.expect(question)
    if saved.get("ask_again"):  # what the caller said was not saved
        agent.say(ReplyKind.REASK, state.prompts.reask(), [question] if question else [])
    elif unanswered or digits:
        written = REDACTED if secret else " ".join(unanswered)
        part = CallerPart(written, eot_at=state.now, redacted=secret, asked_digits=not redacted_digits)
        record = state.transcript.caller_turn(part)
        *agent.unanswered.texts, latest = unanswered or [""]
        agent.answer(latest, record, digits or None)
    elif why.transfer_failed:
        agent.say(ReplyKind.NOTICE, state.policy.transfer_failed)


def _line(saved: Sequence[Any]) -> Message:
    """A line of the history, as `save` or JSON gave it."""
    who, text, heard, interrupted, *rest = saved
    kind, digits, backchannels, noise, number = rest or ("", "", (), False, 0)
    return Message(who, text, heard, interrupted, kind, digits, tuple(backchannels), noise, number)


def _restore_secrets(state: ConversationState, saved: Mapping[str, Any]) -> None:
    """What was withheld on the earlier stream is on this one."""
    state.sensitive_asked = bool(saved.get("sensitive_asked"))
    state.secrets.learn(saved.get("secrets", ()))
    said = (line.text for line in state.transcript.history if line.who == "agent")
    if state.sensitive_asked:
        state.transcript.redact_numbers.update(text for text in said if without_numbers(text) != text)
