"""One call's conversation: events in, commands out. PURE: no clock, no randomness, no I/O.

All of turn-taking is decided here and in the two turns: when to answer, when to fall silent, whether to go
on, what to say into silence, when to hang up. Only the ledger says what was heard. The same events at the
same moments always give the same commands, so a call's tape can be run again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

from telephony import events as ev
from telephony.carrier.call_flow import ResumeReason
from telephony.conversation.agent_turn import AgentTurn
from telephony.conversation.caller_turn import CallerTurn
from telephony.conversation.dtmf_entry import DtmfEntry
from telephony.conversation.policy import Policy
from telephony.conversation.queued_reply import ReplyKind
from telephony.conversation.redaction import Redactor
from telephony.conversation.resume import restore, save
from telephony.conversation.state import ConversationState
from telephony.conversation.timers import Timer
from telephony.conversation.voice_watch import VoiceWatch
from telephony.listen.events import SttConnected, SttDisconnected
from telephony.playback.position import LOST_MARK_S
from telephony.reply.agent import CallInfo, Expect, HangUp, Transfer, Wording

WARN_AGAIN_S = 0.5
OF_THE_CALLER = frozenset({Timer.SILENCE, Timer.PAUSE, Timer.DTMF_PAUSE, Timer.DTMF_ANSWER})
"""Timers that end because the caller does nothing. They wait while the line has stalled."""
STALLED_AGAIN_S = 0.25


class CallPhase(Enum):
    """How far the call has come."""

    WAITING = "waiting"
    TALKING = "talking"
    OVER = "over"


class Conversation:
    """The mind of one call. Feed it with `receive`; wake it at `next_deadline`."""

    def __init__(self, wording: Wording, policy: Policy) -> None:
        state = self._state = ConversationState(wording, policy, before_close=self._leave)
        voice = self._voice = VoiceWatch(state)
        agent = self._agent = AgentTurn(state, voice)
        dtmf = self._dtmf = DtmfEntry(state, agent)
        self._caller = CallerTurn(state, agent, dtmf, voice)
        self._begun = False
        self._left: dict[str, Any] | None = None
        self._on = self._handlers()
        self._on_timer = self._timer_handlers()
        self.ledger = state.ledger
        self.transcript = state.transcript

    def _handlers(self) -> dict[type, Callable[[Any], None]]:
        """For each event, what takes it."""
        state, agent, caller = self._state, self._agent, self._caller
        return {
            ev.CallStarted: self._started,
            ev.MediaTimestamp: self._clock,
            ev.CallStopped: lambda event: state.close(event.reason),
            ev.OperatorCommand: self._operator,
            ev.EchoMeasured: caller.echo.on_measured,
            ev.TurnInfoReceived: caller.on_turn,
            ev.DtmfPressed: self._dtmf.on_dtmf,
            SttConnected: caller.on_listen_up,
            SttDisconnected: caller.on_listen_down,
            ev.AudioShifted: caller.on_shift,
            ev.ReplyText: agent.on_text,
            ev.ReplyNote: agent.on_note,
            ev.ReplyAction: agent.on_action,
            ev.ReplyEnded: agent.on_ended,
            ev.ReplyAudio: agent.on_audio,
            ev.PhraseSpoken: agent.on_phrase,
            ev.PhraseCut: lambda e: state.transcript.voice_reported(e.reply, e.phrase, e.text_spoken),
            ev.TtsDisconnected: self._voice.on_down,
            ev.Sent: agent.on_sent,
            ev.MarkSent: lambda e: state.ledger.mark_sent(e.name, e.reply, e.sample, state.now),
            ev.MarkPlayed: self._mark_played,
            ev.Configured: lambda event: None,
            ev.TimerFired: lambda event: None,
        }

    def _timer_handlers(self) -> dict[Timer, Callable[[], None]]:
        """For each timer, what its deadline means."""
        state, agent, caller, dtmf = self._state, self._agent, self._caller, self._dtmf
        return {
            Timer.PAUSE: caller.pause_expired,
            Timer.GO_ON: agent.go_on,
            Timer.FILLER: lambda: agent.say_filler(state.prompts.filler()),
            Timer.BRIDGE: lambda: agent.say_filler(state.wording.bridge),
            Timer.GIVE_UP: agent.give_up_answer,
            Timer.SILENCE: agent.say_into_silence,
            Timer.STUCK_TURN: caller.turn_stuck,
            Timer.DEAD_LISTENING: caller.listening_dead,
            Timer.LISTENING_MISSING: caller.listening_missing,
            Timer.TURN_NOT_CARRIED: caller.turn_not_carried,
            Timer.NO_SPEECH: caller.no_speech,
            Timer.DTMF_PAUSE: dtmf.done,
            Timer.DTMF_ANSWER: dtmf.answer,
            Timer.LENGTH_WARNING: self._warn_of_length,
            Timer.LENGTH: self._too_long,
            Timer.GOODBYE: self._goodbye_overdue,
            Timer.PLAYED_OUT: lambda: None,
        }

    # ---- the two doors

    def receive(self, event: ev.Event, now: float) -> list[ev.Command]:
        """Take one event that happened at `now`; returns what must be done, in order."""
        state = self._state
        if state.over:
            return []
        state.tick(now)
        for timer in state.timers.pop_due(now):
            if timer in OF_THE_CALLER and state.line_stalled:
                state.timers.set(timer, now + STALLED_AGAIN_S)
            elif self._begun and not state.over:
                self._on_timer[timer]()
        if not state.over:
            self._on[type(event)](event)
        if self._begun and not state.over:
            self._agent.advance()
        return state.take_commands()

    def next_deadline(self) -> float | None:
        """When to put in a `TimerFired` if nothing else happens before; None: never."""
        return None if self._state.over else self._state.timers.next()

    @property
    def over(self) -> bool:
        """Whether the call has ended: events have no effect any more."""
        return self._state.over

    @property
    def phase(self) -> CallPhase:
        """How far the call has come."""
        if self._state.over:
            return CallPhase.OVER
        return CallPhase.TALKING if self._begun else CallPhase.WAITING

    @property
    def turn_open(self) -> bool:
        """Whether the caller is in the middle of a turn."""
        return self._state.speaking is not None

    @property
    def sensitive(self) -> bool:
        """Whether what the caller says or keys in now must not be written down."""
        return self._state.sensitive

    def redactor(self) -> Redactor:
        """What takes sensitive answers out of what is written. Make it before the first event."""
        dtmf = self._dtmf
        return Redactor(self._state, lambda: dtmf.asked)

    @property
    def blanks(self) -> Sequence[tuple[float, float]]:
        """From when to when, in seconds of the caller's stream, a recording must be silent; it grows."""
        return self._state.blanks

    @property
    def redacting(self) -> bool:
        """Whether something was redacted in this call, which the agent may know."""
        return self._state.sensitive_asked or bool(self._state.secrets)

    def written_notes(self) -> dict[str, Any]:
        """What the agent has noted so far, as it may be written down."""
        return self._state.written_notes()

    @property
    def ended_by(self) -> ev.EndReason | None:
        """What ended the stream; None while the call runs."""
        return self._state.ended_by

    @property
    def hang_up_reason(self) -> ev.HangUpReason | None:
        """Why we hung up, if we did."""
        return self._state.hang_up_reason

    @property
    def info(self) -> CallInfo:
        """Which call this is, once it has begun."""
        return self._state.info

    @property
    def notes(self) -> Mapping[str, Any]:
        """What the agent has noted so far."""
        return self._state.notes

    def state_to_resume(self, now: float | None = None) -> dict[str, Any]:
        """What another stream of the same call needs to go on: see `CallStarted.resumed`.

        `now`: the moment up to which our words count as heard; the last event's by default.
        """
        if self._left is not None:
            return self._left
        return save(self._state, self._agent, self._state.now if now is None else now)

    def dispose(self) -> None:
        """Nothing more will be put in: take its tables apart, which refer to each other in circles."""
        self._on.clear()
        self._on_timer.clear()
        self._state.dispose()
        self._caller.dispose()

    # ---- the call

    def _started(self, event: ev.CallStarted) -> None:
        state = self._state
        self._begun = True
        state.begin(
            CallInfo(
                event.call_id, event.call_sid, event.from_number, event.to_number, dict(event.parameters)
            )
        )
        policy, greeting = state.policy, state.wording.greeting
        state.timers.set(Timer.LENGTH, state.now + policy.max_call_s)
        if policy.max_call_s > 2 * policy.warning_s:
            state.timers.set(Timer.LENGTH_WARNING, state.now + policy.max_call_s - policy.warning_s)
        if event.resumed is not None:
            restore(state, self._agent, event.resumed, ResumeReason.of(event.parameters.get("resumed", "")))
        elif greeting.text:
            self._agent.say(ReplyKind.GREETING, greeting.text, interruptible=greeting.interruptible)

    def _leave(self) -> None:
        self._left = save(self._state, self._agent, self._state.now)

    def _clock(self, event: ev.MediaTimestamp) -> None:
        self._state.media_came()
        self._state.transcript.clock.frame(event.stream_ms, self._state.now)
        self._state.ledger.line.clock(event.stream_ms, self._state.now)

    def _mark_played(self, event: ev.MarkPlayed) -> None:
        self._state.ledger.mark_played(event.name, self._state.now, event.stream_ms)

    def _operator(self, event: ev.OperatorCommand) -> None:
        reason = event.reason or "an operator"
        self._agent.cut(reason)
        self._agent.drop_draft(reason)
        actions: list[HangUp | Transfer | Expect] = [Transfer(event.transfer)] if event.transfer else []
        if event.hang_up:
            actions.append(HangUp())
        self._agent.say(ReplyKind.NOTICE, event.say, actions, interruptible=not event.hang_up)

    def _warn_of_length(self) -> None:
        """Warn when nobody is in mid-sentence; else the warning would be lost, or talk over the caller."""
        state = self._state
        if state.speaking is not None or state.replies.paused:
            state.timers.set(Timer.LENGTH_WARNING, state.now + WARN_AGAIN_S)
        elif state.wording.warning:
            self._agent.say(ReplyKind.NOTICE, state.wording.warning)

    def _too_long(self) -> None:
        reason = "the call's greatest length"
        self._agent.cut(reason)
        self._agent.drop_draft(reason)
        self._agent.say(ReplyKind.NOTICE, self._state.wording.farewell, [HangUp()], interruptible=False)

    def _goodbye_overdue(self) -> None:
        """A goodbye must be over by now, unless it is a long one that is still being said."""
        state = self._state
        if state.ledger.play_end > state.now - LOST_MARK_S and not state.replies.paused:
            state.timers.set(Timer.GOODBYE, state.ledger.play_end + LOST_MARK_S + 1.0)
            return
        state.end_call(ev.HangUpReason.GOODBYE_OVERDUE)
