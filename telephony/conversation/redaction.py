"""Redaction: what a caller says or keys in when asked for something sensitive is not written down. PURE.

The agent must have it; the tape, the record and the logs must not. It is replaced in what is written, in such
a way that the tape, run again, gives the same commands. Keys become `*`. Words become place-holders, which
are equal where the words were equal. Words that decide something by themselves stay: backchannels, and our
own words, which may be an echo. Words that are said later stay, too.

Keys that nobody asked for become `*`. Once something sensitive was asked, long numbers that the caller says
are redacted, and the numbers in the agent's own words: it may read back what it heard.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import replace
from typing import Any

from telephony import events as ev
from telephony.conversation.backchannel import BACKCHANNEL_WORDS, spoken_words
from telephony.conversation.queued_reply import QueuedReply
from telephony.conversation.spoken_secrets import ANSWER, NO_ANSWER, NUMBER_WORDS, without_numbers
from telephony.conversation.state import ConversationState
from telephony.conversation.turn_record import REDACTED
from telephony.deepgram.flux_messages import TurnInfo
from telephony.reply.agent import Message, Note, Transfer, Turn

KEY, TERMINATOR = "*", "#"


class Redactor:
    """Redacts one call's events and commands. It looks at the call's state after each event."""

    def __init__(self, state: ConversationState, digits_asked: Callable[[], bool]) -> None:
        """`keys_asked`: whether the newest key was asked for, as something harmless."""
        self._state = state
        self._digits_asked = digits_asked
        self._turn = -1
        self._versions: dict[int, list[str]] = {}
        """For each place in the turn, the words that were heard there."""
        self._said: dict[str, str] = {}
        """What was said, and what is written in its place."""
        self._redact_numbers_in: set[int] = set()
        """Replies in whose words numbers are hidden."""
        self._in: dict[type, Callable[[Any, bool], ev.Event]] = {
            ev.CallStarted: self._call_started,
            ev.DtmfPressed: self._key,
            ev.TurnInfoReceived: self._turn_heard,
            ev.ReplyText: self._reply_text,
            ev.ReplyNote: self._note,
            ev.ReplyAction: self._action,
            ev.PhraseSpoken: self._phrase_spoken,
            ev.PhraseCut: self._phrase_cut,
        }
        self._out: dict[type, Callable[[Any, bool], ev.Command]] = {
            ev.StartReply: self._start_reply,
            ev.Speak: self._speak,
            ev.TransferCall: lambda command, _: replace(command, to=self._target(command.to)),
        }

    def dispose(self) -> None:
        """Nothing more is written: take the tables apart, which refer to this object."""
        self._in.clear()
        self._out.clear()

    def __call__(
        self, event: ev.Event, commands: list[ev.Command], sensitive: bool
    ) -> tuple[ev.Event, list[ev.Command]]:
        """What may be written. `sensitive`: the step is, or was just before this event."""
        change = self._in.get(type(event))
        if change is not None:
            event = change(event, sensitive)
        if commands and self._out_changes(commands):
            commands = [self._out[type(c)](c, sensitive) if type(c) in self._out else c for c in commands]
        return event, commands

    def _out_changes(self, commands: list[ev.Command]) -> bool:
        return any(type(command) in self._out for command in commands)

    # what came in

    def _call_started(self, event: ev.CallStarted, sensitive: bool) -> ev.CallStarted:
        resumed = event.resumed
        if not resumed or "redacted_notes" not in resumed:
            return event
        if resumed.get("sensitive_asked") and resumed.get("unspoken"):
            self._redact_numbers_in.add(1)  # it is said first
        return replace(event, resumed=self._resumed(resumed))

    def _key(self, event: ev.DtmfPressed, sensitive: bool) -> ev.DtmfPressed:
        return event if self._digits_asked() and not sensitive else ev.DtmfPressed(_keys(event.digit))

    def _turn_heard(self, event: ev.TurnInfoReceived, sensitive: bool) -> ev.TurnInfoReceived:
        # As it was when the words came: a turn after which something sensitive is asked is not redacted.
        if self._state.turn_redacted:
            return ev.TurnInfoReceived(self._turn_info(event.info))
        self._said.pop(event.info.transcript, None)
        return event

    def _turn_info(self, info: TurnInfo) -> TurnInfo:
        if info.turn_index != self._turn:
            self._turn = info.turn_index
            self._versions = {}
        own = {word for text in self._state.own_words() for word in spoken_words(text.text)}
        written = [self._word(at, token, own) for at, token in enumerate(info.transcript.split())]
        transcript = " ".join(written)
        if transcript != info.transcript:
            self._said[info.transcript] = transcript
        words = tuple([w._replace(word=self._word(at, w.word, own)) for at, w in enumerate(info.words)])
        return replace(info, transcript=transcript, words=words)

    def _word(self, at: int, token: str, own: Set[str]) -> str:
        spoken = spoken_words(token)
        if all(word in BACKCHANNEL_WORDS or (word in own and not _number(word)) for word in spoken):
            return token
        heard = self._versions.setdefault(at, [])
        key = " ".join(spoken)
        if key not in heard:
            heard.append(key)
        place = f"{ANSWER if self._state.turn_answers else NO_ANSWER}{at}"
        return place if heard[0] == key else f"{place}-{heard.index(key)}"

    def _reply_text(self, event: ev.ReplyText, sensitive: bool) -> ev.ReplyText:
        return (
            replace(event, text=without_numbers(event.text))
            if event.reply in self._redact_numbers_in
            else event
        )

    def _note(self, event: ev.ReplyNote, sensitive: bool) -> ev.ReplyNote:
        hidden = self._without(event.note.values)
        return event if hidden == dict(event.note.values) else ev.ReplyNote(event.reply, Note(**hidden))

    def _action(self, event: ev.ReplyAction, sensitive: bool) -> ev.ReplyAction:
        if isinstance(event.action, Transfer):
            return ev.ReplyAction(event.reply, Transfer(self._target(event.action.to)))
        return event

    def _phrase_spoken(self, event: ev.PhraseSpoken, sensitive: bool) -> ev.PhraseSpoken:
        if event.reply not in self._redact_numbers_in:
            return event
        words = tuple([replace(word, text=without_numbers(word.text)) for word in event.words])
        return replace(event, words=words)

    def _phrase_cut(self, event: ev.PhraseCut, sensitive: bool) -> ev.PhraseCut:
        if event.reply not in self._redact_numbers_in:
            return event
        return replace(event, text_spoken=without_numbers(event.text_spoken))

    # what came out

    def _start_reply(self, command: ev.StartReply, sensitive: bool) -> ev.StartReply:
        turn, reply = command.turn, self._state.replies.known(command.reply)
        if reply is None or reply.redact_numbers:
            self._redact_numbers_in.add(command.reply)
        digits = turn.digits
        if digits is not None and (sensitive or reply is None or reply.redacted_digits):
            digits = _keys(digits)
        text = turn.text if reply is not None and not reply.redacted else self._spoken(turn.text, reply)
        hidden = replace(turn, text=text, digits=digits, history=self._history(turn))
        return replace(command, turn=hidden, notes=self._without(command.notes))

    def _spoken(self, text: str, reply: QueuedReply | None) -> str:
        if reply is not None:
            return " ".join([self._said.get(part, part) for part in reply.parts])
        for said in sorted(self._said, key=len, reverse=True):
            text = text.replace(said, self._said[said])
        return text

    def _history(self, turn: Turn) -> tuple[Message, ...]:
        if not self._state.sensitive_asked:
            return turn.history
        queued = {reply.text.strip() for reply in self._state.replies.queue if reply.redact_numbers}
        numbered = queued | self._state.transcript.with_numbers
        return tuple([_redact_numbers_in(line) if line.text in numbered else line for line in turn.history])

    def _speak(self, command: ev.Speak, sensitive: bool) -> ev.Speak:
        return (
            replace(command, text=without_numbers(command.text))
            if command.reply in self._redact_numbers_in
            else command
        )

    def _target(self, to: str) -> str:
        """A number to call is not a secret; keys to press may be."""
        return str(self._state.secrets.hide(to)) if to.startswith("digits:") else to

    def _without(self, notes: Mapping[str, Any]) -> dict[str, Any]:
        redacted, secrets = self._state.redacted_notes, self._state.secrets
        if not redacted and not secrets:
            return dict(notes)
        return {k: REDACTED if k in redacted else secrets.hide(value) for k, value in notes.items()}

    def _resumed(self, saved: Mapping[str, Any]) -> dict[str, Any]:
        names, hide = set(saved["redacted_notes"]), self._state.secrets.hide
        notes = {k: REDACTED if k in names else hide(value) for k, value in saved["notes"].items()}
        kept = {name: value for name, value in saved.items() if name not in ("redacted", "secrets")}
        hidden = kept | {"notes": notes}
        said = saved["unanswered"]
        if saved.get("secret"):
            written = [f"{REDACTED} {ANSWER if text in saved['answers'] else NO_ANSWER}0" for text in said]
            self._said.update(zip(said, written, strict=True))
            hidden["unanswered"], hidden["answers"] = written, []
        if saved.get("secret") or saved.get("redacted_digits"):
            hidden["digits"] = _keys(saved["digits"])
        if saved.get("sensitive_asked"):
            hidden["unspoken"] = without_numbers(saved["unspoken"])
            hidden["history"] = [[x[0], *_ours_of(x), *x[3:]] for x in saved["history"]]
        return hidden


def _redact_numbers_in(line: Message) -> Message:
    return replace(line, text=without_numbers(line.text), heard=without_numbers(line.heard))


def _ours_of(line: list[Any]) -> list[str]:
    who, text, heard = line[:3]
    return [text, heard] if who == "caller" else [without_numbers(text), without_numbers(heard)]


def _keys(digits: str) -> str:
    return "".join(KEY if digit != TERMINATOR else digit for digit in digits)


def _number(word: str) -> bool:
    return word in NUMBER_WORDS or any(c.isdigit() for c in word)
