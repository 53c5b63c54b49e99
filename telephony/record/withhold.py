"""What a caller says or keys in when asked for something sensitive is not written down. PURE.

The agent must have it; the tape, the record and the logs must not. It is replaced in what is written, in such
a way that the tape, run again, gives the same commands: keys become `*`, words that mean anything become
place-holders, which are equal where the words were equal. Words that decide something by themselves stay:
murmurs, and our own words, which may be an echo. So do the words that are said later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import replace
from typing import Any

from telephony import events as ev
from telephony.keys import TERMINATOR
from telephony.listen.flux_messages import TurnInfo
from telephony.listen.murmur import MURMUR_WORDS, spoken_words
from telephony.record.turns import WITHHELD

KEY = "*"
_NUMBERS = frozenset(
    "oh zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred "
    "thousand double triple".split()
)


class Withholder:
    """One call's. `own_words`: ours that were heard lately; `notes`: names of notes with such answers."""

    def __init__(self, own_words: Callable[[], Iterable[str]], notes: Set[str]) -> None:
        self._own_words = own_words
        self._notes = notes
        self._turn = -1
        self._versions: dict[int, list[str]] = {}
        """For each place in the turn, the words that were heard there."""
        self._secrets: dict[str, str] = {}
        """What was said, and what is written in its place."""

    def __call__(
        self, event: ev.Event, commands: list[ev.Command], sensitive: bool
    ) -> tuple[ev.Event, list[ev.Command]]:
        """What is to be written. `sensitive`: the step is, or was just before this event."""
        if isinstance(event, ev.CallStarted) and event.resumed and "withheld" in event.resumed:
            sensitive = bool(event.resumed.get("secret"))
            event = replace(event, resumed=self._resumed(event.resumed))
        elif sensitive:
            event = self._hidden(event)
        if isinstance(event, ev.ReplyNote) and not self._notes.isdisjoint(event.note.values):
            event = replace(event, note=type(event.note)(**self._without(event.note.values)))
        if sensitive or self._secrets or self._notes:
            commands = [self._command(c, sensitive) if isinstance(c, ev.StartReply) else c for c in commands]
        return event, commands

    # what came in

    def _hidden(self, event: ev.Event) -> ev.Event:
        if isinstance(event, ev.DtmfPressed):
            return ev.DtmfPressed(_keys(event.digit))
        if isinstance(event, ev.TurnHeard):
            return ev.TurnHeard(self._turn_info(event.info))
        return event

    def _turn_info(self, info: TurnInfo) -> TurnInfo:
        if info.turn_index != self._turn:
            self._turn = info.turn_index
            self._versions = {}
        own = {word for text in self._own_words() for word in spoken_words(text)}
        written = [self._word(at, token, own) for at, token in enumerate(info.transcript.split())]
        transcript = " ".join(written)
        if transcript != info.transcript:
            self._secrets[info.transcript] = transcript
        words = tuple([w._replace(word=self._word(at, w.word, own)) for at, w in enumerate(info.words)])
        return replace(info, transcript=transcript, words=words)

    def _word(self, at: int, token: str, own: Set[str]) -> str:
        spoken = spoken_words(token)
        if all(word in MURMUR_WORDS or (word in own and not _number(word)) for word in spoken):
            return token
        heard = self._versions.setdefault(at, [])
        key = " ".join(spoken)
        if key not in heard:
            heard.append(key)
        return f"x{at}" if heard[0] == key else f"x{at}-{heard.index(key)}"

    # what came out

    def _command(self, command: ev.StartReply, sensitive: bool) -> ev.StartReply:
        turn = command.turn
        digits = _keys(turn.digits) if sensitive and turn.digits is not None else turn.digits
        text = turn.text
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, self._secrets[secret])
        turn = replace(turn, text=text, digits=digits)
        return replace(command, turn=turn, notes=self._without(command.notes))

    def _without(self, notes: Mapping[str, Any]) -> dict[str, Any]:
        return {name: WITHHELD if name in self._notes else value for name, value in notes.items()}

    def _resumed(self, state: Mapping[str, Any]) -> dict[str, Any]:
        names = set(state["withheld"])
        notes = {name: WITHHELD if name in names else value for name, value in state["notes"].items()}
        hidden = dict(state) | {"notes": notes}
        if state.get("secret"):
            self._secrets.update(dict.fromkeys(state["unanswered"], WITHHELD))
            hidden["unanswered"] = [WITHHELD for _ in state["unanswered"]]
            hidden["digits"] = _keys(state["digits"])
        return hidden


def _keys(digits: str) -> str:
    return "".join(KEY if digit != TERMINATOR else digit for digit in digits)


def _number(word: str) -> bool:
    return word in _NUMBERS or any(c.isdigit() for c in word)
