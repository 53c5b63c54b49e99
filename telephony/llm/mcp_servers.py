"""MCP servers as tools. Another process talks to them (mcp_process.py); here are its lines and its life.

It starts with the server, and is started again should it die, after 1 to 30 seconds; so is each MCP server.
Calls of tools that cannot be reached are answered with words to the model, at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.util
import itertools
import json
import logging
import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telephony.base import subprocesses
from telephony.llm.chat import ToolSpec
from telephony.llm.mcp_file import BadServers, McpServer, read_servers
from telephony.llm.tools import (
    NAME,
    Output,
    Result,
    Tool,
    ToolContext,
    ToolError,
    ToolOptions,
    arguments_object,
)

log = logging.getLogger(__name__)

START_S = 45.0
"""For all servers, each of which may take 30 s (mcp_process.py)."""
STOP_S = 6.0  # a command may take 4 s to end; then it is killed
BACKOFF_S = (1.0, 2.0, 5.0, 15.0, 30.0)
STEADY_S = 60.0  # a process that has lived so long is started again without a long wait
LONGEST_LINE = 8_000_000  # bytes: 64 tools of each server, with their schemas
MOST_CHARS = 16_384
"""Of a result; the same as of other tools' (guard_rails.py)."""
ENVIRONMENT = (
    *("PATH", "HOME", "LOGNAME", "USER", "SHELL", "TERM", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "TZ"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "PYTHONPATH"),
)
"""What the process gets of our environment, which holds secrets; a command gets less (mcp's own rule)."""
_OTHER = re.compile(r"[^A-Za-z0-9_-]")
GONE = "This tool cannot be reached now."


@dataclass(frozen=True, slots=True)
class _Listed:
    """A tool as a server lists it."""

    server: McpServer
    name: str
    about: Mapping[str, Any]


class McpServers:
    """The MCP servers of one server process."""

    def __init__(
        self, servers: tuple[McpServer, ...], path: Path, backoff_s: tuple[float, ...] = BACKOFF_S
    ) -> None:
        self._servers, self._path, self._backoff_s = servers, path, backoff_s
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[tuple[str, bool]]] = {}
        self._child: asyncio.subprocess.Process | None = None
        self._up = False
        self._watch: asyncio.Task[None] | None = None
        self.tools: list[Tool] = []

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, environ: Mapping[str, str] = os.environ, backoff_s: tuple[float, ...] = BACKOFF_S
    ) -> AsyncIterator[McpServers]:
        """The servers of the file, started; stopped at the end. Raises BadServers: one line."""
        servers = read_servers(path, environ)
        if servers and importlib.util.find_spec("mcp") is None:
            raise BadServers(f"MCP_SERVERS={path}: mcp is not installed: pip install 'telephony[mcp]'")
        self = cls(servers, path, backoff_s)
        try:
            if servers:
                await self._start_first()
            yield self
        finally:
            await self._stop()

    @property
    def names(self) -> list[str]:
        """What the file calls them."""
        return [server.name for server in self._servers]

    @property
    def pid(self) -> int:
        """The process number of what talks to the servers."""
        return self._child.pid if self._child else 0

    # ---- its life

    async def _start_first(self) -> None:
        ready = await self._spawn()
        self.tools = _tools_of(self._servers, ready, self._call, self._path)
        self._watch = asyncio.create_task(self._keep_running())

    async def _spawn(self) -> Mapping[str, Any]:
        """Start the process; returns what each server lists. Raises BadServers."""
        environ = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        self._child = child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "telephony.llm.mcp_process"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environ,
            limit=LONGEST_LINE,
        )
        self._send({"servers": [server.as_json() for server in self._servers], "most": MOST_CHARS})
        why = "the process that talks to them has ended"
        try:
            async with asyncio.timeout(START_S):
                while (line := await self._line(child)) is not None:
                    if "ready" in line:
                        self._up = True
                        ready: Mapping[str, Any] = line["ready"]
                        return ready
                    if "refused" in line:
                        why = str(line["refused"])
                        break
        except TimeoutError:
            why = f"they are not ready after {START_S:g} s"
        await _ended(child)
        raise BadServers(f"MCP_SERVERS={self._path}: {why}")

    async def _keep_running(self) -> None:
        loop = asyncio.get_running_loop()
        tries, began = 0, loop.time()
        while True:
            if self._up:
                assert self._child is not None
                await self._read(self._child)
                self._up = False
                self._fail_all()
                status = await self._child.wait()
                log.error(
                    "the process that talks to MCP servers ended with status %s: it is started again", status
                )
                tries = 0 if loop.time() - began > STEADY_S else tries
            await asyncio.sleep(self._backoff_s[min(tries, len(self._backoff_s) - 1)])
            tries, began = tries + 1, loop.time()
            try:
                await self._spawn()
                log.info("MCP servers are back")
            except (BadServers, OSError, ValueError) as error:
                # OSError: no process, no memory or no descriptor is left, for now.
                log.error(
                    "%s; tried again in %g s", error, self._backoff_s[min(tries, len(self._backoff_s) - 1)]
                )

    async def _read(self, child: asyncio.subprocess.Process) -> None:
        while (line := await self._line(child)) is not None:
            if "id" in line:
                waiting = self._waiting.pop(line["id"], None)
                if waiting is not None and not waiting.done():
                    waiting.set_result((line["text"], line["failed"]))
            elif "down" in line:
                log.error("the MCP server %s is gone, and is started again: %s", line["down"], line["why"])
            elif "up" in line:
                log.info("the MCP server %s is back", line["up"])

    async def _line(self, child: asyncio.subprocess.Process) -> dict[str, Any] | None:
        """What the process says next; None: it has ended, or says what nobody can read."""
        assert child.stdout is not None
        try:
            text = await child.stdout.readline()
            line: dict[str, Any] | None = json.loads(text) if text else None
        except ValueError as error:  # too long, or no JSON: something writes to its stdout that must not
            log.error("the process that talks to MCP servers is ended: %s", error)
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            return None
        return line

    def _fail_all(self) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result((GONE, True))
        self._waiting.clear()

    def _send(self, line: Mapping[str, Any]) -> None:
        assert self._child is not None and self._child.stdin is not None
        self._child.stdin.write(json.dumps(line).encode() + b"\n")

    async def _stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        self._up = False
        self._fail_all()
        if self._child is not None:
            await _ended(self._child)

    # ---- calls

    async def _call(self, listed: _Listed, arguments: Mapping[str, Any]) -> str:
        """What a tool gives. Raises ToolError for a failure."""
        if not self._up:
            raise ToolError(GONE)
        number, loop = next(self._ids), asyncio.get_running_loop()
        answer: asyncio.Future[tuple[str, bool]] = loop.create_future()
        self._waiting[number] = answer
        self._send(
            {"id": number, "server": listed.server.name, "tool": listed.name, "arguments": dict(arguments),
             "timeout_s": listed.server.timeout_s}
        )  # fmt: skip
        try:
            text, failed = await answer
        except asyncio.CancelledError:
            if self._waiting.pop(number, None) is not None:
                self._send({"cancel": number})
            raise
        if failed:
            raise ToolError(text)
        return text


