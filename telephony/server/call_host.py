"""The server as its calls see it: saved conversations, next steps, ends of calls, measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from telephony.base.shared_store import SharedStore
from telephony.base.shared_store_memory import FailOpen
from telephony.call.checkpoint import CheckpointWriter
from telephony.call.endings import Endings
from telephony.carrier.call_flow import NextStep
from telephony.carrier.rest import TwilioRest
from telephony.config.settings import Settings
from telephony.server.admission import Admission
from telephony.server.metrics import Metrics
from telephony.server.next_steps import NextSteps
from telephony.server.shared_calls import CONVERSATION_TTL_S, SharedCalls


@dataclass(frozen=True, slots=True)
class ServerCallHost:
    """A `CallHost`."""

    settings: Settings
    store: SharedStore
    """What processes share. Its failures are raised: dialling and deletion need it."""
    shared: FailOpen
    """The same store as calls use it: they go on when it fails."""
    admission: Admission
    rest: TwilioRest | None
    """Twilio's REST API, where there are credentials."""
    calls: SharedCalls
    steps: NextSteps
    saver: CheckpointWriter
    endings: Endings
    metrics: Metrics

    async def saved_conversation(self, call_sid: str) -> dict[str, Any] | None:
        return await self.calls.saved_conversation(call_sid)

    async def save_conversation(self, call_sid: str, state: Mapping[str, Any]) -> None:
        await self.calls.save_conversation(call_sid, state)

    async def forget_conversation(self, call_sid: str) -> None:
        await self.calls.forget_conversation(call_sid)

    async def set_next_step(self, call_sid: str, step: NextStep) -> None:
        await self.steps.set(call_sid, step)

    def transfer(self, call_sid: str, to: str, called: str) -> NextStep:
        return self.steps.transfer(call_sid, to, called)


def make_host(
    settings: Settings, store: SharedStore, rest: TwilioRest | None, unwritten: Callable[[], int]
) -> ServerCallHost:
    """`unwritten` counts the events and records of calls that could not be written."""
    shared, admission = FailOpen(store), Admission()
    calls = SharedCalls(store, shared)
    return ServerCallHost(
        settings=settings,
        store=store,
        shared=shared,
        admission=admission,
        rest=rest,
        calls=calls,
        steps=NextSteps(settings, shared, rest, admission),
        saver=CheckpointWriter(calls.save_conversations),
        endings=Endings(calls.is_ended, CONVERSATION_TTL_S),
        metrics=Metrics(admission, unwritten),
    )
