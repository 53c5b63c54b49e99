"""A real MCP server for tests: `python mcp_shop.py stdio`, or `python mcp_shop.py http PORT`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

shop = MCPServer("shop", log_level="CRITICAL")


@shop.tool(annotations=ToolAnnotations(read_only_hint=True))
def price(drink: str) -> str:
    """What a drink costs."""
    return f"{drink}: 3 euros"


@shop.tool(annotations=ToolAnnotations(read_only_hint=True))
def environment() -> str:
    """The names of all variables."""
    return " ".join(sorted(os.environ))


@shop.tool()
def order(drink: str) -> str:
    """Order a drink."""
    with Path(os.environ["SHOP_ORDERS"]).open("a") as file:
        file.write(f"{drink}\n")
    return "ordered"


@shop.tool(annotations=ToolAnnotations(read_only_hint=True))
def big(megabytes: int) -> str:
    """A long text."""
    return "x" * megabytes * 1_000_000


@shop.tool(annotations=ToolAnnotations(read_only_hint=True))
def sold_out() -> str:
    """Always fails."""
    raise ValueError("there is no milk")


@shop.tool(annotations=ToolAnnotations(read_only_hint=True))
async def brew() -> str:
    """Takes for ever."""
    await asyncio.Event().wait()
    return ""


@shop.tool(annotations=ToolAnnotations(read_only_hint=True))
def die() -> str:
    """Ends the server."""
    os._exit(3)


if __name__ == "__main__":
    if sys.argv[1] == "http":
        shop.run("streamable-http", port=int(sys.argv[2]))
    else:
        shop.run("stdio")
