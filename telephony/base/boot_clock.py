"""This machine's own time, which no change of the wall clock moves.

The wall clock answers one question only: what day or hour it is for a person. What expires is measured here.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # Linux: proc(5)


def uptime_s() -> float:
    """Seconds since the machine started, the same for all its processes; it never goes back.

    Time that the machine slept counts, where the system tells it (CLOCK_BOOTTIME, clock_gettime(2)).
    """
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


@cache
def boot_id() -> str:
    """Tells one start of the machine from the next; empty where the system does not say."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""
