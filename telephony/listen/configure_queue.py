"""Changes of a running Flux stream: one waits for its answer at a time, the last value wins. PURE.

The service counts unanswered Configures and refuses a burst of them ("Too many pending Configure messages").
"""

from __future__ import annotations

from telephony.deepgram.flux_messages import Configure

ACK_S = 5.0


class ConfigureQueue:
    """What was asked for, what is on its way, and what is in force."""

    def __init__(self) -> None:
        self.active = Configure()
        """In force, over the options of the first handshake."""
        self._pending: Configure | None = None
        self._waiting: Configure | None = None
        self._sent_at: float | None = None

    @property
    def unanswered(self) -> bool:
        """Something asked for is not known to be in force."""
        return self._pending is not None or self._waiting is not None

    @property
    def on_its_way(self) -> bool:
        """A change was sent, or is about to be, and not answered."""
        return self._pending is not None

    def put(self, change: Configure) -> None:
        """Ask for a change; of what waits already, what it names is replaced."""
        self._waiting = change if self._waiting is None else change.over(self._waiting)

    def next(self) -> Configure | None:
        """The change to send now, if none is on its way."""
        if self._pending is not None or self._waiting is None:
            return None
        self._pending, self._waiting = self._waiting, None
        return self._pending

    def sent(self, now: float) -> None:
        """The pending change went out."""
        self._sent_at = now

    def overdue(self, now: float) -> bool:
        """The answer has not come in 5 s."""
        return self._sent_at is not None and now - self._sent_at > ACK_S

    def answered(self, success: bool) -> None:
        """The pending change took effect, or never will."""
        if success and self._pending is not None:
            self.active = self._pending.over(self.active)
        self._pending = self._sent_at = None

    def everything(self) -> Configure:
        """What is in force and what was asked for beyond it."""
        change = self.active
        for newer in (self._pending, self._waiting):
            if newer is not None:
                change = newer.over(change)
        return change

    def adopt(self) -> None:
        """A handshake asked for everything at once."""
        self.active = self.everything()
        self.forget()

    def forget(self) -> None:
        """Give up what is not in force."""
        self._pending = self._waiting = self._sent_at = None
