"""No test sees the settings of the machine it runs on: a cloud key would make one slow, costly, different."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest

from telephony.config.settings import NAMES
from telephony.engine.models import catalogue
from telephony.engine.process import READY
from telephony.logs import NOISY
from tests.shared import ABSENT, NOT_ALLOWED

# At import, so that it also holds for what fixtures and child processes inherit, in every xdist worker.
for name in NAMES & os.environ.keys():
    del os.environ[name]

# A busy machine is no finding. In CI the same examples every time: what is new is looked for at a desk.
hypothesis.settings.register_profile("ours", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("ours")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Groups first, then what is slow: no worker is left alone with a long test at the end."""

    def rank(item: pytest.Item) -> int:
        if item.get_closest_marker("xdist_group"):
            return 0
        return 1 if item.get_closest_marker("slow") else 2

    if hasattr(config, "workerinput"):
        items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    from tests.schedule import Together  # here, since a newcomer's pytest has no xdist

    return Together(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    return forbid_skip(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    return forbid_skip(report)


Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def forbid_skip(report: Report) -> Report:
    """In CI a test that is skipped has failed: else what it holds could be lost unseen."""
    if "CI" in os.environ and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if ABSENT not in reason and NOT_ALLOWED not in reason:
            report.outcome = "failed"
            report.longrepr = f"in CI no test may be skipped, and this one was: {reason}"
    return report


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


@pytest.fixture(scope="session")
def engine() -> Iterator[str]:
    """The URL of a local engine, one for all tests of a worker: its models take seconds to load."""
    if absent := catalogue.missing():
        pytest.skip(f"models are not here: {', '.join(absent)}; {catalogue.FETCH_COMMAND}")
    command = [sys.executable, "-m", "telephony.engine.process", "--no-fetch"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready.startswith(READY), ready
        yield ready.removeprefix(READY).strip()
        process.terminate()
