"""One call: a TaskGroup around one Conversation. It reads, hands in, and carries out what comes out.

Everything that happens is put into the inbox, stamped with its moment; the conversation decides; performing
a command never waits. The vital tasks are the carrier's reader and writer, listening and the voice. Replies
run beside them: when one fails the caller is asked again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Any

from telephony import events as ev
from telephony.base.tasks import guarded_task
from telephony.call.call_events import CallEventReporter
from telephony.call.checkpoint import AHEAD_S, Checkpoints
from telephony.call.deadline import Deadline
from telephony.call.facts import CallFacts
from telephony.call.inbound import Inbound
from telephony.call.outbound import Outbound
from telephony.call.reply_tasks import reply_tasks
from telephony.call.resources import CallResources
from telephony.call.sound_observer import SoundObserver
from telephony.call.speech_state import SpeechState
from telephony.carrier.call_flow import NextStep, Step
from telephony.carrier.media_messages import Started
from telephony.carrier.media_stream import ServerStream
from telephony.carrier.websocket import FrameSocket
from telephony.conversation.acoustic_echo import OwnSound
from telephony.conversation.conversation import Conversation
from telephony.deepgram import refusals
from telephony.deepgram.flux_codec import (
    END_OF_TURN,
    START_OF_TURN,
    Configure,
    ConfigureFailure,
    ConfigureSuccess,
    ForceEndTurn,
    TurnInfo,
)
from telephony.listen.events import ListenEvent, SttConnected, SttDisconnected
from telephony.playback.pacer import Mark

log = logging.getLogger(__name__)

STANDS_STILL_S = 1.0
NO_MEDIA_S = 15.0
"""A stream without a frame for so long is dead, whatever its socket says (livekit/sip's figure)."""
LOOK_EVERY_S = 0.5
CLOSE_S = 2.0


async def answer(
    socket: FrameSocket,
    stream: ServerStream,
    started: Started,
    resources: CallResources,
    observer: SoundObserver | None = None,
) -> None:
    """Run the call whose stream has just begun; returns when its socket is done with."""
    resumed = None
    if "resumed" in started.parameters:
        resumed = await resources.host.saved_conversation(started.call_sid)
    call = Call(socket, stream, started, resources, observer)
    resources.calls.add(call)
    resources.host.metrics.began(call)
    try:
        await call.run(resumed)
    finally:
        resources.calls.remove(call)
        resources.host.metrics.ended(call)
        call.report_end()
        call.dispose()


class Call(CallFacts):
    """The shell around one conversation."""

    def __init__(
        self,
        socket: FrameSocket,
        stream: ServerStream,
        started: Started,
        resources: CallResources,
        observer: SoundObserver | None = None,
    ) -> None:
        self.call_id = uuid.uuid4().hex[:16]
        self.started = started
        self._socket = socket
        self._resources = resources
        self._loop = asyncio.get_running_loop()
        self._t0 = self._loop.time()
        self._conversation = Conversation(resources.wording, resources.policy)
        self._redact = self._conversation.redactor()
        self._sensitive = False  # as the conversation said after the last event
        self._turn_began: float | None = None  # by the monotonic clock, until something is cleared for it
        self._stt_state = SpeechState()
        options = resources.listen_options
        self._listening = resources.listen.open(options, self._receive_listening)
        transcode = resources.transcoder.stream(
            options.encoding or "linear16", options.sample_rate or 16000, self._listening.send_audio
        )
        self._own_sound = OwnSound(transcode, self._loop.time)
        self._inbound = Inbound(socket, stream, resources.batch, self._own_sound.hear, self._put, observer)
        self._outbound = Outbound(
            socket, stream, resources, started.call_sid, self._own_sound, self._put, self._now,
            self._phrase_sent, observer,
        )  # fmt: skip
        self._checkpoints = Checkpoints(
            started.call_sid,
            lambda ahead_s: self._conversation.state_to_resume(self._now() + ahead_s),
            resources.host.saver,
        )
        self._reporter = CallEventReporter(resources.events, self.call_id, started.call_sid)
        self._replies = reply_tasks(resources.agent, self._put, self._conversation, self._reporter)
        self._inbox: deque[ev.Event] = deque()
        self._draining = False
        self._deadline = Deadline(self._next_deadline, lambda: self._put(ev.TimerFired()))
        self._origin = {"started": _stamp(), "agent": resources.agent_name}
        self._tape = resources.store.open_tape(
            self.call_id, started.call_sid, resources.wording, resources.policy, self._origin
        )
        self._next_look = LOOK_EVERY_S
        self._too_late = ""  # the caller's last words, heard when the call was over
        self._next_step: NextStep | None = None
        self._over = asyncio.Event()
        self._performers = self._table()

    def _table(self) -> dict[type, Callable[[Any], None]]:
        """What carries out each kind of command."""
        outbound = self._outbound
        return {
            ev.ClearAudio: self._clear_audio,
            ev.Play: outbound.play,
            ev.StopPlaying: lambda c: outbound.stop(),
            ev.StartReply: self._replies.start,
            ev.Speak: outbound.synthesis.speak,
            ev.ReleaseReply: self._release_reply,
            ev.CancelReply: self._cancel_reply,
            ev.PauseReply: self._replies.pause,
            ev.ContinueReply: self._replies.go_on,
            ev.DropAudio: outbound.drop,
            ev.SetThresholds: self._set_thresholds,
            ev.EndTurn: lambda c: self._listening.send(ForceEndTurn()),
            ev.ReopenListening: lambda c: self._listening.reopen(c.reason),
            ev.EndCall: self._end_call,
            ev.TransferCall: self._transfer,
            ev.DecisionLogged: lambda c: None,
        }

    # ---- life

    async def run(self, resumed: dict[str, Any] | None) -> None:
        """Run the call to its end."""
        log.info("call %s: begins as %s", self.started.call_sid, self.call_id)
        key = self._resources.wheel.add(self._tick)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._listening.run()),
                    group.create_task(self._inbound.run()),
                    *self._outbound.start(group),
                ]
                self._put(self._started_event(resumed))
                if resumed is None and self._reporter.wanted:
                    self._reporter.started(self._about())
                await self._over.wait()
                await self._close()
                for task in tasks:
                    task.cancel()
        finally:
            self._resources.wheel.remove(key)
            self._deadline.stop()
            self._checkpoints.stop()
            self._replies.stop()
            self._tape.close()
            await self._resources.store.save(self.call_id, self.record())  # it logs its own failure
            log.info(
                "call %s: over after %.1f s, ended by %s, %d turns",
                self.started.call_sid,
                self._now(),
                self._conversation.ended_by,
                len(self._conversation.transcript.records),
            )

    def _started_event(self, resumed: dict[str, Any] | None) -> ev.CallStarted:
        parameters = {k: v for k, v in self.started.parameters.items() if k != "token"}
        return ev.CallStarted(
            self.call_id,
            self.started.call_sid,
            self.started.stream_sid,
            parameters.get("from", ""),
            parameters.get("to", ""),
            parameters,
            resumed,
        )

    async def _close(self) -> None:
        """Store the call's next step, then close the socket and the speech connections."""
        host, sid = self._resources.host, self.started.call_sid
        if self._next_step is not None:  # before all else: a transfer must not be lost with the conversation
            await self._in_time("the next step", host.set_next_step(sid, self._next_step))
        await self._in_time("the conversation", self._save(self._next_step))
        self._outbound.synthesis.close()
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(CLOSE_S):
                await asyncio.gather(self._listening.close(), self._close_socket())

    async def _save(self, step: NextStep | None) -> None:
        """The last state of the conversation is kept for the call's next stream, where there may be one."""
        host, sid = self._resources.host, self.started.call_sid
        self._checkpoints.stop()
        if step is None or step.then is not Step.HANG_UP:
            await host.save_conversation(sid, self._conversation.state_to_resume())
        else:
            await host.forget_conversation(sid)

    async def _in_time(self, what: str, saving: Coroutine[Any, Any, None]) -> None:
        """Save something; that it fails costs nothing but itself."""

        def failed(error: Exception) -> None:  # each step of a call's end is taken, whatever the others did
            log.error("call %s: %s was not saved: %s", self.started.call_sid, what, repr(error))

        async def save() -> None:
            async with asyncio.timeout(CLOSE_S):
                await saving

        await guarded_task(failed, save())

    async def _close_socket(self) -> None:
        if not self._socket.closed:
            await self._socket.close()

    def dispose(self) -> None:
        """It is over and written down: take it apart.

        Its parts refer to each other by callbacks. Left in such cycles they would stay, 30 KiB a call, until
        the garbage collector looks, which it seldom does here (`serve.GC_THRESHOLDS`).
        """
        self._performers.clear()
        self._conversation.dispose()
        self._redact.dispose()
        self._draining = True  # what comes late is put into an inbox that nobody reads
        self._outbound.dispose()
        del self._listening, self._own_sound, self._inbound, self._outbound, self._checkpoints
        del self._deadline, self._replies, self._resources

    def say_goodbye(self) -> None:
        """Have the call end politely."""
        farewell = self._resources.wording.farewell
        self._put(ev.OperatorCommand(farewell, hang_up=True, reason="the server stops"))

    def stop(self) -> None:
        """The process ends now: write down what is known."""
        self._put(ev.CallStopped(ev.EndReason.STOPPED))
        self._tape.close()
        self._resources.store.save_soon(self.call_id, self.record())

    # ---- the inbox

    def _now(self) -> float:
        # To the microsecond, as the tape writes it: run again, it must be the very same number. (round() to
        # so many digits goes by way of the decimal text, at 3 times the cost.)
        return int((self._loop.time() - self._t0) * 1e6 + 0.5) / 1e6

    def _put(self, event: ev.Event) -> None:
        """Put an event in, and carry out what is decided; events that arise meanwhile follow it."""
        if self._draining:
            self._inbox.append(event)
            return
        self._draining = True
        try:
            self._take(event)
            while self._inbox:
                self._take(self._inbox.popleft())
        finally:
            self._draining = False
        self._deadline.arm()

    def _take(self, event: ev.Event) -> None:
        now, before, conversation = self._now(), self._sensitive, self._conversation
        commands = conversation.receive(event, now)
        self._sensitive = conversation.sensitive
        self._tape.note(now, *self._redact(event, commands, before or self._sensitive))
        self._checkpoints.look(event, commands)
        self._reporter.look(len(conversation.transcript.records), self._turns_json)
        for command in commands:
            self._performers[type(command)](command)
        if conversation.over:
            self._over.set()

    def _next_deadline(self) -> float | None:
        deadline = self._conversation.next_deadline()
        return None if deadline is None else self._t0 + deadline

    # ---- the carrier

    def _tick(self, now: float) -> None:
        """The timing wheel's turn: write what is due, and see to what the clock alone can show."""
        self._outbound.tick()
        self._inbound.watch(now, self._conversation.turn_open)
        if now - self._t0 >= self._next_look:
            self._next_look = now - self._t0 + LOOK_EVERY_S
            silent_s = self._inbound.silent_s(now)
            # A line that stands still brings no marks either.
            overdue_s = (
                0.0 if silent_s > STANDS_STILL_S else self._conversation.ledger.unanswered_s(self._now())
            )
            if silent_s > NO_MEDIA_S or self._outbound.stuck(now, overdue_s):
                self._put(ev.CallStopped(ev.EndReason.ERROR))

    def _phrase_sent(self, mark: Mark, in_s: float) -> None:
        """All of a phrase was sent; it is saved as heard when it is."""
        self._checkpoints.phrase_ends(in_s, partial(self._will_be_heard, mark))

    def _will_be_heard(self, mark: Mark) -> bool:
        """Whether our words up to a mark count as heard in what is saved now."""
        return self._conversation.ledger.reaches(mark.reply, mark.sample, self._now() + AHEAD_S)

    def _clear_audio(self, command: ev.ClearAudio) -> None:
        self._outbound.clear(self._turn_began)
        self._turn_began = None  # what else is cleared in this turn is not its beginning's doing

    def _end_call(self, command: ev.EndCall) -> None:
        self._next_step = NextStep(Step.HANG_UP)
        if command.reason.voice_lost:
            self._next_step = NextStep(Step.SAY, text=self._resources.policy.apology)

    def _transfer(self, command: ev.TransferCall) -> None:
        given = self.started.parameters
        ours = given.get("from" if self.is_outbound else "to", "")
        self._next_step = self._resources.host.transfer(self.started.call_sid, command.to, ours)
        if self._next_step.then is Step.TRANSFER:
            self._reporter.transferred(command.to)

    # ---- listening

    def _receive_listening(self, event: ListenEvent) -> None:
        if isinstance(event, TurnInfo):
            if self._conversation.over:
                self._too_late = event.transcript or self._too_late
            if self._stt_state.works():
                log.warning("call %s: listening is back", self.started.call_sid)
            if event.event == START_OF_TURN:
                # uvloop's own clock stands still within a turn of the loop.
                self._turn_began = time.monotonic()
            measured = self._own_sound.measure(event)
            if measured is not None:
                self._put(measured)
            self._put(ev.TurnInfoReceived(event))
            if event.event == END_OF_TURN:
                self._turn_began = None
        elif isinstance(event, SttDisconnected):
            why = refusals.describe("listening", event.status, event.dg_error, event.reason)
            if self._stt_state.down(why):
                log.warning("call %s: %s", self.started.call_sid, why)
            self._put(event)
        elif isinstance(event, SttConnected):
            self._own_sound.connected(event.offset_s)
            self._put(event)
        elif isinstance(event, ConfigureSuccess):
            self._put(ev.Configured())
        elif isinstance(event, ConfigureFailure):
            log.warning("call %s: Configure was refused: %s", self.started.call_sid, event.code)
            self._put(ev.Configured(f"{event.code} {event.description}"))

    def _set_thresholds(self, command: ev.SetThresholds) -> None:
        self._listening.send(
            Configure(
                eot_threshold=command.eot_threshold,
                eager_eot_threshold=command.eager_eot_threshold,
                eot_timeout_ms=command.eot_timeout_ms,
            )
        )

    # ---- the agent

    def _release_reply(self, command: ev.ReleaseReply) -> None:
        self._replies.release(command.reply)
        self._outbound.synthesis.release(command.reply)

    def _cancel_reply(self, command: ev.CancelReply) -> None:
        self._replies.cancel(command.reply)
        self._outbound.cancel(command)


def _stamp() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
