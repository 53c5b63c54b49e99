"""What the calls of one process share, and what they ask of the server that they run in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from telephony.call.call_events import CallEvents
from telephony.call.checkpoint import CheckpointWriter
from telephony.call.endings import Endings
from telephony.call.figures import CallMetrics
from telephony.call.inbound_batch import InboundBatch
from telephony.call.registry import CallRegistry
from telephony.call.timing_wheel import TimingWheel
from telephony.carrier.call_flow import NextStep
from telephony.conversation.policy import Policy
from telephony.deepgram.flux_options import FluxOptions
from telephony.listen.client import ListenClient
from telephony.listen.transcoder import Transcoder
from telephony.llm.after_call import AfterCall
from telephony.record.store import RecordStore
from telephony.reply.agent import Agent, Wording
from telephony.speak.client import SpeakClient
from telephony.speak.phrase_cache import PhraseAudioCache


class CallHost(Protocol):
    """The server, as far as a call needs it."""

    @property
    def saver(self) -> CheckpointWriter:
        """Saves the conversations of the calls that are running."""

    @property
    def endings(self) -> Endings:
        """Notifies agents of calls that have ended."""

    @property
    def metrics(self) -> CallMetrics:
        """Counts the calls."""

    async def saved_conversation(self, call_sid: str, /) -> dict[str, Any] | None:
        """The state that an earlier stream of this call saved last."""

    async def save_conversation(self, call_sid: str, state: Mapping[str, Any], /) -> None:
        """Keep what a new stream of this call would need to go on."""

    async def forget_conversation(self, call_sid: str, /) -> None:
        """No new stream of this call is to come."""

    async def set_next_step(self, call_sid: str, step: NextStep, /) -> None:
        """Store how the call goes on, before its media socket is closed: Twilio asks at once."""

    def transfer(self, call_sid: str, to: str, called: str, /) -> NextStep:
        """How a call to our number `called` goes on when its agent transfers it."""


@dataclass(slots=True)
class CallResources:
    """One process's share of everything that calls need. Routes differ in some of it."""

    host: CallHost
    listen: ListenClient
    listen_options: FluxOptions
    speak: SpeakClient
    agent: Agent
    wording: Wording
    policy: Policy
    store: RecordStore
    calls: CallRegistry
    events: CallEvents
    """Takes what is reported of calls."""
    after_call: AfterCall | None
    """Sums calls up when they are over; None: nobody asked for it."""
    transcoder: Transcoder
    batch: InboundBatch
    wheel: TimingWheel = field(default_factory=TimingWheel)
    phrases: PhraseAudioCache = field(default_factory=PhraseAudioCache)
    agent_name: str = ""
    """What AGENT or a route calls the agent."""
