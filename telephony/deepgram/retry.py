"""How connections to the speech service are tried again. PURE: the caller sleeps."""

from __future__ import annotations

CONNECT_S = (1.5, 3.0, 5.0)
"""Deadlines of successive handshakes, seconds. The first is short: its failure is cheap, silence is not."""
ONE_CONNECT_S = 3.0
"""The deadline of a handshake that is not tried again."""
HEDGE_S = 0.7
"""A handshake that takes longer, in seconds, gets a second one beside it. A good one takes 0.2 s."""
STEADY_S = 3.0
"""After a connection that lived so long, in seconds, the first pause is due again."""
BACKOFF_S = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0)
FINAL_STATUSES = frozenset(range(400, 500)) - {408, 425, 429}
"""HTTP statuses of a handshake after which asking again is answered alike. 429 is the account's concurrency
(Deepgram, "API rate limits"), which may come free."""


def connect_s(attempt: int, deadlines: tuple[float, ...] = CONNECT_S) -> float:
    """The deadline, in seconds, of handshake number `attempt` in a row; the first is 0."""
    return deadlines[min(attempt, len(deadlines) - 1)]


def pause_s(attempt: int) -> float:
    """How long to wait, in seconds, before handshake number `attempt` in a row; the first is 0."""
    return BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)]
