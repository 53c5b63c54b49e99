"""A server of our own for `telephony call`: a child process on a free port, gone when its parent is.

The parent holds the write end of the child's stdin; when the parent dies, by kill -9 too, the pipe closes and
the child stops. telephony/commands/serve_child.py is the child's side.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from telephony.base import subprocesses
from telephony.base.tasks import closed_on_failure
from telephony.config.settings import NAMES
from telephony.errors import BadInput

READY = re.compile(r"ready on (http://\S+)")
STOP_S = 10.0
CHILD = "telephony.commands.serve_child"
COMPLAINT = "telephony: "


class ServerProcess:
    """`async with ServerProcess(...) as url`: a running server."""

    def __init__(
        self,
        *,
        ignore_environment: bool = False,
        env_file: Path | None = None,
        max_calls: int = 1,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`environ`: settings instead of those of the environment and .env."""
        self._environ = None if environ is None else {**os.environ, **_unset(), **environ}
        self._arguments = ["--max-calls", str(max_calls)]
        if ignore_environment:
            self._arguments.append("--ignore-environment")
        if env_file is not None:
            self._arguments += ["--env-file", str(env_file)]
        self._complaint = ""
        self._relays: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> str:
        """Start it. Raises BadInput, with the server's own reason, when it does not start."""
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", CHILD, *self._arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environ,
            start_new_session=True,  # Ctrl-C is ours: the calls are to end first, the server after them
        )
        async with closed_on_failure(self._stop):
            return await self._ready()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _ready(self) -> str:
        assert self._child.stdout is not None and self._child.stderr is not None
        self._relays.append(asyncio.create_task(self._relay(self._child.stderr)))
        while line := (await self._child.stdout.readline()).decode(errors="replace"):
            found = READY.search(line)
            if found:
                self._relays.append(asyncio.create_task(_drain(self._child.stdout)))
                return found[1]
        status = await self._child.wait()
        await self._relays[0]
        raise BadInput(self._complaint or f"the server did not start (exit status {status})")

    async def _relay(self, stream: asyncio.StreamReader) -> None:
        """Pass on what the server writes to stderr, but keep back its last word to say it ourselves."""
        rest = ""
        while data := await stream.read(4096):
            *lines, rest = re.split(r"(?<=[\n\r])", rest + data.decode(errors="replace"))
            for line in lines:
                if line.startswith(COMPLAINT):
                    self._complaint = line.removeprefix(COMPLAINT).strip()
                else:
                    sys.stderr.write(line)
            sys.stderr.flush()

    async def _stop(self) -> None:
        late = "the server did not exit in time; killing it\n"
        await subprocesses.ended(self._child, STOP_S, lambda: sys.stderr.write(late))
        for task in self._relays:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait_for(task, 1.0)


def _unset() -> dict[str, str]:
    """Every setting as if it were not set: an empty value hides what .env says."""
    return dict.fromkeys(NAMES, "")


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(4096):
        pass
