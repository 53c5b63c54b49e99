"""The server under test: a process of its own, on its own core, watched from outside."""

from __future__ import annotations

import asyncio
import os
import shlex
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import aiohttp

READY_S = 30.0


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ServerProcess:
    """A running server. `cores`: what it may use; None: any."""

    def __init__(
        self, process: asyncio.subprocess.Process, port: int, folder: tempfile.TemporaryDirectory[str]
    ):
        self.process = process
        self.port = port
        self._folder = folder

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @classmethod
    async def start(
        cls, command: str, speech_url: str, core: int | None, **environment: str
    ) -> ServerProcess:
        """Start `command`, with PORT and DEEPGRAM_URL in its environment, and wait until it listens."""
        folder = tempfile.TemporaryDirectory(prefix="bench-")
        port = free_port()
        process = await asyncio.create_subprocess_exec(
            *shlex.split(command),
            env={
                **_inherited(),
                "PORT": str(port),
                "DEEPGRAM_URL": speech_url,
                "DEEPGRAM_API_KEY": "local",
                "DATA_DIR": folder.name,
                "MAX_CALLS": "2000",
                "LOG_LEVEL": "WARNING",
                "PYTHONPATH": str(Path(__file__).parents[2]),
                **environment,
            },
            cwd=folder.name,
            stdout=asyncio.subprocess.DEVNULL,
            preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
        )
        server = cls(process, port, folder)
        try:
            await server._listening()
        except BaseException:
            await server.stop()
            raise
        return server

    async def _listening(self) -> None:
        async with asyncio.timeout(READY_S), aiohttp.ClientSession() as session:
            while self.process.returncode is None:
                try:
                    async with session.get(f"{self.url}/healthz"):
                        return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
        raise SystemExit(f"the server ended with {self.process.returncode} before it was ready")

    def cpu_s(self) -> float:
        """CPU time used so far, seconds, user and system."""
        # Linux's CPU clock of another process, in ns (man clock_getcpuclockid); /proc counts in 10 ms.
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def memory_mb(self, name: str = "VmRSS") -> float:
        """Resident memory now (VmRSS) or at its highest (VmHWM)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) / 1024
        return float("nan")

    def files(self) -> int:
        """Descriptors that it has open: connections, mostly."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    async def stop(self) -> None:
        """End it."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        self._folder.cleanup()


def our_server() -> str:
    """The command of this project's server."""
    return f"{shlex.quote(sys.executable)} -m telephony serve"


def floor_server() -> str:
    """The command of the bare forwarding loop."""
    return f"{shlex.quote(sys.executable)} -W ignore {shlex.quote(str(Path(__file__).parent / 'floor.py'))}"


def _inherited() -> Mapping[str, str]:
    """The environment without keys and settings of this project: a bench runs with its own."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "XDG_CACHE_HOME")
    return {name: os.environ[name] for name in kept if name in os.environ}
