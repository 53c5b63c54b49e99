"""What README and docs/ show is what happens: their commands run, their agents answer, their tests pass."""

from __future__ import annotations

import asyncio
import difflib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from telephony.engine.models import catalogue
from telephony.reply.agent import Agent, CallInfo, HangUp, Note, Turn
from telephony.reply.loading import load_agent
from tests.markdown import ROOT, blocks, blocks_of, write_files
from tests.rest_account import rest_account

needs_models = pytest.mark.skipif(bool(catalogue.missing()), reason="the models are not here")
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed here")
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed here")
CALL = CallInfo("c", "CA1", "", "", {})
CALLER = Path("telephony/simulator/demo/caller.wav")
DEMO = f"telephony call {CALLER}"
"""What `make demo` does after the installation."""
ALIKE = 0.7
"""So much of what the README shows must be in the output of another run, numbers apart: some of it depends on
the machine, such as how far the agent comes before it is interrupted."""
READY_S = 60


# ---- the agents, asked turn by turn


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of docs/agents.md and docs/testing.md as a newcomer writes them, and the recorded caller."""
    write_files(tmp_path, "docs/agents.md", "docs/testing.md")
    (tmp_path / CALLER).parent.mkdir(parents=True)
    shutil.copy(ROOT / CALLER, tmp_path / CALLER)
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


async def test_the_readmes_agent_takes_an_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The short one, with the words of the recorded caller."""
    write_files(folder, "README.md")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "barista", raising=False)
    agent = load_agent("barista:Barista", {})
    assert await talk(
        agent, "A large latte, please.", "What do you have?", "No, not a latte, a mocha.", "Goodbye."
    ) == [
        ("One latte. Anything else?", False),
        ("We have coffee, latte, mocha and tea. Which would you like?", False),
        ("One mocha. Anything else?", False),
        ("That's mocha for you. Goodbye.", True),
    ]


def test_the_readmes_agent_has_fifteen_lines() -> None:
    text = next(block.text for block in blocks_of("README.md") if block.language == "python")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) <= 15


async def test_the_agent_of_the_docs_takes_an_order_it_remembers(barista: Agent) -> None:
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
async def test_the_agent_of_the_docs_hangs_up_only_when_that_was_meant(
    barista: Agent, said: str, answer: str, hangs_up: bool
) -> None:
    answers = await talk(barista, "A large latte, please.", said)
    assert answers[1][0].startswith(answer) and answers[1][1] is hangs_up


async def test_the_agent_of_the_docs_asks_for_what_is_missing(barista: Agent) -> None:
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


# ---- the lines of the `sh` blocks


def lines() -> list[str]:
    """All command lines of all pages."""
    shown = [line.strip() for block in blocks("sh") for line in block.text.splitlines()]
    return sorted({line for line in shown if line})


def of(*beginnings: str) -> list[str]:
    return [line for line in lines() if re.match("|".join(beginnings), line)]


CALLS, CALLS_WITH_AGENT = of("telephony call"), of("[A-Z]+=.* telephony call")
TRANSCRIPTIONS = of("telephony transcribe")
SERVERS = of("telephony serve", "python -m telephony serve", "telephony engine --port", "telephony fake")
SMALL = of("telephony doctor", "telephony engine --voices", "python -m telephony.engine.models")
OF_AN_ACCOUNT = of("telephony (dial|number)")
OF_A_CALL = of("telephony delete")
TESTS = of("pytest test_barista")
REQUESTS = of("curl .*")
CHATS = of(r"printf .* \| telephony chat")
MADE = of("make ")
"""test_docs.py checks that the targets are there; CI runs `make test`, and DEMO stands for `make demo`."""
OTHERS = {". .venv/bin/activate", "python tools/document_settings.py"}
"""The first changes a shell. The second would write into the project: test_docs.py calls what it does."""
VARIABLES = of("[A-Z]+=[^ ]*$")


def test_every_line_of_a_shell_block_is_run_by_a_test() -> None:
    """One that is of no kind here would be run by nobody."""
    run = [
        CALLS,
        CALLS_WITH_AGENT,
        TRANSCRIPTIONS,
        SERVERS,
        SMALL,
        OF_AN_ACCOUNT,
        OF_A_CALL,
        TESTS,
        REQUESTS,
        CHATS,
    ]
    assert sorted(set(lines()) - OTHERS - set().union(*run, MADE, VARIABLES)) == []


def environment(data: Path, **more: str) -> dict[str, str]:
    """What a newcomer's shell has, with a DATA_DIR of the test's own."""
    home = os.environ.get("HOME", "/")
    return {"PATH": os.environ["PATH"], "HOME": home, "PYTHONPATH": str(ROOT), "DATA_DIR": str(data), **more}


def words_of(line: str) -> tuple[list[str], dict[str, str]]:
    """A command line for this Python, and the variables that stand before it."""
    words = shlex.split(line)
    variables = {}
    while re.match(r"[A-Z_]+=", words[0]):
        name, _, variables[name] = words.pop(0).partition("=")
    if words[0] == "python":
        return [sys.executable, *words[1:]], variables
    return [sys.executable, "-m", *words], variables


