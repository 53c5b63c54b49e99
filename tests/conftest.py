"""No test sees the settings of the machine it runs on: a cloud key would make one slow, costly, different."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from telephony.config import NAMES

# At import, so that it also holds for what fixtures and child processes inherit, in every xdist worker.
for name in NAMES & os.environ.keys():
    del os.environ[name]


@pytest.fixture(autouse=True, scope="session")
def _no_dotenv(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests run in a folder of their own, where no .env is."""
    os.chdir(tmp_path_factory.mktemp("cwd"))


@pytest.fixture
def root() -> Path:
    """The checkout."""
    return Path(__file__).resolve().parents[1]
