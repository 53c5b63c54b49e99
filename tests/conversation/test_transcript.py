"""The transcript: history, turns and decisions, by what the ledger says was heard."""

from __future__ import annotations

import pytest

from telephony.conversation import transcript as module
from telephony.conversation.queued_reply import QueuedReply, ReplyKind, Stage
from telephony.conversation.spoken_secrets import Secrets
from telephony.conversation.transcript import Transcript, add_line, take_back
from telephony.conversation.turn_record import REDACTED, CallerPart
from telephony.events import Decision
from telephony.playback.ledger import Ledger
from telephony.reply.agent import Message

TEXT = "One two three four."


class Desk:
    """A transcript with its ledger, and replies that were sent at 10.0, one second long."""

    def __init__(self) -> None:
        self.ledger, self.secrets = Ledger(), Secrets()
        self.transcript = Transcript(self.ledger, self.secrets)

    def reply(self, text: str = TEXT, kind: ReplyKind = ReplyKind.ANSWER, number: int = 1) -> QueuedReply:
        reply = QueuedReply(number, kind, text=text, stage=Stage.SPEAKING)
        self.ledger.add_phrase(number, text)
        self.ledger.audio(number, 0, 8000)
        self.ledger.phrase_done(number, 0, ())
        self.ledger.sent(number, 0, 8000, 10.0)
        self.transcript.sent(reply, 10.0)
        return reply

    def cut(self, reply: QueuedReply, at: float) -> None:
        self.ledger.cleared(at)
        self.transcript.settle(reply, at, interrupted=True)


def test_of_an_interrupted_reply_the_history_has_what_was_heard() -> None:
    desk = Desk()
    desk.cut(desk.reply(), 10.55)
    (line,) = desk.transcript.history
    assert (line.text, line.heard, line.interrupted) == (TEXT, "One two", True)
    (part,) = [record.agent for record in desk.transcript.records]
    assert part is not None and part.interrupted and part.heard == "One two" and part.last_audio_at == 10.55


def test_a_reply_that_nobody_heard_and_a_filler_are_not_remembered() -> None:
    desk = Desk()
    desk.cut(desk.reply(), 10.01)
    desk.transcript.settle(desk.reply("One moment.", ReplyKind.FILLER, 2), 12.0, interrupted=False)
    assert desk.transcript.history == [] and len(desk.transcript.records) == 2, "the record has them"


def test_a_draft_is_not_written_down() -> None:
    desk = Desk()
    draft = QueuedReply(1, ReplyKind.ANSWER, text=TEXT, stage=Stage.DRAFT)
    desk.transcript.settle(draft, 10.0, interrupted=True)
    assert desk.transcript.records == [] and desk.transcript.agent_part(draft) is None


def test_what_the_voice_reports_replaces_the_estimate_once() -> None:
    desk = Desk()
    desk.cut(desk.reply(), 10.55)
    desk.transcript.voice_reported(2, 0, "Another reply.")
    desk.transcript.voice_reported(1, 0, "One two three ")
    desk.transcript.voice_reported(1, 0, "One")
    assert desk.transcript.history[0].heard == "One two three"
    assert desk.transcript.records[0].agent and desk.transcript.records[0].agent.heard == "One two three"


def test_secrets_are_hidden_in_the_record_and_kept_in_the_history() -> None:
    """The agent must know what it said; what is written must not have it."""
    desk = Desk()
    desk.secrets.add("", "41114111")
    desk.transcript.settle(desk.reply("Is it 41114111?"), 12.0, interrupted=False)
    assert desk.transcript.history[0].text == "Is it 41114111?"
    assert desk.transcript.turns_json(0.0)[0]["agent"]["text"] == f"Is it {REDACTED}?"


def test_numbers_that_the_agent_says_once_it_may_know_a_secret_are_remembered_for_redaction() -> None:
    desk = Desk()
    for number, (text, redact) in enumerate((("It is 12.", True), ("It is 34.", False), ("Fine.", True)), 1):
        reply = desk.reply(text, number=number)
        reply.redact_numbers = redact
        desk.transcript.settle(reply, 20.0, interrupted=False)
    assert desk.transcript.with_numbers == {"It is 12."}


def test_words_that_are_answered_later_are_taken_back_once() -> None:
    history: list[Message] = []
    for text in ("a latte", "two", "a latte"):
        add_line(history, Message("caller", text, text))
    take_back(history, QueuedReply(1, ReplyKind.ANSWER, turn_text="a latte"))
    assert [line.text for line in history] == ["a latte", "two"]


def test_lines_are_numbered_and_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HISTORY_LINES", 3)
    history: list[Message] = []
    for n in range(5):
        add_line(history, Message("caller", str(n), str(n)))
    assert [(line.text, line.number) for line in history] == [("2", 2), ("3", 3), ("4", 4)]


def test_turns_beyond_the_bound_are_answered_but_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECORDS", 1)
    transcript = Desk().transcript
    first, second = (transcript.caller_turn(CallerPart(text)) for text in ("one", "two"))
    assert transcript.records == [first] and second.caller is not None


def test_a_decision_belongs_to_the_newest_turn() -> None:
    transcript = Desk().transcript
    transcript.decided(Decision.CUT, "before any turn", 1.0)
    transcript.caller_turn(CallerPart("one"))
    transcript.caller_turn(CallerPart("two"))
    transcript.decided(Decision.CUT, "the caller said something", 2.0)
    assert [len(record.decisions) for record in transcript.records] == [0, 1]


def test_a_restored_history_knows_where_numbers_must_be_hidden() -> None:
    transcript = Desk().transcript
    lines = [
        Message("agent", "Is it 4111?", "Is it 4111?"),
        Message("caller", "4111", "4111"),
        Message("agent", "Hi.", "Hi."),
    ]
    transcript.restore(lines, sensitive_asked=True)
    assert transcript.with_numbers == {"Is it 4111?"} and transcript.history == lines
