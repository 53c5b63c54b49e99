"""What calls met lately at a peer, and what a look at it found: whether calls can rely on it. PURE.

Time is passed in as `now`, seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

FAILURES = 2
"""So many in a row, without one that went well, are not an accident."""
REMEMBERED_S = 15.0
"""A look may find in order what calls find broken, so for so long the calls are believed."""
GOOD_S = 30.0
"""For how long it is enough that something went well."""
BAD_S = 4.0
"""How often what is broken is looked at."""


def describe_end(status: int | None) -> str:
    """How a connection ended, in a word or two; `status` of a handshake that was refused."""
    return "calls lose the connection" if status is None else f"calls are refused with {status}"


@dataclass(slots=True)
class Health:
    """One peer's, in one process. `name` says what it is to the caller."""

    name: str
    failures: int = 0
    """Of calls, since one went well."""
    reason: str = ""
    """Of the newest failure."""
    failed_at: float | None = None
    good_at: float | None = None
    looked_at: float | None = None
    found: str = ""
    """What the last look found wrong."""

    def worked(self, now: float) -> None:
        """A call's connection was answered."""
        self.failures, self.found, self.good_at = 0, "", now

    def failed(self, reason: str, now: float) -> None:
        """A call's connection could not be had, or broke."""
        self.failures, self.reason, self.failed_at = self.failures + 1, reason, now

    def wants_look(self, now: float) -> bool:
        """Whether a look would show more than is known; it costs the peer a handshake."""
        if self.looked_at is not None and now - self.looked_at < BAD_S:
            return False
        troubled = bool(self.failures or self.found)
        return troubled or self.good_at is None or now - self.good_at >= GOOD_S

    def looked(self, found: str, now: float) -> None:
        """A look found this wrong; empty: nothing."""
        self.looked_at, self.found = now, found
        if not found:
            self.good_at = now

    def trouble(self, now: float) -> str:
        """What is wrong; empty: nothing that is known."""
        if self.found:
            return f"{self.name}: {self.found}"
        recent = self.failed_at is not None and now - self.failed_at < REMEMBERED_S
        return f"{self.name}: {self.reason}" if recent and self.failures >= FAILURES else ""
