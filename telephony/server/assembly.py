"""Puts a server process together: the shared store, the local speech engine, what answers calls."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from telephony.base.live_processes import Processes
from telephony.base.private_files import mend, privately
from telephony.base.shared_store import SharedStore, SharedStoreFailure, SqliteSharedStore
from telephony.call.call_events import CallEvents, NoCallEvents
from telephony.call.registry import CallRegistry
from telephony.call.resources import CallResources
from telephony.carrier.rest import TwilioRest, has_credentials
from telephony.config.settings import Settings, SpeechPeer
from telephony.deepgram.retry import HEDGE_S
from telephony.engine.process import EngineProcess
from telephony.engine.server import default_limit
from telephony.errors import BadSetting
from telephony.listen.deepgram import FluxClient
from telephony.llm.health import model_check
from telephony.llm.loading import AgentLoader
from telephony.record.call_files import CallFiles
from telephony.record.recovery import close_records
from telephony.record.retention import Retention
from telephony.record.store import RecordStore
from telephony.server.answering import answer_routes, make_resources
from telephony.server.breaker_metrics import BreakerMetrics
from telephony.server.call_host import ServerCallHost, make_host
from telephony.server.event_hook import EventHook
from telephony.server.event_outbox import EventOutbox
from telephony.server.fallback_voices import with_fallbacks
from telephony.server.model_metrics import ModelMetrics
from telephony.server.number_routes_file import routes_of
from telephony.server.pronunciations_file import pronunciations_of
from telephony.server.readiness import Check
from telephony.server.speech_health import breaker_check, speech_check
from telephony.server.state import CallRecords, ServerState, make_state
from telephony.server.stream_tokens import stream_keys
from telephony.speak.deepgram import VoiceClient
from telephony.speak.presynthesis import presynthesized

log = logging.getLogger(__name__)


class Records:
    """The calls of now and before, as the API shows them."""

    def __init__(self, calls: CallRegistry, store: RecordStore, data_dir: Path) -> None:
        self._calls = calls
        self._store = store
        self._data_dir = data_dir

    def snapshot(self, call_id: str) -> dict[str, Any] | None:
        return self._calls.snapshot(call_id)

    async def load(self, call_id: str) -> dict[str, Any] | None:
        return await self._calls.load(call_id)

    async def recent(self, most: int) -> list[dict[str, Any]]:
        return await self._calls.recent(most)

    async def tape_path(self, call_id: str) -> Path | None:
        return await asyncio.to_thread(self._store.tape_path, call_id)

    async def delete(self, call_id: str) -> list[str]:
        return await asyncio.to_thread(CallFiles(self._data_dir).delete, call_id)


async def open_state(settings: Settings, stack: AsyncExitStack) -> tuple[ServerState, CallRecords]:
    """The state of a server that can take calls. What was opened is closed by the stack.

    Until then the files that this process writes are readable by its user only.
    """
    settings = _within_speech(settings)
    stack.enter_context(privately())
    await asyncio.to_thread(mend, settings.data_dir)
    processes = Processes(settings.data_dir)
    stack.callback(processes.leave)
    await asyncio.to_thread(processes.enter)
    shared = SqliteSharedStore(settings.data_dir / "shared.db", processes=processes)
    stack.push_async_callback(shared.close)
    try:
        keys = await stream_keys(settings, shared)
    except SharedStoreFailure as error:  # a folder that cannot be written to is found out now
        allowed = f"calls cannot be kept there ({error}); name a folder that can be written to"
        raise BadSetting("DATA_DIR", str(settings.data_dir), allowed) from error
    routes = routes_of(settings)
    rest = await _open_rest(settings, stack)
    store = RecordStore(settings.data_dir, processes.own, shared.now)
    stack.push_async_callback(store.close)
    host = make_host(settings, shared, rest, lambda: store.left_out)
    speech = await _speech(settings, stack)
    loader = AgentLoader(settings, host.shared, stack)
    events = await _open_events(host, processes, stack)
    resources, checks = await _open_resources(host, loader, store, speech, events, stack)
    _close_records(settings.data_dir, processes, stack)
    answer = await answer_routes(resources, loader, host, routes, stack)
    if loader.client is not None:
        checks.append(model_check(loader.client))
        ModelMetrics(loader.client, host.metrics.registry)
    stack.push_async_callback(host.endings.close)
    _sweep(settings, shared, stack)
    state = make_state(host, resources.calls, answer, routes, keys, checks)
    return state, Records(resources.calls, store, settings.data_dir)


async def _open_rest(settings: Settings, stack: AsyncExitStack) -> TwilioRest | None:
    """Twilio's REST API, where there are credentials."""
    if not has_credentials(settings):
        return None
    rest = await TwilioRest.open(settings)
    stack.push_async_callback(rest.close)
    return rest


