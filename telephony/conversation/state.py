"""The state of one conversation: the moment, the queue, what was asked, who is speaking. PURE.

Both turns, the keys and the drafts read it. They change it through its methods.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telephony import events as ev
from telephony.conversation.backchannel import is_backchannel
from telephony.conversation.echo import OwnWord, timed
from telephony.conversation.policy import Policy
from telephony.conversation.prompts import Prompts
from telephony.conversation.queued_reply import QueuedReply
from telephony.conversation.reply_queue import ReplyQueue
from telephony.conversation.spoken_secrets import Secrets, answers_with_a_number, is_long, written_answer
from telephony.conversation.thresholds import Thresholds
from telephony.conversation.timers import Timers
from telephony.conversation.transcript import Transcript
from telephony.conversation.turn_record import REDACTED
from telephony.listen.turns import TurnEvent
from telephony.playback.ledger import Ledger
from telephony.reply.agent import CallInfo, Expect, Message, Wording

LONG_NUMBER, CORRECTION = 6, 3
"""Digits that are redacted once something sensitive was asked: of any number, or while nothing else is asked,
when they may correct what was said."""
OPEN_TURNS = 3
"""Turns of the caller that a sensitive question stays open for when none of them answers it."""
WAIT = re.compile(
    r"\b(?:hold on|hang on|wait|let me|again|just a|one (?:second|sec|moment|minute)|pardon|repeat)\b"
)
"""A caller who says this is about to answer a question, or wants to hear it again."""
STALLED_S = 1.3
"""The caller's clock comes every second. Without it for this long, the line has stalled."""
SETTLE_S = 1.0
"""What was stalled comes at once, and is heard within this."""
RECENT_WORDS = 60
"""Our newest words, about 20 s of them: an echo is looked for in these."""


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
    """It was taken for a backchannel, an echo or noise, and we go on."""
    acknowledged: bool = False
    waited_for: bool = False
    """Its end was late because the line had stalled."""

    def update(self, turn: TurnEvent) -> bool:
        """More was heard of it. True: its words have changed."""
        changed = turn.text != self.latest.text
        if changed:
            self.new_word_audio = turn.audio_end
        self.latest = turn
        return changed

    def eager(self, turn: TurnEvent, now: float) -> None:
        """It may have ended."""
        self.latest, self.eager_at = turn, now

    def went_on(self) -> None:
        """It had not ended."""
        self.eager_at = None

    def dismiss(self, dismissed: bool = True) -> None:
        """It asks nothing of us, or (False) it does."""
        self.dismissed = dismissed

    def acknowledge(self) -> None:
        """We showed that we are listening."""
        self.acknowledged = True

    def wait(self) -> None:
        """Its end is waited for once more."""
        self.waited_for = True


