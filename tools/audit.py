"""Say whether a locked version is known to be vulnerable: pip-audit on lock files.

usage: audit.py LOCK...

Exit status 0: every package was looked up, and nothing is known. 1: something is known, or a look-up failed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def audit(lock: Path) -> list[str]:
    """One line for each fault of a lock file."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--requirement",
        str(lock),
        "--require-hashes",
        "--disable-pip",
    ]
    done = subprocess.run(
        [*command, "--format", "json", "--progress-spinner", "off"], capture_output=True, text=True
    )
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:  # it has ended without an answer
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        return [f"{lock.name} was not looked up. Is the package index reachable? {last}"]
    faults = [fault for package in packages for fault in _known(package)]
    if unknown := [package["name"] for package in packages if "skip_reason" in package]:
        faults.append(
            f"{lock.name}: the index does not say what is known of {len(unknown)} of {len(packages)} packages"
            f" ({', '.join(unknown[:3])}, ...). A mirror may not: ask from another network"
        )
    return faults or ([] if packages else [f"{lock.name} has no packages"])


def _known(package: dict[str, Any]) -> list[str]:
    name = f"{package['name']} {package.get('version', '')}"
    return [
        f"{name}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'no version yet'}"
        for found in package.get("vulns", ())
    ]


def main(locks: list[str]) -> int:
    bad = False
    for lock in locks:
        faults = audit(Path(lock))
        print("\n".join(faults) or f"{lock}: nothing is known against any package", flush=True)
        bad |= bool(faults)
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
