"""What the calls of one process share: the speech clients, the pacing wheel, the agent, the records."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from telephony.call.inbound_batch import InboundBatch
from telephony.call.timing_wheel import PacingWheel
from telephony.config.listening import chosen
from telephony.config.settings import Settings, SpeechPeer
from telephony.conversation.policy import Policy
from telephony.deepgram.flux_codec import FluxOptions
from telephony.deepgram.refusals import remedy
from telephony.errors import BadSetting, PeerRefused
from telephony.listen.deepgram import FluxClient
from telephony.llm.loading import AgentLoader, names_own_agent
from telephony.record.store import RecordStore, summary
from telephony.reply.agent import Agent, Wording, wording_of
from telephony.reply.isolation import MOST_THREADS, ThreadedAgent
from telephony.reply.loading import load_agent, names_class
from telephony.server.state import ServerState
from telephony.speak.deepgram import VoiceClient
from telephony.speak.phrase_cache import PhraseMemory
from telephony.speak.presynthesis import phrases_of, prepare_phrases, standing_lines

if TYPE_CHECKING:
    from telephony.call.call import Call

log = logging.getLogger(__name__)

GREETING_READY_S = 15.0
"""How long the start of the server waits for the greeting's audio; after that it is made in the call."""
RECORDS_S = 1.0
"""How long a process that was told twice to end goes on writing its calls' records."""
BAD_REQUEST, NOT_FOUND = 400, 404
"""A speech service has no such model; there is no speech service."""


@dataclass(slots=True)
class CallResources:
    """One process's share of everything that calls need."""

    settings: Settings
    line: ServerState
    flux: FluxClient
    flux_options: FluxOptions
    voice: VoiceClient
    agent: Agent
    wording: Wording
    policy: Policy
    store: RecordStore
    agents: AgentLoader
    wheel: PacingWheel = field(default_factory=PacingWheel)
    intake: InboundBatch = field(default_factory=InboundBatch)
    phrases: PhraseMemory = field(default_factory=PhraseMemory)
    calls: dict[str, Call] = field(default_factory=dict)
    """The calls of now, by our id."""
    agent_name: str = ""
    """What AGENT or a route calls the agent."""

    def snapshot(self, call_id: str) -> dict[str, Any] | None:
        """A running call by our id or its CallSid, as JSON."""
        call = self.calls.get(call_id) or next(
            (c for c in self.calls.values() if c.started.call_sid == call_id), None
        )
        return None if call is None else call.record()

    def sounding(self, within_s: float) -> set[str]:
        """The calls whose stream has brought a frame within so many seconds, by CallSid."""
        silent = ((call.started.call_sid, call.silent_s()) for call in self.calls.values())
        return {sid for sid, silent_s in silent if silent_s is not None and silent_s < within_s}

    async def load(self, call_id: str) -> dict[str, Any] | None:
        """A finished call."""
        return await self.store.load(call_id)

    async def recent(self, most: int) -> list[dict[str, Any]]:
        """The running calls, newest first, then the finished ones: at most so many, without their turns."""
        running = [summary(call.record()) for call in reversed(self.calls.values())][:most]
        known = {call["call_id"] for call in running}
        finished = await self.store.recent(most)
        return [*running, *(call for call in finished if call["call_id"] not in known)][:most]

    def say_goodbye(self) -> None:
        """Have every running call say goodbye and hang up: the server stops."""
        for call in list(self.calls.values()):
            call.say_goodbye()

    def leave_records(self) -> None:
        """Write the records of the running calls: the process ends now. Blocks, for a moment."""
        for call in list(self.calls.values()):
            call.stop()
        self.store.flush(RECORDS_S)


def isolated(agent: Agent, spec: str, settings: Settings, stack: AsyncExitStack) -> Agent:
    """The agent as AGENT_ISOLATION has it run; ours never block, and stay in the calls' loop."""
    if settings.agent_isolation == "loop" or not names_own_agent(spec):
        return agent
    most = MOST_THREADS if names_class(spec) else 1
    threaded = ThreadedAgent(agent, lambda: load_agent(spec, settings), most)
    stack.push_async_callback(threaded.close)
    return threaded


@asynccontextmanager
async def open_services(
    settings: Settings, speech: SpeechPeer, line: ServerState
) -> AsyncIterator[CallResources]:
    """Services for one process, closed at the end. Raises BadAgent, BadScript, BadSetting."""
    async with AsyncExitStack() as stack:
        loader = AgentLoader(settings, line.shared, stack)
        agent = isolated(await loader.load(settings.agent), settings.agent, settings, stack)
        services = _services(settings, speech, line, agent, loader)
        stack.push_async_callback(services.store.close)
        stack.push_async_callback(services.voice.close)
        stack.push_async_callback(services.flux.close)
        line.metrics.unwritten = lambda: services.store.left_out
        async with prepared(services):
            yield services


def _services(
    settings: Settings, speech: SpeechPeer, line: ServerState, agent: Agent, loader: AgentLoader
) -> CallResources:
    key = speech.api_key.reveal()
    return CallResources(
        settings,
        line,
        FluxClient(speech.url, key),
        chosen(settings),
        VoiceClient(speech.url, key, settings.voice),
        agent,
        wording_of(agent),
        policy_of(settings),
        RecordStore(settings.data_dir),
        loader,
        agent_name=settings.agent,
    )


@asynccontextmanager
async def prepared(services: CallResources, where: str = "VOICE") -> AsyncIterator[None]:
    """The standing phrases are spoken beforehand, the greeting before anything else goes on.

    Raises BadSetting, naming `where` the voice was chosen, when the speech service has no such voice.
    """
    preparing = asyncio.create_task(
        prepare_phrases(services.voice, services.phrases, standing_lines(services.wording))
    )
    try:
        await _greeting_ready(services, preparing)
        _check_voice(preparing, services, where)
        yield
    finally:
        preparing.cancel()
        await asyncio.gather(preparing, return_exceptions=True)


async def _greeting_ready(services: CallResources, preparing: asyncio.Task[None]) -> None:
    """Wait until the greeting can be heard at once; a voice that fails now may yet work in the call."""
    lines = standing_lines(services.wording)
    wanted = phrases_of(lines[0], services.voice.model) if lines else []  # the greeting, where there is one
    try:
        async with asyncio.timeout(GREETING_READY_S):
            while not preparing.done() and not all(services.phrases.get(p) for p in wanted):
                await asyncio.wait((preparing,), timeout=0.02)
    except TimeoutError:
        log.warning(
            "the greeting is not ready after %g s: the first caller may wait for it", GREETING_READY_S
        )


def _check_voice(preparing: asyncio.Task[None], services: CallResources, where: str) -> None:
    """Raises BadSetting when the speech service has no such voice, or is none."""
    refused = preparing.exception() if preparing.done() and not preparing.cancelled() else None
    if not isinstance(refused, PeerRefused):
        return
    if refused.status == BAD_REQUEST:
        allowed = f"{refused.reason} (the local engine's voices: telephony engine --voices)"
        raise BadSetting(where, services.voice.model, allowed) from refused
    if refused.status == NOT_FOUND:
        allowed = f"it serves no speech ({refused.reason})"
        raise BadSetting("DEEPGRAM_URL", services.settings.deepgram_url, allowed) from refused
    log.error("no call will be answered aloud: %s. %s", refused, remedy(refused.status))


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
