"""Answers each call as its route says: with its agent, voice, language and greeting."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

from telephony.call import call
from telephony.call.call_events import CallEvents
from telephony.call.inbound_batch import InboundBatch
from telephony.call.prewarm import PrewarmedCalls
from telephony.call.registry import CallRegistry, RunningCall
from telephony.call.resources import CallResources
from telephony.carrier.media_messages import Started
from telephony.carrier.media_stream import ServerStream
from telephony.carrier.websocket import FrameSocket
from telephony.config.listening import chosen
from telephony.config.settings import Settings
from telephony.conversation.policy import Policy
from telephony.listen.client import ListenClient
from telephony.listen.transcoder import Transcoder
from telephony.llm.loading import AgentLoader, names_own_agent, transfers_of
from telephony.record.call_files import CallFiles
from telephony.record.consent import MayStopRecording, announced
from telephony.record.recorder import Recorder, RecordingObserver
from telephony.record.recording import Recording
from telephony.record.store import RecordStore
from telephony.reply.agent import Agent, Wording, wording_of
from telephony.reply.isolation import MOST_THREADS, ThreadedAgent
from telephony.reply.loading import load_agent, names_class
from telephony.server.call_host import ServerCallHost
from telephony.server.number_routes import Route, Routes
from telephony.speak.client import SpeakClient
from telephony.speak.deepgram import VoiceClient
from telephony.speak.fallback import with_fallback_of, without_fallback
from telephony.speak.phrase_cache import PhraseAudioCache
from telephony.speak.presynthesis import presynthesized


async def make_resources(
    host: ServerCallHost,
    loader: AgentLoader,
    listen: ListenClient,
    speak: SpeakClient,
    store: RecordStore,
    events: CallEvents,
    stack: AsyncExitStack,
) -> CallResources:
    """What calls need, as AGENT and VOICE say. Raises BadAgent, BadScript, BadSetting."""
    settings = host.settings
    agent = isolated(await loader.load(settings.agent), settings.agent, settings, stack)
    transcoder = Transcoder()
    return CallResources(
        host=host,
        listen=listen,
        listen_options=chosen(settings),
        speak=speak,
        agent=agent,
        wording=wording_of(agent),
        policy=policy_of(settings),
        store=store,
        calls=CallRegistry(store),
        events=events,
        after_call=await loader.after_call(),
        transcoder=transcoder,
        batch=InboundBatch(transcoder.flush),
        agent_name=settings.agent,
    )


class RoutedAnswers:
    """Answers each call as its route says, and a dialled one with the words that were asked for."""

    def __init__(self, host: ServerCallHost, by_route: Mapping[str, CallResources]) -> None:
        """`by_route` has the resources of each route by its name; the default's name is empty."""
        self._host = host
        self._by_route = by_route
        self._prewarmed = PrewarmedCalls(self.resources_for)

    def resources_for(self, about: Mapping[str, str]) -> CallResources:
        """The resources of a call whose stream has these parameters."""
        return self._by_route.get(about.get("route", ""), self._by_route[""])

    def prewarm(self, call_sid: str, about: Mapping[str, str]) -> None:
        self._prewarmed.prewarm(call_sid, about)

    def cancel_prewarm(self, call_sid: str) -> None:
        self._prewarmed.forget(call_sid)

    async def answer(self, socket: FrameSocket, stream: ServerStream, started: Started) -> None:
        own = self._prewarmed.take(started.call_sid) or self.resources_for(started.parameters)
        settings, dial_id = self._host.settings, started.parameters.get("dial")
        asked = await self._host.shared.get(f"dial:{dial_id}") if dial_id else None
        if asked and asked["say"]:
            own = replace(
                own, wording=announced(_with_greeting(own.wording, asked["say"]), settings.record_notice)
            )
        if settings.record == "on":
            await _answer_recorded(socket, stream, started, own, settings)
        else:
            await call.answer(socket, stream, started, own)

    async def close(self) -> None:
        """Close what is open for streams that did not come."""
        await self._prewarmed.close()


