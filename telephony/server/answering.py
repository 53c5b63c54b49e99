"""Answers each call as its route says: with its agent, voice, language and greeting."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

from telephony.call import call
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
from telephony.record.call_files import Keeping
from telephony.record.consent import MayStopRecording, announced
from telephony.record.recorder import Recorder, RecordingObserver
from telephony.record.recording import Recording
from telephony.record.store import RecordStore
from telephony.reply.agent import Agent, Wording, wording_of
from telephony.reply.isolation import MOST_THREADS, ThreadedAgent
from telephony.reply.loading import load_agent, names_class
from telephony.server.number_routes import Route
from telephony.server.state import AnswerCall, ServerState
from telephony.speak.client import SpeakClient
from telephony.speak.deepgram import VoiceClient
from telephony.speak.phrase_cache import PhraseAudioCache
from telephony.speak.presynthesis import presynthesized


async def make_resources(
    line: ServerState,
    loader: AgentLoader,
    listen: ListenClient,
    speak: SpeakClient,
    store: RecordStore,
    stack: AsyncExitStack,
) -> CallResources:
    """What calls need, as AGENT and VOICE say. Raises BadAgent, BadScript, BadSetting."""
    settings = line.settings
    agent = isolated(await loader.load(settings.agent), settings.agent, settings, stack)
    transcoder = Transcoder()
    return CallResources(
        host=line,
        listen=listen,
        listen_options=chosen(settings),
        speak=speak,
        agent=agent,
        wording=wording_of(agent),
        policy=policy_of(settings),
        store=store,
        calls=CallRegistry(store),
        transcoder=transcoder,
        batch=InboundBatch(transcoder.flush),
        agent_name=settings.agent,
    )


async def answer_with(
    resources: CallResources, loader: AgentLoader, line: ServerState, stack: AsyncExitStack
) -> AnswerCall:
    """Answers each call as its route says, and a dialled one with the words that were asked for."""
    routes = (*line.routes.routes, line.routes.default)
    by_route = {route.name: await _resources_of(route, resources, loader, line, stack) for route in routes}

    def resources_for(about: Mapping[str, str]) -> CallResources:
        return by_route.get(about.get("route", ""), by_route[""])

    prewarmed = PrewarmedCalls(resources_for)
    stack.push_async_callback(prewarmed.close)
    line.prewarm, line.forget = prewarmed.prewarm, prewarmed.forget

    async def answer(socket: FrameSocket, stream: ServerStream, started: Started) -> None:
        own = prewarmed.take(started.call_sid) or resources_for(started.parameters)
        dial_id = started.parameters.get("dial")
        asked = await line.shared.get(f"dial:{dial_id}") if dial_id else None
        if asked and asked["say"]:
            said = announced(_with_greeting(own.wording, asked["say"]), line.settings.record_notice)
            own = replace(own, wording=said)
        if line.settings.record == "on":
            await _answer_recorded(socket, stream, started, own, line.settings)
        else:
            await call.answer(socket, stream, started, own)

    return answer


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
    files = Keeping(settings.data_dir)
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
    line: ServerState,
    stack: AsyncExitStack,
) -> CallResources:
    """The resources as one route has them: its agent, voice, language and greeting, all else shared.

    Raises BadAgent or BadScript when its agent cannot be loaded.
    """
    settings, agent = line.settings, resources.agent
    if route.agent or route.prompt:
        spec = route.agent or settings.agent
        where = f"agent (ROUTES, {route.name or 'default'})"
        agent = isolated(await loader.load(spec, where, route.prompt), spec, settings, stack)
    line.allow_transfers(transfers_of(agent))
    wording = wording_of(agent)
    if route.greeting:
        wording = _with_greeting(wording, route.greeting)
    wording = announced(wording, settings.record_notice)  # without a recording, too: this is a machine
    if settings.record == "on":
        agent = MayStopRecording(agent, settings.record_stop_words, settings.record_notice)
    own = replace(resources, agent=agent, wording=wording, agent_name=route.agent or resources.agent_name)
    own.listen_options = chosen(settings, route.language)
    if route.voice:
        voice = VoiceClient(resources.speak.url, settings.deepgram().api_key.reveal(), route.voice)
        stack.push_async_callback(voice.close)
        own.speak, own.phrases = voice, PhraseAudioCache()
    if own.speak is not resources.speak or own.wording != resources.wording:
        where = f"ROUTES, the voice of {route.name or 'default'}"
        await stack.enter_async_context(presynthesized(own.speak, own.phrases, own.wording, where))
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
