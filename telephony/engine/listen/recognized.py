"""What is known of a stream after each 80 ms of its audio. PURE.

The seam between recognition (engine/listen/recognition.py: models, threads) and the wire's session (Flux's
state machine, pure). recognition.py describes the guarantees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BLOCK_S: Final = 0.08
"""One step of the clock, seconds: Flux's recommended chunk, and the smallest step its captures show."""


@dataclass(frozen=True, slots=True)
class RecognizedWord:
    """A word as written (cased, punctuation attached)."""

    word: str
    confidence: float
    """0 to 1, measured: the recognizer's own probability of the word."""
    start: float
    """Seconds of the stream."""
    end: float
    """Seconds of the stream."""


@dataclass(frozen=True, slots=True)
class Block:
    """What is known after another 80 ms of audio."""

    audio_end_s: float
    """Audio received so far, seconds; `flush()` may return a block that ends inside of 80 ms."""
    speech: float
    """The voice activity detector's probability of speech in this block (after the level gate), 0 to 1."""
    in_turn: bool
    """A turn is open: StartOfTurn is due at the first such block."""
    text: str
    """The turn's text so far; "" outside a turn."""
    words: tuple[RecognizedWord, ...]
    """The text's words; " ".join of them is `text`."""
    confidence: float
    """end_of_turn_confidence, 0 to 0.99."""
    silence_s: float
    """Seconds of audio since the turn's last speech; 0.0 outside a turn."""
    final: bool
    """`text` is complete and should stay, and nobody has spoken since."""
    confirmed: bool = True
    """The `final` text is the final decode's. Until then it may change, and does not end a turn."""


@dataclass(frozen=True, slots=True)
class RecognitionOptions:
    """What the wire's parameters mean to recognition; replaced as a whole by `Recognition.configure`."""

    eot_threshold: float = 0.7
    eager_eot_threshold: float | None = None
    eot_timeout_ms: int = 5000
    keyterms: tuple[str, ...] = ()
    """Words to expect; they bias the final decode."""
    numerals: bool = False
    """Write digits; else number words."""

    @property
    def first_threshold(self) -> float:
        """The lowest confidence that means anything to the session."""
        return min(self.eot_threshold, self.eager_eot_threshold or 1.0)
