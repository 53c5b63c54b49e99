"""A conversation by text: its history, notes and turns, as a call would have them. PURE.

What the agent says counts as heard word by word, as it is shown; an interruption cuts it there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

from telephony.reply.agent import CallInfo, EndedCall, Message, Notes, Turn


@dataclass(slots=True)
class ChatSession:
    """One chat."""

    call: CallInfo
    history: list[Message] = field(default_factory=list)
    notes: dict[str, object] = field(default_factory=dict)
    _turns: int = 0
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def turn(self, text: str, digits: str = "") -> Turn:
        """The caller's next turn; `digits`: keys pressed, without words."""
        turn = Turn(text, self._turns, tuple(self.history), digits or None, self.call)
        self._turns += 1
        self.history.append(Message("caller", text, text, digits=digits, number=next(self._numbers)))
        return turn

    def said(self, words: AgentWords, kind: str = "answer") -> None:
        """The agent has spoken, to its end or until it was interrupted."""
        if words.text:
            self.history.append(
                Message("agent", words.text, words.heard, words.interrupted, kind, number=next(self._numbers))
            )

    def adopt(self, notes: Mapping[str, object]) -> None:
        """Notes of a reply."""
        self.notes.update(notes)

    def known(self) -> Notes:
        """The notes for the next reply."""
        return dict(self.notes)

    def ended(self, ended_by: str, started: str, duration_s: float) -> EndedCall:
        """What the agent is notified of when the chat is over."""
        return EndedCall(self.call, self.known(), tuple(self.history), ended_by, started, duration_s)


@dataclass(slots=True)
class AgentWords:
    """What the agent says in one reply, and how much of it has been shown."""

    _said: list[str] = field(default_factory=list)
    _shown: list[str] = field(default_factory=list)
    _rest: str = ""
    interrupted: bool = False

    def feed(self, text: str, last: bool = False) -> list[str]:
        """Take text as it comes; the words that are complete now. A word ends where a blank follows."""
        self._rest += text
        *whole, rest = self._rest.split(" ") if not last else [*self._rest.split(" "), ""]
        words = [word for piece in whole for word in piece.split()]
        self._rest = rest
        self._said += words
        return words

    def show(self, word: str) -> None:
        """This word is heard now."""
        self._shown.append(word)

    @property
    def text(self) -> str:
        """All that was said; of an interrupted reply also what had come and was not shown."""
        return " ".join([*self._said, *self._rest.split()])

    @property
    def heard(self) -> str:
        """What was shown."""
        return " ".join(self._shown)
