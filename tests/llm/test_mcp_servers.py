"""MCP servers as tools, with real servers of the mcp package: by command and by URL."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from telephony.base.shared_store import SqliteSharedStore
from telephony.commands.doctor_findings import Verdict
from telephony.commands.doctor_peers import look
from telephony.config.settings import Settings
from telephony.llm.chat import ToolCall
from telephony.llm.mcp_file import BadServers, read_servers
from telephony.llm.mcp_servers import McpServers
from telephony.llm.tool_loading import open_tools
from telephony.llm.tool_runner import ToolResult, ToolRunner
from telephony.llm.tools import ToolContext, ToolError
from telephony.reply.agent import CallInfo, Turn

pytest.importorskip("mcp", reason="the extra `mcp` is not installed")
SHOP = str(Path(__file__).with_name("mcp_shop.py"))
CONTEXT = ToolContext(CallInfo("c", "CA1"))


def written(folder: Path, **servers: dict[str, Any]) -> Path:
    path = folder / "servers.json"
    path.write_text(json.dumps({"mcpServers": servers}))
    return path


def by_command(folder: Path, **more: Any) -> dict[str, Any]:
    env = {"SHOP_ORDERS": str(folder / "orders")}
    return {"command": sys.executable, "args": [SHOP, "stdio"], "env": env, **more}


@asynccontextmanager
async def by_url(folder: Path) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """A server of streamable HTTP, and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {**os.environ, "SHOP_ORDERS": str(folder / "orders")}
    process = await asyncio.create_subprocess_exec(sys.executable, SHOP, "http", str(port), env=environ)
    try:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except OSError:
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp", process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def result(servers: McpServers, name: str, **arguments: Any) -> str:
    one = {one.name: one for one in servers.tools}[name]
    [output] = [output async for output in one.call(CONTEXT, arguments)]
    return str(getattr(output, "value", output))


async def failure(servers: McpServers, name: str, **arguments: Any) -> str:
    with pytest.raises(ToolError) as failed:
        await result(servers, name, **arguments)
    return str(failed.value)


async def until_it_works(servers: McpServers, name: str, **arguments: Any) -> str:
    while True:
        try:
            return await result(servers, name, **arguments)
        except ToolError:
            await asyncio.sleep(0.1)


