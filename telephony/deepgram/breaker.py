"""A circuit breaker: a service that is down is tried for all calls together, not by each of them. PURE.

It knows of handshakes that the service did not answer, of all calls of the process. After several in a row
the circuit is open: a single call tries at a time, as a probe, and the first that is answered closes it.
Times are seconds, passed in as `now`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

FAILURES = 5
"""So many in a row, of all calls, open the circuit."""
PROBE_S = 0.5
"""While it is open, a probe may begin so long after the one before: what is back is found in time."""
REMEMBERED_S = 15.0
"""So long after the last failure nothing is known any more: there may be no call that would probe."""


@dataclass(slots=True)
class Breaker:
    """One service's, in one process."""

    failures: int = 0
    """Handshakes in a row that came to nothing."""
    opened: int = 0
    """How often the circuit was opened."""
    _failed_at: float = -math.inf
    _probed_at: float = -math.inf

    def worked(self) -> None:
        """The service answered on a connection."""
        self.failures = 0

    def failed(self, now: float) -> None:
        """A connection ended, or could not be had, before the service answered on it."""
        was_open = self.is_open(now)
        self.failures, self._failed_at = self.failures + 1, now
        if not was_open and self.is_open(now):
            self.opened += 1
            self._probed_at = now

    def is_open(self, now: float) -> bool:
        """Whether most calls must wait."""
        return self.failures >= FAILURES and now - self._failed_at < REMEMBERED_S

    def wait_s(self, now: float) -> float:
        """How long, in seconds, a call must wait before it asks again; 0: it tries now."""
        left = self._probed_at + PROBE_S - now if self.is_open(now) else 0.0
        if left <= 0.0:
            self._probed_at = now
        return max(0.0, left)
