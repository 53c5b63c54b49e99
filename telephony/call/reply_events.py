"""What an agent yields, as events of its call. PURE."""

from __future__ import annotations

from telephony import events as ev
from telephony.reply.agent import Expect, HangUp, Note, Said, Say, Transfer, Wait


def event_of(reply: int, said: Said | Exception | None) -> ev.Event:
    """What an agent yielded, as an event; None: it is done; an exception: it failed."""
    if isinstance(said, str):
        return ev.ReplyText(reply, said)
    if isinstance(said, Say):
        return ev.ReplyText(reply, said.text, said.interruptible)
    if isinstance(said, Note):
        return ev.ReplyNote(reply, said)
    if isinstance(said, HangUp | Transfer | Wait | Expect):
        return ev.ReplyAction(reply, said)
    if said is None:
        return ev.ReplyEnded(reply)
    return ev.ReplyEnded(reply, f"the agent failed: {type(said).__name__}")
