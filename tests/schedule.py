"""How several workers share the tests (pytest -n 3 --dist loadgroup): what belongs together.

pytest-xdist 3.8 names a test's group by adding to an id that pytest 9.2 does not read any more, so its own
groups are silently not kept. Ours are read from the files.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parents[1]


def group_of(file: Path) -> str | None:
    """The group of a file's tests, which one worker runs one after the other; None: each goes anywhere.

    The group of its mark `xdist_group`; a file whose fixtures last longer than a test is a group, too.
    """
    text = file.read_text(encoding="utf-8")
    if named := re.search(r'mark\.xdist_group\("([^"]+)"\)', text):
        return named[1]
    return file.name if re.search(r'scope="(module|class|package)"', text) else None


class Together(LoadScopeScheduling):  # type: ignore[misc]  # ships no types
    """Gives a worker the whole of a group, or one test that is in none; in the order they were collected."""

    def __init__(self, config: pytest.Config, log: object) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False
        self._groups: dict[str, str | None] = {}

    def _split_scope(self, nodeid: str) -> str:
        name = nodeid.partition("::")[0]
        if name not in self._groups:
            self._groups[name] = group_of(self.config.rootpath / name)
        return self._groups[name] or nodeid
