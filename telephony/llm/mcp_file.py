"""MCP_SERVERS: the file of MCP servers, in the form that other clients of MCP read too.

    {"mcpServers": {
       "files": {"command": "npx", "args": ["-y", "..."], "env": {"TOKEN": "${FILES_TOKEN}"}},
       "crm":   {"url": "https://crm.example.com/mcp", "headers": {"Authorization": "Bearer ${CRM_KEY}"}}}}

`${NAME}` in a value of `env` or `headers` is taken from the environment, so that the file holds no secret. A
command gets no more of the environment than PATH, HOME and the like, and what its `env` says. Also read:
`cwd`, `disabled`, `timeout` (seconds for one call), `tools` (the only ones that are offered) and `readOnly`
(tools that have no effects, where the server itself does not say so).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import yaml

from telephony.errors import BadInput

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
LARGEST = 1_000_000  # bytes; such a file has some hundred
TIMEOUT_S = 10.0
LONGEST_S = 600.0
FORM = '{"mcpServers": {"name": {"command": "...", "args": []}}}'


class BadServers(BadInput):
    """A file of MCP servers with a mistake, or a server that does not start: one line."""


@dataclass(frozen=True, slots=True)
class McpServer:
    """One server: a command, or a URL."""

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = ""
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = TIMEOUT_S
    tools: tuple[str, ...] | None = None
    """The only ones that are offered; None: all."""
    read_only: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What the process that talks to it has to know."""
        return {
            "name": self.name, "command": self.command, "args": list(self.args), "env": dict(self.env),
            "cwd": self.cwd, "url": self.url, "headers": dict(self.headers),
        }  # fmt: skip


def read_servers(path: Path, environ: Mapping[str, str]) -> tuple[McpServer, ...]:
    """The servers of a file that are not disabled. Raises BadServers."""
    found = _parsed(path)
    servers = found.get("mcpServers") if isinstance(found, dict) else None
    if not isinstance(servers, dict):
        raise BadServers(f"MCP_SERVERS: {path}: {FORM} is needed")
    kept = [
        _Reader(path, str(name), about, environ).server()
        for name, about in servers.items()
        if not (isinstance(about, dict) and about.get("disabled") is True)
    ]
    return tuple(kept)


def _parsed(path: Path) -> object:
    try:
        if path.stat().st_size > LARGEST:
            raise BadServers(f"MCP_SERVERS: {path} has more than {LARGEST} bytes")
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadServers(f"MCP_SERVERS: {path}: {reason}") from error
    except json.JSONDecodeError as error:
        raise BadServers(f"MCP_SERVERS: {path}:{error.lineno}: {error.msg}") from error
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "this is not YAML"
        raise BadServers(f"MCP_SERVERS: {path}{line}: {problem}") from error


class _Reader:
    """Reads one server."""

    def __init__(self, path: Path, name: str, about: object, environ: Mapping[str, str]) -> None:
        self._path, self._name, self._environ = path, name, environ
        if NAME.fullmatch(name) is None:
            self._wrong("its name must be a letter and at most 31 letters, digits, _ and -")
        if not isinstance(about, dict):
            self._wrong('{"command": ...} or {"url": ...} is needed')
        self._about: dict[object, object] = about

    def server(self) -> McpServer:
        """The server. Raises BadServers."""
        command, url = self._text("command"), self._text("url")
        if bool(command) == bool(url):
            self._wrong("either `command` or `url` is needed")
        if self._text("type") == "sse":
            self._wrong("the transport sse is not spoken; use the server's streamable HTTP address")
        if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
            self._wrong("its url must be http://... or https://...")
        tools = self._texts("tools") if "tools" in self._about else None
        return McpServer(
            self._name, command, self._texts("args"), self._texts_by_name("env"), self._text("cwd"), url,
            self._texts_by_name("headers"), self._timeout(), tools, self._texts("readOnly"),
        )  # fmt: skip

    def _wrong(self, what: str) -> NoReturn:
        raise BadServers(f"MCP_SERVERS: {self._path}: {self._name}: {what}")

    def _text(self, key: str) -> str:
        value = self._about.get(key, "")
        if not isinstance(value, str):
            self._wrong(f"`{key}` must be a text")
        return value

    def _texts(self, key: str) -> tuple[str, ...]:
        value = self._about.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str | int | float) for one in value):
            self._wrong(f"`{key}` must be a list of texts")
        return tuple(str(one) for one in value)

    def _texts_by_name(self, key: str) -> dict[str, str]:
        value = self._about.get(key, {})
        if not isinstance(value, dict) or not all(
            isinstance(one, str | int | float) for one in value.values()
        ):
            self._wrong(f"`{key}` must be names with texts")
        return {str(name): VARIABLE.sub(self._variable, str(one)) for name, one in value.items()}

    def _variable(self, found: re.Match[str]) -> str:
        value = self._environ.get(found[1])
        if value is None:
            self._wrong(f"${{{found[1]}}} is not set in the environment")
        return value

    def _timeout(self) -> float:
        value = self._about.get("timeout", TIMEOUT_S)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LONGEST_S:
            self._wrong(f"`timeout` must be seconds, at most {LONGEST_S:g}")
        return float(value)
