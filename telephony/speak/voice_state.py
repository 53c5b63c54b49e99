"""What is on its way to be spoken, how long it may take, and what is counted. PURE."""

from __future__ import annotations

from dataclasses import dataclass

from telephony.audio.g711 import PHONE_RATE
from telephony.deepgram.speak_messages import TimedWord
from telephony.events import WordTime


@dataclass(frozen=True, slots=True)
class VoiceDeadlines:
    """How long a voice may take, in seconds."""

    first_audio_s: float = 4.0
    """From when a phrase is first in line, a reconnect included."""
    next_audio_s: float = 3.0
    """Within a phrase: the voice is faster than speech, so a pause means that it is stuck."""
    stop_s: float = 1.0
    """From Interrupt to its answer; then the socket is given up."""
    ahead_s: float = 60.0
    """Audio made and not yet heard: beyond it the voice waits."""
    ahead_check_s: float = 0.5


@dataclass(slots=True)
class Phrase:
    """One phrase on its way."""

    reply: int
    number: int
    text: str
    rest: bool = False
    """What was left of a phrase when a socket was lost: a position in its reply is none in a session."""
    tries: int = 0
    speech_id: str | None = None
    """None until the service said that it began."""
    received: int = 0
    """Bytes of audio that came for it."""
    samples: int = 0
    """Samples that were handed on, at the phone's rate."""
    dropped: bool = False
    """It was given up: its audio is dropped."""
    offset_ms: float | None = None
    """What the caller heard on the session's timeline, as we reported to the service when it was given up."""
    progress_at: float = 0.0
    """When it was first in line, or its newest audio came; 0: it is not first yet."""


@dataclass(slots=True)
class VoiceCounts:
    """What befell one call's voice."""

    connections: int = 0
    failures: int = 0
    """Handshakes that failed."""
    lost: int = 0
    """Connections that ended while the call went on."""
    dropped_bytes: int = 0
    """Audio of phrases that were given up."""
    unknown: int = 0
    """Messages that we do not know."""
    defects: int = 0
    """Messages that could be read, and then were more than we can take."""


def in_samples(words: tuple[TimedWord, ...], samples: int) -> tuple[WordTime, ...]:
    """Word times on the phone's clock, within the audio there is."""
    return tuple(
        WordTime(
            word.text,
            min(round(word.start_s * PHONE_RATE), samples),
            min(round(word.end_s * PHONE_RATE), samples),
            word.estimated,
        )
        for word in words
    )
