"""What a conversation leaves behind when its stream ends, and how the call's next stream takes it up. PURE.

Restored are the history, the notes, the words that were not heard, what was asked, and what was not answered.
What was withheld is restored in the same process only: `parted` takes it out of what is saved.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from telephony.carrier.call_flow import ResumeReason
from telephony.conversation.agent_turn import AgentTurn
from telephony.conversation.reply_queue import ReplyKind
from telephony.conversation.spoken_secrets import without_numbers
from telephony.conversation.state import ConversationState, answered_by
from telephony.conversation.transcript import take_back
from telephony.conversation.turn_record import REDACTED, CallerPart
from telephony.reply.agent import Expect, HangUp, Message, Transfer


def leave(scene: ConversationState, agent: AgentTurn, now: float) -> dict[str, Any]:
    """What is to be taken up, as JSON can hold it. Under `sealed`: what may be saved in the place of what.

    Our words count as heard up to `now`.
    """
    before = agent.unanswered
    unanswered, digits = [*before.texts, *(text for text, _ in agent.kept)], before.digits
    secret = before.withheld or scene.sensitive or any(r.caller and r.caller.withheld for _, r in agent.kept)
    hidden_keys = before.hidden_keys
    unspoken: list[str] = []
    notes: dict[str, Any] | None = None
    question, actions = scene.question, []
    history = scene.account.history.copy()
    for reply in scene.floor.queue:
        heard = scene.ledger.heard_text(reply.number, now)
        if reply.kind is ReplyKind.ANSWER and not heard:
            # Nothing of it was heard: it is made anew, from the caller's words and the notes as they were.
            unanswered += reply.parts
            digits += reply.digits
            secret |= reply.withheld
            hidden_keys |= reply.hidden_keys
            question = reply.answers or question
            notes = reply.notes_before if notes is None else notes
            take_back(history, reply)
        elif reply.kind is not ReplyKind.FILLER:
            unspoken += reply.text.split()[len(heard.split()) :]
            question = reply.question or question
            actions += [a for a in reply.actions if isinstance(a, HangUp | Transfer)]
            if heard:
                history.append(Message("agent", reply.text.strip(), heard, True))
    if scene.speaking is not None:
        unanswered.append(scene.speaking.latest.text)
        secret |= scene.withholds(scene.speaking.latest.text)
    state = {
        "history": [[x.who, x.text, x.heard, x.interrupted] for x in history],
        "notes": dict(scene.notes if notes is None else notes),
        "unspoken": " ".join(unspoken),
        "question": None if question is None else list(dataclasses.astuple(question)),
        "hang_up": any(isinstance(action, HangUp) for action in actions),
        "transfer": next((action.to for action in actions if isinstance(action, Transfer)), ""),
        "unanswered": [text for text in unanswered if text],
        "digits": digits,
        "answers": [text for text in unanswered if answered_by(question, text)],
        "ask_again": False,
        "secret": secret,
        "hidden_keys": hidden_keys,
        "guarded": scene.guarding,
        "secrets": scene.secrets.known(),
        "withheld": sorted(scene.withheld_notes),
        "turns": agent.turn_count,
    }
    return {**state, "sealed": _sealed(scene, state)}


def _sealed(scene: ConversationState, state: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a state that hold something withheld, as they may be saved: without it."""
    hide, withheld = scene.secrets.hide, scene.withheld_notes
    safe: dict[str, Any] = {}
    if scene.guarding or scene.secrets:
        notes = {name: hide(value) for name, value in state["notes"].items() if name not in withheld}
        # A note of which a part is hidden would mislead the agent: it is left out.
        safe["notes"] = {name: value for name, value in notes.items() if REDACTED not in str(value)}
        safe["history"] = hide(state["history"])
        safe["unspoken"] = "" if hide(state["unspoken"]) != state["unspoken"] else state["unspoken"]
        safe["transfer"] = "" if hide(state["transfer"]) != state["transfer"] else state["transfer"]
        safe["secrets"] = []
    if state["secret"] and state["unanswered"]:
        safe["unanswered"], safe["answers"], safe["ask_again"] = [], [], True
    if state["digits"] and (state["secret"] or state["hidden_keys"]):
        safe["digits"], safe["ask_again"] = "", True
    return safe


def parted(state: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What may be saved of a state, and what belongs over it and may not: that is kept in memory, or lost."""
    sealed = state.get("sealed", {})
    whole = {name: value for name, value in state.items() if name != "sealed"}
    return {**whole, **sealed}, {name: whole[name] for name in sealed}


def take_up(scene: ConversationState, agent: AgentTurn, state: Mapping[str, Any], why: ResumeReason) -> None:
    """Go on where the earlier stream ended; `why` there is another one."""
    scene.account.history = [Message(*line) for line in state.get("history", ())]
    scene.notes = dict(state.get("notes", {}))
    scene.withheld_notes.update(state.get("withheld", ()))
    _take_up_secrets(scene, state)
    agent.turn_count = int(state.get("turns", 0))
    known = state.get("question")
    question = Expect(known[0], tuple(known[1]), *known[2:]) if known else None
    unanswered = [str(text) for text in state.get("unanswered", ())]
    digits = str(state.get("digits", ""))
    secret, hidden_keys = bool(state.get("secret")), bool(state.get("hidden_keys"))
    if state.get("unspoken"):
        actions: list[HangUp | Transfer | Expect] = [question] if question else []
        if state.get("transfer"):
            actions.append(Transfer(str(state["transfer"])))
        if state.get("hang_up"):
            actions.append(HangUp())
        agent.unanswered.texts, agent.unanswered.digits = unanswered, digits
        agent.unanswered.withheld, agent.unanswered.hidden_keys = secret, hidden_keys
        scene.expect(question)
        agent.say(ReplyKind.NOTICE, str(state["unspoken"]), actions)
        scene.floor.queue[-1].guarded = scene.guarding
        return
    scene.question = question
    scene.expect(question)
    if state.get("ask_again"):  # what the caller said was not saved
        agent.say(ReplyKind.REASK, scene.prompts.reask(), [question] if question else [])
    elif unanswered or digits:
        written = REDACTED if secret else " ".join(unanswered)
        part = CallerPart(written, eot_at=scene.now, withheld=secret, asked_keys=not hidden_keys)
        record = scene.account.caller_turn(part)
        *agent.unanswered.texts, latest = unanswered or [""]
        agent.answer(latest, record, digits or None)
    elif why.transfer_failed:
        agent.say(ReplyKind.NOTICE, scene.policy.transfer_failed)


def _take_up_secrets(scene: ConversationState, state: Mapping[str, Any]) -> None:
    """What was withheld on the earlier stream is on this one."""
    scene.guarding = bool(state.get("guarded"))
    scene.secrets.learn(state.get("secrets", ()))
    said = (line.text for line in scene.account.history if line.who == "agent")
    if scene.guarding:
        scene.account.guarded.update(text for text in said if without_numbers(text) != text)
