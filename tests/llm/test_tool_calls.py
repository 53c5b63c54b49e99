"""Tools in whole calls to a real server with AGENT=llm; and what of them is refused at start."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest

from telephony.testing.fake_chat import FakeChat
from telephony.testing.fake_chat_script import Body, Called, Reply, Rule, last_message, rules, text_of
from telephony.testing.faults import NONE
from tests.llm import bank_tools
from tests.real_line import Lines, running, said

ROOT = Path(__file__).resolve().parents[2]
SHOP = str(Path(__file__).with_name("mcp_shop.py"))
BOOK = Called("book_slowly", {"day": "monday"})


@pytest.fixture(autouse=True)
def _a_new_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_tools, "branch", bank_tools.Branch())
    bank_tools.DONE.clear()


def server_for(folder: Path, model: FakeChat, *lines: tuple[float, str], **environ: str) -> Any:
    given = {
        "AGENT": "llm", "LLM_URL": model.url, "LLM_MODEL": "stand-in", "LLM_PROMPT": "You help callers.",
        "LLM_TOOLS": "tests.llm.bank_tools",
    }  # fmt: skip
    return running(folder / "calls", NONE, lambda: Lines(lines), lambda text: 0.3, **{**given, **environ})


def booked() -> list[str]:
    return [tool for _, tool, _ in bank_tools.DONE]


def results_told(model: FakeChat) -> list[str]:
    return [
        str(message["content"])
        for asked in model.asked
        for message in asked.messages
        if message.get("role") == "tool"
    ]


async def test_words_added_while_a_tool_works_book_no_second_visit(tmp_path: Path) -> None:
    """Nothing of the answer was heard: both turns are answered in one, and the model calls the tool again."""

    def script(body: Body) -> Reply:
        if last_message(body).get("role") == "tool":
            return Reply("It is booked.")
        if "upstairs" in text_of(last_message(body)):
            bank_tools.branch.answers.set()
        return Reply("", (BOOK,))

    async with FakeChat(script) as model:
        async with server_for(tmp_path, model, (1.0, "book monday"), (2.0, "and upstairs")) as server:
            result = await server.call(6.0)
        assert booked() == ["book_slowly"]
        assert "book monday and upstairs" in text_of(model.asked[1].messages[-1])
        assert "booked for monday as number 12" in results_told(model)[-1]
        assert "It is booked." in said(result) and not result.flags


async def test_the_model_knows_of_a_tool_that_the_caller_spoke_over(tmp_path: Path) -> None:
    """Words of the answer were heard: it is another turn, and the tool goes on beside it."""

    def script(body: Body) -> Reply:
        if last_message(body).get("role") == "tool":
            return Reply("It is booked.")
        if "open" in text_of(last_message(body)):
            bank_tools.branch.answers.set()
            return Reply("We are open until five.")
        if "goodbye" in text_of(last_message(body)):
            return Reply("Goodbye.", (Called("hang_up"),))
        return Reply("Let me see to that.", (BOOK,))

    lines = (1.0, "book monday"), (3.0, "when are you open"), (5.0, "goodbye")
    async with FakeChat(script) as model:
        async with server_for(tmp_path, model, *lines) as server:
            await server.call(9.0)
        assert booked() == ["book_slowly"]
        last = text_of(model.asked[-1].messages[-1])
        assert "Tell the caller what came of it." in last and "booked for monday as number 12" in last


async def test_a_draft_books_when_it_has_become_the_answer(tmp_path: Path) -> None:
    """The model is asked when the turn may have ended, and its tool runs when it has."""
    script = rules(Rule(Reply("It is booked."), tool="book_slowly"), Rule(Reply("", (BOOK,)), caller="book"))
    bank_tools.branch.answers.set()
    async with FakeChat(script) as model:
        async with server_for(tmp_path, model, (1.0, "book monday"), EAGER="text") as server:
            result = await server.call(5.0)
        assert len(model.asked) == 2, "the draft was the answer"
        assert booked() == ["book_slowly"] and not bank_tools.branch.in_draft
        assert "It is booked." in said(result)


async def test_an_mcp_server_that_dies_in_a_call_is_words_to_the_model(tmp_path: Path) -> None:
    path = tmp_path / "servers.json"
    about = {"command": sys.executable, "args": [SHOP, "stdio"], "env": {"SHOP_ORDERS": "x"}}
    path.write_text(json.dumps({"mcpServers": {"shop": about}}))
    script = rules(
        Rule(Reply("I cannot look that up now."), tool="shop_die"),
        Rule(Reply("", (Called("shop_die"),)), caller="price"),
        Rule(Reply("Yes, I am here.")),
    )
    lines = (1.0, "what is the price"), (4.0, "are you there")
    async with FakeChat(script) as model:
        async with server_for(tmp_path, model, *lines, MCP_SERVERS=str(path)) as server:
            result = await server.call(7.0)
        assert "This tool cannot be reached now." in results_told(model)[0]
        assert "I cannot look that up now. Yes, I am here." in said(result) and not result.flags


async def test_the_prompt_says_which_tools_there_are_in_which_state(tmp_path: Path) -> None:
    """A model that calls one that is not in the list is told that there is none."""
    prompt = tmp_path / "prompt.md"
    prompt.write_text("---\ntools: {start: [check_pin, hang_up], shut: []}\n---\nYou help callers.")
    script = rules(
        Rule(Reply("I cannot do that."), tool="book_slowly"), Rule(Reply("", (BOOK,)), caller="book")
    )
    async with FakeChat(script) as model:
        async with server_for(tmp_path, model, (1.0, "book monday"), LLM_PROMPT=str(prompt)) as server:
            await server.call(4.0)
        assert [one["function"]["name"] for one in model.asked[0].body["tools"]] == ["hang_up", "check_pin"]
        assert "There is no such tool here. There are: hang_up, check_pin." in results_told(model)
        assert booked() == []


# ---- refused at start

TWICE = """
from telephony.llm.tools import tool

