"""Runs the engine until it is stopped: models, voices, port."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from telephony.config.kinds import host_is_loopback
from telephony.engine.listen.recognizer_pool import WorkerPool
from telephony.engine.models import catalogue
from telephony.engine.models.fetch import fetch
from telephony.engine.packages import TO_LISTEN, absent, not_installed
from telephony.engine.server import HANDSHAKE_S, Engine, default_limit, make_app
from telephony.engine.speak import piper_process
from telephony.engine.speak.synthesizer_pool import SynthesizerPool
from telephony.engine.speak.voice import Voices
from telephony.engine.speak.voice_list import find_voices
from telephony.errors import BadInput, MissingModel

log = logging.getLogger(__name__)
fetching = logging.getLogger(f"{__name__}.fetching")
fetching.setLevel(logging.INFO)  # also where only warnings are shown: it takes a minute

STOP_S = 3.0
"""Time that open requests get when the engine stops."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How to run the engine."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: any free one."""
    listen_limit: int | None = None
    """Streams listened to at once; None: what the machine carries."""
    fetch: bool = True
    """Fetch models that are missing before anything starts."""
    must_converse: bool = False
    """Refuse to start where packages or models for recognition or for the voice are missing."""


async def serve(
    options: EngineOptions,
    stop: asyncio.Event,
    announce: Callable[[str], None],
    still_fetching: Callable[[], None] = lambda: None,
) -> None:
    """Serves until `stop` is set. `announce` is called once, with the URL, when speech can be recognized.

    `still_fetching` is called now and then while models are fetched, in a thread.

    Without the packages that listen no model is fetched. Raises BadInput where the port cannot be had. With
    `must_converse` raises BadInput also without those packages, and MissingModel without models.
    """
    if lacking := absent(TO_LISTEN):
        if options.must_converse:
            raise BadInput(f"{not_installed(lacking)}, or set DEEPGRAM_API_KEY")
        log.warning("%s", not_installed(lacking))
    elif options.fetch:
        await _fetch(stop, options.must_converse, still_fetching)
    recognizers, synthesizers = WorkerPool(), SynthesizerPool(Voices())
    limit = default_limit() if options.listen_limit is None else options.listen_limit
    runner = web.AppRunner(
        make_app(
            Engine(recognizers, synthesizers, listen_limit=limit, here_only=host_is_loopback(options.host))
        ),
        access_log=None,
        keepalive_timeout=HANDSHAKE_S,
        shutdown_timeout=STOP_S,
    )
    await runner.setup()
    try:
        port = await _listen(runner, options)
        recognizers.start()
        synthesizers.start()
        await _first(recognizers.ready(), stop.wait())
        if not stop.is_set():
            announce(f"ws://{_named(options.host)}:{port}")
        await stop.wait()
    finally:
        await runner.cleanup()


async def _fetch(stop: asyncio.Event, must_converse: bool, still_fetching: Callable[[], None]) -> None:
    """Fetches what is missing. Where that fails the engine says so, and does with what is here."""
    missing = catalogue.missing()
    if "joe" in missing and not piper_process.available():
        missing.remove("joe")  # nothing here could speak with it
    if not missing:
        return
    size = catalogue.download_bytes(missing) / 1e6
    fetching.info("fetching %s: %.0f MB, once, into %s", ", ".join(missing), size, catalogue.cache_dir())

    def progress(line: str) -> None:
        if stop.is_set():  # said in the thread that fetches: the way to end it
            raise MissingModel("stopped while fetching models")
        fetching.info("%s", line)
        still_fetching()

    try:
        await asyncio.to_thread(fetch, missing, progress)
    except MissingModel as error:
        if stop.is_set():
            return
        if must_converse and not _can_converse():
            raise
        log.warning("%s", error)


def _can_converse() -> bool:
    """Whether words can be recognized and spoken with the models that are here."""
    try:
        find_voices()
    except MissingModel:
        return False
    recognizers = ("moonshine-tiny-en", "whisper-base")
    return catalogue.path("silero-vad") is not None and any(map(catalogue.path, recognizers))


async def _listen(runner: web.AppRunner, options: EngineOptions) -> int:
    try:
        await web.TCPSite(runner, options.host, options.port).start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise BadInput(f"port {options.port} is in use: choose another one with --port") from error
        raise BadInput(f"{options.host}:{options.port} cannot be listened on: {error.strerror}") from error
    return int(runner.addresses[0][1])


def _named(host: str) -> str:
    """A host as a client on this machine writes it."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


async def _first(*awaitables: object) -> None:
    """Waits for whichever comes first, and gives up the others."""
    tasks = [asyncio.ensure_future(one) for one in awaitables]  # type: ignore[call-overload]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
