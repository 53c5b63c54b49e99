"""What both sides of a conversation look at: the moment, the floor, what was asked, who is speaking. PURE."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from telephony import events as ev
from telephony.audio.g711 import PHONE_RATE
from telephony.conversation.backchannel import is_backchannel
from telephony.conversation.echo import OwnWord, timed
from telephony.conversation.policy import Policy
from telephony.conversation.prompts import Prompts
from telephony.conversation.reply_queue import Reply, ReplyQueue
from telephony.conversation.spoken_secrets import Secrets, answers_with_a_number, is_long, written_answer
from telephony.conversation.thresholds import Thresholds
from telephony.conversation.timers import Timers
from telephony.conversation.transcript import Transcript
from telephony.conversation.turn_record import REDACTED
from telephony.listen.turns import TurnEvent
from telephony.playback.ledger import Ledger
from telephony.reply.agent import CallInfo, Expect, Wording

LONG_NUMBER, CORRECTION = 6, 3
"""Digits that are withheld once something sensitive was asked: of any number, or while nothing else is asked,
when they may correct what was said."""
OPEN_TURNS = 3
"""Turns of the caller that a sensitive question stays open for when none of them answers it."""
WAIT = re.compile(
    r"\b(?:hold on|hang on|wait|let me|again|just a|one (?:second|sec|moment|minute)|pardon|repeat)\b"
)
"""Whoever says this is about to answer a question, or wants to hear it again."""
STALLED_S = 1.3
"""Without a word of the caller's clock, which comes every second, the line stands still."""
SETTLE_S = 1.0
"""What then comes at once is heard within this."""
RECENT_WORDS = 60
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
    dismissed: bool = False
    """It was taken for a murmur, an echo or noise, and we go on."""
    acknowledged: bool = False
    waited_for: bool = False
    """Its end was late because the line stood still."""


