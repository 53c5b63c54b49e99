"""The tour of docs/agents.md: its files as a reader writes them, chatted with, and called."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from telephony.commands.doctor_findings import Verdict
from telephony.testing.fake_chat import FakeChat
from telephony.testing.fake_chat_script import Called, Reply, Rule, rules
from tests.markdown import ROOT, blocks_of
from tests.real_line import running
from tests.twilio_side import until

pytest.importorskip("mcp", reason="the extra `mcp` is not installed")

BOOKING = {"day": "2026-12-01", "people": 4, "name": "Ada"}
AFTER = json.dumps({"summary": "A table was booked.", "fields": {"name": "Ada", "people": 4}})
SCRIPT = rules(
    Rule(Reply("It is booked. Goodbye."), tool="book_table"),
    Rule(Reply("We have trout today."), tool="menu_dishes"),
    Rule(Reply(AFTER), caller="caller:"),
    Rule(Reply(calls=(Called("book_table", BOOKING),)), caller="(?i)table"),
    Rule(Reply(calls=(Called("menu_dishes", {}),)), caller="(?i)menu"),
    Rule(Reply("How can I help?")),
)


@pytest.fixture
def tour(tmp_path: Path) -> dict[str, str]:
    """Writes the files; the settings of the tour, with this Python for its MCP server."""
    text = (ROOT / "docs/agents.md").read_text(encoding="utf-8")
    begins = text[: text.index("## A tour")].count("\n")
    found = [block for block in blocks_of("docs/agents.md") if block.line > begins]
    for block in found:
        if block.file:
            (tmp_path / block.file).write_text(block.text)
        elif block.language == "markdown":
            (tmp_path / "host.md").write_text(block.text)
        elif block.language == "json":
            (tmp_path / "servers.json").write_text(block.text.replace('"python"', json.dumps(sys.executable)))
    [settings] = [block.text for block in found if block.language == "ini"]
    return dict(line.split("=", 1) for line in settings.splitlines())


async def telephony(folder: Path, *words: str, typed: str = "", **environ: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telephony", *words),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), **environ},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate(typed.encode())
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_the_agent_of_the_tour_books_and_knows_the_menu(tmp_path: Path, tour: dict[str, str]) -> None:
    async with FakeChat(SCRIPT) as model:
        given = {**tour, "LLM_URL": model.url, "LLM_MODEL": "stand-in"}
        typed = "What is on the menu?\nA table for four, please.\n"
        status, said = await telephony(tmp_path, "chat", "--pace", "0", typed=typed, **given)
        assert status == 0, said
        names = {tool["function"]["name"] for tool in model.asked[0].body["tools"]}
        assert {"free_tables", "book_table"} < names
        assert "Rosa's, good evening. How can I help?" in said
        assert "Lasagne, trout" in said and "We have trout today." in said, said
        assert "Booked for 4 on Tuesday, December 1, for Ada." in said
        found = await telephony(tmp_path, "doctor", "--offline", **given)
    lines = found[1].splitlines()
    assert not [line for line in lines if line.startswith(Verdict.BAD.value) and "llm" in line], found[1]


async def test_its_fields_are_in_the_record_of_a_call(
    tmp_path: Path, tour: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    async with FakeChat(SCRIPT) as model:
        given = {**tour, "LLM_URL": model.url, "LLM_MODEL": "stand-in"}
        async with running(tmp_path / "calls", **given) as server:
            await server.call(10.0)
            records = tmp_path / "calls" / "calls"

            def summed_up() -> bool:
                return any("after_call" in json.loads(one.read_text()) for one in records.glob("*/call.json"))

            await until(summed_up)
        [record] = [json.loads(one.read_text()) for one in records.glob("*/call.json")]
    assert record["after_call"]["fields"] == {"name": "Ada", "people": 4, "complaint": False}
