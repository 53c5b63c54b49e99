"""What is written down of a call as it goes: its turns, its history, its decisions. PURE.

What was heard of a reply is asked of the ledger, and of nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from telephony.base.frozen import frozen
from telephony.conversation.reply_queue import Reply, ReplyKind, Stage
from telephony.conversation.spoken_secrets import Secrets, without_numbers
from telephony.conversation.turn_record import AgentPart, CallerPart, StreamClock, TurnRecord, turn_json
from telephony.events import Decision
from telephony.playback.ledger import Ledger, WordState
from telephony.reply.agent import Message

HISTORY_LINES = 200
"""Lines of history that are kept: an hour's call has about as many. A bound, not a feature."""
RECORDS = 2000
"""Turns that are kept: a call of four hours has fewer."""


def add_line(history: list[Message], line: Message) -> Message:
    """Write a line at a history's end, with its number."""
    numbered = replace(line, number=history[-1].number + 1 if history else 0)
    history.append(numbered)
    del history[:-HISTORY_LINES]
    return numbered


def caller_line(reply: Reply) -> Message:
    """What the caller said and keyed in that a reply answers, as it is written down."""
    return Message("caller", reply.line_text, reply.line_text, digits=reply.line_digits)


def take_back(history: list[Message], reply: Reply) -> None:
    """Take the caller's words that a reply answers out of a history: the newest line that has them."""
    answered = caller_line(reply)
    for at in range(len(history) - 1, -1, -1):
        if history[at] == answered:
            del history[at]
            return


def is_remembered(reply: Reply, line: Message) -> bool:
    """Whether a line of ours belongs to the history: a filler does not, nor what nobody heard."""
    return reply.kind is not ReplyKind.FILLER and bool(line.heard)


@frozen
class _CutReply:
    """A reply that was interrupted, with word times that are only estimated."""

    reply: int
    line: Message
    part: AgentPart
    phrases: dict[int, str]


class Transcript:
    """The call's own memory."""

    def __init__(self, ledger: Ledger, secrets: Secrets) -> None:
        self.redact_numbers: set[str] = set()
        """What we said after something sensitive was asked, with a number in it: see `without_numbers`."""
        self.records: list[TurnRecord] = []
        self.history: list[Message] = []
        self.clock = StreamClock()
        self._ledger = ledger
        self._secrets = secrets
        self._cut: _CutReply | None = None

    def caller_said(self, reply: Reply) -> None:
        """Write down what the caller said and keyed in, which this reply answers."""
        add_line(self.history, caller_line(reply))

    def take_back(self, reply: Reply) -> None:
        """The caller's words that this reply answers will be answered together with what follows them."""
        take_back(self.history, reply)

    def caller_turn(self, caller: CallerPart) -> TurnRecord:
        record = TurnRecord(len(self.records), caller=caller)
        if len(self.records) < RECORDS:
            self.records.append(record)
        return record

    def agent_part(self, reply: Reply) -> AgentPart | None:
        """Where a reply is written down; None while it is a draft."""
        if reply.stage is Stage.DRAFT:
            return None
        if reply.record is None:
            reply.record = TurnRecord(len(self.records))
            if len(self.records) < RECORDS:
                self.records.append(reply.record)
        if reply.record.agent is None:
            reply.record.agent = AgentPart(kind=reply.kind.value)
        return reply.record.agent

    def text_came(self, reply: Reply, now: float) -> None:
        if reply.first_text_at is None:
            reply.first_text_at = now

    def sound_came(self, reply: Reply, now: float) -> None:
        if reply.first_sound_at is None:
            reply.first_sound_at = now

    def sent(self, reply: Reply, now: float) -> None:
        part = self.agent_part(reply)
        if part is not None and part.first_sent_at is None:
            part.first_sent_at = now
            part.first_text_at = reply.first_text_at
            part.first_sound_at = reply.first_sound_at

    def line(self, reply: Reply, now: float, *, interrupted: bool) -> Message:
        """What a reply would be in the history if it were over now."""
        text = reply.text.strip()
        heard = self._ledger.heard_text(reply.number, now) if interrupted else text
        return Message(
            "agent", text, heard, interrupted, reply.kind.value,
            backchannels=tuple(reply.backchannels), noise=reply.noise,
        )  # fmt: skip

    def settle(self, reply: Reply, now: float, *, interrupted: bool) -> None:
        """A reply is over: history and record learn what was heard of it.

        A reply that the voice could not say to its end was interrupted, too.
        """
        interrupted = interrupted or reply.broke_off
        if reply.stage is Stage.DRAFT:
            return
        line = self.line(reply, now, interrupted=interrupted)
        text, heard = line.text, line.heard
        if is_remembered(reply, line):
            line = add_line(self.history, line)
            if reply.redact_numbers and without_numbers(text) != text:
                self.redact_numbers.add(text)
        part = self.agent_part(reply)
        if part is not None:
            part.text, part.heard = self._secrets.hide(text), self._secrets.hide(heard)
            sounded = self._ledger.first_sent_at(reply.number) is not None
            part.interrupted = interrupted and sounded and heard.split() != text.split()
            if part.interrupted:
                words = self._ledger.words(reply.number, now)
                uncertain = [w.text for w in words if w.state is WordState.UNCERTAIN]
                hidden = self._secrets.hide(" ".join(uncertain))
                part.uncertain = tuple(uncertain if hidden == " ".join(uncertain) else hidden.split())
                part.bound_ms = round(self._ledger.heard(reply.number, now).bound_ms, 1)
            if part.first_sent_at is not None:
                part.last_audio_at = min(now, self._ledger.play_end)
        phrases = self._ledger.cut_phrases(reply.number) if interrupted else None
        if phrases is not None and part is not None:
            self._cut = _CutReply(reply.number, line, part, phrases)
        self._ledger.forget(reply.number)

    def voice_said(self, reply: int, phrase: int, text_spoken: str) -> None:
        """The voice knows its words better than an estimate from text and time: its account is taken."""
        cut = self._cut
        if cut is None or cut.reply != reply or phrase not in cut.phrases or not text_spoken:
            return
        before = [text for number, text in cut.phrases.items() if number < phrase]
        heard = " ".join([*before, text_spoken.strip()])
        cut.part.heard = self._secrets.hide(heard)
        for at in range(len(self.history) - 1, -1, -1):
            if self.history[at] is cut.line:
                self.history[at] = replace(cut.line, heard=heard)
        self._cut = None

    def decided(self, what: Decision, reason: str, now: float) -> None:
        if self.records:
            self.records[-1].decisions.append({"at_s": now, "what": what, "reason": reason})

    def turns_json(self, line_s: float) -> list[dict[str, Any]]:
        """The call's turns so far, in the contract's JSON."""
        return [turn_json(t, self.clock, line_s) for t in self.records if t.caller or t.agent]
