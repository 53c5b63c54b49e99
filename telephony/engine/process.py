"""The engine as a child process: started with the server, gone with it, however the server goes.

The child holds the read end of a pipe whose other end only its parent has. When the parent dies, by kill -9
too, the pipe closes and the child ends. `python -m telephony.engine.process` is the child's side.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from urllib.parse import urlsplit

from telephony import logs
from telephony.base import subprocesses
from telephony.base.tasks import closed_on_failure
from telephony.config.secret_rules import secrets_in
from telephony.config.settings import Settings
from telephony.engine.serving import EngineOptions, serve
from telephony.errors import BadInput, TelephonyError

log = logging.getLogger(__name__)

READY = "engine ready at "
"""What the child prints, with its URL behind it, when speech can be recognized."""
REFUSED = "engine refused: "
"""What it prints instead, with the reason behind it, when something has to be put right first."""
STOP_S = 6.0
"""Time for a child to end in order; then it is killed."""
RESTART_S = 1.0
MOST_RESTART_S = 15.0
"""A machine that has no room for another process is not asked for one all the time."""
START_S = 120.0
"""For loading its models, which takes 2 to 10 s on a machine with nothing else to do."""
FETCH_S = 1800.0
"""For fetching them first, 145 MB."""
FETCHING = "engine is fetching models"
"""What the child prints now and then meanwhile."""


class EngineFailed(TelephonyError):
    """The local engine did not start. Its own lines on stderr say why."""


class EngineProcess:
    """A running engine. Should it crash, another one takes its place, at the same URL."""

    def __init__(
        self, url: str, child: asyncio.subprocess.Process, arguments: tuple[str, ...], start_s: float
    ) -> None:
        self._start_s = start_s
        self.url = url
        """`ws://127.0.0.1:PORT`"""
        self._child = child
        self._arguments = arguments
        self._stopping = False
        self._watch = asyncio.create_task(self._keep_running())

    @classmethod
    async def start(
        cls,
        settings: Settings | None = None,
        *,
        fetch: bool = True,
        port: int = 0,
        listen_limit: int | None = None,
        start_s: float = START_S,
    ) -> EngineProcess:
        """Starts an engine and returns when it is ready, within `start_s` once its models are here.

        Raises BadInput where something has to be put right first, EngineFailed for any other failure.
        """
        level = settings.log_level if settings else "WARNING"
        arguments = ("--log-level", level, *(() if fetch else ("--no-fetch",)))
        if listen_limit is not None:
            arguments += ("--limit", str(listen_limit))
        child, url = await _spawn(port, arguments, start_s)
        return cls(url, child, arguments, start_s)

    @property
    def pid(self) -> int:
        """The process number of the running child."""
        return self._child.pid

    async def stop(self) -> None:
        """Ends the engine; returns when it is gone."""
        self._stopping = True
        self._watch.cancel()
        await asyncio.gather(self._watch, return_exceptions=True)
        await _end(self._child)

    async def _keep_running(self) -> None:
        port, pause_s = urlsplit(self.url).port or 0, RESTART_S
        while True:
            # The pipe is read to its end so that the child can always write.
            assert self._child.stdout is not None
            while await self._child.stdout.read(4096):
                pass
            status = await self._child.wait()
            log.error("the local engine ended with status %s: starting it again", status)
            while True:
                await asyncio.sleep(pause_s)
                try:
                    self._child, self.url = await _spawn(port, self._arguments, self._start_s)
                    pause_s = RESTART_S
                    break
                except (EngineFailed, BadInput, OSError, ValueError) as error:
                    # OSError: no process, no memory or no descriptor is left, for now.
                    pause_s = min(2 * pause_s, MOST_RESTART_S)
                    log.error("the local engine does not start, again in %g s: %s", pause_s, error)


async def _spawn(
    port: int, arguments: tuple[str, ...], start_s: float
) -> tuple[asyncio.subprocess.Process, str]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "telephony.engine.process", "--port", str(port), *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    async with closed_on_failure(lambda: _end(child)):
        try:
            url = await _ready(child, start_s)
        except TimeoutError:
            await subprocesses.killed(child)
            raise EngineFailed("the local engine was not ready in time") from None
    if url is None:
        raise EngineFailed(f"the local engine did not start (exit status {await child.wait()})")
    return child, url


async def _ready(child: asyncio.subprocess.Process, start_s: float) -> str | None:
    """The URL that a child prints when it is ready; None when it ends before.

    Raises TimeoutError, and BadInput where something has to be put right first.
    """
    now = asyncio.get_running_loop().time
    last = now() + FETCH_S
    assert child.stdout is not None
    async with asyncio.timeout(start_s) as deadline:
        while line := (await child.stdout.readline()).decode():
            if line.startswith(READY):
                return line.removeprefix(READY).strip()
            if line.startswith(REFUSED):
                raise BadInput(line.removeprefix(REFUSED).strip())
            if line.startswith(FETCHING):
                deadline.reschedule(min(now() + start_s, last))
    return None


async def _end(child: asyncio.subprocess.Process) -> None:
    late = "the local engine did not exit in time; killing it"
    await subprocesses.ended(child, STOP_S, lambda: log.warning(late))


async def _parent_gone(stop: asyncio.Event) -> None:
    """Sets `stop` when the pipe from the parent is closed."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass
    stop.set()


async def _child(options: EngineOptions) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # Ctrl-C reaches the whole terminal group: the parent decides, and needs us to the end of its calls.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch = asyncio.create_task(_parent_gone(stop))
    try:
        await serve(
            options,
            stop,
            lambda url: print(f"{READY}{url}", flush=True),
            lambda: print(FETCHING, flush=True),
        )
    finally:
        watch.cancel()


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m telephony.engine.process")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--log-level", default="INFO")
    parser.add_argument("--no-fetch", action="store_true")
    args = parser.parse_args()
    logs.set_up(args.log_level, secrets_in(os.environ))
    os.environ["LOG_LEVEL"] = args.log_level  # the recognition worker's, too
    try:
        options = EngineOptions(
            port=args.port, listen_limit=args.limit, fetch=not args.no_fetch, must_converse=True
        )
        asyncio.run(_child(options))
    except BadInput as error:
        print(f"{REFUSED}{logs.one_line(str(error))}", flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(_main())
