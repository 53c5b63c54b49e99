"""What both sides of a conversation look at: the moment, the floor, what was asked, who is speaking. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from telephony import events as ev
from telephony.floor import Floor
from telephony.listen.thresholds import Thresholds
from telephony.policy import Policy
from telephony.record.account import Account
from telephony.reply.agent import CallInfo, Expect, Manners
from telephony.reply.prompts import Prompts
from telephony.speak.ledger import Ledger
from telephony.timers import Timers


@dataclass(slots=True)
class CallerSpeaking:
    """The turn that the caller has open."""

    turn: int
    since: float
    text: str = ""
    eager_at: float | None = None
    gone_on: bool = False
    """It was taken for a murmur or noise, and we went on."""
    acknowledged: bool = False


class Scene:
    """One call as it stands."""

    def __init__(self, manners: Manners, policy: Policy) -> None:
        self.manners = manners
        self.policy = policy
        self.now = 0.0
        self.over = False
        self.ended_by = ""
        self.info = CallInfo("")
        self.notes: dict[str, Any] = {}
        self.commands: list[ev.Command] = []
        self.ledger = Ledger()
        self.account = Account(self.ledger)
        self.floor = Floor(self.ledger, self.commands)
        self.prompts = Prompts(manners)
        self.thresholds = Thresholds(policy)
        self.timers = Timers()
        self.speaking: CallerSpeaking | None = None
        """None while the caller has no turn open."""
        self.question: Expect | None = None
        """What the caller was asked, once the question was heard."""

    def decide(self, what: str, reason: str) -> None:
        """Write a decision and its reason down."""
        self.commands.append(ev.Decided(what, reason))
        self.account.decided(what, reason, self.now)

    def expect(self, question: Expect | None) -> None:
        """Have Flux listen for the answer to this question."""
        command = self.thresholds.for_question(question)
        if command is not None:
            self.commands.append(command)

    def close(self, ended_by: str) -> None:
        """The line is gone: write down what was heard, and be done."""
        self.ended_by = self.ended_by or ended_by
        if self.ledger.audible(self.now):
            self.ledger.cleared(self.now)
        for reply in list(self.floor.replies.values()):
            heard_ms = self.ledger.heard(reply.number, self.now).samples * 1000 / ev.PHONE_RATE
            self.commands.append(ev.CancelReply(reply.number, heard_ms, "the call is over"))
            self.account.settle(reply, self.now, interrupted=True)
        self.floor.queue.clear()
        self.over = True
        self.timers.clear_all()

    def end_call(self, reason: str) -> None:
        """Hang up."""
        self.commands.append(ev.EndCall(reason))
        self.close("agent")
