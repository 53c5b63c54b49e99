"""The process that talks to MCP servers: `python -m telephony.llm.mcp_process`, started by mcp_servers.py.

A process of its own, because what servers send is parsed here: a result of 10 MB keeps this event loop busy
for seconds, and would keep every call's. In and out go lines of JSON; the first one in says which servers.

    in:   {"servers": [...], "most": 16384}                     {"cancel": 1}
          {"id": 1, "server": "crm", "tool": "find", "arguments": {}, "timeout_s": 10}
    out:  {"ready": {"crm": [{"name": ..., "description": ..., "schema": {}, "read_only": false}]}}
          {"refused": "crm: ..."}              {"id": 1, "text": "...", "failed": false}
          {"down": "crm", "why": "..."}        {"up": "crm"}
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TextIO

import mcp_types as types
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPError

from telephony.base.tasks import guarded_user_task

START_S = 30.0
BACKOFF_S = (1.0, 2.0, 5.0, 15.0, 30.0)
PING_S = 10.0  # a server that has died is seen within this, or with the next call
PING_ANSWER_S = 10.0
MOST_TOOLS = 64  # of one server
MOST_DESCRIPTION = 2_000  # characters
MOST_SCHEMA = 20_000
GONE = "This tool cannot be reached now."


def say(**line: Any) -> None:
    """One line to the parent."""
    print(json.dumps(line), flush=True)


class Server:
    """One MCP server, connected and connected again."""

    def __init__(self, about: Mapping[str, Any], most: int) -> None:
        self.name: str = about["name"]
        self._about, self._most = about, most
        self._client: Client | None = None
        self._broken = asyncio.Event()
        self._last_words = ""
        self._worked = False
        self.tools: list[dict[str, Any]] = []

    async def keep(self, started: asyncio.Future[None]) -> None:
        """Be connected, until cancelled. `started` gets the first connection, or why there is none."""
        tries = 0
        while True:
            self._worked = False
            try:
                why = await guarded_user_task(self._reason, self._connect_once(started))  # anyio gives groups
            finally:
                self._client = None
            tries = 0 if self._worked else tries
            if not started.done():
                started.set_exception(ConnectionError(why))
                return
            say(down=self.name, why=why)
            await asyncio.sleep(BACKOFF_S[min(tries, len(BACKOFF_S) - 1)])
            tries += 1

    async def _connect_once(self, started: asyncio.Future[None]) -> str:
        """Be connected until the connection breaks: why it did."""
        async with self._connected() as client:
            self._broken.clear()
            self._client, self._worked = client, True
            if started.done():
                say(up=self.name)
            else:
                started.set_result(None)
            return await self._watch(client)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Client]:
        async with contextlib.AsyncExitStack() as stack:
            async with asyncio.timeout(START_S):
                client = await stack.enter_async_context(Client(await self._transport(stack)))
                listed = await _all_tools(client)
            self.tools = [tool for tool in map(_described, listed) if tool is not None]
            yield client

    async def _transport(self, stack: contextlib.AsyncExitStack) -> Any:
        about = self._about
        if about["url"]:
            http = await stack.enter_async_context(create_mcp_http_client(about["headers"] or None))
            return streamable_http_client(about["url"], http_client=http)
        parameters = StdioServerParameters(
            command=about["command"], args=about["args"], env=about["env"], cwd=about["cwd"] or None
        )
        return stdio_client(parameters, errlog=stack.enter_context(self._heard()))

    @contextlib.contextmanager
    def _heard(self) -> Any:
        """What a command writes to stderr: its last line is kept, for when it does not start."""
        reading, writing = os.pipe()
        threading.Thread(target=self._read, args=(reading,), daemon=True).start()
        with os.fdopen(writing, "w") as errlog:
            yield errlog

    def _read(self, reading: int) -> None:
        with os.fdopen(reading, "r", errors="replace") as lines:
            while line := lines.readline(4096):
                if line.strip():
                    self._last_words = line.strip()[:200]

    async def _watch(self, client: Client) -> str:
        """Wait until the connection is broken: why."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PING_S):
                    await self._broken.wait()
                return "its connection is lost"
            try:
                async with asyncio.timeout(PING_ANSWER_S):
                    await client.session.send_ping()
            except MCPError as error:
                if error.error.code == types.CONNECTION_CLOSED:
                    return "its connection is lost"
            except TimeoutError:
                return "it does not answer"

    async def call(self, tool: str, arguments: dict[str, Any], timeout_s: float) -> tuple[str, bool]:
        """What a tool gives, and whether that is a failure."""
        client = self._client
        if client is None:
            return GONE, True
        return await guarded_user_task(
            partial(self._failure, tool), self._call(client, tool, arguments, timeout_s)
        )

    async def _call(
        self, client: Client, tool: str, arguments: dict[str, Any], timeout_s: float
    ) -> tuple[str, bool]:
        result = await client.call_tool(tool, arguments, timeout_s)
        return _text_of(result, self._most), bool(result.is_error)

    def _failure(self, tool: str, error: BaseException) -> tuple[str, bool]:
        """What a failed call gives. A server may send anything."""
        if not isinstance(error, MCPError):
            logging.warning("%s: %s: %s", self.name, tool, self._reason(error))
            return GONE, True
        if error.error.code == types.CONNECTION_CLOSED:
            self._broken.set()
            return GONE, True
        return str(error.error.message)[: self._most + 1], True

    def _reason(self, error: BaseException) -> str:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, FileNotFoundError):
            return f"there is no command {self._about['command']!r}"
        text = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, TimeoutError):
            text = f"it does not answer within {START_S:g} s"
        said = f" (it said: {self._last_words})" if self._last_words else ""
        return f"{text}{said}"