class ConversationState:
    """One call as it stands."""

    def __init__(self, wording: Wording, policy: Policy) -> None:
        self.wording = wording
        self.policy = policy
        self.now = 0.0
        self.over = False
        self.ended_by: ev.EndReason | None = None
        self.hang_up_reason: ev.HangUpReason | None = None
        self.info = CallInfo("")
        self.notes: dict[str, Any] = {}
        self.redacted_notes: set[str] = set()
        """Names of the notes that an agent made of sensitive answers."""
        self.sensitive_asked = False
        """Something sensitive was asked in this call, or keyed in without being asked for."""
        self.turn_redacted = False
        """Whether the caller's newest words, as they came, were such as are not written down."""
        self.turn_answers = False
        """Whether they answered a sensitive question."""
        self.secrets = Secrets()
        self.blanks: list[tuple[float, float]] = []
        """From when to when, in seconds of the caller's stream, a recording must not be heard."""
        self._unanswered_turns = 0
        self.commands: list[ev.Command] = []
        self.ledger = Ledger()
        self.transcript = Transcript(self.ledger, self.secrets)
        self.replies = ReplyQueue(self.ledger, self.commands)
        self.prompts = Prompts(wording)
        self.thresholds = Thresholds(policy)
        self.timers = Timers()
        self.speaking: CallerSpeaking | None = None
        """None while the caller has no turn open."""
        self.question: Expect | None = None
        """What the caller was asked, once the question was heard."""
        self.before_close: Callable[[], None] = lambda: None
        """Called while everything still stands."""
        self._media_at: float | None = None
        self._settles_at = 0.0
        self._recent_words: deque[OwnWord] = deque(maxlen=RECENT_WORDS)

    def media_came(self) -> None:
        """There is sound of the caller's, silence or not."""
        if self._media_is_late:
            self._settles_at = self.now + SETTLE_S
        self._media_at = self.now

    @property
    def line_stalled(self) -> bool:
        """What the caller does now is heard later: that nothing is heard means nothing."""
        return self._media_is_late or self.now < self._settles_at

    @property
    def _media_is_late(self) -> bool:
        return self._media_at is not None and self.now - self._media_at > STALLED_S

    @property
    def sensitive(self) -> bool:
        """Whether the caller is being asked for something that is not to be written down."""
        for reply in self.replies.queue:
            if reply.redacted:  # said over the reply to such an answer, it corrects the answer
                return True
        asked = self.asking
        return asked is not None and asked.sensitive

    @property
    def digits_asked(self) -> bool:
        """Whether keys that are pressed now were asked for as something harmless."""
        asked = self.asking
        return asked is not None and asked.kind == "digits" and not self.sensitive

    def redacts(self, text: str) -> bool:
        """Whether these words of the caller are not to be written down."""
        if self.sensitive:
            return True
        if not self.sensitive_asked or self.digits_asked:
            return False
        return is_long(text, LONG_NUMBER if self.asking is not None else CORRECTION)

    def keep_secret(self, text: str, digits: str) -> None:
        """Remember what is not to be written down, wherever it turns up."""
        self.secrets.add(text, digits)
        self.sensitive_asked = self.sensitive_asked or bool(text) or len(digits) >= LONG_NUMBER

    def written_notes(self) -> dict[str, Any]:
        """The notes without what is withheld, in types that JSON has."""
        notes, redacted = self.notes, self.redacted_notes
        return {k: REDACTED if k in redacted else self.secrets.hide(value) for k, value in notes.items()}

    def words_came(self, text: str) -> None:
        """See what the caller's newest words are to be written down as."""
        asked = self.asking
        self.turn_redacted = self.redacts(text)
        self.turn_answers = asked is not None and asked.sensitive and answered_by(asked, text)

    def question_left(self, texts: Sequence[str], digits: str | None) -> Expect | None:
        """The question that is still open after the caller said this: a sensitive one without an answer."""
        asked = self.question
        if asked is None or not asked.sensitive or digits or any(answered_by(asked, text) for text in texts):
            self._unanswered_turns = 0
            return None
        self._unanswered_turns = (self._unanswered_turns + 1) % OPEN_TURNS
        return asked if self._unanswered_turns else None

    @property
    def asking(self) -> Expect | None:
        """What the caller is being asked, or was asked."""
        for reply in reversed(self.replies.queue):
            if reply.actions and (question := reply.question) is not None:
                return question
        return self.question

    def settle(self, reply: Reply, *, interrupted: bool) -> None:
        """A reply is over: its words may come back as an echo for a while, and it is written down."""
        for text, at in self.ledger.played_words(reply.number, self.now):
            self._recent_words += timed(text, at)
        self.transcript.settle(reply, self.now, interrupted=interrupted)

    def own_words(self, since: float = -math.inf) -> list[OwnWord]:
        """Our newest words that the caller heard after `since`, and when, or that have no known time."""
        words = [word for word in self._recent_words if word.at is None or word.at > since]
        head = self.replies.head
        if head is not None:
            for text, at in self.ledger.played_words(head.number, self.now):
                if at is None or at > since:
                    words += timed(text, at)
        return words

    def decide(self, what: ev.Decision, reason: str) -> None:
        """Write a decision and its reason down."""
        self.commands.append(ev.DecisionLogged(what, reason))
        self.transcript.decided(what, reason, self.now)

    def expect(self, question: Expect | None) -> None:
        """Have Flux listen for the answer to this question."""
        self.sensitive_asked = self.sensitive_asked or (question is not None and question.sensitive)
        command = self.thresholds.for_question(question)
        if command is not None:
            self.commands.append(command)

    def close(self, ended_by: ev.EndReason) -> None:
        """The line is gone: write down what was heard, and be done."""
        self.ended_by = self.ended_by or ended_by
        self.before_close()
        if self.ledger.audible(self.now):
            self.ledger.cleared(self.now)
        for reply in self.replies.unfinished():
            heard_ms = self.ledger.heard(reply.number, self.now).samples * 1000 / PHONE_RATE
            self.commands.append(ev.CancelReply(reply.number, heard_ms, "the call is over"))
            self.settle(reply, interrupted=True)
        self.replies.queue.clear()
        self.over = True
        self.timers.clear_all()

    def end_call(self, reason: ev.HangUpReason) -> None:
        """Hang up."""
        self.hang_up_reason = reason
        self.commands.append(ev.EndCall(reason))
        self.close(ev.EndReason.AGENT)


def answered_by(question: Expect | None, text: str) -> bool:
    """Whether words may be the answer to a question: a number where one was asked for."""
    written = written_answer(text)
    if question is None or written is not None:
        return bool(written)
    if question.kind == "digits":
        return answers_with_a_number(text)
    waits = text.rstrip().endswith("?") or WAIT.search(text.lower()) is not None
    return not waits and (question.kind in ("yes_no", "choice") or not is_backchannel(text))
