"""Say whether a locked version is known to be vulnerable: pip-audit on lock files.

usage: audit.py LOCK...

Exit status 0: every package was looked up, and nothing is known. 1: something is known, or a look-up failed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


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
    return faults(lock.name, done.stdout, done.stderr)


def faults(name: str, answer: str, errors: str) -> list[str]:
    """What pip-audit's JSON answer, or its end without one, says about the lock file."""
    try:
        packages = json.loads(answer)["dependencies"]
    except ValueError:
        last = (errors.strip().splitlines() or ["no reason given"])[-1]
        return [f"{name} was not looked up. Is the package index reachable? {last}"]
    found = [
        f"{name}: {package['name']} {package['version']} has {known['id']},"
        f" mended in {', '.join(known['fix_versions']) or 'no version yet'}"
        for package in packages
        for known in package.get("vulns", ())
    ]
    if unknown := [package["name"] for package in packages if "skip_reason" in package]:
        found.append(
            f"{name}: the index does not say what is known of {len(unknown)} of {len(packages)} packages"
            f" ({', '.join(unknown[:3])}, ...). A mirror may not: ask from another network"
        )
    return found if packages else [f"{name} has no packages"]


def main(locks: list[str]) -> int:
    bad = False
    for lock in locks:
        found = audit(Path(lock))
        print("\n".join(found) or f"{lock}: nothing is known against any package", flush=True)
        bad |= bool(found)
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
