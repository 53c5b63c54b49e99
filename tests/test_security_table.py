"""SECURITY.md names for each threat the tests that hold it, and they exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
THREATS = (ROOT / "SECURITY.md").read_text(encoding="utf-8").partition("## Threats")[2]


def rows() -> list[list[str]]:
    lines = [line for line in THREATS.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def named_in(cell: str) -> list[tuple[str, str]]:
    """File and name of each; `::name` alone is of the file before it."""
    named, file = [], ""
    for path, name in re.findall(r"((?:tests/[\w/]+\.py)?)::(\w+)", cell):
        file = path or file
        named.append((file, name))
    return named


def test_every_threat_has_a_test_that_exists() -> None:
    assert len(rows()) >= 19
    for row in rows():
        assert len(row) == 3, row
        named = named_in(row[2])
        assert named, row[0]
        for file, name in named:
            text = (ROOT / file).read_text(encoding="utf-8")
            assert re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), f"{file}::{name}"


def test_no_threat_stands_there_twice() -> None:
    threats = [row[0] for row in rows()]
    assert sorted(threats) == sorted(set(threats))
