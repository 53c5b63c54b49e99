"""What the README shows is what happens: its example agent, its scripted caller, its tests, its commands."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from telephony.engine.models import catalogue
from telephony.reply.agent import Agent, CallInfo, HangUp, Note, Turn
from telephony.reply.loading import load_agent
from tests.test_docs import ROOT, blocks

needs_models = pytest.mark.skipif(bool(catalogue.missing()), reason="the models are not here")
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed here")
CALL = CallInfo("c", "CA1", "", "", {})


def block(language: str, mark: str) -> str:
    return next(text for text in blocks(language) if mark in text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The README's files as a newcomer writes them."""
    (tmp_path / "barista.py").write_text(block("python", "class Barista"))
    (tmp_path / "conftest.py").write_text(block("python", "pytest_plugins"))
    (tmp_path / "test_barista.py").write_text(block("python", "def test_it_says_goodbye"))
    (tmp_path / "changes_their_mind.yaml").write_text(block("yaml", "changes_their_mind"))
    return tmp_path


@pytest.fixture
def barista(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Agent:
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "barista", raising=False)
    return load_agent("barista:Barista", {})


async def talk(agent: Agent, *said: str) -> list[tuple[str, bool]]:
    """What the agent answers to each turn, and whether it hangs up; its notes are kept as in a call."""
    notes: dict[str, object] = {}
    answers = []
    for index, text in enumerate(said):
        words, hangs_up = [], False
        async for item in agent.reply(Turn(text, index, (), None, CALL), dict(notes)):
            if isinstance(item, Note):
                notes |= item.values
            elif isinstance(item, str):
                words.append(item)
            hangs_up = hangs_up or isinstance(item, HangUp)
        answers.append((" ".join(words), hangs_up))
    return answers


async def test_the_readmes_agent_takes_an_order_it_remembers(barista: Agent) -> None:
    """The words of the recorded caller."""
    answers = await talk(
        barista,
        "Hi, can I get a large latte, please?",
        "Yes, please.",
        "What do you have?",
        "A small coffee, please.",
        "No, that's all. Thank you. Goodbye.",
    )
    menu = "We have coffee, latte, mocha and tea, small, medium or large. What would you like?"
    assert answers == [
        ("A large latte. Anything else?", False),
        (menu, False),
        (menu, False),
        ("A small coffee. Anything else?", False),
        ("One small coffee, ready in five minutes. Thank you, goodbye.", True),
    ]


@pytest.mark.parametrize(
    ("said", "answer", "hangs_up"),
    [
        ("No, I said small.", "A small latte. Anything else?", False),
        ("No, a mocha.", "A large mocha. Anything else?", False),
        ("No.", "One large latte, ready in five minutes. Thank you, goodbye.", True),
        ("Nope, that's it.", "One large latte, ready in five minutes. Thank you, goodbye.", True),
        ("No, wait.", "We have coffee", False),
        ("No, what does it cost?", "We have coffee", False),
    ],
)
async def test_the_readmes_agent_hangs_up_only_when_that_was_meant(
    barista: Agent, said: str, answer: str, hangs_up: bool
) -> None:
    answers = await talk(barista, "A large latte, please.", said)
    assert answers[1][0].startswith(answer) and answers[1][1] is hangs_up


async def test_the_readmes_agent_asks_for_what_is_missing(barista: Agent) -> None:
    assert await talk(barista, "A tea.", "Large.", "Goodbye.") == [
        ("A tea. Small, medium or large?", False),
        ("A large tea. Anything else?", False),
        ("One large tea, ready in five minutes. Thank you, goodbye.", True),
    ]


def test_plain_pytest_runs_in_the_clone_and_beside_it(tmp_path: Path) -> None:
    """`make demo` installs no test tools, and `pip install pytest` brings none of our plugins.

    An option in our pyproject.toml that only a plugin knows would stop it there.
    """
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    for place in (clone, tmp_path / "elsewhere"):
        place.mkdir(exist_ok=True)
        (place / "test_mine.py").write_text("def test_mine():\n    assert True\n")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"],
            cwd=place,
            capture_output=True,
            text=True,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@needs_models
def test_the_readmes_pytest_example_passes(folder: Path) -> None:
    command = shlex.split(block("sh", "pytest test_barista.py"))
    done = subprocess.run(
        [sys.executable, "-m", *command, "-p", "no:cacheprovider"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def commands(first: str) -> list[str]:
    """The lines of the README's `sh` blocks that begin so, comments left out."""
    lines = [line for text in blocks("sh") for line in text.splitlines()]
    return sorted({line.split("  #")[0].strip() for line in lines if line.startswith(first)})


def run(line: str, data: Path) -> subprocess.CompletedProcess[str]:
    """A command of the README, typed at the clone's root."""
    return subprocess.run(
        [sys.executable, "-m", *shlex.split(line)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "DATA_DIR": str(data)},
        timeout=110,
    )


@pytest.mark.slow
@needs_models
@pytest.mark.parametrize("line", commands("telephony call"))
def test_the_readmes_calls_are_good(line: str, tmp_path: Path) -> None:
    done = run(line, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "latte" in done.stderr


@pytest.mark.slow
@needs_models
@needs_ffmpeg
@pytest.mark.parametrize("line", commands("telephony transcribe"))
def test_the_readmes_transcriptions_are_good(line: str, tmp_path: Path) -> None:
    done = run(line, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "latte" in done.stdout.lower()


@pytest.mark.parametrize("line", [*commands("telephony --"), *commands("telephony doctor")])
def test_the_readmes_small_commands_are_good(line: str, tmp_path: Path) -> None:
    done = run(line, tmp_path)
    assert done.returncode in ((0, 1) if "doctor" in line else (0,)), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@needs_models
@pytest.mark.parametrize("line", commands("telephony serve"))
async def test_the_readmes_server_prints_its_urls_and_ends_in_order(line: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", *shlex.split(re.sub(r"--port \d+", f"--port {port}", line))]
    server = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "DATA_DIR": str(tmp_path)},
    )
    assert server.stdout is not None
    seen = ""
    async with asyncio.timeout(60):
        while f"127.0.0.1:{port}" not in seen:
            more = await server.stdout.readline()
            assert more, seen
            seen += more.decode()
    server.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        rest = (await server.stdout.read()).decode()
        assert await server.wait() == 0, seen + rest