class ConversationState:
    """One call as it stands."""

    def __init__(self, wording: Wording, policy: Policy, before_close: Callable[[], None]) -> None:
        """`before_close` is called when the call ends, while everything still stands."""
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
        """Whether the caller's newest words must not be written down, as of the moment they came."""
        self.turn_answers = False
        """Whether they answered a sensitive question."""
        self.secrets = Secrets()
        self.blanks: list[tuple[float, float]] = []
        """From when to when, in seconds of the caller's stream, a recording must be silent."""
        self.ledger = Ledger()
        self.transcript = Transcript(self.ledger, self.secrets)
        self.replies = ReplyQueue(self.ledger, self.command)
        self.prompts = Prompts(wording)
        self.thresholds = Thresholds(policy)
        self.timers = Timers()
        self.speaking: CallerSpeaking | None = None
        """None while the caller has no turn open."""
        self.question: Expect | None = None
        """What the caller was asked, once the question was heard."""
        self._commands: list[ev.Command] = []
        self._before_close = before_close
        self._unanswered_turns = 0
        self._media_at: float | None = None
        self._settles_at = 0.0
        self._recent_words: deque[OwnWord] = deque(maxlen=RECENT_WORDS)

    # ---- the moment

    def tick(self, now: float) -> None:
        """It is `now`, in seconds of the call's clock."""
        self.now = now

    def begin(self, info: CallInfo) -> None:
        """The call has begun."""
        self.info = info

    def command(self, command: ev.Command) -> None:
        """Have something done."""
        self._commands.append(command)

    def take_commands(self) -> list[ev.Command]:
        """What must be done, in order, once."""
        if not self._commands:
            return []
        commands = self._commands.copy()
        self._commands.clear()
        return commands

    def decide(self, what: ev.Decision, reason: str) -> None:
        """Write a decision and its reason down."""
        self.command(ev.DecisionLogged(what, reason))
        self.transcript.decided(what, reason, self.now)

    def media_came(self) -> None:
        """The caller's stream brings media, silent or not."""
        if self._media_is_late:
            self._settles_at = self.now + SETTLE_S
        self._media_at = self.now

    @property
    def line_stalled(self) -> bool:
        """Whether what the caller does now is heard later: that nothing is heard means nothing."""
        return self._media_is_late or self.now < self._settles_at

    @property
    def _media_is_late(self) -> bool:
        return self._media_at is not None and self.now - self._media_at > STALLED_S

    # ---- the caller's turn

    def open_turn(self, turn: TurnEvent) -> CallerSpeaking:
        """The caller has begun to speak."""
        self.speaking = CallerSpeaking(turn, self.now, turn.audio_end)
        return self.speaking

    def close_turn(self) -> CallerSpeaking | None:
        """The caller's turn is over; returns it, if there was one."""
        speaking, self.speaking = self.speaking, None
        return speaking

    # ---- what is asked

    @property
    def asking(self) -> Expect | None:
        """What the caller is being asked, or was asked."""
        for reply in reversed(self.replies.queue):
            if reply.actions and (question := reply.question) is not None:
                return question
        return self.question

    def ask(self, question: Expect | None) -> None:
        """The caller has heard this question."""
        self.question = question

    def expect(self, question: Expect | None) -> None:
        """Have Flux listen for the answer to this question."""
        self.sensitive_asked = self.sensitive_asked or (question is not None and question.sensitive)
        command = self.thresholds.for_question(question)
        if command is not None:
            self.command(command)

    def answer_question(self, texts: Sequence[str], digits: str | None) -> Expect | None:
        """The caller said this; returns the question that was open before.

        A sensitive question without an answer stays open.
        """
        answered, self.question = self.question, self._question_left(texts, digits)
        self.expect(self.question)
        return answered

    def _question_left(self, texts: Sequence[str], digits: str | None) -> Expect | None:
        asked = self.question
        if asked is None or not asked.sensitive or digits or any(answered_by(asked, text) for text in texts):
            self._unanswered_turns = 0
            return None
        self._unanswered_turns = (self._unanswered_turns + 1) % OPEN_TURNS
        return asked if self._unanswered_turns else None

    # ---- what must not be written down

    @property
    def sensitive(self) -> bool:
        """Whether the caller is being asked for something that must not be written down."""
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
        """Whether these words of the caller must not be written down."""
        if self.sensitive:
            return True
        if not self.sensitive_asked or self.digits_asked:
            return False
        return is_long(text, LONG_NUMBER if self.asking is not None else CORRECTION)

    def words_came(self, text: str) -> None:
        """Note whether the caller's newest words must be redacted."""
        asked = self.asking
        self.turn_redacted = self.redacts(text)
        self.turn_answers = asked is not None and asked.sensitive and answered_by(asked, text)

    def keep_secret(self, text: str, digits: str) -> None:
        """Remember what must not be written down, wherever it turns up."""
        self.secrets.add(text, digits)
        self.sensitive_asked = self.sensitive_asked or bool(text) or len(digits) >= LONG_NUMBER

    def blank(self, begin_s: float, end_s: float) -> None:
        """A recording must be silent between these seconds of the caller's stream."""
        self.blanks.append((begin_s, end_s))

    # ---- notes

    def add_notes(self, values: Mapping[str, Any]) -> None:
        """The agent wants these remembered."""
        self.notes.update(values)

    def redact_notes(self, names: Sequence[str]) -> None:
        """The notes of these names must not be written down."""
        self.redacted_notes.update(names)

    def restore_notes(self, notes: dict[str, Any]) -> None:
        """The notes are again as they were."""
        self.notes = notes

    def written_notes(self) -> dict[str, Any]:
        """The notes without what is redacted, in types that JSON has."""
        notes, redacted = self.notes, self.redacted_notes
        return {k: REDACTED if k in redacted else self.secrets.hide(value) for k, value in notes.items()}

    # ---- our words

    def settle(self, reply: QueuedReply, *, interrupted: bool) -> None:
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

    # ---- the end, and another beginning

    def restore(self, history: Sequence[Message], notes: dict[str, Any], sensitive_asked: bool) -> None:
        """Go on from what an earlier stream of this call left."""
        self.notes = notes
        self.sensitive_asked = sensitive_asked
        self.transcript.restore(history, sensitive_asked=sensitive_asked)

    def close(self, ended_by: ev.EndReason) -> None:
        """The line is gone: write down what was heard, and be done."""
        self.ended_by = self.ended_by or ended_by
        self._before_close()
        if self.ledger.audible(self.now):
            self.ledger.cleared(self.now)
        for reply in self.replies.close(self.now, "the call is over"):
            self.settle(reply, interrupted=True)
        self.over = True
        self.timers.clear_all()

    def end_call(self, reason: ev.HangUpReason) -> None:
        """Hang up."""
        self.hang_up_reason = reason
        self.command(ev.EndCall(reason))
        self.close(ev.EndReason.AGENT)

    def dispose(self) -> None:
        """Nothing more will happen: forget who made it."""
        self.over = True
        del self._before_close


def answered_by(question: Expect | None, text: str) -> bool:
    """Whether words may be the answer to a question: a number where one was asked for."""
    written = written_answer(text)
    if question is None or written is not None:
        return bool(written)
    if question.kind == "digits":
        return answers_with_a_number(text)
    waits = text.rstrip().endswith("?") or WAIT.search(text.lower()) is not None
    return not waits and (question.kind in ("yes_no", "choice") or not is_backchannel(text))
