"""Write the lock files: every package that an installation gets, with its version and its files' hashes.

Each `requirements*.txt` says in its first line which extras it is for, so that `make lock` needs no list:

    tools/lock.py                                      renew all; versions that still fit stay
    tools/lock.py --upgrade                            renew all, with the newest versions that fit
    tools/lock.py --extras local,mcp requirements.txt  this one is for these extras from now on
    tools/lock.py --check [FILE]...                    name the stale ones; needs no network

A file is stale when pyproject.toml asks for something else than it did when the file was made. uv resolves
for all supported versions of Python at once: where they need different versions of a package, both are there
with markers. The package index is the one that uv is set to (UV_DEFAULT_INDEX). It is not written down, so
another one may be used to install: the hashes must hold there, too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
EVERYTHING = "requirements-dev.txt"
"""The lock with the most packages. The others take its versions, so that what runs is what was tested."""

COMMAND = "make lock"
HEAD = re.compile(r"# For telephony(?:\[(.*)\])?\.\n# pyproject\.toml asked for: sha256 (\w+)\n")


@dataclass(frozen=True, slots=True)
class Head:
    """The first lines of a lock file."""

    extras: tuple[str, ...]
    digest: str
    """Of what pyproject.toml asked for when the file was made."""

    def __str__(self) -> str:
        name = f"telephony[{','.join(self.extras)}]" if self.extras else "telephony"
        return f"# For {name}.\n# pyproject.toml asked for: sha256 {self.digest}\n"


def read_head(lock: Path) -> Head:
    """Raises ValueError when the file has no head of ours, OSError when it cannot be read."""
    found = HEAD.match(lock.read_text(encoding="utf-8"))
    if not found:
        raise ValueError(f"{lock.name} does not begin as a lock file that {COMMAND} has made")
    return Head(tuple((found[1] or "").split(",")) if found[1] else (), found[2])


def read_project(root: Path) -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def wanted(project: dict[str, Any], extras: Sequence[str]) -> list[str]:
    """The requirements of these extras, sorted. With an extra also what builds the package: for a checkout.

    Raises KeyError for an extra that does not exist.
    """
    table = project["project"]
    own = re.compile(rf"{table['name']}\[(.*)\]")
    found = set(table["dependencies"])
    if extras:
        found |= set(project["build-system"]["requires"])
    rest = list(extras)
    seen: set[str] = set()
    while rest:
        extra = rest.pop()
        if extra in seen:
            continue
        seen.add(extra)
        for requirement in table["optional-dependencies"][extra]:
            if same := own.fullmatch(requirement):
                rest += same[1].split(",")
            else:
                found.add(requirement)
    return sorted(found)


def digest(project: dict[str, Any], extras: Sequence[str]) -> str:
    """Of all in pyproject.toml that decides what is installed with these extras."""
    asked = [project["project"]["requires-python"], *wanted(project, extras)]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def stale(lock: Path, root: Path = ROOT) -> str | None:
    """Why the lock does not belong to pyproject.toml, or None when it does."""
    try:
        head = read_head(lock)
        fits = head.digest == digest(read_project(root), head.extras)
    except OSError:
        return f"{lock.name} is not here: {COMMAND}"
    except ValueError as error:
        return f"{error}: {COMMAND}"
    except KeyError as error:
        return f"{lock.name} is for the extra {error}, which pyproject.toml does not have"
    return None if fits else f"{lock.name} does not belong to pyproject.toml: {COMMAND}"


def resolve(root: Path, lock: Path, extras: Sequence[str], *, upgrade: bool) -> bool:
    """Write one lock file. Returns whether it could be made; if not, it is as it was."""
    project = read_project(root)
    everything = root / EVERYTHING
    # uv keeps the versions that it finds in the file that it is to write.
    before = lock if lock == everything else everything
    kept = before.read_text(encoding="utf-8") if before.exists() and not upgrade else ""
    draft = lock.with_name(f".{lock.name}.new")
    draft.write_text(kept, encoding="utf-8")
    command = [sys.executable, "-m", "uv", "pip", "compile", "-", "--output-file", str(draft)]
    command += ["--universal", "--python-version", _oldest_python(project), "--generate-hashes"]
    command += ["--no-header", "--no-emit-index-url", "--no-python-downloads", "--native-tls", "--quiet"]
    try:
        done = subprocess.run(command, cwd=root, input="\n".join(wanted(project, extras)), text=True)
        if done.returncode == 0:
            head = Head(tuple(extras), digest(project, extras))
            lock.write_text(
                f"{head}# Made by: {COMMAND}\n{draft.read_text(encoding='utf-8')}", encoding="utf-8"
            )
    finally:
        draft.unlink()
    return done.returncode == 0


def _oldest_python(project: dict[str, Any]) -> str:
    found = re.search(r">=\s*([\d.]+)", project["project"]["requires-python"])
    assert found, "requires-python names the oldest version"
    return found[1]


def main(arguments: Sequence[str]) -> int:
    """0: done, or nothing is stale. 1: not so. 2: the arguments are wrong."""
    parser = argparse.ArgumentParser(prog="tools/lock.py", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    parser.add_argument("--check", action="store_true", help="say which files are stale, and change none")
    parser.add_argument("--extras", help="the extras that FILE is for from now on, comma separated")
    parser.add_argument("files", nargs="*", metavar="FILE", help="the lock files (all)")
    given = parser.parse_args(arguments)
    # The largest first: the others take its versions.
    locks = [Path(name).resolve() for name in given.files] or sorted(ROOT.glob("requirements*.txt"))
    locks.sort(key=lambda lock: lock.name != EVERYTHING)
    if given.check:
        faults = [fault for lock in locks if (fault := stale(lock))]
        print("\n".join(faults), file=sys.stderr, end="\n" if faults else "")
        return bool(faults)
    if given.upgrade and given.files:
        parser.error("--upgrade is for all files: their versions are the same")
    if given.extras is not None and len(given.files) != 1:
        parser.error("--extras is for one FILE")
    for lock in locks:
        try:
            extras = (
                read_head(lock).extras
                if given.extras is None
                else tuple(filter(None, given.extras.split(",")))
            )
            made = resolve(ROOT, lock, extras, upgrade=given.upgrade and lock.name == EVERYTHING)
        except (OSError, ValueError) as error:
            parser.error(str(error))
        except KeyError as error:
            parser.error(f"pyproject.toml has no extra {error}")
        if not made:
            print(f"{lock.name} stays as it was: is the package index reachable?", file=sys.stderr)
            return 1
        print(f"{lock.name}: {len(re.findall('^[^# ].*==', lock.read_text(), re.M))} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
