"""No test sees the settings of the machine it runs on: a cloud key would make one slow, costly, different."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from telephony.config.settings import NAMES
from telephony.logs import NOISY

# At import, so that it also holds for what fixtures and child processes inherit, in every xdist worker.
for name in NAMES & os.environ.keys():
    del os.environ[name]

# A busy machine is no finding. In CI the same examples every time: what is new is looked for at a desk.
hypothesis.settings.register_profile("ours", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("ours")


@pytest.fixture(autouse=True, scope="session")
def _no_dotenv(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests run in a folder of their own, where no .env is."""
    os.chdir(tmp_path_factory.mktemp("cwd"))


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command sets logging up for its process; the next test writes to its own stderr."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in NOISY}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, was in levels.items():
        logging.getLogger(name).setLevel(was)


@pytest.fixture
def root() -> Path:
    """The checkout."""
    return Path(__file__).resolve().parents[1]