async def answer_routes(
    resources: CallResources,
    loader: AgentLoader,
    host: ServerCallHost,
    routes: Routes,
    stack: AsyncExitStack,
) -> RoutedAnswers:
    """What answers the calls of these routes, closed by the stack. Raises BadAgent or BadScript."""
    every = (*routes.routes, routes.default)
    by_route = {route.name: await _resources_of(route, resources, loader, host, stack) for route in every}
    answers = RoutedAnswers(host, by_route)
    stack.push_async_callback(answers.close)
    return answers


async def _answer_recorded(
    socket: FrameSocket,
    stream: ServerStream,
    started: Started,
    resources: CallResources,
    settings: Settings,
) -> None:
    """Answer a call, and keep its sound."""

    def find() -> RunningCall | None:
        return next((one for one in resources.calls if one.started is started), None)

    recording = Recording()
    files = CallFiles(settings.data_dir)
    agent = resources.agent
    objects = agent.objects if isinstance(agent, MayStopRecording) else lambda said, noticed: False
    recorder = Recorder(
        recording, find, resources.store.folder, objects, lambda: files.folders_of(started.call_sid)
    )
    writing = asyncio.create_task(recorder.run())
    try:
        observer = RecordingObserver(recording, recorder.look)
        await call.answer(socket, stream, started, resources, observer)
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)


def _with_greeting(wording: Wording, text: str) -> Wording:
    return replace(wording, greeting=replace(wording.greeting, text=text))


async def _resources_of(
    route: Route,
    resources: CallResources,
    loader: AgentLoader,
    host: ServerCallHost,
    stack: AsyncExitStack,
) -> CallResources:
    """The resources as one route has them: its agent, voice, language and greeting, all else shared.

    Raises BadAgent or BadScript when its agent cannot be loaded.
    """
    settings, agent = host.settings, resources.agent
    if route.agent or route.prompt:
        spec = route.agent or settings.agent
        where = f"agent (ROUTES, {route.name or 'default'})"
        agent = isolated(await loader.load(spec, where, route.prompt), spec, settings, stack)
    host.steps.allow_transfers(transfers_of(agent))
    wording = wording_of(agent)
    if route.greeting:
        wording = _with_greeting(wording, route.greeting)
    wording = announced(wording, settings.record_notice)  # without a recording, too: this is a machine
    if settings.record == "on":
        agent = MayStopRecording(agent, settings.record_stop_words, settings.record_notice)
    own = replace(resources, agent=agent, wording=wording, agent_name=route.agent or resources.agent_name)
    own.listen_options = chosen(settings, route.language)
    if route.voice:
        voice = VoiceClient(
            resources.speak.url,
            settings.deepgram().api_key.reveal(),
            route.voice,
            pronunciations=resources.speak.pronunciations,
        )
        stack.push_async_callback(voice.close)
        own.speak, own.phrases = with_fallback_of(voice, resources.speak), PhraseAudioCache()
    if own.speak is not resources.speak or own.wording != resources.wording:
        where = f"ROUTES, the voice of {route.name or 'default'}"
        await stack.enter_async_context(
            presynthesized(without_fallback(own.speak), own.phrases, own.wording, where)
        )
    return own


def isolated(agent: Agent, spec: str, settings: Settings, stack: AsyncExitStack) -> Agent:
    """The agent as AGENT_ISOLATION has it run; ours never block, and stay in the calls' loop."""
    if settings.agent_isolation == "loop" or not names_own_agent(spec):
        return agent
    most = MOST_THREADS if names_class(spec) else 1
    threaded = ThreadedAgent(agent, lambda: load_agent(spec, settings), most)
    stack.push_async_callback(threaded.close)
    return threaded


def policy_of(settings: Settings) -> Policy:
    """The conversation's limits, out of the settings."""
    return Policy(
        barge_in=settings.barge_in,
        eager=settings.eager,
        eot_threshold=settings.flux_eot_threshold,
        eager_eot_threshold=settings.flux_eager_eot_threshold,
        eot_timeout_ms=settings.flux_eot_timeout_ms,
        max_call_s=settings.max_call_seconds,
    )
