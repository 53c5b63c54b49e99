"""Puts a phone line together: the shared store, the speech engine where it is ours, what answers calls."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from telephony.base.live_processes import Processes
from telephony.base.private_files import mend, privately
from telephony.base.shared_store import SharedStoreFailure, SqliteSharedStore
from telephony.call import call
from telephony.call.prewarm import PrewarmedCalls
from telephony.call.resources import CallResources, isolated, open_services, prepared
from telephony.carrier.media_messages import Started
from telephony.carrier.media_stream import ServerStream
from telephony.carrier.rest import TwilioRest, has_credentials
from telephony.carrier.websocket import FrameSocket
from telephony.config.listening import chosen
from telephony.config.settings import Settings, SpeechPeer
from telephony.engine.process import EngineProcess
from telephony.engine.server import default_limit
from telephony.errors import BadSetting
from telephony.llm.health import model_check
from telephony.record.call_files import Keeping
from telephony.record.consent import MayStopRecording, announced
from telephony.record.recorder import Recorder, TappedStream
from telephony.record.recording import Recording
from telephony.record.recovery import close_records
from telephony.record.retention import Retention
from telephony.reply.agent import Wording, wording_of
from telephony.reply.scripted import ScriptedAgent
from telephony.server.dialler import Dialler
from telephony.server.model_metrics import ModelMetrics
from telephony.server.number_routes import Route
from telephony.server.number_routes_file import routes_of
from telephony.server.speech_health import speech_check
from telephony.server.state import AnswerCall, CallRecords, ServerState, make_line
from telephony.speak.deepgram import VoiceClient
from telephony.speak.phrase_cache import PhraseMemory

log = logging.getLogger(__name__)


class Records:
    """The calls of the services, as the API shows them."""

    def __init__(self, services: CallResources) -> None:
        self._services = services

    def snapshot(self, call_id: str) -> dict[str, Any] | None:
        return self._services.snapshot(call_id)

    async def load(self, call_id: str) -> dict[str, Any] | None:
        return await self._services.load(call_id)

    async def recent(self, most: int) -> list[dict[str, Any]]:
        return await self._services.recent(most)

    async def tape_path(self, call_id: str) -> Path | None:
        return await asyncio.to_thread(self._services.store.tape_path, call_id)

    async def delete(self, call_id: str) -> list[str]:
        return await asyncio.to_thread(Keeping(self._services.settings.data_dir).delete, call_id)


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
    services = await stack.enter_async_context(open_services(settings, await _speech(settings, stack), line))
    services.store.process, services.store.clock = processes.own, shared.now
    heard, said = services.flux.health, services.voice.health
    line.readiness.checks.append(
        speech_check(settings, services.flux_options, services.flux.url, heard, said)
    )
    _close_records(settings.data_dir, processes, stack)
    line.answer = await _answer_with(services, line, stack)
    if services.agents.client is not None:
        line.readiness.checks.append(model_check(services.agents.client))
        ModelMetrics(services.agents.client, line.metrics.registry)
    line.say_goodbye = services.say_goodbye
    line.leave_records = services.leave_records
    line.sounding = services.sounding
    stack.push_async_callback(line.endings.close)
    if settings.retention_days:
        retention = Retention(Keeping(settings.data_dir), settings.retention_days, shared)
        sweeping = asyncio.create_task(retention.run())
        stack.callback(sweeping.cancel)
    return line, Records(services)


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


async def _answer_with(services: CallResources, line: ServerState, stack: AsyncExitStack) -> AnswerCall:
    """Answers each call as its route says, and a dialled one with the words that were asked for."""
    routes = (*line.routes.routes, line.routes.default)
    ways = {route.name: await _way(services, route, stack) for route in routes}

    def way_of(about: Mapping[str, str]) -> CallResources:
        return ways.get(about.get("route", ""), ways[""])

    warm = PrewarmedCalls(way_of)
    stack.push_async_callback(warm.close)
    line.prewarm, line.forget = warm.prewarm, warm.forget

    async def answer(socket: FrameSocket, stream: ServerStream, started: Started) -> None:
        way = warm.take(started.call_sid) or way_of(started.parameters)
        dial_id = started.parameters.get("dial")
        asked = await line.shared.get(f"dial:{dial_id}") if dial_id else None
        if asked and asked["say"]:
            said = announced(_greeting(way.wording, asked["say"]), line.settings.record_notice)
            way = replace(way, wording=said)
        if line.settings.record == "on":
            await _recorded(socket, stream, started, way)
        else:
            await call.answer(socket, stream, started, way)

    return answer


async def _recorded(socket: FrameSocket, stream: ServerStream, started: Started, way: CallResources) -> None:
    """Answer a call, and keep its sound."""

    def find() -> call.Call | None:
        return next((one for one in way.calls.values() if one.started is started), None)

    recording = Recording()
    keeping = Keeping(way.settings.data_dir)
    objects = way.agent.objects if isinstance(way.agent, MayStopRecording) else lambda said, noticed: False
    recorder = Recorder(
        recording, find, way.store.folder, objects, lambda: keeping.folders_of(started.call_sid)
    )
    writing = asyncio.create_task(recorder.run())
    try:
        await call.answer(socket, TappedStream(stream, recording, recorder.look), started, way)
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)


def _greeting(wording: Wording, text: str) -> Wording:
    return replace(wording, greeting=replace(wording.greeting, text=text))


async def _way(services: CallResources, route: Route, stack: AsyncExitStack) -> CallResources:
    """The services as one route has them: its agent, voice, language and greeting, all else shared.

    Raises BadAgent or BadScript when its agent cannot be loaded.
    """
    agent = services.agent
    if route.agent or route.prompt:
        spec = route.agent or services.settings.agent
        where = f"agent (ROUTES, {route.name or 'default'})"
        loaded = await services.agents.load(spec, where, route.prompt)
        agent = isolated(loaded, spec, services.settings, stack)
    if isinstance(agent, ScriptedAgent):
        services.line.allow_transfers(agent.script.transfers)
    wording = wording_of(agent)
    if route.greeting:
        wording = _greeting(wording, route.greeting)
    settings = services.settings
    wording = announced(wording, settings.record_notice)  # without a recording, too: this is a machine
    if settings.record == "on":
        agent = MayStopRecording(agent, settings.record_stop_words, settings.record_notice)
    name = route.agent or services.agent_name
    way = replace(services, agent=agent, wording=wording, agent_name=name)
    way.flux_options = chosen(settings, route.language)
    if route.voice:
        key = settings.deepgram().api_key.reveal()
        way.voice = VoiceClient(services.voice.url, key, route.voice)
        way.phrases = PhraseMemory()
        stack.push_async_callback(way.voice.close)
    if way.voice is not services.voice or way.wording != services.wording:
        await stack.enter_async_context(prepared(way, f"ROUTES, the voice of {route.name or 'default'}"))
    return way
