"""`telephony serve`: the server's life, from the port to the last call.

aiohttp's own runner closes the listening socket at SIGTERM and cuts the websockets a little later, which
would lose both the calls that are running and the one being answered. So the signals are ours: the server
goes on listening while it drains.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from aiohttp import web

from telephony.commands.doctor import at_start
from telephony.config.binding import binding
from telephony.config.kinds import host_is_loopback
from telephony.config.secret_rules import refuse_short_secrets
from telephony.config.settings import Settings
from telephony.errors import BadInput
from telephony.llm.check import refuse_absent_models
from telephony.server.access import ACCESS
from telephony.server.app import make_app
from telephony.server.connections import room_beside, served
from telephony.server.number_routes_file import routes_of
from telephony.server.speech_check import refuse_what_can_never_work
from telephony.server.state import CallRecords, ServerState

log = logging.getLogger(__name__)
T = TypeVar("T")

KEEPALIVE_S = 15.0  # also ends a connection whose request never comes; upgraded sockets are not affected
BACKLOG = 1024
GOODBYE_S = 5.0  # of the drain time, for the last sentence
POLL_S = 0.1
LISTEN_ON_S = 5.0  # load balancers ask /readyz every 5 s or so; Kubernetes takes endpoints out asynchronously
ASKED_S = 1.0  # Twilio asks for what follows within a moment of the stream's end
GC_THRESHOLDS = (50_000, 20, 100)  # memory that goes in circles is little: some exceptions and tasks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `telephony serve`."""
    parser.add_argument(
        "--host", help="address to listen on (default: this machine only, unless PUBLIC_URL is set)"
    )
    parser.add_argument("--port", type=int, help="port to listen on, 0 for a free one (default: PORT, 8080)")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT. Raises BadInput for what cannot be served."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return run_to_its_end(runner.get_loop(), serve(settings, args.host, args.port))


def run_to_its_end(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    """Run the loop until the work is done, whatever the tasks beside it raise.

    An agent may have tasks of its own. SystemExit in one of them comes out of the loop, which stops with it;
    the calls must go on.
    """
    task = loop.create_task(work)
    while True:
        try:
            return loop.run_until_complete(task)
        except (SystemExit, KeyboardInterrupt) as error:
            if task.done():
                raise
            log.error("%s in a task of an agent's; the calls go on", type(error).__name__)


async def serve(settings: Settings, host: str | None = None, port: int | None = None) -> int:
    """Run the server until a signal says stop; the exit status. A second signal ends the process at once."""
    stop = Stop()
    refuse_short_secrets(settings)
    at_start(settings)
    bound = binding(settings, host)
    listening = listen(bound.host, settings.port if port is None else port)
    speech = settings.deepgram()
    log.info("speech: %s, because %s", "the local engine" if speech.local else speech.url, speech.why)
    if bound.note:
        log.info("%s", bound.note)
    if settings.public_url and not settings.api_keys:
        log.info("the API is closed: set API_KEYS to read calls, and to dial or delete them")
    async with AsyncExitStack() as stack:
        stack.callback(listening.close)
        opening = asyncio.create_task(_open(settings, stack))
        if not await _before(stop, opening):
            return 0
        state, records = opening.result()
        stop.last_words = state.registry.leave_records
        app = make_app(state, records)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        connections = app[ACCESS].connections
        connections.most = room_beside(settings.max_calls)
        options = {"access_log": None, "keepalive_timeout": KEEPALIVE_S}
        await stack.enter_async_context(served(runner, connections, listening, BACKLOG, **options))
        _leave_in_peace()
        _say_ready(settings, listening)
        await stop.asked.wait()
        await drain(state, settings.drain_seconds)
    log.info("stopped")
    return 0


async def _open(settings: Settings, stack: AsyncExitStack) -> tuple[ServerState, CallRecords]:
    from telephony.server.assembly import open_state  # here, because it loads the speech SDK

    await refuse_what_can_never_work(settings, await asyncio.to_thread(routes_of, settings))
    await refuse_absent_models(settings)
    return await open_state(settings, stack)


async def drain(state: ServerState, seconds: float) -> None:
    """Let running calls end, and those begin whose streams are on their way.

    When the time is nearly up they hear goodbye; then their sockets close. Twilio asks how a call goes on
    when its stream has ended, so there is somebody to be asked for a moment more. With a public address the
    server listens on in any case: a load balancer has to see /readyz first.
    """
    state.host.admission.drain()
    now = asyncio.get_running_loop().time
    end = now() + seconds
    if state.streams.busy:
        log.info("stopping: %d calls may go on for %g s", len(state.streams.sockets), seconds)
    said_goodbye, until = False, now() + (LISTEN_ON_S if state.settings.public_url else 0.0)
    while now() < end and (state.streams.busy or now() < until):
        if state.streams.busy:
            until = max(until, now() + ASKED_S)
        if state.streams.sockets and not said_goodbye and now() >= end - GOODBYE_S:
            said_goodbye = True
            state.registry.say_goodbye()
        await asyncio.sleep(POLL_S)
    if state.streams.sockets:
        log.warning("stopping: %d calls were cut", len(state.streams.sockets))
        await asyncio.gather(
            *(one.close(code=1012, message=b"the server stops") for one in list(state.streams.sockets)),
            return_exceptions=True,
        )
        await asyncio.sleep(ASKED_S)


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises BadInput when the port cannot be had."""
    if not 0 <= port <= 65_535:
        raise BadInput(f"--port {port}: a port is a number from 0 to 65535")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host, port))
            bound.listen(BACKLOG)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise BadInput(
            f"cannot listen on {host} port {port}: {why}. Choose another with --port or PORT (0: a free one)"
        ) from error
    bound.setblocking(False)
    return bound


def _leave_in_peace() -> None:
    """Have the garbage collector look at what calls leave behind, seldom, and never at what was loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _say_ready(settings: Settings, listening: socket.socket) -> None:
    host, port = listening.getsockname()[:2]
    shown = host if host_is_loopback(host) else "127.0.0.1"
    url = f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
    print(f"telephony is ready on {url}", flush=True)
    if settings.public_url:
        print(f"voice webhook for Twilio: {settings.public_url}/twilio/voice", flush=True)


class Stop:
    """SIGTERM or SIGINT (Fly sends SIGINT). Nothing is raised into running code."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        """The first signal has come."""
        self.last_words: Callable[[], None] = lambda: None
        """Called at the second one, which ends the process: what must be written is written now."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._received, number)

    def _received(self, number: int) -> None:
        if not self.asked.is_set():
            self.asked.set()
            return
        try:
            self.last_words()
        finally:
            os._exit(128 + number)


async def _before(stop: Stop, task: asyncio.Task[object]) -> bool:
    """Whether the task finished before the stop; it is cancelled otherwise."""
    waiting = asyncio.create_task(stop.asked.wait())
    await asyncio.wait((waiting, task), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        return True
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return False


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where there is one: it halves the cost of a frame."""
    if sys.platform == "win32":
        return None
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
