"""Tests that share something run in one worker, whatever the versions of pytest and its plugins are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

GROUP = 'import pytest\npytestmark = [pytest.mark.slow, pytest.mark.xdist_group("whole calls")]\n'
SHARES = 'import pytest\n@pytest.fixture(scope="module")\ndef made(): return []\n'
MANY = "".join(f"def test_{n}(): pass\n" for n in range(12))


def workers(folder: Path, root: Path) -> dict[str, str]:
    """The worker of each test, in the order in which they ended, in a tree with two workers."""
    (folder / "tests").mkdir()
    for name in ("conftest.py", "shared.py", "schedule.py"):
        (folder / "tests" / name).write_bytes((root / "tests" / name).read_bytes())
    (folder / "pyproject.toml").write_bytes((root / "pyproject.toml").read_bytes())
    for name, head in (("a", ""), ("b", SHARES), ("c", GROUP), ("d", GROUP)):
        (folder / "tests" / f"test_{name}.py").write_text(head + MANY)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadgroup"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    found = re.findall(r"^\[(gw\d)\] .* PASSED (\S+)", done.stdout, re.MULTILINE)
    return {name: worker for worker, name in found}


def test_a_group_and_a_file_with_a_fixture_for_all_of_it_stay_together(tmp_path: Path, root: Path) -> None:
    """A group of several files, too; it is begun first, and both workers have work."""
    ran = workers(tmp_path, root)
    assert len(ran) == 48
    of = {file: {worker for name, worker in ran.items() if f"test_{file}.py" in name} for file in "abcd"}
    assert len(of["b"]) == 1 and len(of["c"] | of["d"]) == 1
    assert {"gw0", "gw1"} == of["a"] | of["b"] | of["c"]
    assert any("test_c.py" in name for name in list(ran)[:3])
