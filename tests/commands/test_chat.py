"""`telephony chat`: an agent by text, through a pipe and on a real pseudo-terminal."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import sys
from pathlib import Path

import pytest

from telephony.commands.chat_session import AgentWords, ChatSession
from telephony.reply.agent import CallInfo
from telephony.testing.fake_chat import FakeChat
from telephony.testing.fake_chat_script import Called, Reply, Rule, rules

ROOT = Path(__file__).resolve().parents[2]
COLOURS = re.compile(r"\x1b\[[0-9;]*m")

AGENT = """
from telephony import HangUp, Note, Say, Transfer, Expect
from telephony.reply.agent import Wording

class Clerk:
    wording = Wording(greeting=Say("Hello there."))

    async def reply(self, turn, notes):
        if "bye" in turn.text:
            yield "Goodbye."
            yield HangUp()
        elif turn.digits:
            yield f"You pressed {turn.digits}."
        elif "story" in turn.text:
            yield "one two three four five six seven eight nine ten eleven twelve"
        elif "break" in turn.text:
            raise RuntimeError("nothing works")
        else:
            yield Note(said=turn.text, before=notes.get("said", ""))
            yield f"I heard {len(turn.history)} lines; you heard: {turn.heard}|{turn.interrupted}."
            yield Expect("yes_no")

    async def ended(self, call):
        open("ended.txt", "w").write(f"{call.ended_by} {len(call.history)} {call.notes}")
"""


async def chat(folder: Path, typed: str, *words: str, **environ: str) -> tuple[int, str]:
    """The exit status and the output of a chat whose lines come from a pipe."""
    (folder / "clerk.py").write_text(AGENT)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telephony", "chat", "--pace", "0", *words),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{folder}", **environ},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate(typed.encode())
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_lines_are_answered_until_the_agent_hangs_up(tmp_path: Path) -> None:
    typed = "Hi.\n/keys 12#\n/notes\nbreak\nbye\nnever read\n"
    status, said = await chat(tmp_path, typed, "--agent", "clerk:Clerk")
    assert status == 0
    assert said.splitlines()[:5] == [
        "agent   Hello there.",
        "you     Hi.",
        "agent   I heard 1 lines; you heard: Hello there.|False.",
        "        [note: said='Hi.', before='']",
        "        [expects: yes_no]",
    ]
    assert "agent   You pressed 12." in said and "[notes: said='Hi.', before='']" in said
    assert "[failed: RuntimeError: nothing works]" in said
    assert said.endswith("agent   Goodbye.\n        [hangs up]\nended by the agent\n")
    assert (tmp_path / "ended.txt").read_text().startswith("agent 8 ")


async def test_the_end_of_the_input_is_the_caller_hanging_up(tmp_path: Path) -> None:
    status, said = await chat(tmp_path, "Hi.\n", "--agent", "clerk:Clerk")
    assert status == 0 and said.endswith("ended by the caller\n")


async def test_a_silent_caller_is_asked_and_then_let_go(tmp_path: Path) -> None:
    status, said = await chat(tmp_path, "/silence\n/silence\n", "--agent", "clerk:Clerk")
    assert status == 0 and "Are you still there?" in said and said.endswith("ended by the agent\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--agent", "no.such:Agent"), "telephony: --agent"),
        (("--agent", "llm"), "set LLM_URL and LLM_MODEL"),
        (("--pace", "fast"), "'fast' is not a number from 0 to 100"),
    ],
)
async def test_what_cannot_be_is_one_line_and_status_2(
    tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    status, said = await chat(tmp_path, "", *words)
    assert status == 2 and says in said and "Traceback" not in said


async def test_a_models_tools_are_shown(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        'def price(of: str) -> str:\n    """What it costs."""\n    return "4 euros"\n'
    )
    script = rules(
        Rule(Reply("It costs four euros."), tool="price"),
        Rule(Reply(calls=(Called("price", {"of": "latte"}),)), caller="cost"),
    )
    async with FakeChat(script) as model:
        status, said = await chat(
            tmp_path,
            "What does a latte cost?\n",
            *("--agent", "llm"),
            **{"LLM_URL": model.url, "LLM_MODEL": "stand-in", "LLM_TOOLS": "shop:price"},
        )
    assert status == 0, said
    lines = said.splitlines()
    at = lines.index("you     What does a latte cost?")
    assert '[tool: price({"of": "latte"})]' in "\n".join(lines[at:])
    assert "[tool done: price: 4 euros]" in said and "It costs four euros." in said


async def test_a_key_interrupts_at_the_word_and_the_agent_knows(tmp_path: Path) -> None:
    """On a real terminal: the key is pressed behind "three"; the next turn's history ends there."""
    (tmp_path / "clerk.py").write_text(AGENT)
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telephony", "chat", "--agent", "clerk:Clerk", "--pace", "20"),
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{tmp_path}", "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    screen = _Screen(ours)
    await screen.shows("you")
    os.write(ours, b"a story\n")
    await screen.shows("three")
    os.write(ours, b"x")
    await screen.shows("-- interrupted")
    os.write(ours, b"what?\n")
    await screen.shows("[expects: yes_no]")
    os.write(ours, b"bye\n")
    await screen.shows("ended by the agent")
    assert await process.wait() == 0
    os.close(ours)
    [heard] = re.findall(r"you heard: (one [\w ]*)\|True", screen.text)
    shown = re.findall(r"agent   (one [\w ]*) -- interrupted", screen.text)
    assert shown == [heard] and "three" in heard and "twelve" not in heard


class _Screen:
    """What a terminal shows, as it comes."""

    def __init__(self, descriptor: int) -> None:
        self._raw = ""
        self._come = asyncio.Event()
        self._descriptor = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    @property
    def text(self) -> str:
        return COLOURS.sub("", self._raw).replace("\r\n", "\n")

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, 65_536)
        except OSError:  # the other end is closed
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._descriptor)
        self._raw += data.decode()
        self._come.set()

    async def shows(self, text: str) -> None:
        """Wait until the text is there, behind what was waited for before."""
        at = getattr(self, "_at", 0)
        async with asyncio.timeout(30):
            while (found := self.text.find(text, at)) < 0:
                self._come.clear()
                await self._come.wait()
        self._at = found + len(text)


def test_what_was_not_shown_was_not_heard() -> None:
    words = AgentWords()
    assert words.feed("one two thr") == ["one", "two"]
    words.show("one")
    words.interrupted = True
    session = ChatSession(CallInfo("chat"))
    session.said(words)
    [line] = session.turn("what?").history
    assert (line.text, line.heard, line.interrupted) == ("one two thr", "one", True)
