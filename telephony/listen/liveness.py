"""Whether the service behind one socket lives: how much it was given, and how far it has heard. PURE.

Only progress is a sign of life. A service that repeats itself, or sends what cannot be read, is as dead as
one that sends nothing. Positions are bytes of the caller's stream; `now` is seconds.
"""

from __future__ import annotations

SILENT_S = 2.0
"""Of audio without progress. An Update comes every 0.25 s of audio, in silence too (Deepgram, "Flux state
machine"); every 0.24 s in the recorded sessions."""
UPDATE_S = 0.5
"""Of audio: at most so much of what was sent was in no Update yet."""
SEND_S = 1.0
"""A send that takes longer is stuck."""


class Liveness:
    """Follows one connection after another; `connected` begins each."""

    def __init__(self, bytes_per_s: int) -> None:
        self._rate = bytes_per_s
        self._heard = 0
        self._heard_at = 0.0
        self._looked_at = 0
        """How far the audio had been sent at the last look."""
        self._sending_since: float | None = None

    def connected(self, position: int, now: float) -> None:
        """A new socket, whose audio begins at this position."""
        self._heard, self._heard_at, self._sending_since = position, now, None

    def heard(self, position: int, now: float) -> None:
        """The service has spoken of the audio up to here."""
        if position > self._heard:
            self._heard, self._heard_at = position, now

    def answered(self, now: float) -> None:
        """The service has answered a request: a sign of life without audio."""
        self._heard_at = now

    def sending(self, since: float | None) -> None:
        """A send began now; None: it is done, and there is nothing else to send."""
        self._sending_since = since

    def trouble(self, sent: int, now: float) -> str:
        """Why the socket must be given up, `sent` being how far the audio was sent; empty: it lives."""
        unheard = sent - self._heard
        if sent == self._looked_at and unheard < UPDATE_S * self._rate:
            self._heard_at = max(self._heard_at, now)  # no audio, so nothing to say of it
        self._looked_at = sent
        if self._sending_since is not None and now - self._sending_since > SEND_S:
            return f"it takes nothing: a send is stuck for {SEND_S:g} s"
        if now - self._heard_at > SILENT_S and unheard >= SILENT_S * self._rate:
            return f"no message for {SILENT_S:g} s of audio that says it was heard"
        return ""
