"""Flux's messages as data, for both sides of `/v2/listen`. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from telephony.base.frozen import frozen

UPDATE = "Update"
START_OF_TURN = "StartOfTurn"
EAGER_END_OF_TURN = "EagerEndOfTurn"
TURN_RESUMED = "TurnResumed"
END_OF_TURN = "EndOfTurn"

UNPARSABLE = "UNPARSABLE_CLIENT_MESSAGE"
NO_ACTIVE_TURN = "FORCE_END_TURN_NO_ACTIVE_TURN"
INTERNAL_ERROR = "INTERNAL_SERVER_ERROR"


class Word(NamedTuple):
    """One recognised word. A tuple, not a dataclass: a long turn carries 50 of them four times a second."""

    word: str
    """Cased, with its punctuation attached."""
    confidence: float
    """0 to 1."""
    start: float | None = None
    """Seconds of the stream; None where the service sent no times (before June 2026)."""
    end: float | None = None
    """Seconds of the stream."""


@frozen
class Connected:
    """The service speaks first, before any audio."""

    request_id: str
    sequence_id: int = 0


@frozen
class TurnInfo:
    """What is heard of the current turn, or a change of its state."""

    event: str
    """Update, StartOfTurn, EagerEndOfTurn, TurnResumed, EndOfTurn; others may come."""
    turn_index: int
    transcript: str
    words: tuple[Word, ...]
    end_of_turn_confidence: float
    """0 to 1; means nothing outside a turn."""
    audio_window_start: float
    """Seconds of the stream: where the previous turn ended."""
    audio_window_end: float
    """Seconds of the stream that were heard."""
    trigger: str | None = None
    """Of an EndOfTurn: model, timeout, manual; others may come."""
    sequence_id: int = 0
    request_id: str = ""
    languages: tuple[str, ...] | None = None
    """flux-general-multi only: the languages spoken, most words first."""
    languages_hinted: tuple[str, ...] | None = None


@frozen
class ConfigureSuccess:
    """A Configure took effect; the whole active configuration."""

    eot_threshold: float
    eager_eot_threshold: float | None
    eot_timeout_ms: int
    keyterms: tuple[str, ...] = ()
    language_hints: tuple[str, ...] | None = None
    numerals: bool = False
    profanity_filter: bool = False
    sequence_id: int = 0
    request_id: str = ""


@frozen
class ConfigureFailure:
    """A Configure was refused as a whole; the stream goes on as before."""

    code: str
    description: str
    sequence_id: int = 0
    request_id: str = ""


@frozen
class Warning:
    """Something was ignored; the stream goes on."""

    code: str
    description: str
    sequence_id: int = 0
    request_id: str = ""


@frozen
class FatalError:
    """`Error` on the wire: the service closes right after it."""

    code: str
    description: str
    sequence_id: int = 0


@frozen
class Unknown:
    """A message we cannot use: a type to come, or a broken one. Counted and ignored."""

    type: str
    reason: str = "unknown type"


ServerMessage: TypeAlias = (
    Connected | TurnInfo | ConfigureSuccess | ConfigureFailure | Warning | FatalError | Unknown
)


@dataclass(frozen=True, slots=True)
class Configure:
    """Changes the running stream; None leaves a value as it is, an empty list clears it."""

    eot_threshold: float | None = None
    eager_eot_threshold: float | None = None
    """Cannot be unset once set: make it equal to eot_threshold instead."""
    eot_timeout_ms: int | None = None
    keyterms: tuple[str, ...] | None = None
    """Replaces the whole list."""
    language_hints: tuple[str, ...] | None = None
    numerals: bool | None = None

    def over(self, older: Configure) -> Configure:
        """This change on top of an older one."""
        return Configure(
            *(
                getattr(older, name) if getattr(self, name) is None else getattr(self, name)
                for name in self.__slots__
            )
        )


@frozen
class ForceEndTurn:
    """Ends the active turn now, with the text of the latest Update."""


@frozen
class CloseStream:
    """The audio is over: what is heard of it is still sent, but no EndOfTurn."""


ClientMessage: TypeAlias = Configure | ForceEndTurn | CloseStream
