"""What tests need and a checkout has not: recordings with ground truth beside it, and rights."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

ABSENT = "the shared recordings are not beside this checkout"
NOT_ALLOWED = "this machine does not allow it"
"""The two reasons for which .ci/run lets a test be skipped. What can be installed is not one."""
SHARED = Path(__file__).resolve().parents[2] / "shared"


def not_allowed(what: str) -> NoReturn:
    """Skip what takes rights that no installation gives, such as to mount a file system."""
    pytest.skip(f"{NOT_ALLOWED}: {what}")


def shared_path(name: str) -> Path:
    """The path of a shared recording or capture; the test is skipped, with the reason, where it is absent."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is not here: {ABSENT}")
    return path
