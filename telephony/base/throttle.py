"""What slows down those who guess, and what they do to the log. PURE: the time is handed in.

A right key is always let through: callers look at the key first, and at the throttle only when it was
wrong. So strangers behind the same proxy as the owner cannot lock the owner out.
"""

from __future__ import annotations

import ipaddress
import math
from collections import Counter, OrderedDict
from dataclasses import dataclass

MOST_ADDRESSES = 4096
"""Remembered at a time; the one that was quiet for longest is forgotten first."""


@dataclass(slots=True)
class Bucket:
    """So many at once, and then so many a second."""

    burst: float
    per_s: float
    left: float
    at: float

    @classmethod
    def full(cls, burst: float, per_s: float, now: float) -> Bucket:
        return cls(burst, per_s, burst, now)

    def take(self, now: float) -> float:
        """0.0 when one was left, which is gone now; else the seconds until there is one."""
        self.left = min(self.burst, self.left + max(0.0, now - self.at) * self.per_s)
        self.at = max(self.at, now)
        if self.left >= 1:
            self.left -= 1
            return 0.0
        return (1 - self.left) / self.per_s


class Throttle:
    """Counts wrong keys by the address they come from."""

    def __init__(self, burst: float, per_s: float, most: int = MOST_ADDRESSES) -> None:
        self._burst, self._per_s, self._most = burst, per_s, most
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wrong(self, address: str, now: float) -> int:
        """A wrong key came from there: for how many seconds it is too much; 0 when it is not."""
        network = network_of(address)
        bucket = self._buckets.pop(network, None) or Bucket.full(self._burst, self._per_s, now)
        self._buckets[network] = bucket
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return math.ceil(bucket.take(now))


class Notices:
    """Lets some log lines through, and counts the others: a flood must not become one in the log."""

    def __init__(self, burst: float, per_s: float) -> None:
        self._burst, self._per_s = burst, per_s
        self._bucket: Bucket | None = None
        self._left_out: Counter[str] = Counter()
        self._since = 0.0

    def may(self, kind: str, now: float) -> bool:
        """Whether a line of this kind may be written now; if not, it is counted."""
        if self._bucket is None:
            self._bucket = Bucket.full(self._burst, self._per_s, now)
        if not self._bucket.take(now):
            return True
        if not self._left_out:
            self._since = now
        self._left_out[kind] += 1
        return False

    def left_out(self, now: float, after_s: float) -> str:
        """What was left out, in words, once it is so long ago that leaving out began; "" otherwise."""
        if not self._left_out or now - self._since < after_s:
            return ""
        summary = ", ".join(f"{count} {kind}" for kind, count in self._left_out.most_common(8))
        self._left_out.clear()
        return summary


def network_of(address: str) -> str:
    """What one stranger has at hand: an IPv4 address, or an IPv6 network of 64 bits."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((int(found) >> 64 << 64, 64)))
