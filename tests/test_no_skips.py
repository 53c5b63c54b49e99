"""In CI no promise is lost unseen: a skipped test fails there, but for recordings that may be absent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SKIPPING = """
import pytest

def test_whose_program_is_missing():
    pytest.skip("nginx is not here")

@pytest.mark.skipif(True, reason="the machine is too busy")
def test_of_a_busy_machine():
    pass

def test_with_a_shared_recording():
    from tests.shared import shared_path
    shared_path("no such recording.wav")

def test_that_holds():
    pass
"""
MODULE = 'import pytest\npytest.importorskip("no_such_module", reason="the engine is not installed")\n'


def outcomes(folder: Path, root: Path, **environ: str) -> str:
    """The last line of a run over tests that are skipped for several reasons, in a tree like ours."""
    (folder / "tests").mkdir()
    for name in ("conftest.py", "shared.py"):
        (folder / "tests" / name).write_bytes((root / "tests" / name).read_bytes())
    (folder / "tests" / "test_skipping.py").write_text(SKIPPING)
    (folder / "tests" / "test_module.py").write_text(MODULE)
    (folder / "pyproject.toml").write_bytes((root / "pyproject.toml").read_bytes())
    left = {name: value for name, value in os.environ.items() if not name.startswith(("CI", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors"],
        cwd=folder, env={**left, **environ}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout


def test_in_ci_a_test_that_is_skipped_fails(tmp_path: Path, root: Path) -> None:
    told = outcomes(tmp_path, root, CI="true")
    assert "1 failed, 1 passed, 1 skipped, 2 errors in" in told, told
    assert "no test may be skipped, and this one was: Skipped: nginx is not here" in told


def test_at_a_desk_it_is_skipped(tmp_path: Path, root: Path) -> None:
    assert "1 passed, 4 skipped in" in outcomes(tmp_path, root)


def test_the_ci_run_says_that_it_is_one(root: Path) -> None:
    lines = (root / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert lines.index("export CI=true") < next(at for at, line in enumerate(lines) if line == "make test")
