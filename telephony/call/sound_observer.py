"""What can hear both directions of a call while it runs: a recording."""

from __future__ import annotations

from typing import Protocol


class SoundObserver(Protocol):
    """Gets the sound of one call, mu-law, as it comes and goes. Called in the event loop; must be quick."""

    def caller(self, timestamp_ms: int, ulaw: bytes, /) -> None:
        """A frame of the caller's, as the carrier stamped it."""

    def agent(self, ulaw: bytes, /) -> None:
        """Sound was sent to the caller."""

    def cleared(self) -> None:
        """What was sent and not played yet was taken back."""
