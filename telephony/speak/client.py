"""What a call needs of the voice: a client that opens connections, whichever service answers them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from telephony.speak.events import VoiceEvent
from telephony.speak.pronunciations import Pronunciations


class SpeakConnection(Protocol):
    """One call's voice. Its events go to the `on_event` that `SpeakClient.open` was given."""

    def start(self) -> None:
        """Connect now, in a task of its own; `run` then waits for its end."""

    async def run(self) -> None:
        """Keep the sockets open until `close()`; cancelling ends it.

        A connection that was started before goes on; this waits for its end.
        """

    def speak(self, reply: int, phrase: int, text: str, draft: bool = False, *, rest: bool = False) -> None:
        """Speak a phrase after those given before. Never waits.

        `rest`: it is what was left of a phrase that failed in the middle.
        """

    def release(self, reply: int, /) -> None:
        """A draft has become the answer."""

    def cancel(self, reply: int, heard_ms: float | None = None, /) -> None:
        """Give a reply up: no event of its phrases comes any more. `heard_ms`: how much of it was heard."""

    def close(self) -> None:
        """The call is over."""


class SpeakClient(Protocol):
    """The process's way to a voice."""

    url: str
    """Of the speech service."""
    model: str
    """The voice's name."""
    pronunciations: Pronunciations
    """How words are said that it would say wrongly."""

    def open(
        self, on_event: Callable[[VoiceEvent], None], ahead_s: Callable[[], float] | None = None, /
    ) -> SpeakConnection:
        """One call's voice, not connected before its `run()`.

        `on_event` is called in the event loop and must be quick. `ahead_s` gives how much audio, in seconds,
        the call holds and has not sent yet.
        """
