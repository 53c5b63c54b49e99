"""What a call needs of listening: a client that opens connections, whichever service answers them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from telephony.deepgram.flux_messages import Configure, ForceEndTurn
from telephony.deepgram.flux_options import FluxOptions
from telephony.listen.events import ListenEvent


@dataclass(slots=True)
class ListenCounts:
    """What happened to one call's listening."""

    connections: int = 0
    failures: int = 0
    """Handshakes that failed."""
    lost: int = 0
    """Connections that ended while the call went on."""
    unknown: int = 0
    """Messages that could not be used."""
    defects: int = 0
    """Messages that could be read, and whose handling failed."""


class ListenConnection(Protocol):
    """One call's listening. Its events go to the `on_event` that `ListenClient.open` was given."""

    counts: ListenCounts

    def start(self) -> None:
        """Connect now, in a task of its own; `run` then waits for its end."""

    async def run(self) -> None:
        """Stay connected until `close()`, or until the service refuses for good; cancelling ends it.

        A connection that was started before goes on; this waits for its end.
        """

    def send_audio(self, chunk: bytes, /) -> None:
        """Give the next audio. Never waits."""

    def send(self, message: Configure | ForceEndTurn, /) -> None:
        """Send a control message behind the audio given so far. Never waits."""

    def reopen(self, reason: str, /) -> None:
        """Give the current socket up and connect again."""

    async def close(self) -> None:
        """The call is over."""


class ListenClient(Protocol):
    """The process's way to listening."""

    def open(self, options: FluxOptions, on_event: Callable[[ListenEvent], None], /) -> ListenConnection:
        """One call's listening, not connected before its `run()`.

        `on_event` is called in the event loop and must be quick.
        """
