"""What both sides of a conversation look at: the moment, the floor, what was asked, who is speaking. PURE."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from telephony import events as ev
from telephony.floor import Floor, Reply
from telephony.listen.echo import TimedWord, timed
from telephony.listen.thresholds import Thresholds
from telephony.listen.turns import TurnEvent
from telephony.policy import Policy
from telephony.record.account import Account
from telephony.reply.agent import CallInfo, Expect, Manners
from telephony.reply.prompts import Prompts
from telephony.speak.ledger import Ledger
from telephony.timers import Timers

AIRED_WORDS = 60
"""Our words that an echo is looked for in: those of 20 s."""


@dataclass(slots=True)
class CallerSpeaking:
    """The turn that the caller has open."""

    latest: TurnEvent
    """What was heard of it so far."""
    since: float
    new_word_audio: float
    """Seconds of the caller's stream at which it last had a new word."""
    eager_at: float | None = None
    let_go: bool = False
    """It was taken for a murmur, an echo or noise, and we go on."""
    acknowledged: bool = False
    waited_for: bool = False
    """Its end was late because the line stood still."""


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
        self.withheld_notes: set[str] = set()
        """Names of the notes that an agent made of sensitive answers."""
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
        self.before_close: Callable[[], None] = lambda: None
        """Called while everything still stands."""
        self._aired: deque[TimedWord] = deque(maxlen=AIRED_WORDS)

    @property
    def sensitive(self) -> bool:
        """Whether the caller is being asked for something that is not to be written down."""
        for reply in self.floor.queue:
            if reply.withheld:  # said over the reply to such an answer, it corrects the answer
                return True
        asked = self.asking
        return asked is not None and asked.sensitive

    @property
    def asking(self) -> Expect | None:
        """What the caller is being asked, or was asked."""
        for reply in reversed(self.floor.queue):
            if reply.actions and (question := reply.question) is not None:
                return question
        return self.question

    def settle(self, reply: Reply, *, interrupted: bool) -> None:
        """A reply is over: its words may come back as an echo for a while, and it is written down."""
        for text, at in self.ledger.played_words(reply.number, self.now):
            self._aired += timed(text, at)
        self.account.settle(reply, self.now, interrupted=interrupted)

    def own_words(self, since: float = -math.inf) -> list[TimedWord]:
        """Our newest words that the caller heard after `since`, and when, or that have no known time."""
        words = [word for word in self._aired if word.at is None or word.at > since]
        head = self.floor.head
        if head is not None:
            for text, at in self.ledger.played_words(head.number, self.now):
                if at is None or at > since:
                    words += timed(text, at)
        return words

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
        self.before_close()
        if self.ledger.audible(self.now):
            self.ledger.cleared(self.now)
        for reply in list(self.floor.replies.values()):
            heard_ms = self.ledger.heard(reply.number, self.now).samples * 1000 / ev.PHONE_RATE
            self.commands.append(ev.CancelReply(reply.number, heard_ms, "the call is over"))
            self.settle(reply, interrupted=True)
        self.floor.queue.clear()
        self.over = True
        self.timers.clear_all()

    def end_call(self, reason: str) -> None:
        """Hang up."""
        self.commands.append(ev.EndCall(reason))
        self.close("agent")