async def _all_tools(client: Client) -> list[types.Tool]:
    tools: list[types.Tool] = []
    cursor: str | None = None
    while len(tools) <= MOST_TOOLS:
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if not cursor:
            break
    return tools[:MOST_TOOLS]


def _described(tool: types.Tool) -> dict[str, Any] | None:
    if len(json.dumps(tool.input_schema)) > MOST_SCHEMA:
        return None
    hints = tool.annotations
    return {
        "name": tool.name,
        "description": (tool.description or tool.title or "")[:MOST_DESCRIPTION],
        "schema": tool.input_schema,
        "read_only": bool(hints and hints.read_only_hint),
    }


def _text_of(result: types.CallToolResult, most: int) -> str:
    """The text of a result, no more of it than is shown."""
    parts: list[str] = []
    length = 0
    for block in result.content:
        part = block.text if isinstance(block, types.TextContent) else f"[{block.type}]"
        parts.append(part[: most + 1])
        length += len(parts[-1])
        if length > most:
            break
    if not parts and result.structured_content is not None:
        parts = [json.dumps(result.structured_content, ensure_ascii=False)]
    return "\n".join(parts)[: most + 1]


class Host:
    """All servers, and the calls to them."""

    def __init__(self, servers: list[Server]) -> None:
        self._servers = {server.name: server for server in servers}
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._keepers: set[asyncio.Task[None]] = set()

    async def start(self) -> bool:
        """Connect to all; False where one could not be, which the parent was told."""
        loop = asyncio.get_running_loop()
        started = {name: loop.create_future() for name in self._servers}
        for name, server in self._servers.items():
            self._keepers.add(loop.create_task(server.keep(started[name])))
        for name, future in started.items():
            try:
                await future
            except ConnectionError as error:
                say(refused=f"{name}: {error}")
                return False
        say(ready={name: server.tools for name, server in self._servers.items()})
        return True

    def take(self, line: Mapping[str, Any]) -> None:
        """A line of the parent's."""
        if "cancel" in line:
            task = self._calls.get(line["cancel"])
            if task is not None:
                task.cancel()
            return
        task = asyncio.get_running_loop().create_task(self._call(line))
        self._calls[line["id"]] = task
        task.add_done_callback(lambda _: self._calls.pop(line["id"], None))

    async def _call(self, line: Mapping[str, Any]) -> None:
        server = self._servers[line["server"]]
        text, failed = await server.call(line["tool"], line["arguments"], line["timeout_s"])
        say(id=line["id"], text=text, failed=failed)

    async def stop(self) -> None:
        """Let all servers go."""
        for task in (*self._calls.values(), *self._keepers):
            task.cancel()
        await asyncio.gather(*self._calls.values(), *self._keepers, return_exceptions=True)


async def main(stdin: TextIO) -> int:
    """Serve the parent until it closes the pipe, or is gone."""
    reader = asyncio.StreamReader(limit=1 << 24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), stdin)
    about = json.loads(await reader.readline())
    host = Host([Server(one, about["most"]) for one in about["servers"]])
    try:
        if not await host.start():
            return 2
        while line := await reader.readline():
            host.take(json.loads(line))
        return 0
    finally:
        await host.stop()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    logging.basicConfig(level=logging.WARNING, format="mcp: %(message)s")
    for noisy in ("mcp", "httpx2", "httpx"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    sys.exit(asyncio.run(main(sys.stdin)))
