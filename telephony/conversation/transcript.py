"""The transcript of a running call: its turns, its history, its decisions. PURE.

Only the ledger says what was heard of a reply.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from telephony.base.frozen import frozen
from telephony.conversation.queued_reply import QueuedReply, ReplyKind, Stage
from telephony.conversation.spoken_secrets import Secrets, without_numbers
from telephony.conversation.turn_record import AgentPart, CallerPart, StreamClock, TurnRecord, turn_json
from telephony.events import Decision
from telephony.playback.ledger import Ledger, WordState
from telephony.reply.agent import Message

HISTORY_LINES = 200
"""The newest lines of history are kept: about an hour's call."""
RECORDS = 2000
"""Turns that are kept: a call of four hours has fewer."""


def add_line(history: list[Message], line: Message) -> Message:
    """Add a line to a history, which stays within its bound; returns it with its number."""
    numbered = replace(line, number=history[-1].number + 1 if history else 0)
    history.append(numbered)
    del history[:-HISTORY_LINES]
    return numbered


def caller_line(reply: QueuedReply) -> Message:
    """What the caller said and keyed in that a reply answers, as it is written down."""
    return Message("caller", reply.line_text, reply.line_text, digits=reply.line_digits)


def take_back(history: list[Message], reply: QueuedReply) -> None:
    """Take the caller's words that a reply answers out of a history: the newest line that has them."""
    answered = caller_line(reply)
    for at in range(len(history) - 1, -1, -1):
        if history[at] == answered:
            del history[at]
            return


def is_remembered(reply: QueuedReply, line: Message) -> bool:
    """Whether a line of ours belongs to the history: fillers do not, nor what nobody heard."""
    return reply.kind is not ReplyKind.FILLER and bool(line.heard)


@frozen
class _CutReply:
    """A reply that was interrupted, with word times that are only estimated."""

    reply: int
    line: Message
    part: AgentPart
    phrases: dict[int, str]


class Transcript:
    """The turns, the history and the decisions of one call."""

    def __init__(self, ledger: Ledger, secrets: Secrets) -> None:
        self.history: list[Message] = []
        """What was said, as the agent is given it: oldest first."""
        self.records: list[TurnRecord] = []
        """The same turn by turn, as it is written down."""
        self.clock = StreamClock()
        self.with_numbers: set[str] = set()
        """What we said after something sensitive was asked, with a number in it: see `without_numbers`."""
        self._ledger = ledger
        self._secrets = secrets
        self._cut: _CutReply | None = None

    def restore(self, history: Sequence[Message], *, sensitive_asked: bool) -> None:
        """Go on from the history of an earlier stream of this call."""
        self.history = list(history)
        if sensitive_asked:
            said = (line.text for line in history if line.who == "agent")
            self.with_numbers.update(text for text in said if without_numbers(text) != text)

    def caller_said(self, reply: QueuedReply) -> None:
        """Write down what the caller said and keyed in, which this reply answers."""
        add_line(self.history, caller_line(reply))

    def take_back(self, reply: QueuedReply) -> None:
        """The caller's words that this reply answers will be answered together with what follows them."""
        take_back(self.history, reply)

    def caller_turn(self, caller: CallerPart) -> TurnRecord:
        """The caller said something: a new turn."""
        return self._new_record(caller)

    def _new_record(self, caller: CallerPart | None = None) -> TurnRecord:
        record = TurnRecord(len(self.records), caller=caller)
        if len(self.records) < RECORDS:
            self.records.append(record)
        return record

    def agent_part(self, reply: QueuedReply) -> AgentPart | None:
        """Where a reply is written down; None while it is a draft."""
        if reply.stage is Stage.DRAFT:
            return None
        record = reply.record
        if record is None:
            record = self._new_record()
            reply.write_in(record)
        return record.begin_agent(reply.kind.value)

    def sent(self, reply: QueuedReply, now: float) -> None:
        """Some of a reply went out."""
        part = self.agent_part(reply)
        if part is not None:
            part.sent(now, reply.first_text_at, reply.first_sound_at)

    def went_on(self, reply: QueuedReply) -> None:
        """A reply had paused for the caller, and goes on."""
        part = self.agent_part(reply)
        if part is not None:
            part.went_on()

    def line(self, reply: QueuedReply, now: float, *, interrupted: bool) -> Message:
        """What a reply would be in the history if it were over now."""
        text = reply.text.strip()
        heard = self._ledger.heard_text(reply.number, now) if interrupted else text
        return Message(
            "agent", text, heard, interrupted, reply.kind.value,
            backchannels=tuple(reply.backchannels), noise=reply.noise,
        )  # fmt: skip

    def settle(self, reply: QueuedReply, now: float, *, interrupted: bool) -> None:
        """A reply is over: history and record learn what was heard of it.

        A reply that the voice could not say to its end was interrupted, too.
        """
        part = self.agent_part(reply)
        if part is None:
            return
        interrupted = interrupted or reply.broke_off
        line = self.line(reply, now, interrupted=interrupted)
        if is_remembered(reply, line):
            line = add_line(self.history, line)
            if reply.redact_numbers and without_numbers(line.text) != line.text:
                self.with_numbers.add(line.text)
        part.settle(
            self._secrets.hide(line.text), self._secrets.hide(line.heard), min(now, self._ledger.play_end)
        )
        sounded = self._ledger.first_sent_at(reply.number) is not None
        if interrupted and sounded and line.heard.split() != line.text.split():
            bound_ms = self._ledger.heard(reply.number, now).bound_ms
            part.interrupt(self._uncertain(reply, now), round(bound_ms, 1))
        phrases = self._ledger.cut_phrases(reply.number) if interrupted else None
        if phrases is not None:
            self._cut = _CutReply(reply.number, line, part, phrases)
        self._ledger.forget(reply.number)

    def _uncertain(self, reply: QueuedReply, now: float) -> tuple[str, ...]:
        words = self._ledger.words(reply.number, now)
        uncertain = " ".join([word.text for word in words if word.state is WordState.UNCERTAIN])
        return tuple(self._secrets.hide(uncertain).split())

    def voice_reported(self, reply: int, phrase: int, text_spoken: str) -> None:
        """The voice says which words of an interrupted phrase it spoke.

        That replaces what was estimated from text and time.
        """
        cut = self._cut
        if cut is None or cut.reply != reply or phrase not in cut.phrases or not text_spoken:
            return
        before = [text for number, text in cut.phrases.items() if number < phrase]
        heard = " ".join([*before, text_spoken.strip()])
        cut.part.correct(self._secrets.hide(heard))
        for at in range(len(self.history) - 1, -1, -1):
            if self.history[at] is cut.line:
                self.history[at] = replace(cut.line, heard=heard)
        self._cut = None

    def decided(self, what: Decision, reason: str, now: float) -> None:
        """A decision belongs to the newest turn."""
        if self.records:
            self.records[-1].decided(what, reason, now)

    def turns_json(self, line_s: float) -> list[dict[str, Any]]:
        """The call's turns so far, as JSON; `line_s` as in `turn_json`."""
        return [turn_json(t, self.clock, line_s) for t in self.records if t.caller or t.agent]