def first(x: int) -> str:
    return ""

@tool(name="first")
def second(x: int) -> str:
    return ""

@tool
def no_hint(x):
    return ""

@tool(name="transfer")
def taken(to: str) -> str:
    return ""

plain = 3
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"LLM_TOOLS": "mine:first,mine:second"}, "two tools are called first"),
        ({"LLM_TOOLS": "mine:no_hint"}, "no_hint: parameter x needs a type hint"),
        ({"LLM_TOOLS": "mine:taken"}, "tool transfer: a tool of this name is built in"),
        ({"LLM_TOOLS": "mine:plain"}, "is not a function"),
        ({"LLM_TOOLS": "mine:nothing"}, "mine has no nothing"),
        ({"LLM_TOOLS": "nowhere:first"}, "importing nowhere failed"),
        ({"LLM_TOOLS": "json"}, "json has no function that @tool marks"),
        ({"TRANSFER_TO": "sales=+19005551234"}, "premium"),
        ({"TRANSFER_TO": "sales"}, "TRANSFER_TO='sales' cannot be used"),
        ({"TRANSFER_TO": "person=+14155550132", "HUMAN_NUMBER": "+14155550199"}, "HUMAN_NUMBER's name"),
        ({"LLM_BUDGET": "tool_calls=-1"}, "LLM_BUDGET='tool_calls=-1' cannot be used"),
        ({"LLM_BUDGET": "euros=3"}, "LLM_BUDGET='euros=3' cannot be used"),
        ({"LLM_PROMPT": "prompt.md"}, "LLM_PROMPT: tools: state start allows pay: there is no such tool"),
        ({"MCP_SERVERS": "nowhere.json"}, "nowhere.json: No such file"),
        ({"MCP_SERVERS": "servers.json"}, "shop: there is no command '/nowhere'"),
    ],
)
async def test_what_cannot_work_is_one_line_and_exit_status_2(
    tmp_path: Path, environ: dict[str, str], told: str
) -> None:
    (tmp_path / "mine.py").write_text(TWICE)
    (tmp_path / "prompt.md").write_text("---\ntools: {start: [pay]}\n---\nYou help callers.")
    (tmp_path / "servers.json").write_text('{"mcpServers": {"shop": {"command": "/nowhere"}}}')
    async with FakeChat() as model:
        given = {"AGENT": "llm", "LLM_URL": model.url, "LLM_MODEL": "m", "LLM_PROMPT": "Help.", "PORT": "0"}
        given |= {"DEEPGRAM_URL": "ws://127.0.0.1:9", "DATA_DIR": str(tmp_path / "data")}
        given |= {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "telephony", "serve"),
            cwd=tmp_path,
            env={**given, **environ},
            stdout=PIPE,
            stderr=PIPE,
        )
        out, err = await process.communicate()
    lines = [line for line in (out + err).decode().splitlines() if "cannot be" in line or told in line]
    assert process.returncode == 2 and len(lines) == 1 and told in lines[0], (out + err).decode()
    assert b"Traceback" not in out + err
