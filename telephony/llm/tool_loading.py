"""The tools that the settings name: the built-in ones, LLM_TOOLS, MCP_SERVERS, and what an agent brings."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import MappingProxyType, ModuleType
from typing import Any

from telephony.config.settings import Settings
from telephony.llm.builtin_tools import builtin_tools
from telephony.llm.effects import Claims
from telephony.llm.guard_rails import Limits
from telephony.llm.mcp_servers import McpServers
from telephony.llm.tool_runner import ToolRunner
from telephony.llm.toolbox import Toolbox
from telephony.llm.tools import BadTool, Tool, is_tool

NO_STATES: Mapping[str, Iterable[str]] = MappingProxyType({})


def functions_of(specs: Iterable[str]) -> list[Callable[..., Any]]:
    """The functions that LLM_TOOLS names. Raises BadTool."""
    found: list[Callable[..., Any]] = []
    for spec in specs:
        place = f"LLM_TOOLS: {spec!r}"
        module_name, colon, name = spec.partition(":")
        module = _imported(place, module_name.strip())
        if colon:
            found.append(_named(place, module, name.strip()))
            continue
        marked = [one for one in vars(module).values() if is_tool(one)]
        if not marked:
            raise BadTool(f"{place}: {module_name} has no function that @tool marks")
        found += marked
    return found


def _imported(place: str, name: str) -> ModuleType:
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)  # a console script's path lacks the user's own directory
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # a user's module may raise anything; the line must name it
        told = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise BadTool(f"{place}: importing {name} failed: {told}") from error


def _named(place: str, module: ModuleType, name: str) -> Callable[..., Any]:
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise BadTool(f"{place}: {module.__name__} has no {name}")
        found = getattr(found, part)
    if not callable(found):
        raise BadTool(f"{place} is not a function: a tool must be one")
    function: Callable[..., Any] = found
    return function


def limits_of(settings: Settings) -> Limits:
    """LLM_BUDGET."""
    given = settings.llm_budget
    return Limits(
        tool_calls=int(given["tool_calls"]),
        tokens=int(given["tokens"]),
        minutes=given["minutes"],
        rounds=int(given["rounds"]),
    )


def check_tools(settings: Settings) -> None:
    """Raises BadTool, of one line, for LLM_TOOLS that cannot be tools."""
    Toolbox(functions_of(settings.llm_tools), builtin=builtin_tools(dict(settings.transfer_to)))


@asynccontextmanager
async def open_tools(
    settings: Settings,
    claims: Claims,
    tools: Iterable[Callable[..., Any] | Tool] = (),
    allowed: Mapping[str, Iterable[str]] = NO_STATES,
) -> AsyncIterator[ToolRunner]:
    """A runner of all tools, with MCP servers started; closed, and they stopped, at the end.

    `tools` are the agent's own; `allowed`: see Toolbox. Raises BadTool, and BadInput for an MCP server that
    does not start.
    """
    destinations = dict(settings.transfer_to)
    own = [*functions_of(settings.llm_tools), *tools]
    Toolbox(own, builtin=builtin_tools(destinations))  # refused before anything is started
    async with AsyncExitStack() as stack:
        if settings.mcp_servers is not None:
            servers = await stack.enter_async_context(McpServers.open(settings.mcp_servers))
            own += servers.tools
        toolbox = Toolbox(own, allowed, builtin_tools(destinations))
        runner = ToolRunner(toolbox, claims, limits_of(settings), destinations=destinations)
        stack.push_async_callback(runner.close)
        yield runner
