"""What recognizes a stream: one interface, behind it a worker process, or loudness alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from telephony.engine.listen.recognized import Block, RecognitionOptions


class RecognizerLost(Exception):
    """The recognition of a stream broke down. The stream cannot go on; a new one can be opened."""

    def __init__(self, reason: str = "the recognition worker crashed; a new stream can be opened") -> None:
        super().__init__(reason)


class RecognizerStream(Protocol):
    """The recognition of one stream (engine/listen/recognition.py says what each method promises)."""

    def recognize(self, linear16: bytes, waited: bool = False) -> AsyncIterator[Block]:
        """Audio at 8000 Hz; a block for each 80 ms completed. `waited`: it was not late for us."""
        ...

    async def flush(self) -> Block | None:
        """All that is known of the open turn; None outside a turn."""
        ...

    def end_turn(self) -> None:
        """The turn is over."""
        ...

    def configure(self, options: RecognitionOptions) -> None:
        """New options, from the next block on."""
        ...

    def when_lost(self, tell: Callable[[], None]) -> None:
        """Calls `tell` once the recognition has broken down, between two requests, too."""
        ...

    def close(self) -> None:
        """The stream is over."""
        ...


class RecognizerPool(Protocol):
    """Opens the recognizer streams of one process."""

    notes: tuple[str, ...]
    """What is missing here and what is used instead."""

    @property
    def state(self) -> str:
        """For /healthz: loading, ready, loudness."""
        ...

    async def open(self, options: RecognitionOptions) -> RecognizerStream:
        """The recognizer of a new stream. Raises RecognizerLost where none is available."""
        ...

    async def close(self) -> None:
        """Ends all of them."""
        ...
