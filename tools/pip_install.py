"""Runs `pip install` with the given arguments and says in one line each what it is at.

pip alone is either silent or prints pages. Where it fails its last lines are printed; the status is pip's.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import deque

# pip's own words: "Downloading numpy-2.4.6-cp311-....whl (16.5 MB)", or "Using cached ..." for the same.
FILE = re.compile(
    r"\s*(?:Downloading|Using cached) (?:\S*/)?([\w.]+-[\w.]+?)-\S+\.whl(?:\.metadata)? \((.+)\)"
)
SMALL = re.compile(r"kB$|bytes$")
TAIL_LINES = 15


def main(arguments: list[str]) -> int:
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"  {time.monotonic() - started:4.0f} s  {text}", flush=True)

    say("pip install " + " ".join(arguments))
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    with subprocess.Popen(
        [*command, "--progress-bar=off", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as pip:
        last: deque[str] = deque(maxlen=TAIL_LINES)
        small = 0
        for line in pip.stdout or ():
            last.append(line)
            if found := FILE.match(line):
                small += bool(SMALL.search(found[2]))
                if not SMALL.search(found[2]):
                    say(f"{found[1]} ({found[2]})")
            elif line.startswith(("Installing collected packages", "Building")):
                say(f"{small} small ones; installing" if line.startswith("Inst") else line.strip())
    if pip.returncode:
        sys.stderr.writelines(last)
        say("pip failed: is the package index reachable? Try again with the same command")
        return pip.returncode
    say("installed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
