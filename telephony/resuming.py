"""What a conversation leaves behind when its stream ends, and how the call's next stream takes it up. PURE.

Restored are the history, the notes, the words that were not heard, what was asked, and what was not answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telephony.agent_side import AgentSide
from telephony.floor import Kind
from telephony.record.turns import WITHHELD, CallerPart
from telephony.reply.agent import Expect, HangUp, Line, Transfer
from telephony.scene import Scene


def leave(scene: Scene, agent: AgentSide) -> dict[str, Any]:
    """What is to be taken up, as JSON can hold it."""
    unanswered, digits = [*agent.unanswered, *(text for text, _ in agent.kept)], agent.unanswered_digits
    secret = agent.unanswered_withheld or scene.sensitive
    unspoken: list[str] = []
    notes, question, actions = dict(scene.notes), scene.question, []
    history = scene.account.history.copy()
    for reply in scene.floor.queue:
        heard = scene.ledger.heard_text(reply.number, scene.now)
        if reply.kind is Kind.ANSWER and not heard:
            # Nothing of it was heard: it is made anew, from the caller's words and the notes as they were.
            unanswered.append(reply.turn_text)
            digits += reply.digits
            secret |= reply.withheld
            notes = notes if reply.notes_before is None else dict(reply.notes_before)
            history = [line for line in history if line.text != reply.line_text]
        elif reply.kind is not Kind.FILLER:
            unspoken += reply.text.split()[len(heard.split()) :]
            question = reply.question or question
            actions += [a for a in reply.actions if isinstance(a, HangUp | Transfer)]
            if heard:
                history.append(Line("agent", reply.text.strip(), heard, True))
    if scene.speaking is not None:
        unanswered.append(scene.speaking.latest.text)
    return {
        "history": [[x.who, x.text, x.heard, x.interrupted] for x in history],
        "notes": notes,
        "unspoken": " ".join(unspoken),
        "question": [question.kind, list(question.options), question.sensitive] if question else None,
        "hang_up": any(isinstance(action, HangUp) for action in actions),
        "transfer": next((action.to for action in actions if isinstance(action, Transfer)), ""),
        "unanswered": [text for text in unanswered if text],
        "digits": digits,
        "secret": secret,
        "withheld": sorted(scene.withheld_notes),
        "turns": agent.turn_count,
    }


def take_up(scene: Scene, agent: AgentSide, state: Mapping[str, Any], why: str) -> None:
    """Go on where the earlier stream ended; `why` it did, as /twilio/after tells it."""
    scene.account.history = [Line(*line) for line in state.get("history", ())]
    scene.notes = dict(state.get("notes", {}))
    scene.withheld_notes.update(state.get("withheld", ()))
    agent.turn_count = int(state.get("turns", 0))
    known = state.get("question")
    question = Expect(known[0], tuple(known[1]), known[2]) if known else None
    unanswered = [str(text) for text in state.get("unanswered", ())]
    digits = str(state.get("digits", ""))
    if state.get("unspoken"):
        actions: list[HangUp | Transfer | Expect] = [question] if question else []
        if state.get("transfer"):
            actions.append(Transfer(str(state["transfer"])))
        if state.get("hang_up"):
            actions.append(HangUp())
        agent.unanswered = unanswered
        scene.expect(question)
        agent.say(Kind.NOTICE, str(state["unspoken"]), actions)
        return
    scene.question = question
    scene.expect(question)
    if unanswered or digits:
        secret = bool(state.get("secret"))
        part = CallerPart(WITHHELD if secret else " ".join(unanswered), eot_at=scene.now, withheld=secret)
        record = scene.account.caller_turn(part)
        agent.answer(" ".join(unanswered), record, digits or None)
    elif why.startswith("transfer"):
        agent.say(Kind.NOTICE, scene.policy.transfer_failed)