async def test_tools_of_a_command_and_of_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their names begin with the server's; what has effects is known; a command's environment is small."""
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "0" * 32)
    async with by_url(tmp_path) as (url, _):
        path = written(tmp_path, shop=by_command(tmp_path), web={"url": url, "tools": ["price", "order"]})
        async with McpServers.open(path) as servers:
            tools = {one.name: one for one in servers.tools}
            assert {"shop_price", "shop_order", "web_price", "web_order"} <= tools.keys()
            assert "web_brew" not in tools, "it is not among those that are offered"
            assert tools["shop_order"].options.effects and not tools["shop_price"].options.effects
            assert tools["shop_price"].spec.description == "What a drink costs."
            assert tools["shop_price"].spec.parameters["required"] == ["drink"]
            assert await result(servers, "shop_price", drink="latte") == "latte: 3 euros"
            assert await result(servers, "web_price", drink="tea") == "tea: 3 euros"
            assert "sold_out" in await failure(servers, "shop_sold_out"), "which is all that the server says"
            assert "drink" in await failure(servers, "shop_price")
            names = (await result(servers, "shop_environment")).split()
            assert "SHOP_ORDERS" in names and "PATH" in names
            assert not {"TWILIO_AUTH_TOKEN", "PYTEST_CURRENT_TEST"} & set(names)


async def test_a_call_that_is_cancelled_is_cancelled_there_and_others_go_on(tmp_path: Path) -> None:
    async with McpServers.open(written(tmp_path, shop=by_command(tmp_path, timeout=0.5))) as servers:
        brewing = asyncio.create_task(result(servers, "shop_brew"))
        assert await result(servers, "shop_price", drink="tea") == "tea: 3 euros", "beside it"
        brewing.cancel()
        await asyncio.gather(brewing, return_exceptions=True)
        assert not servers._waiting
        assert "timed out" in await failure(servers, "shop_brew")
        assert await result(servers, "shop_price", drink="tea") == "tea: 3 euros"


async def test_a_long_result_is_cut_before_it_comes_here(tmp_path: Path) -> None:
    """The event loop of the calls never stands still for it."""
    async with McpServers.open(written(tmp_path, shop=by_command(tmp_path, timeout=60))) as servers:
        late = [0.0]
        watch = asyncio.create_task(lateness(late))
        assert len(await result(servers, "shop_big", megabytes=2)) == 16_385
        watch.cancel()
        assert late[0] < 0.1


async def lateness(late: list[float]) -> None:
    """How late a 20 ms ticker of this loop is at most."""
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        await asyncio.sleep(0.02)
        late[0] = max(late[0], loop.time() - began - 0.02)


async def test_a_server_that_dies_is_words_and_comes_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with McpServers.open(written(tmp_path, shop=by_command(tmp_path))) as servers:
        assert await failure(servers, "shop_die") == "This tool cannot be reached now."
        assert await failure(servers, "shop_price", drink="tea") == "This tool cannot be reached now."
        assert await until_it_works(servers, "shop_price", drink="tea") == "tea: 3 euros"
        assert "the MCP server shop is gone, and is started again" in caplog.text


async def test_a_server_by_url_that_dies_is_words(tmp_path: Path) -> None:
    async with by_url(tmp_path) as (url, process):
        async with McpServers.open(written(tmp_path, web={"url": url})) as servers:
            assert await result(servers, "web_price", drink="tea") == "tea: 3 euros"
            process.kill()
            await process.wait()
            assert await failure(servers, "web_price", drink="tea")


async def test_the_process_that_talks_to_them_is_started_again(tmp_path: Path) -> None:
    """What waits for an answer of it is told at once."""
    path = written(tmp_path, shop=by_command(tmp_path))
    async with McpServers.open(path, backoff_s=(0.05,)) as servers:
        first = servers.pid
        brewing = asyncio.create_task(failure(servers, "shop_brew"))
        await asyncio.sleep(0)
        os.kill(first, signal.SIGKILL)
        assert await brewing == "This tool cannot be reached now."
        assert await until_it_works(servers, "shop_price", drink="tea") == "tea: 3 euros"
        assert servers.pid != first
        last = servers.pid
    with pytest.raises(ProcessLookupError):
        os.kill(last, 0)


async def test_they_run_like_other_tools_and_order_once(tmp_path: Path) -> None:
    """Through the settings and the runner: built-in tools beside them, an effect at most once in a turn."""
    path = written(tmp_path, shop=by_command(tmp_path))
    settings = Settings.load({"MCP_SERVERS": str(path), "TRANSFER_TO": "sales=+14155550132"})
    store = SqliteSharedStore(tmp_path / "shared.sqlite")
    async with open_tools(settings, store) as runner:
        names = [spec.name for spec in runner.toolbox.specs()]
        assert names[:2] == ["hang_up", "transfer"] and "shop_order" in names
        for _ in range(2):
            [ordered] = await told(runner, "shop_order", '{"drink": "tea"}')
            assert ordered.ok and "ordered" in ordered.content
        [wrong] = await told(runner, "shop_price", '{"drinks": "tea"}')
        assert not wrong.ok and "drink" in wrong.content
    assert (tmp_path / "orders").read_text() == "tea\n"
    await store.close()


async def told(runner: ToolRunner, name: str, arguments: str) -> list[ToolResult]:
    tools = await runner.begin(Turn("tea please", 0, (), None, CallInfo("c", "CA1")), {})
    async with aclosing(tools.run([ToolCall("1", name, arguments)])) as outputs:
        return [output async for output in outputs if isinstance(output, ToolResult)]


# ---- bad input


@pytest.mark.parametrize(
    ("command", "verdict", "line"),
    [
        (sys.executable, Verdict.GOOD, "MCP_SERVERS: shop: 7 tools"),
        ("/nowhere", Verdict.BAD, "there is no command '/nowhere'"),
    ],
)
def test_the_doctor_starts_them(tmp_path: Path, command: str, verdict: Verdict, line: str) -> None:
    path = written(tmp_path, shop=by_command(tmp_path) | {"command": command})
    [finding] = look(Settings.load({"MCP_SERVERS": str(path), "DEEPGRAM_URL": "local"}))
    assert finding.verdict is verdict and line in finding.what


@pytest.mark.parametrize(
    ("about", "line"),
    [
        ({"command": "/nowhere/at/all"}, "shop: there is no command '/nowhere/at/all'"),
        ({"command": "/bin/false"}, "shop: "),
        ({"command": sys.executable, "args": ["-c", "raise SystemExit('no key is set')"]}, "no key is set"),
        ({"url": "http://127.0.0.1:9/mcp"}, "shop: "),
        ({"command": sys.executable, "args": [SHOP, "stdio"], "tools": ["pryce"]}, "shop has no tool pryce"),
    ],
)
async def test_a_server_that_does_not_start_is_one_line(
    tmp_path: Path, about: dict[str, Any], line: str
) -> None:
    with pytest.raises(BadServers) as refused:
        async with McpServers.open(written(tmp_path, shop=about)):
            pass
    told = str(refused.value)
    assert told.startswith("MCP_SERVERS=") and line in told and "\n" not in told, told


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", "servers.json:1: "),
        ("[]", '{"mcpServers": {"name": {"command"'),
        ('{"mcpServers": {"a b": {"command": "x"}}}', "a b: its name must be"),
        ('{"mcpServers": {"a": "x"}}', 'a: {"command": ...} or {"url": ...}'),
        ('{"mcpServers": {"a": {}}}', "a: either `command` or `url`"),
        ('{"mcpServers": {"a": {"command": "x", "url": "http://y"}}}', "a: either `command` or `url`"),
        ('{"mcpServers": {"a": {"url": "ftp://y"}}}', "a: its url must be"),
        ('{"mcpServers": {"a": {"url": "http://y", "type": "sse"}}}', "a: the transport sse"),
        ('{"mcpServers": {"a": {"command": "x", "args": "y"}}}', "a: `args` must be a list"),
        ('{"mcpServers": {"a": {"command": "x", "env": ["y"]}}}', "a: `env` must be names with texts"),
        ('{"mcpServers": {"a": {"command": "x", "timeout": -1}}}', "a: `timeout` must be seconds"),
        (
            '{"mcpServers": {"a": {"url": "http://y", "headers": {"k": "${NOT_SET}"}}}}',
            "a: ${NOT_SET} is not",
        ),
    ],
)
def test_a_mistake_in_the_file_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "servers.json"
    path.write_text(text)
    with pytest.raises(BadServers) as refused:
        read_servers(path, {})
    assert line in str(refused.value) and "\n" not in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadServers, match="No such file"):
        read_servers(tmp_path / "nowhere.yaml", {})


def test_yaml_variables_and_disabled_servers(tmp_path: Path) -> None:
    path = tmp_path / "servers.yaml"
    path.write_text(
        "mcpServers:\n"
        "  crm: {url: https://crm.example.com/mcp, headers: {Authorization: 'Bearer ${CRM_KEY}'}}\n"
        "  old: {command: nothing, disabled: true}\n"
    )
    [crm] = read_servers(path, {"CRM_KEY": "k-1"})
    assert crm.name == "crm" and crm.headers == {"Authorization": "Bearer k-1"}
