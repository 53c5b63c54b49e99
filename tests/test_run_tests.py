"""tools/run_tests: what fails by itself fails, what fails only beside others passes."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CROWDED = """
import os

def test_one(): ...
def test_two(): assert "PYTEST_XDIST_WORKER" not in os.environ
"""
WRONG = """
def test_one(): ...
def test_two(): assert 1 == 2
"""


@pytest.mark.parametrize(("text", "status", "again"), [(CROWDED, 0, "1 passed"), (WRONG, 1, "1 failed")])
async def test_what_failed_runs_again_by_itself(tmp_path: Path, text: str, status: int, again: str) -> None:
    (tmp_path / "test_some.py").write_text(text)
    process = await asyncio.create_subprocess_exec(
        *("sh", str(ROOT / "tools" / "run_tests"), "-q"),
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHON": sys.executable, "WORKERS": "2"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == status, said.decode()
    assert "What failed runs again" in said.decode()
    assert again in said.decode().rpartition("What failed runs again")[2]
