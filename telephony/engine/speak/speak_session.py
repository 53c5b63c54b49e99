"""The service's side of `/v2/speak`: turns, their accounts, and the messages about them. PURE.

Idle --Speak--> Generating --Flush--> Finalizing --SpeechMetadata--> Idle, or the next turn that waits.
An Interrupt ends the turn that is being spoken; turns that wait behind it stay.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from telephony.base import json_codec
from telephony.engine.speak.speak_options import SpeakOptions, check_speed
from telephony.engine.speak.speak_turn import SpeakTurn
from telephony.errors import RemoteProtocolError

Message: TypeAlias = dict[str, Any]

MAX_WAITING = 200_000
"""Characters that may wait to be spoken: an hour of speech. More is an Error, since memory is not endless."""
_CONTROLS = {"pronunciations_applied": 0, "breaks_applied": 0, "pronunciation_warnings": 0}
_PAUSE = "{pause:"


class SpeakRefused(RemoteProtocolError):
    """A message that ends the session; `code` is the service's."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description


@dataclass(frozen=True, slots=True)
class Cut:
    """What is being spoken must be cut off; then `cut` says what to tell the client."""

    offset_ms: int | None = None
    """How much of the session's audio the client has heard; None: it did not say."""


class SpeakSession:
    """One socket. Methods return the messages that are due; `turn` is what is being spoken."""

    def __init__(self, options: SpeakOptions, request_id: str, new_speech_id: Callable[[], str]) -> None:
        self.options = options
        self.request_id = request_id
        self.closing = False
        """Close was received: what waits is still spoken."""
        self._new_speech_id = new_speech_id
        self._turns: deque[SpeakTurn] = deque()
        self._begun_s = 0.0
        """Audio of the session before the current turn: what was made, or at an Interrupt what was heard."""
        self._made_s = 0.0
        """Audio of the current turn."""
        self._anything = False
        self._interrupted_ms = 0
        self._characters = 0

    @property
    def turn(self) -> SpeakTurn | None:
        """The turn to be spoken now."""
        return self._turns[0] if self._turns else None

    def connected(self, voice: str, version: str, uuid: str) -> list[Message]:
        """The first message."""
        return [
            {
                "type": "Connected",
                "request_id": self.request_id,
                "model_name": voice,
                "model_version": version,
                "model_uuids": [uuid],
            }
        ]

    def receive(self, text: str | bytes) -> list[Message] | Cut:
        """A message of the client: what to answer, or that what is being spoken must be cut off.

        Raises SpeakRefused for what ends the session.
        """
        message = parse(text)
        match message["type"]:
            case "Speak":
                self._speak(message.get("text"))
            case "Flush":
                return self._flush()
            case "Configure":
                return [self._configure(message.get("speed"))]
            case "Interrupt":
                return self._interrupt(message)
            case "Close":
                self.closing = True
                if self._turns:
                    self._turns[-1].flushed = True
            case kind:
                raise SpeakRefused("MESSAGE-0000", f"unknown message type {kind!r}")
        return []

    def made(self, seconds: float) -> None:
        """So much audio of the turn was given out."""
        self._made_s = seconds
        self._anything = self._anything or seconds > 0

    def started(self, turn: SpeakTurn) -> list[Message]:
        """The turn begins to be spoken."""
        turn.started = True
        return [{"type": "SpeechStarted", "speech_id": turn.speech_id}]

    def flushed(self, turn: SpeakTurn) -> list[Message]:
        """All text of the turn is here; its audio may not be."""
        # Close ends a turn too, but nobody flushed it.
        return [{"type": "Flushed", "speech_id": turn.speech_id}] if turn.flush_asked else []

    def finished(self, turn: SpeakTurn) -> list[Message]:
        """The turn's audio was given out to its end."""
        metadata = {"type": "SpeechMetadata", **self._metadata(turn)}
        if self.options.word_times:
            metadata["words"] = [
                {
                    "word": w.text,
                    "start": round(w.start_s, 4),
                    "end": round(w.end_s, 4),
                    "estimated": w.estimated,
                }
                for w in turn.words
            ]
        silent = self._made_s == 0
        self._end_turn(turn, self._begun_s + self._made_s)
        nothing = warning("NO_SYNTHESIZABLE_TEXT", "There was nothing in the text that can be spoken.")
        return [nothing, metadata] if silent else [metadata]

    def cut(self, cut: Cut) -> list[Message]:
        """The turn was cut off, and its client heard the session up to `offset_ms`."""
        turn, offset_ms = self._turns[0], cut.offset_ms
        before = [] if turn.started else self.started(turn)
        made_ms = _ms(self._begun_s + self._made_s)
        # A client may claim to have heard more than was made: its clock runs on while it waits for audio.
        heard_ms = made_ms if offset_ms is None else min(offset_ms, made_ms)
        message: Message = {"type": "SpeechInterrupted", "audio_played_ms": heard_ms}
        if offset_ms is not None:
            message["text_spoken"], message["text_remaining"] = turn.split(offset_ms / 1000 - self._begun_s)
        message["metadata"] = self._metadata(turn)
        self._interrupted_ms = heard_ms
        self._end_turn(turn, heard_ms / 1000)
        return [*before, message]

    def closed(self) -> list[Message]:
        """The last message."""
        return [
            {
                "type": "SessionMetadata",
                "total_audio_duration_ms": _ms(self._begun_s),
                "total_input_character_count": self._characters,
                "total_billable_character_count": self._characters,
            }
        ]

    def failed(self, code: str, description: str) -> list[Message]:
        """The last message before the socket is closed."""
        return [{"type": "Error", "code": code, "description": description}]

    def _interrupt(self, message: Message) -> list[Message] | Cut:
        offset = _offset_ms(message)
        if self.turn is None:
            return [warning("NO_ACTIVE_SPEECH", "No speech is being made.")]
        if not self._anything:
            return [warning("NO_AUDIO_GENERATED", "There is no audio yet that could be interrupted.")]
        if offset is not None and offset <= self._interrupted_ms:
            reason = f"playback_offset must be above {self._interrupted_ms} ms."
            return [warning("INVALID_INTERRUPT_OFFSET", reason)]
        return Cut(offset)

    def _speak(self, text: object) -> None:
        if not isinstance(text, str):
            raise SpeakRefused("DATA-0000", "Speak needs a text")
        if _PAUSE in text:
            raise SpeakRefused("DATA-0002", "inline pauses are for the REST interface only")
        if self.closing:
            return
        if sum(len(turn.text) for turn in self._turns) + len(text) > MAX_WAITING:
            raise SpeakRefused("BIG-0000", f"more than {MAX_WAITING} characters wait to be spoken")
        if not self._turns or self._turns[-1].flushed:
            self._turns.append(SpeakTurn(self._new_speech_id()))
        self._turns[-1].text += text

    def _flush(self) -> list[Message]:
        if not self._turns or self._turns[-1].flushed:
            return [warning("NO_ACTIVE_SPEECH", "There is no speech to flush.")]
        self._turns[-1].flushed = self._turns[-1].flush_asked = True
        return []

    def _configure(self, speed: object) -> Message:
        if speed is None:
            return {"type": "ConfigureSuccess", "applied": {}}
        if isinstance(speed, bool) or not isinstance(speed, int | float):
            raise SpeakRefused("DATA-0000", "speed must be a number")
        if wrong := check_speed(speed):
            failure = {"type": "ConfigureFailure", "code": wrong[0], "field": "speed", "value": speed}
            return {**failure, "description": wrong[1]}
        self.options = self.options.at_speed(speed)
        return {"type": "ConfigureSuccess", "applied": {"speed": speed}}

    def _metadata(self, turn: SpeakTurn) -> Message:
        return {
            "speech_id": turn.speech_id,
            "audio_duration_ms": _ms(self._made_s),
            "input_character_count": len(turn.text),
            "billable_character_count": len(turn.text),
            "controls_applied": dict(_CONTROLS),
        }

    def _end_turn(self, turn: SpeakTurn, session_s: float) -> None:
        self._turns.popleft()
        self._characters += len(turn.text)
        self._begun_s, self._made_s = session_s, 0.0


def parse(text: str | bytes) -> Message:
    """A client's message as an object with a `type`. Raises SpeakRefused."""
    try:
        message = json_codec.loads(text)
    except ValueError:
        raise SpeakRefused("MESSAGE-0000", "not JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise SpeakRefused("MESSAGE-0000", "a message is an object with a type")
    return message


def warning(code: str, description: str) -> Message:
    """Something was ignored; the session goes on."""
    return {"type": "Warning", "code": code, "description": description}


def _offset_ms(message: Message) -> int | None:
    offset = message.get("playback_offset")
    if offset is None:
        return None
    value = offset.get("value") if isinstance(offset, dict) and offset.get("type") == "time_ms" else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise SpeakRefused("DATA-0000", 'playback_offset is {"type":"time_ms","value":MILLISECONDS}')
    return int(value)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
