"""The machine's own time: monotonic, and the same for all its processes."""

from __future__ import annotations

import subprocess
import sys

from telephony.base.boot_clock import boot_id, uptime_s

ASK = "from telephony.base.boot_clock import *; print(uptime_s(), boot_id())"


def test_all_processes_of_a_machine_have_one_time() -> None:
    """Another process's reading lies between two of ours, of the same start of the machine."""
    before = uptime_s()
    theirs = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    seconds, _, boot = theirs.stdout.strip().partition(" ")
    assert before < float(seconds) < uptime_s()
    assert boot == boot_id()