async def _ended(child: asyncio.subprocess.Process) -> None:
    late = "the process that talks to MCP servers did not exit in time; killing it"
    await subprocesses.ended(child, STOP_S, lambda: log.warning(late))


# ---- their tools


def _tools_of(
    servers: tuple[McpServer, ...],
    ready: Mapping[str, Any],
    call: Callable[[_Listed, Mapping[str, Any]], Any],
    path: Path,
) -> list[Tool]:
    tools: list[Tool] = []
    for server in servers:
        listed = {str(about["name"]): about for about in ready.get(server.name, [])}
        for name in (*(server.tools or ()), *server.read_only):
            if name not in listed:
                raise BadServers(f"MCP_SERVERS={path}: {server.name} has no tool {name}")
        tools += [
            _tool(_Listed(server, name, about), call)
            for name, about in listed.items()
            if server.tools is None or name in server.tools
        ]
    return tools


def _tool(listed: _Listed, call: Callable[[_Listed, Mapping[str, Any]], Any]) -> Tool:
    about, server = listed.about, listed.server

    async def run(context: ToolContext, arguments: Mapping[str, Any]) -> AsyncIterator[Output]:
        yield Result(await call(listed, arguments))

    effects = not (about["read_only"] or listed.name in server.read_only)
    options = ToolOptions(effects, "finish" if effects else "cancel", server.timeout_s + 1.0)
    spec = ToolSpec(_name_of(server.name, listed.name), about["description"] or listed.name, about["schema"])
    return Tool(spec, run, arguments_object, options)


def _name_of(server: str, tool: str) -> str:
    """`crm_find`: the server's name before the tool's, in letters and a length that models are given."""
    name = f"{server}_{_OTHER.sub('_', tool)}"
    if NAME.fullmatch(name) is None:
        name = f"{name[:55]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name
