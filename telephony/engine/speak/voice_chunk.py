"""What a voice gives out: audio by the clause, and when each word of it is said."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One word of the text as it was given, and when it is heard."""

    text: str
    """The word as it stands in the original text: "$4.50", not "four dollars fifty"."""
    start_s: float
    """Seconds from the first sample of the rendered text."""
    end_s: float
    """Seconds from the first sample of the rendered text."""
    char_start: int
    """Where the word begins in the original text, in characters."""
    char_end: int
    """Where the word ends in the original text (exclusive), in characters."""
    estimated: bool = True
    """False where the voice itself measured the times."""


@dataclass(frozen=True, slots=True)
class VoiceChunk:
    """A clause of speech. The chunks of a text, one after another, are its audio without a gap."""

    linear16: bytes
    """Signed 16-bit little-endian mono samples."""
    rate: int
    """Samples per second: the voice's own, the same for all chunks of a text."""
    words: tuple[SpokenWord, ...]
    """The words said in this chunk, in order."""

    @property
    def seconds(self) -> float:
        """Length of the audio in seconds."""
        return len(self.linear16) / 2 / self.rate
