"""What a voice reports to its call. PURE. Audio is mu-law at 8000 Hz: one byte is one sample."""

from __future__ import annotations

from typing import TypeAlias

from telephony.base.frozen import frozen
from telephony.events import WordTime

NOTHING_TO_SAY = "there is nothing to say in it"
"""Why a phrase failed that is not the voice's fault."""


@frozen
class PhraseAudio:
    """More audio of a phrase."""

    reply: int
    phrase: int
    ulaw: bytes


@frozen
class PhraseDone:
    """A phrase's audio is complete."""

    reply: int
    phrase: int
    samples: int
    words: tuple[WordTime, ...] = ()
    """Where the words lie; empty when the voice does not say."""
    stand_in: bool = False
    """Another voice than the call's own spoke it."""


@frozen
class PhraseFailed:
    """No more audio of a phrase comes, and it is not complete."""

    reply: int
    phrase: int
    reason: str


@frozen
class PhraseInterrupted:
    """What the service says of a phrase that was cut: how much of it was played, and which words."""

    reply: int
    phrase: int
    played_ms: float
    text_spoken: str


@frozen
class VoiceDisconnected:
    """The voice could not be reached, was lost with something still to say, or refused us."""

    reason: str
    status: int | None = None
    """The HTTP status of a refused handshake."""
    dg_error: str | None = None
    """The service's own words for it."""


VoiceEvent: TypeAlias = PhraseAudio | PhraseDone | PhraseFailed | PhraseInterrupted | VoiceDisconnected
