"""The service's side of the older `/v1/speak` websocket: Speak, Flush, Clear, Close. PURE."""

from __future__ import annotations

from collections import deque

from telephony.engine.speak.speak_options import SpeakOptions
from telephony.engine.speak.speak_session import MAX_WAITING, Cut, Message, SpeakRefused, parse, warning
from telephony.engine.speak.speak_turn import SpeakTurn

MAX_TEXT = 2000
"""Characters of one Speak (the service's limit)."""


class AuraSession:
    """One socket; the same methods as SpeakSession, other messages."""

    def __init__(self, options: SpeakOptions, request_id: str) -> None:
        self.options = options
        self.request_id = request_id
        self.closing = False
        self._turns: deque[SpeakTurn] = deque()
        self._sequence = 0

    @property
    def turn(self) -> SpeakTurn | None:
        """What will be spoken now: the text up to a Flush."""
        return self._turns[0] if self._turns else None

    def connected(self, voice: str, version: str, uuid: str) -> list[Message]:
        """The first message."""
        return [
            {
                "type": "Metadata",
                "request_id": self.request_id,
                "model_name": voice,
                "model_version": version,
                "model_uuid": uuid,
            }
        ]

    def receive(self, text: str | bytes) -> list[Message] | Cut:
        """A message of the client. Raises SpeakRefused for what ends the session."""
        message = parse(text)
        match message["type"]:
            case "Speak":
                return self._speak(message.get("text"))
            case "Flush":
                self._flush()
            case "Clear":
                return Cut()
            case "Close":
                self.closing = True
                if self._turns:
                    self._turns[-1].flushed = True
            case kind:
                raise SpeakRefused("DATA-0000", f"unknown message type {kind!r}")
        return []

    def started(self, turn: SpeakTurn) -> list[Message]:
        """Nothing is said about a beginning."""
        return []

    def flushed(self, turn: SpeakTurn) -> list[Message]:
        """Flushed comes behind the audio here."""
        return []

    def made(self, seconds: float) -> None:
        """No account is kept."""

    def finished(self, turn: SpeakTurn) -> list[Message]:
        """The audio of everything before a Flush was given out."""
        self._turns.popleft()
        return [] if self.closing and not self._turns else [self._numbered("Flushed")]

    def cut(self, cut: Cut) -> list[Message]:
        """Clear: whatever was not spoken is forgotten."""
        self._turns.clear()
        return [self._numbered("Cleared")]

    def closed(self) -> list[Message]:
        """Nothing is said about the end."""
        return []

    def failed(self, code: str, description: str) -> list[Message]:
        """The last message before the socket is closed."""
        return [{"type": "Error", "err_code": code, "err_msg": description, "description": description}]

    def _speak(self, text: object) -> list[Message]:
        if not isinstance(text, str):
            raise SpeakRefused("DATA-0000", "Speak needs a text")
        if self.closing:
            return []
        if len(text) > MAX_TEXT:
            return [warning("DATA-0001", f"A text of more than {MAX_TEXT} characters was ignored.")]
        if sum(len(turn.text) for turn in self._turns) + len(text) > MAX_WAITING:
            raise SpeakRefused("DATA-0001", f"more than {MAX_WAITING} characters wait to be spoken")
        if not self._turns or self._turns[-1].flushed:
            self._turns.append(SpeakTurn(""))
        self._turns[-1].text += text
        return []

    def _flush(self) -> None:
        if not self._turns or self._turns[-1].flushed:
            # A Flush of nothing is answered too, behind what is still being spoken.
            self._turns.append(SpeakTurn(""))
        self._turns[-1].flushed = True

    def _numbered(self, kind: str) -> Message:
        number, self._sequence = self._sequence, self._sequence + 1
        return {"type": kind, "sequence_id": number}