def _sweep(settings: Settings, shared: SharedStore, stack: AsyncExitStack) -> None:
    """Delete calls that are older than RETENTION_DAYS, while the server runs."""
    if settings.retention_days:
        retention = Retention(CallFiles(settings.data_dir), settings.retention_days, shared)
        sweeping = asyncio.create_task(retention.run())
        stack.callback(sweeping.cancel)


def _within_speech(settings: Settings) -> Settings:
    """The settings, with no more calls than the local engine listens to, where it is the one that does.

    Else a caller too many would be answered, and then sent away.
    """
    carried = default_limit()
    if not settings.deepgram().local or settings.max_calls <= carried:
        return settings
    log.info("%d calls at once, which is what the local engine carries here (MAX_CALLS=%d)", carried,
             settings.max_calls)  # fmt: skip
    return replace(settings, max_calls=carried)


def _close_records(data_dir: Path, processes: Processes, stack: AsyncExitStack) -> None:
    """Close the records of calls whose process died, beside the calls that come."""
    stopped = threading.Event()
    closing = asyncio.get_running_loop().run_in_executor(
        None, close_records, data_dir, processes.lives, stopped.is_set
    )

    async def stop() -> None:
        stopped.set()
        await asyncio.gather(closing, return_exceptions=True)

    stack.push_async_callback(stop)


async def _speech(settings: Settings, stack: AsyncExitStack) -> SpeechPeer:
    """Where speech is; the local engine is started first, and stopped at the end."""
    speech = settings.deepgram()
    if not speech.local:
        return speech
    engine = await EngineProcess.start(settings, listen_limit=default_limit())
    stack.push_async_callback(engine.stop)
    return replace(speech, url=engine.url)


async def _open_events(host: ServerCallHost, processes: Processes, stack: AsyncExitStack) -> CallEvents:
    """Takes events of calls, and delivers them where WEBHOOK_URL says."""
    settings = host.settings
    if not settings.webhook_url:
        return NoCallEvents()
    hook = EventHook(settings.webhook_url, settings.webhook_secret, settings.webhook_private_hosts)
    stack.push_async_callback(hook.close)
    outbox = EventOutbox(hook, host.shared, processes.own, processes.lives, time.time)
    outbox.start()
    stack.push_async_callback(outbox.close)
    return outbox


async def _open_resources(
    host: ServerCallHost,
    loader: AgentLoader,
    store: RecordStore,
    speech: SpeechPeer,
    events: CallEvents,
    stack: AsyncExitStack,
) -> tuple[CallResources, list[Check]]:
    """What calls need, closed by the stack, and the check of speech.

    Raises BadAgent, BadScript, BadSetting.
    """
    settings, key = host.settings, speech.api_key.reveal()
    # A second handshake beside a slow one would take one of the local engine's few streams.
    hedge_s = None if settings.deepgram().local else HEDGE_S
    flux = FluxClient(speech.url, key, hedge_s=hedge_s)
    voice = VoiceClient(speech.url, key, settings.voice, pronunciations=pronunciations_of(settings))
    BreakerMetrics(flux.breaker, host.metrics.registry)
    stack.push_async_callback(voice.close)
    stack.push_async_callback(flux.close)
    speak = await with_fallbacks(voice, settings, speech, stack)
    resources = await make_resources(host, loader, flux, speak, store, events, stack)
    await stack.enter_async_context(presynthesized(voice, resources.phrases, resources.wording))
    check = speech_check(settings, resources.listen_options, flux.url, flux.health, voice.health)
    return resources, [check, breaker_check(flux.breaker)]