def run(line: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """A command line, typed in a folder."""
    words, variables = words_of(line)
    return subprocess.run(
        words,
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment(folder / "data", **variables, **more),
        timeout=110,
    )


@pytest.mark.slow
@needs_models
@pytest.mark.parametrize("line", sorted({DEMO, *CALLS, *CALLS_WITH_AGENT}))
def test_the_calls_are_good(line: str, folder: Path) -> None:
    """A call with an agent has the README's; the demo's conversation is the one that the README shows."""
    if line in CALLS_WITH_AGENT:
        write_files(folder, "README.md")
    done = run(line, folder)
    assert done.returncode == 0, done.stderr
    assert re.search("latte|coffee", done.stderr)
    if line == DEMO:
        shown = next(block.text for block in blocks_of("README.md") if block.text.startswith("calling, as"))
        assert likeness(shown, done.stdout + done.stderr) >= ALIKE, done.stdout + done.stderr


def likeness(shown: str, output: str) -> float:
    """The share of the lines shown that stand in the output, or nearly so."""

    def masked(text: str) -> list[str]:
        return [re.sub(r"[\d.]+", "0", line).strip() for line in text.splitlines() if line.strip()]

    here = masked(output)
    wanted = masked(shown)
    return sum(bool(difflib.get_close_matches(line, here, n=1, cutoff=0.7)) for line in wanted) / len(wanted)


@pytest.mark.slow
@needs_models
@pytest.mark.parametrize("line", TESTS)
def test_the_tests_of_the_docs_pass(line: str, folder: Path) -> None:
    done = run(f"{line} -p no:cacheprovider", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.slow
@needs_models
@needs_ffmpeg
@pytest.mark.parametrize("line", TRANSCRIPTIONS)
def test_the_transcriptions_are_good(line: str, folder: Path) -> None:
    done = run(line, folder)
    assert done.returncode == 0, done.stderr
    assert "latte" in done.stdout.lower()


@needs_models
@pytest.mark.parametrize("line", ["telephony --help", *SMALL])
def test_the_small_commands_are_good(line: str, folder: Path) -> None:
    done = run(line, folder)
    assert done.returncode in ((0, 1) if "doctor" in line else (0,)), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("line", OF_AN_ACCOUNT)
async def test_the_commands_of_an_account_are_good(line: str, folder: Path) -> None:
    """At a stand-in for Twilio's REST API, with a number of its own."""
    async with rest_account() as account:
        account.standin.add_number("+14155550100")
        given = {**account.environ(), "PUBLIC_URL": "https://phone.example", "DIAL_FROM": "+14155550100"}
        done = await asyncio.to_thread(run, line, folder, **given)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("line", CHATS)
def test_the_chats_end_with_what_was_typed(line: str, folder: Path) -> None:
    """In a shell that has this Python's commands, as `. .venv/bin/activate` makes it."""
    given = environment(folder / "data", AGENT="barista:Barista")
    given["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{given['PATH']}"
    done = subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True, env=given, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "latte" in done.stdout


@pytest.mark.parametrize("line", OF_A_CALL)
def test_the_commands_of_a_call_name_what_they_did_not_find(line: str, folder: Path) -> None:
    done = run(line, folder)
    assert done.returncode == 2 and "CA0000" in done.stderr


@asynccontextmanager
async def serving(line: str, folder: Path, **more: str) -> AsyncIterator[int]:
    """A server of the docs on a port of its own, until it was told to end and has ended in order."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words, variables = words_of(re.sub(r"--port \d+", f"--port {port}", line))
    server = await asyncio.create_subprocess_exec(
        *words,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment(folder / "data", PORT=str(port), **variables, **more),
    )
    assert server.stdout is not None
    seen = ""
    async with asyncio.timeout(READY_S):
        while not re.search(rf"(127\.0\.0\.1|0\.0\.0\.0):{port}", seen):
            more_of_it = await server.stdout.readline()
            assert more_of_it, seen
            seen += more_of_it.decode()
    try:
        yield port
    finally:
        server.send_signal(signal.SIGTERM)
        async with asyncio.timeout(READY_S):
            rest = (await server.stdout.read()).decode()
            assert await server.wait() == 0, seen + rest


@pytest.mark.slow
@needs_models
@pytest.mark.parametrize("line", SERVERS)
async def test_the_servers_print_their_urls_and_end_in_order(line: str, folder: Path) -> None:
    public = (
        {"PUBLIC_URL": "https://phone.example", "TWILIO_AUTH_TOKEN": "0" * 32} if "--host" in line else {}
    )
    async with serving(line, folder, **public):
        pass


@needs_curl
async def test_the_requests_are_answered(folder: Path) -> None:
    """All `curl` lines, in the order of their pages, by one server with an API key and a Twilio account."""
    variables = dict(line.split("=", 1) for line in VARIABLES)
    shown = [line for block in blocks("sh") for line in block.text.splitlines() if line in REQUESTS]
    async with rest_account() as account:
        account.standin.add_number("+14155550100")
        given = {
            "API_KEYS": variables["KEY"],
            "DIAL_FROM": "+14155550100",
            "DEEPGRAM_URL": "ws://127.0.0.1:9",
        }
        given |= account.environ()
        async with serving("telephony serve --port 8080", folder, **given) as port:
            for line in shown:
                answer = await curl(line.replace(":8080", f":{port}"), folder, variables, port)
                assert answer.startswith(("{", "#")), f"{line}: {answer}"
                assert '"error"' not in answer, f"{line}: {answer}"


async def curl(line: str, folder: Path, variables: dict[str, str], port: int) -> str:
    """What a request of the docs is answered, typed into a shell that has the page's variables."""
    here = {name: value.replace(":8080", f":{port}") for name, value in variables.items()}
    shell = await asyncio.create_subprocess_shell(
        line, cwd=folder, stdout=asyncio.subprocess.PIPE, env={"PATH": os.environ["PATH"], **here}
    )
    out, _ = await shell.communicate()
    assert shell.returncode == 0, line
    return out.decode()
