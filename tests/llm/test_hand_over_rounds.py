"""A model that may hand the caller to a script, and calls something else without end, has few rounds."""

from __future__ import annotations

from pathlib import Path

from telephony.base.shared_store import SqliteSharedStore
from telephony.llm.agent import LanguageModelAgent
from telephony.llm.client import ChatClient
from telephony.llm.endpoints import ChatEndpoint
from telephony.llm.guard_rails import Limits
from telephony.llm.prompt import PromptSource
from telephony.llm.tool_runner import ToolRunner
from telephony.llm.toolbox import Toolbox
from telephony.llm.tools import tool
from telephony.reply.agent import CallInfo, Turn
from telephony.reply.loading import load_agent
from telephony.reply.scripted import ScriptedAgent
from telephony.testing.fake_chat import FakeChat
from telephony.testing.fake_chat_script import Called, Reply


@tool()
def look() -> str:
    """Look something up."""
    return "nothing"


async def test_calls_without_end_are_asked_for_a_few_times_only(tmp_path: Path) -> None:
    coffee = load_agent("scripted:coffee", {})
    assert isinstance(coffee, ScriptedAgent)
    store = SqliteSharedStore(tmp_path / "shared.db")
    async with FakeChat(lambda body: Reply(calls=(Called("look", {}),))) as model:
        client = ChatClient([ChatEndpoint(f"{model.url}/chat/completions", "m")])
        runner = ToolRunner(Toolbox([look]), store, Limits(rounds=2))
        agent = LanguageModelAgent(client, PromptSource("Sell."), runner, scripts={"coffee": coffee})
        turn = Turn("Hello.", 0, (), None, CallInfo("c", "CA1"))
        async for _ in agent.reply(turn, {}):
            assert len(model.asked) < 10, "it is asked for ever"
        await client.close()
    assert len(model.asked) == 3
    await store.close()
