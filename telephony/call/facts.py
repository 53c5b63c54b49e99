"""What others ask of a running call: its record, what it noted, how its line does, how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from telephony.call.call_events import CallEventReporter
from telephony.call.end_of_call import end_of_call
from telephony.call.figures import CallOutcome, Traffic
from telephony.call.inbound import Inbound
from telephony.call.outbound import Outbound
from telephony.call.resources import CallResources
from telephony.call.speech_state import SpeechState, problems
from telephony.carrier.call_flow import NextStep, Step
from telephony.carrier.media_messages import Started
from telephony.carrier.websocket import FrameSocket
from telephony.conversation.conversation import Conversation
from telephony.events import EndReason
from telephony.listen.client import ListenConnection
from telephony.record.call_record import record_of
from telephony.reply.agent import EndedCall

OVER_WITH = (Step.HANG_UP, Step.SAY)
"""What is left to do of a call that is over."""


class CallFacts:
    """The questions; `Call` has what they are answered from."""

    call_id: str
    started: Started
    _socket: FrameSocket
    _resources: CallResources
    _loop: asyncio.AbstractEventLoop
    _conversation: Conversation
    _listening: ListenConnection
    _inbound: Inbound
    _outbound: Outbound
    _stt_state: SpeechState
    _origin: dict[str, str]
    _reporter: CallEventReporter
    _too_late: str
    _next_step: NextStep | None

    def _now(self) -> float:
        """Seconds since the call began."""
        raise NotImplementedError

    @property
    def is_outbound(self) -> bool:
        """Whether Twilio calls it outbound.

        Its Direction is `inbound`, `outbound-api` or `outbound-dial` (Twilio, "TwiML Voice: request
        parameters"); our TwiML hands it on.
        """
        return self.started.parameters.get("direction", "").startswith("outbound")

    def report_end(self) -> None:
        """Its stream is over: the agent is notified when the call is."""
        conversation, after = self._conversation, self._next_step
        ended = EndedCall(
            conversation.info,
            dict(conversation.notes),
            tuple(conversation.transcript.history),
            conversation.ended_by or EndReason.ERROR,
            self._origin["started"],
            round(self._now(), 3),
        )
        asked = self._reporter.wanted or self._resources.after_call is not None
        record = self.record() if asked else {}  # else nobody reads it
        if asked:
            self._reporter.stream_over(record["turns"])
        final = conversation.ended_by is EndReason.CALLER or (after is not None and after.then in OVER_WITH)
        redacting = conversation.redacting  # used later, without the conversation
        resources = self._resources
        notify = partial(
            end_of_call,
            resources.agent,
            resources.after_call,
            resources.store,
            self._reporter,
            ended,
            record,
            lambda: redacting,
        )
        self._resources.host.endings.stream_ended(self.started.call_sid, notify, final=final)

    def silent_s(self) -> float | None:
        """For how long its stream has brought no frame; None when it has ended."""
        if self._conversation.over or self._socket.closed:
            return None
        return self._inbound.silent_s(self._loop.time())

    @property
    def sensitive(self) -> bool:
        """Whether what is said now is not to be kept."""
        return self._conversation.sensitive

    @property
    def notes(self) -> Mapping[str, Any]:
        """What the agent has noted so far."""
        return self._conversation.notes

    @property
    def blanks(self) -> Sequence[tuple[float, float]]:
        """From when to when, in seconds of the caller's stream, a recording must not be heard; it grows."""
        return self._conversation.blanks

    @property
    def unheeded(self) -> list[str]:
        """What the caller said last, to which the agent has not answered: all of it once the call is over."""
        return [*self._conversation.state_to_resume()["unanswered"], self._too_late]

    @property
    def answered(self) -> bool:
        """Whether the caller has said something before that."""
        return any(line[0] == "caller" for line in self._conversation.state_to_resume()["history"])

    def record(self) -> dict[str, Any]:
        """The call so far, as JSON: what GET /api/calls/{id} gives."""
        conversation = self._conversation
        record = record_of(
            conversation,
            self.call_id,
            self.started.call_sid,
            ended_by=conversation.ended_by,
            duration_s=self._now(),
            media=self._inbound.media_record(),
            origin=self._origin,
        )
        return {
            **record,
            "speech": problems(self._stt_state, self._outbound.synthesis.state, conversation.hang_up_reason),
        }

    def _turns_json(self) -> list[dict[str, Any]]:
        conversation = self._conversation
        return conversation.transcript.turns_json(conversation.ledger.line_delay_s())

    def _about(self) -> dict[str, Any]:
        """Who called whom, when, and who answers."""
        record = self.record()
        return {name: record[name] for name in ("from", "to", "started", "agent", "route")}

    def traffic(self) -> Traffic:
        """What went over its line so far."""
        caller, listening = self._inbound.counts, self._listening.counts
        return Traffic(
            frames_in=caller.frames,
            samples_out=self._outbound.samples_sent,
            samples_lost=caller.filled,
            samples_late=caller.dropped,
            underruns=self._outbound.underruns,
            stt_lost=listening.lost,
            stt_failed=listening.failures,
        )

    def outcome(self) -> CallOutcome:
        """What it was, reported once at its end."""
        record, parameters = self.record(), self.started.parameters
        dialled = "dial" in parameters or self.is_outbound
        latencies = [turn["latency_ms"] for turn in record["turns"] if turn["latency_ms"]]
        responses = [latency["mouth_to_ear"] / 1000 for latency in latencies]
        return CallOutcome(dialled, self._conversation.ended_by, record["duration_s"], responses)
