"""Whether this process takes new calls, and how often it refused what."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Admission:
    """One process's admission of calls, requests and media sockets."""

    draining: bool = False
    """Running calls go on, new ones are turned away."""
    counters: Counter[str] = field(default_factory=Counter)
    """Refusals by reason, since the start."""

    def drain(self) -> None:
        """Turn new calls away from now on: the server stops."""
        self.draining = True

    def refused(self, reason: str) -> None:
        """Count a refusal."""
        self.counters[reason] += 1
