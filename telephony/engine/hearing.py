"""One caller's audio -> one `Block` per 80 ms of it: is a turn open, what was said, has it ended.

This is the seam between the models and the wire. The wire's session (Flux's state machine) owns the
protocol: it pulls blocks and decides by the thresholds; this module measures. Time is audio time: the same
audio gives the same blocks however fast it is fed, because a model's result is used at the block where it is
*due*, and a block waits for what is due at it (on a live stream only briefly, then it comes a block late).

How the session uses it, in one task per stream::

    hearing = Hearing(models, HearingOptions(...))
    async for block in hearing.hear(linear16_at_8000):    # any length, also pieces of a block
        send(session.block(block))
        if session.turn_just_ended:                       # by model, time-out or hand
            hearing.end_turn()                            # BEFORE the next block is pulled
    hearing.configure(options)                            # Configure, between blocks
    block = await hearing.flush()                         # ForceEndTurn, CloseStream: all there is
    hearing.close()                                       # the stream is over; the models stay

What the session may rely on:

* `in_turn` becomes true at the block where StartOfTurn is due: speech was found and `text` is not empty. It
  stays true, with text never empty again, until `end_turn()`. Between turns `text` is "" and `words` ().
* `final`: `text` is the careful decode of everything said in this turn and nobody has spoken since. While
  `final` stays true `text` and `words` do not change. It becomes false when speech has come back (160 ms
  of it), and that is where TurnResumed is due if an Eager was sent.
* Eager is due at the first block with `in_turn and final and confidence >= eager_eot_threshold`, EndOfTurn
  at the first with `in_turn and final and confidence >= eot_threshold` (model) or `in_turn and final and
  silence_s >= eot_timeout_ms / 1000` (time-out). The careful decode is started in time for the lowest
  threshold of the options, so `final` is there, or follows within a few blocks on a loaded machine.
* Hence EndOfTurn's text equals the Eager's before it, without any care on the session's side.
* `confidence` never reaches 1.0 (eot_threshold 1.0 suppresses it); between turns it means nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

BLOCK_S = 0.08
"""One step of the clock, seconds: Flux's recommended chunk, and the smallest step its captures show."""


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word as written (cased, punctuation attached)."""

    word: str
    confidence: float
    """0 to 1, measured: the careful recognizer's probability, or the agreement of successive decodes."""
    start: float
    """Seconds of the stream."""
    end: float
    """Seconds of the stream."""


@dataclass(frozen=True, slots=True)
class Block:
    """What is known after another 80 ms of audio."""

    audio_end_s: float
    """Audio heard so far, seconds; `flush()` may return a block that ends inside of 80 ms."""
    speech: float
    """The voice activity detector's probability of speech in this block (after the level gate), 0 to 1."""
    in_turn: bool
    """A turn is open: StartOfTurn is due at the first such block."""
    text: str
    """The turn's text so far; "" outside a turn."""
    words: tuple[HeardWord, ...]
    """The text's words; " ".join of them is `text`."""
    confidence: float
    """end_of_turn_confidence, 0 to 0.99."""
    silence_s: float
    """Seconds of audio since the turn's last speech; 0.0 outside a turn."""
    final: bool
    """`text` is careful, complete, and nobody has spoken since."""


@dataclass(frozen=True, slots=True)
class HearingOptions:
    """What the wire's parameters mean to the hearing; replaced as a whole by `Hearing.configure`."""

    eot_threshold: float = 0.7
    eager_eot_threshold: float | None = None
    eot_timeout_ms: int = 5000
    keyterms: tuple[str, ...] = ()
    """Words to expect; they bias the careful decode."""
    numerals: bool = False
    """Write digits; else number words."""

    @property
    def first_threshold(self) -> float:
        """The lowest confidence that means anything to the session."""
        return min(self.eot_threshold, self.eager_eot_threshold or 1.0)


@dataclass(frozen=True, slots=True)
class ModelPaths:
    """Where the models lie; None: not here, and a weaker way is used."""

    silero: Path
    """silero_vad.onnx; the only one that cannot be missing."""
    smart_turn: Path | None
    """smart-turn-v3.2-cpu.onnx; without it the end of a turn is told by silence and text alone."""
    moonshine: Path | None
    """The folder with encoder_model.ort, decoder_model_merged.ort, tokenizer.bin."""
    whisper: Path | None
    """The folder with model.bin, config.json, vocabulary.json, tokenizer.json."""


class HearingModels:
    """The models, loaded once per process, each with a thread of its own at lower priority."""

    missing: tuple[str, ...]
    """One line for each model that is not here, saying what is used instead."""

    @classmethod
    def load(cls, paths: ModelPaths) -> HearingModels:
        """Load what is there (about 1 s). Raises MissingModel when nothing can recognize speech."""
        raise NotImplementedError

    def close(self) -> None:
        """End the threads."""
        raise NotImplementedError


class Hearing:
    """The hearing of one stream. Not for two tasks at once."""

    def __init__(self, models: HearingModels, options: HearingOptions) -> None:
        raise NotImplementedError

    def hear(self, linear16: bytes) -> AsyncIterator[Block]:
        """Take linear16 at 8000 Hz; yield a block for each 80 ms completed."""
        raise NotImplementedError

    async def flush(self) -> Block | None:
        """Decode carefully whatever the open turn has; None outside a turn."""
        raise NotImplementedError

    def end_turn(self) -> None:
        """The session has ended the turn: what comes belongs to the next."""
        raise NotImplementedError

    def configure(self, options: HearingOptions) -> None:
        """New options, from the next block on."""
        raise NotImplementedError

    def close(self) -> None:
        """Give up what is being decoded for this stream."""
        raise NotImplementedError
