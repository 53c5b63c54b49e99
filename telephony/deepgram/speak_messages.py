"""The messages of Deepgram's two speaking wires: Flux TTS (`/v2/speak`) and Aura (`/v1/speak`). PURE.

Both take text and give raw audio in binary messages. On `/v2` a speech has an id and its end is
SpeechMetadata (Flushed comes before its last audio); on `/v1` the end of what was flushed is Flushed.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, TypeAlias

from telephony.base import json_codec
from telephony.base.bounded_numbers import seconds
from telephony.base.frozen import frozen


class Dialect(Enum):
    """Which of the two wires, by its path."""

    FLUX = "/v2/speak"
    AURA = "/v1/speak"


def dialect_of(model: str) -> Dialect:
    """The wire that a voice is spoken on: the service refuses Aura's names on `/v2`."""
    return Dialect.AURA if model.startswith("aura") else Dialect.FLUX


@frozen
class VoiceReady:
    """The session began."""

    request_id: str = ""


@frozen
class SpeechStarted:
    """What follows is the audio of this speech."""

    speech_id: str


@frozen
class TimedWord:
    """A word in a speech's audio, seconds from its first sample."""

    text: str
    start_s: float
    end_s: float
    estimated: bool = False
    """The voice guessed it."""


@frozen
class SpeechEnded:
    """All audio of a speech was sent."""

    speech_id: str = ""
    words: tuple[TimedWord, ...] = ()
    """Where the words lie; empty when the voice does not say."""


@frozen
class SpeechInterrupted:
    """The speech was given up at our wish: no more of its audio comes."""

    speech_id: str = ""
    text_spoken: str = ""
    """What the caller heard of the text, where an offset was given."""


@frozen
class VoiceWarning:
    code: str
    description: str = ""


@frozen
class VoiceError:
    """Fatal: the service closes after it."""

    code: str
    description: str = ""


@frozen
class Unneeded:
    """A message that changes nothing for us."""

    kind: str

    @property
    def known(self) -> bool:
        """It is one of the service's messages, as documented."""
        return self.kind in _UNNEEDED


VoiceMessage: TypeAlias = (
    VoiceReady | SpeechStarted | SpeechEnded | SpeechInterrupted | VoiceWarning | VoiceError | Unneeded
)

_UNNEEDED = frozenset({"Flushed", "SessionMetadata", "ConfigureSuccess", "ConfigureFailure"})
NOTHING_TO_SAY = "NO_SYNTHESIZABLE_TEXT"
INVALID_OFFSET = "INVALID_INTERRUPT_OFFSET"
"""The Interrupt was ignored: by the service's account the caller cannot have heard so much, or heard more."""


def decode(text: str | bytes, dialect: Dialect) -> VoiceMessage:
    """A text message of the service. What is not a JSON object is Unneeded: it may say new things."""
    try:
        fields = json_codec.loads(text)
    except ValueError:
        return Unneeded("not JSON")
    if not isinstance(fields, dict):
        return Unneeded("not an object")
    kind = _text(fields, "type")
    match kind:
        case "Connected" | "Metadata":
            return VoiceReady(_text(fields, "request_id"))
        case "SpeechStarted":
            return SpeechStarted(_text(fields, "speech_id"))
        case "SpeechMetadata":
            return SpeechEnded(_text(fields, "speech_id"), _words(fields.get("words")))
        case "Flushed" if dialect is Dialect.AURA:
            return SpeechEnded()
        case "SpeechInterrupted":
            return _interrupted(fields)
        case "Cleared":
            return SpeechInterrupted()
        case "Warning":
            code = _text(fields, "code") or _text(fields, "warn_code")
            return VoiceWarning(code, _text(fields, "description") or _text(fields, "warn_msg"))
        case "Error":
            code = _text(fields, "code") or _text(fields, "err_code")
            return VoiceError(code, _text(fields, "description") or _text(fields, "err_msg"))
    return Unneeded(kind or "no type")


def _interrupted(fields: dict[str, Any]) -> SpeechInterrupted:
    metadata = fields.get("metadata")
    speech_id = _text(metadata, "speech_id") if isinstance(metadata, dict) else _text(fields, "speech_id")
    return SpeechInterrupted(speech_id, _text(fields, "text_spoken"))


def _words(value: object) -> tuple[TimedWord, ...]:
    """The word times that our own engine adds when asked; whatever else stands there is ignored."""
    if not isinstance(value, list):
        return ()
    words = [_word(one) for one in value if isinstance(one, dict)]
    return tuple(word for word in words if word is not None)


def _word(fields: dict[str, Any]) -> TimedWord | None:
    try:
        start, end = seconds(fields.get("start")), seconds(fields.get("end"))
    except ValueError:
        return None
    text = _text(fields, "word")
    if not text or end < start:
        return None
    return TimedWord(text, start, end, fields.get("estimated") is True)


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def speak(text: str) -> str:
    """Text to speak. Half of a surrogate pair, which JSON cannot carry, becomes a question mark."""
    return json_codec.dumps({"type": "Speak", "text": text.encode("utf-8", "replace").decode()})


def flush() -> str:
    """The end of what belongs together."""
    return json_codec.dumps({"type": "Flush"})


def interrupt(dialect: Dialect, offset_ms: float | None = None) -> str:
    """Give up what is being spoken; `offset_ms`: how much of the session's audio the caller has heard."""
    if dialect is Dialect.AURA:
        return json_codec.dumps({"type": "Clear"})
    if offset_ms is None:
        return json_codec.dumps({"type": "Interrupt"})
    offset = {"type": "time_ms", "value": round(offset_ms)}
    return json_codec.dumps({"type": "Interrupt", "playback_offset": offset})
