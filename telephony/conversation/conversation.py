"""One call's conversation: events in, commands out. PURE: no clock, no randomness, no I/O.

All of turn-taking is decided here and in the two sides: when to answer, when to fall silent, whether to go
on, what to say into silence, when to hang up. What was heard is read from the ledger and nowhere else. The
same events at the same moments always give the same commands: a call's tape can be run again.
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
from telephony.conversation.redaction import Redactor
from telephony.conversation.reply_queue import ReplyKind
from telephony.conversation.resume import leave, take_up
from telephony.conversation.state import ConversationState
from telephony.conversation.timers import Timer
from telephony.listen.events import SttConnected, SttDisconnected
from telephony.reply.agent import CallInfo, Expect, HangUp, Transfer, Wording

WARN_AGAIN_S = 0.5
OF_THE_CALLER = frozenset({Timer.SILENCE, Timer.PAUSE, Timer.DTMF_PAUSE, Timer.DTMF_ANSWER})
"""Timers that end because the caller does nothing: not while the line stands still."""
STILL_AGAIN_S = 0.25


class CallPhase(Enum):
    """How far the call has come."""

    WAITING = "waiting"
    TALKING = "talking"
    OVER = "over"


class Conversation:
    """The mind of one call. Feed it with `receive`; wake it at `next_deadline`."""

    def __init__(self, wording: Wording, policy: Policy) -> None:
        scene = self._scene = ConversationState(wording, policy)
        agent = self._agent = AgentTurn(scene)
        keys = DtmfEntry(scene, agent)
        caller = self._caller = CallerTurn(scene, agent, keys)
        self._keys = keys
        self._begun = False
        self._left: dict[str, Any] | None = None
        scene.before_close = self._leave
        self._on: dict[type, Callable[[Any], None]] = {
            ev.CallStarted: self._started,
            ev.MediaTimestamp: self._clock,
            ev.CallStopped: lambda event: scene.close(event.reason),
            ev.OperatorCommand: self._operator,
            ev.EchoMeasured: caller.on_echo,
            ev.TurnInfoReceived: caller.on_turn,
            ev.DtmfPressed: keys.on_dtmf,
            SttConnected: caller.on_listen_up,
            SttDisconnected: caller.on_listen_down,
            ev.AudioShifted: caller.on_shift,
            ev.ReplyText: agent.on_text,
            ev.ReplyNote: agent.on_note,
            ev.ReplyAction: agent.on_action,
            ev.ReplyEnded: agent.on_ended,
            ev.ReplyAudio: agent.on_audio,
            ev.PhraseSpoken: agent.on_phrase,
            ev.PhraseCut: lambda e: scene.account.voice_said(e.reply, e.phrase, e.text_spoken),
            ev.TtsDisconnected: agent.on_voice_down,
            ev.Sent: agent.on_sent,
            ev.MarkSent: lambda e: scene.ledger.mark_sent(e.name, e.reply, e.sample, scene.now),
            ev.MarkPlayed: self._mark_played,
            ev.Configured: lambda event: None,
            ev.TimerFired: lambda event: None,
        }
        self._on_timer: dict[Timer, Callable[[], None]] = {
            Timer.PAUSE: caller.hold_expired,
            Timer.GO_ON: agent.go_on,
            Timer.FILLER: lambda: agent.say_filler(scene.prompts.filler()),
            Timer.BRIDGE: lambda: agent.say_filler(wording.bridge),
            Timer.GIVE_UP: agent.give_up_answer,
            Timer.SILENCE: agent.say_into_silence,
            Timer.STUCK_TURN: caller.turn_stuck,
            Timer.DEAD_LISTENING: caller.listening_dead,
            Timer.LISTENING_MISSING: caller.listening_missing,
            Timer.TURN_NOT_CARRIED: caller.turn_not_carried,
            Timer.NO_SPEECH: caller.no_speech,
            Timer.DTMF_PAUSE: keys.done,
            Timer.DTMF_ANSWER: keys.answer,
            Timer.LENGTH_WARNING: self._warn_of_length,
            Timer.LENGTH: self._too_long,
            Timer.GOODBYE: agent.goodbye_overdue,
            Timer.PLAYED_OUT: lambda: None,
        }
        self.ledger = scene.ledger
        self.account = scene.account

    # ---- the two doors

    def receive(self, event: ev.Event, now: float) -> list[ev.Command]:
        """Take one event that happened at `now`; returns what is to be done, in order."""
        scene = self._scene
        if scene.over:
            return []
        scene.now = now
        for timer in scene.timers.pop_due(now):
            if timer in OF_THE_CALLER and scene.line_stands_still:
                scene.timers.set(timer, now + STILL_AGAIN_S)
            elif self._begun and not scene.over:
                self._on_timer[timer]()
        if not scene.over:
            self._on[type(event)](event)
        if self._begun and not scene.over:
            self._agent.advance()
        if not scene.commands:
            return []
        commands = scene.commands.copy()
        scene.commands.clear()
        return commands

    def next_deadline(self) -> float | None:
        """When to put in a `TimerFired` if nothing else happens before; None: never."""
        return None if self._scene.over else self._scene.timers.next()

    @property
    def over(self) -> bool:
        """Whether the call has ended: nothing will come of any event."""
        return self._scene.over

    @property
    def phase(self) -> CallPhase:
        """How far the call has come."""
        if self._scene.over:
            return CallPhase.OVER
        return CallPhase.TALKING if self._begun else CallPhase.WAITING

    @property
    def turn_open(self) -> bool:
        """Whether the caller is in the middle of a turn."""
        return self._scene.speaking is not None

    @property
    def sensitive(self) -> bool:
        """Whether what the caller says or keys in now is not to be written down."""
        return self._scene.sensitive

    def withholder(self) -> Redactor:
        """What takes sensitive answers out of what is written; ask before the first event."""
        keys = self._keys
        return Redactor(self._scene, lambda: keys.asked)

    @property
    def blanks(self) -> Sequence[tuple[float, float]]:
        """From when to when, in seconds of the caller's stream, a recording must not be heard; it grows."""
        return self._scene.blanks

    @property
    def withholding(self) -> bool:
        """Whether something was withheld in this call, which the agent may know."""
        return self._scene.guarding or bool(self._scene.secrets)

    def written_notes(self) -> dict[str, Any]:
        """What the agent has noted so far, as it may be written down."""
        return self._scene.written_notes()

    @property
    def ended_by(self) -> ev.EndReason | None:
        """What ended the stream; None while the call runs."""
        return self._scene.ended_by

    @property
    def hang_up_reason(self) -> ev.HangUpReason | None:
        """Why we hung up, if we did."""
        return self._scene.hang_up_reason

    @property
    def info(self) -> CallInfo:
        """Which call this is, once it has begun."""
        return self._scene.info

    @property
    def notes(self) -> Mapping[str, Any]:
        """What the agent has noted so far."""
        return self._scene.notes

    def state_to_resume(self, now: float | None = None) -> dict[str, Any]:
        """What another stream of the same call needs to go on: see `CallStarted.resumed`.

        `now`: the moment up to which our words count as heard; the last event's by default.
        """
        if self._left is not None:
            return self._left
        return leave(self._scene, self._agent, self._scene.now if now is None else now)

    def let_go(self) -> None:
        """Nothing more will be put in: take its tables apart, which go in circles (see `Call.let_go`)."""
        self._scene.over = True
        self._on.clear()
        self._on_timer.clear()
        self._scene.before_close = lambda: None
        self._caller.let_go()

    # ---- the call

    def _started(self, event: ev.CallStarted) -> None:
        scene = self._scene
        self._begun = True
        scene.info = CallInfo(
            event.call_id, event.call_sid, event.from_number, event.to_number, dict(event.parameters)
        )
        policy, greeting = scene.policy, scene.wording.greeting
        scene.timers.set(Timer.LENGTH, scene.now + policy.max_call_s)
        if policy.max_call_s > 2 * policy.warning_s:
            scene.timers.set(Timer.LENGTH_WARNING, scene.now + policy.max_call_s - policy.warning_s)
        if event.resumed is not None:
            take_up(scene, self._agent, event.resumed, ResumeReason.of(event.parameters.get("resumed", "")))
        elif greeting.text:
            self._agent.say(ReplyKind.GREETING, greeting.text, interruptible=greeting.interruptible)

    def _leave(self) -> None:
        self._left = leave(self._scene, self._agent, self._scene.now)

    def _clock(self, event: ev.MediaTimestamp) -> None:
        self._scene.line_came()
        self._scene.account.clock.frame(event.stream_ms, self._scene.now)
        self._scene.ledger.line.clock(event.stream_ms, self._scene.now)

    def _mark_played(self, event: ev.MarkPlayed) -> None:
        self._scene.ledger.mark_played(event.name, self._scene.now, event.stream_ms)

    def _operator(self, event: ev.OperatorCommand) -> None:
        reason = event.reason or "an operator"
        self._agent.cut(reason)
        self._agent.drop_draft(reason)
        actions: list[HangUp | Transfer | Expect] = [Transfer(event.transfer)] if event.transfer else []
        if event.hang_up:
            actions.append(HangUp())
        self._agent.say(ReplyKind.NOTICE, event.say, actions, interruptible=not event.hang_up)

    def _warn_of_length(self) -> None:
        """When nobody is in mid-sentence; it would be lost, or talk over the caller."""
        scene = self._scene
        if scene.speaking is not None or scene.floor.held:
            scene.timers.set(Timer.LENGTH_WARNING, scene.now + WARN_AGAIN_S)
        elif scene.wording.warning:
            self._agent.say(ReplyKind.NOTICE, scene.wording.warning)

    def _too_long(self) -> None:
        reason = "the call's greatest length"
        self._agent.cut(reason)
        self._agent.drop_draft(reason)
        self._agent.say(ReplyKind.NOTICE, self._scene.wording.farewell, [HangUp()], interruptible=False)
