"""Puts a phone line together: the shared store, the speech engine where it is ours, what answers calls."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from telephony.base.live_processes import Processes
from telephony.base.private_files import mend, privately
from telephony.base.shared_store import SharedStoreFailure, SqliteSharedStore
from telephony.call.registry import CallRegistry
from telephony.call.resources import CallResources
from telephony.carrier.rest import TwilioRest, has_credentials
from telephony.config.settings import Settings, SpeechPeer
from telephony.engine.process import EngineProcess
from telephony.engine.server import default_limit
from telephony.errors import BadSetting
from telephony.listen.deepgram import FluxClient
from telephony.llm.health import model_check
from telephony.llm.loading import AgentLoader
from telephony.record.call_files import Keeping
from telephony.record.recovery import close_records
from telephony.record.retention import Retention
from telephony.record.store import RecordStore
from telephony.server.answering import answer_with, make_resources
from telephony.server.dialler import Dialler
from telephony.server.model_metrics import ModelMetrics
from telephony.server.number_routes_file import routes_of
from telephony.server.speech_health import speech_check
from telephony.server.state import CallRecords, ServerState, make_line
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
        return await asyncio.to_thread(Keeping(self._data_dir).delete, call_id)


async def open_line(settings: Settings, stack: AsyncExitStack) -> tuple[ServerState, CallRecords]:
    """A line that can take calls. What was opened is closed by the stack.

    Until then all that this process writes is its user's alone.
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
        line = await make_line(settings, shared)
    except SharedStoreFailure as error:  # a folder that cannot be written to is found out now
        allowed = f"calls cannot be kept there ({error}); name a folder that can be written to"
        raise BadSetting("DATA_DIR", str(settings.data_dir), allowed) from error
    line.routes = routes_of(settings)
    if has_credentials(settings):
        line.rest = await TwilioRest.open(settings)
        stack.push_async_callback(line.rest.close)
        line.dialler = Dialler(settings, shared, line.rest)
    store = RecordStore(settings.data_dir, processes.own, shared.now)
    stack.push_async_callback(store.close)
    line.metrics.unwritten = lambda: store.left_out
    speech = await _speech(settings, stack)
    loader = AgentLoader(settings, line.shared, stack)
    resources = await _open_resources(line, loader, store, speech, stack)
    calls = resources.calls
    _close_records(settings.data_dir, processes, stack)
    line.answer = await answer_with(resources, loader, line, stack)
    if loader.client is not None:
        line.readiness.checks.append(model_check(loader.client))
        ModelMetrics(loader.client, line.metrics.registry)
    line.say_goodbye = calls.say_goodbye
    line.leave_records = calls.leave_records
    line.sounding = calls.sounding
    stack.push_async_callback(line.endings.close)
    if settings.retention_days:
        retention = Retention(Keeping(settings.data_dir), settings.retention_days, shared)
        sweeping = asyncio.create_task(retention.run())
        stack.callback(sweeping.cancel)
    return line, Records(calls, store, settings.data_dir)


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


async def _open_resources(
    line: ServerState, loader: AgentLoader, store: RecordStore, speech: SpeechPeer, stack: AsyncExitStack
) -> CallResources:
    """What calls need, closed by the stack. Raises BadAgent, BadScript, BadSetting."""
    key = speech.api_key.reveal()
    flux, voice = FluxClient(speech.url, key), VoiceClient(speech.url, key, line.settings.voice)
    stack.push_async_callback(voice.close)
    stack.push_async_callback(flux.close)
    resources = await make_resources(line, loader, flux, voice, store, stack)
    await stack.enter_async_context(presynthesized(voice, resources.phrases, resources.wording))
    line.readiness.checks.append(
        speech_check(line.settings, resources.listen_options, flux.url, flux.health, voice.health)
    )
    return resources
