"""One call's conversation: events in, commands out. PURE: no clock, no randomness, no I/O.

All of turn-taking is decided here: when to answer, when to fall silent, whether to go on, what to say into
silence, when to hang up. What was heard is read from the ledger and nowhere else. The same events at the
same moments always give the same commands: a call's tape can be run again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from telephony import events as ev
from telephony.floor import Floor, Kind, Reply, Stage
from telephony.listen.murmur import is_echo, is_farewell, is_murmur
from telephony.listen.turns import CallerTurns, TurnEvent, TurnKind
from telephony.policy import FORCED_END_S, GOODBYE_S, QUESTION_THRESHOLDS, VOICE_FAILURES, Policy
from telephony.record.account import Account
from telephony.record.turns import CallerPart, TurnRecord
from telephony.reply.agent import CallInfo, Expect, HangUp, Line, Manners, Transfer, Turn, Wait
from telephony.reply.prompts import Prompts
from telephony.speak.playback import Ledger
from telephony.timers import Timers


class Phase(Enum):
    """How far the call has come."""

    WAITING = "waiting"
    TALKING = "talking"
    OVER = "over"


@dataclass(slots=True)
class CallerSpeaking:
    """The turn that the caller has open."""

    turn: int
    since: float
    text: str = ""
    eager_at: float | None = None
    gone_on: bool = False
    """It was taken for a murmur or noise, and we went on."""
    acknowledged: bool = False


class Conversation:
    """The mind of one call. Feed it with `receive`; wake it at `next_deadline`."""

    def __init__(self, manners: Manners, policy: Policy) -> None:
        self.manners = manners
        self.policy = policy
        self.phase = Phase.WAITING
        self.notes: dict[str, Any] = {}
        self.ended_by = ""
        self.info = CallInfo("")
        self.ledger = Ledger()
        self.account = Account(self.ledger)
        self._commands: list[ev.Command] = []
        self._floor = Floor(self.ledger, self._commands)
        self._prompts = Prompts(manners)
        self._turns = CallerTurns()
        self._timers = Timers()
        self._speaking: CallerSpeaking | None = None
        self._draft: Reply | None = None
        self._answer: Reply | None = None
        """The accepted answer of which nothing was sent yet."""
        self._question: Expect | None = None
        """What the caller was asked, once the question was heard."""
        self._eot = policy.eot_threshold
        self._timeout_ms = policy.eot_timeout_ms
        self._unanswered: list[str] = []
        """What the caller said that will be answered together with what comes next."""
        self._kept: list[tuple[str, TurnRecord]] = []
        """What the caller said while we could not be interrupted: answered after it."""
        self._turn_count = 0
        self._waiting = False
        self._voice_failures = 0
        self._digits = ""
        self._wasted: dict[str, int] = {}
        self._now = 0.0
        self._on: dict[type, Callable[[Any], None]] = {
            ev.CallStarted: self._on_started,
            ev.CallerClock: self._on_clock,
            ev.DtmfPressed: self._on_dtmf,
            ev.MarkPlayed: lambda e: self._nothing(self.ledger.mark_played(e.name, self._now)),
            ev.CallStopped: lambda e: self._over(e.reason),
            ev.ListenUp: self._on_listen_up,
            ev.ListenDown: self._on_listen_down,
            ev.TurnHeard: self._on_turn_heard,
            ev.Configured: self._nothing,
            ev.ReplyText: self._on_reply_text,
            ev.ReplyNote: self._on_reply_note,
            ev.ReplyAction: self._on_reply_action,
            ev.ReplyEnded: self._on_reply_ended,
            ev.ReplyAudio: self._on_reply_audio,
            ev.PhraseSpoken: self._on_phrase_spoken,
            ev.VoiceDown: self._on_voice_down,
            ev.Sent: self._on_sent,
            ev.MarkSent: lambda e: self.ledger.mark_sent(e.name, e.reply, e.sample, self._now),
            ev.TimerFired: self._nothing,
            ev.OperatorSaid: self._on_operator,
        }
        self._on_turn: dict[TurnKind, Callable[[TurnEvent], None]] = {
            TurnKind.STARTED: self._turn_started,
            TurnKind.UPDATED: self._turn_updated,
            TurnKind.EAGER: self._turn_eager,
            TurnKind.RESUMED: self._turn_resumed,
            TurnKind.ENDED: self._turn_ended,
        }
        self._on_timer: dict[str, Callable[[], None]] = {
            "hold": self._hold_expired,
            "go on": self._go_on,
            "filler": lambda: self._say_filler(self._prompts.filler()),
            "bridge": lambda: self._say_filler(self.manners.bridge),
            "give up": self._give_up_answer,
            "silence": self._say_into_silence,
            "stuck": self._turn_stuck,
            "dead": self._listening_dead,
            "unheard": self._listening_missing,
            "digits": self._digits_done,
            "warning": self._warn_of_length,
            "length": self._too_long,
            "goodbye": lambda: self._end_call("the goodbye was not heard in time"),
            "heard": lambda: None,
        }

    # ---- the two doors

    def receive(self, event: ev.Event, now: float) -> list[ev.Command]:
        """Take one event that happened at `now`; returns what is to be done, in order."""
        if self.phase is Phase.OVER:
            return []
        self._now = now
        for name in self._timers.pop_due(now):
            if self.phase is Phase.TALKING:
                self._on_timer[name]()
        if not self._is_over():
            self._on[type(event)](event)
        if self.phase is Phase.TALKING:
            self._advance()
        commands = self._commands.copy()
        self._commands.clear()
        return commands

    def next_deadline(self) -> float | None:
        """When to put in a `TimerFired` if nothing else happens before; None: never."""
        return None if self.phase is Phase.OVER else self._timers.next()

    def _is_over(self) -> bool:
        return self.phase is Phase.OVER

    @property
    def turn_open(self) -> bool:
        """Whether the caller is in the middle of a turn."""
        return self._speaking is not None

    def state_to_resume(self) -> dict[str, Any]:
        """What another stream of the same call needs to go on: see `CallStarted.resumed`."""
        head = self._floor.head
        unspoken = ""
        if head is not None:
            heard = self.ledger.heard_text(head.number, self._now)
            unspoken = " ".join(head.text.split()[len(heard.split()) :])
        question = self._question
        return {
            "history": [[x.who, x.text, x.heard, x.interrupted] for x in self.account.history],
            "notes": dict(self.notes),
            "unspoken": unspoken,
            "question": [question.kind, list(question.options), question.sensitive] if question else None,
            "turns": self._turn_count,
        }

    # ---- the call

    def _nothing(self, _: object) -> None:
        """Noted on the tape; nothing more to decide."""

    def _on_started(self, event: ev.CallStarted) -> None:
        self.phase = Phase.TALKING
        self.info = CallInfo(
            event.call_id, event.call_sid, event.from_number, event.to_number, dict(event.parameters)
        )
        self._timers.set("length", self._now + self.policy.max_call_s)
        if self.policy.max_call_s > 2 * self.policy.warning_s:
            self._timers.set("warning", self._now + self.policy.max_call_s - self.policy.warning_s)
        greeting = self.manners.greeting
        if event.resumed is not None:
            self._resume(event.resumed)
        elif greeting.text:
            self._say(Kind.GREETING, greeting.text, interruptible=greeting.interruptible)

    def _resume(self, state: Mapping[str, Any]) -> None:
        self.account.history = [Line(*line) for line in state.get("history", ())]
        self.notes = dict(state.get("notes", {}))
        self._turn_count = int(state.get("turns", 0))
        question = state.get("question")
        if question:
            self._question = Expect(question[0], tuple(question[1]), question[2])
            self._set_thresholds(self._question)
        if state.get("unspoken"):
            self._say(Kind.NOTICE, str(state["unspoken"]))

    def _on_clock(self, event: ev.CallerClock) -> None:
        self.account.clock.frame(event.stream_ms, self._now)
        self.ledger.clock(event.stream_ms, self._now)

    def _over(self, ended_by: str) -> None:
        """The line is gone: write down what was heard, and be done."""
        self.ended_by = self.ended_by or ended_by
        if self.ledger.audible(self._now):
            self.ledger.cleared(self._now)
        for reply in list(self._floor.replies.values()):
            heard_ms = self.ledger.heard(reply.number, self._now).samples * 1000 / ev.PHONE_RATE
            self._commands.append(ev.CancelReply(reply.number, heard_ms, "the call is over"))
            self.account.settle(reply, self._now, interrupted=True)
        self._floor.queue.clear()
        self.phase = Phase.OVER
        self._timers.clear_all()

    def _end_call(self, reason: str) -> None:
        self._commands.append(ev.EndCall(reason))
        self._over("agent")

    def _on_operator(self, event: ev.OperatorSaid) -> None:
        self._cut(event.reason or "an operator")
        self._drop_draft("an operator")
        actions: list[HangUp | Transfer] = [Transfer(event.transfer)] if event.transfer else []
        if event.hang_up:
            actions.append(HangUp())
        self._say(Kind.NOTICE, event.say, actions)

    def _warn_of_length(self) -> None:
        if self.manners.warning:
            self._say(Kind.NOTICE, self.manners.warning)

    def _too_long(self) -> None:
        self._cut("the call's greatest length")
        self._drop_draft("the call's greatest length")
        self._say(Kind.NOTICE, self.manners.farewell, [HangUp()], interruptible=False)

    # ---- the caller's turn

    def _on_turn_heard(self, event: ev.TurnHeard) -> None:
        self._timers.clear("unheard")
        for turn_event in self._turns.receive(event.info):
            self._on_turn[turn_event.kind](turn_event)

    def _turn_started(self, turn: TurnEvent) -> None:
        self._speaking = CallerSpeaking(turn.turn, self._now, turn.text)
        self._timers.clear("silence", "go on", "filler", "bridge", "give up", "goodbye")
        self._timers.set("stuck", self._now + self._stuck_after_s())
        if self._floor.head is None:
            return
        if not self._may_interrupt():
            self._decide("not held", "an utterance that is not to be interrupted")
        elif self.policy.barge_in == "immediate":
            self._cut("the caller speaks")
        else:
            self._hold("the caller speaks")

    def _may_interrupt(self) -> bool:
        """Whether what is in the caller's ear may be stopped for the caller."""
        head = self._floor.head
        if head is None or self._floor.held:
            return True
        in_the_ear = head.stage in (Stage.SPEAKING, Stage.SENT)
        return not in_the_ear or (self.policy.barge_in != "off" and head.interruptible)

    def _hold(self, reason: str) -> None:
        if not self._floor.held:
            self._floor.hold(self._now, reason)
            self._decide("hold", reason)
        self._timers.set("hold", self._now + self.policy.hold_s)

    def _turn_updated(self, turn: TurnEvent) -> None:
        speaking = self._speaking
        if speaking is None:
            return
        if turn.text != speaking.text:
            speaking.text = turn.text
            self._timers.set("stuck", self._now + self._stuck_after_s())
            if self._floor.held:
                self._timers.set("hold", self._now + self.policy.hold_s)
        silence = turn.audio_end - turn.speech_end if turn.speech_end is not None else 0.0
        murmur = self._asks_nothing(turn.text)
        if self._floor.held and murmur and silence >= self.policy.early_quiet_s:
            speaking.gone_on = True
            self._decide("go on", "a murmur, then silence")
            self._go_on()
        elif speaking.gone_on and not murmur and not self._floor.held and self._may_interrupt():
            speaking.gone_on = False
            self._hold("the murmur became words")
        if silence >= self.policy.monologue_pause_s:
            self._acknowledge_monologue(speaking)

    def _acknowledge_monologue(self, speaking: CallerSpeaking) -> None:
        if speaking.acknowledged or self._now - speaking.since < self.policy.monologue_s or self._floor.head:
            return
        speaking.acknowledged = True
        line = self._prompts.acknowledge()
        if line:
            self._say(Kind.FILLER, line)

    def _asks_nothing(self, text: str) -> bool:
        """Whether these words, while we speak, want no answer: a murmur in mid-utterance, or our own echo."""
        head = self._floor.head
        if head is None:
            return False
        said = [line.text for line in self.account.history[-2:] if line.who == "agent"]
        options = head.question.options if head.question else ()
        if self.ledger.first_sent_at(head.number) is not None:
            said.append(head.text)
        if is_echo(text, said, options):
            return True
        if head.ends_call:
            return is_farewell(text)
        return is_murmur(text) and not self._question_heard(head)

    def _question_heard(self, head: Reply) -> bool:
        """Whether the caller heard us ask something, or nearly all of it: then a murmur is an answer."""
        heard = self.ledger.heard(head.number, self._now).samples
        words = self.ledger.words(head.number, self._now)
        unheard = [w.text for w in words if w.end > heard]
        asked = any(w.text.endswith("?") for w in words if w.end <= heard)
        return heard > 0 and (asked or (len(unheard) <= 3 and any(w.endswith("?") for w in unheard)))

    def _turn_eager(self, turn: TurnEvent) -> None:
        speaking = self._speaking
        if speaking is None:
            return
        speaking.text = turn.text
        speaking.eager_at = self._now
        if self.policy.eager == "off" or self._asks_nothing(turn.text) or not self._may_interrupt():
            return
        self._drop_draft("the words changed")
        self._draft = self._start_draft(turn.text)

    def _turn_resumed(self, turn: TurnEvent) -> None:
        if self._speaking is not None:
            self._speaking.eager_at = None
            self._timers.set("stuck", self._now + self._stuck_after_s())
        self._drop_draft("the caller went on")

    def _turn_ended(self, turn: TurnEvent) -> None:
        speaking, self._speaking = self._speaking, None
        self._timers.clear("hold", "stuck", "dead")
        caller = self._caller_part(turn, speaking)
        if self._asks_nothing(turn.text):
            self._murmured(caller)
            return
        self._waiting = False
        self._prompts.silence_step = 0
        if not self._may_interrupt():
            self._kept.append((turn.text, self.account.caller_turn(caller)))
            self._decide("kept", "answered after the utterance")
            self._drop_draft("answered later")
            return
        self._cut("the caller said something")
        self._answer_turn(turn.text, self.account.caller_turn(caller))

    def _caller_part(self, turn: TurnEvent, speaking: CallerSpeaking | None) -> CallerPart:
        return CallerPart(
            turn.text,
            start_audio=turn.audio_start if turn.speech_start is None else turn.speech_start,
            end_audio=turn.audio_end if turn.speech_end is None else turn.speech_end,
            eot_audio=turn.audio_end,
            eot_at=self._now,
            eager_at=speaking.eager_at if speaking else None,
            trigger=turn.trigger,
        )

    def _murmured(self, caller: CallerPart) -> None:
        """Words that ask for nothing: what we said goes on once the caller was silent for a moment."""
        self._drop_draft("a murmur")
        self.account.caller_turn(caller)
        self._decide("go on", "a murmur, or our own echo")
        if self._floor.held:
            silence = (caller.eot_audio or 0.0) - (caller.end_audio or 0.0)
            self._timers.set("go on", self._now + max(0.0, self.policy.quiet_s - silence))
        else:
            self._resume_waiting()

    # ---- answering

    def _answer_turn(self, text: str, record: TurnRecord, digits: str | None = None) -> None:
        """The floor is ours: answer these words, together with those that were never answered aloud."""
        self._set_thresholds(None)
        self._question = None
        merged = " ".join([*self._unanswered, text]).strip()
        self._unanswered.clear()
        draft, self._draft = self._draft, None
        if draft is not None and (draft.turn_text != merged or digits is not None):
            self._draft = draft
            self._drop_draft("the words changed")
            draft = None
        if draft is not None:
            caller = record.caller
            if caller is not None and caller.eager_at is not None:
                record.saved_ms = round((self._now - caller.eager_at) * 1000)
            self._commands.append(ev.ReleaseReply(draft.number))
        reply = draft or self._start_reply(merged, self.account.history, self.notes, digits=digits)
        self._turn_count += 1
        reply.record = record
        record.wasted, self._wasted = self._wasted, {}
        if merged:
            self.account.add_line(Line("caller", merged, merged))
        self._floor.enqueue(reply)
        self._release(reply)
        self._await_answer(reply)

    def _start_draft(self, text: str) -> Reply:
        """A draft is made as if the turn ended here; an answer not yet heard would then be given up."""
        history, notes = self.account.history, self.notes
        texts = list(self._unanswered)
        for reply in self._floor.queue:
            if reply.kind is Kind.ANSWER and self._unheard(reply):
                texts.append(reply.turn_text)
                history = [line for line in history if line.text != reply.turn_text]
                notes = notes if reply.notes_before is None else reply.notes_before
        return self._start_reply(" ".join([*texts, text]), history, notes, draft=True)

    def _start_reply(
        self,
        text: str,
        history: list[Line],
        notes: Mapping[str, Any],
        *,
        draft: bool = False,
        digits: str | None = None,
    ) -> Reply:
        stage = Stage.DRAFT if draft else Stage.WAITING
        reply = self._floor.new(Kind.ANSWER, turn_text=text, stage=stage)
        turn = Turn(text, self._turn_count, tuple(history), digits, self.info)
        self._commands.append(ev.StartReply(reply.number, turn, dict(notes), draft))
        return reply

    def _release(self, reply: Reply) -> None:
        """A reply is to be said: its notes are adopted, its words voiced, its question prepared."""
        reply.notes_before = dict(self.notes)
        self.notes.update(reply.notes)
        self._floor.voice_held_back(reply)
        if reply.question is not None:
            self._set_thresholds(reply.question)
        if reply.ended:
            self._check(reply)

    def _await_answer(self, reply: Reply) -> None:
        self._answer = reply
        if self.ledger.available(reply.number) == 0 and not reply.complete:
            self._timers.set("filler", self._now + self.policy.filler_s)
            self._timers.set("bridge", self._now + self.policy.bridge_s)
            self._timers.set("give up", self._now + self.policy.give_up_s)

    def _say_filler(self, line: str) -> None:
        if line and self._answer in self._floor.queue and not self._floor.held and self._speaking is None:
            self._say(Kind.FILLER, line, first=True)

    def _give_up_answer(self) -> None:
        answer, self._answer = self._answer, None
        if answer is None or answer not in self._floor.queue or self.ledger.available(answer.number):
            return
        self._ask_again(answer, "no reply in time")

    def _ask_again(self, failed: Reply, reason: str) -> None:
        """A reply that failed ends in words all the same."""
        self._decide("ask again", reason)
        record = failed.record
        if self.ledger.available(failed.number) == 0:
            self._floor.discard(failed, self._now, reason)
            self.ledger.forget(failed.number)
        elif record is not None:
            record = None
        self._timers.clear("filler", "bridge", "give up")
        self._say(Kind.REASK, self._prompts.reask(), record=record)

    def _drop_draft(self, reason: str) -> None:
        draft, self._draft = self._draft, None
        if draft is not None:
            self._wasted["drafts"] = self._wasted.get("drafts", 0) + 1
            self._wasted["characters"] = self._wasted.get("characters", 0) + len(draft.text)
            self._floor.discard(draft, self._now, reason)
            self.ledger.forget(draft.number)

    # ---- holding, cutting, going on

    def _hold_expired(self) -> None:
        """Nothing new followed: noise lets us go on, words have the floor for as long as the turn lasts."""
        speaking = self._speaking
        if speaking is not None and speaking.text and not self._asks_nothing(speaking.text):
            return
        if speaking is not None:
            speaking.gone_on = True
        self._decide("go on", "nothing followed")
        self._go_on()

    def _go_on(self) -> None:
        self._timers.clear("hold", "go on")
        if self._floor.held:
            for reply in self._floor.queue:
                part = self.account.agent_part(reply)
                if part is not None:
                    part.held += 1
            self._floor.go_on()
        self._resume_waiting()

    def _resume_waiting(self) -> None:
        """The caller's turn came to nothing: what waited for it goes on waiting."""
        if self._answer is not None and self._answer in self._floor.queue:
            self._await_answer(self._answer)
        if any(reply.ends_call for reply in self._floor.queue):
            self._timers.set("goodbye", self._now + GOODBYE_S)

    def _cut(self, reason: str) -> None:
        """Give up what is queued, and write down what was heard of it."""
        if self._floor.queue:
            self._decide("cut", reason)
        for reply in self._floor.cut(self._now, reason):
            if reply.kind is Kind.ANSWER and self._unheard(reply):
                # Its question will be answered together with the caller's next words.
                if reply.turn_text:
                    self._unanswered.append(reply.turn_text)
                    self.account.take_back(reply.turn_text)
                if reply.notes_before is not None:
                    self.notes = reply.notes_before
            self.account.settle(reply, self._now, interrupted=True)
        self._answer = None
        self._timers.clear("hold", "go on", "filler", "bridge", "give up", "heard", "goodbye")

    def _unheard(self, reply: Reply) -> bool:
        """Whether not one word of a reply was heard: then it was no answer."""
        return not self.ledger.heard_text(reply.number, self._now)

    def _decide(self, what: str, reason: str) -> None:
        self._commands.append(ev.Decided(what, reason))
        self.account.decided(what, reason, self._now)

    # ---- what the agent and the voice bring

    def _on_reply_text(self, event: ev.ReplyText) -> None:
        reply = self._floor.known(event.reply)
        if reply is None:
            return
        self.account.text_came(reply, self._now)
        reply.interruptible = reply.interruptible and event.interruptible
        self._floor.add_text(reply, event.text, hold_back=self._held_back(reply))

    def _held_back(self, reply: Reply) -> bool:
        return reply.stage is Stage.DRAFT and self.policy.eager != "voice"

    def _on_reply_note(self, event: ev.ReplyNote) -> None:
        reply = self._floor.known(event.reply)
        if reply is not None:
            reply.notes.update(event.note.values)
            if reply.stage is not Stage.DRAFT:
                self.notes.update(event.note.values)

    def _on_reply_action(self, event: ev.ReplyAction) -> None:
        reply = self._floor.known(event.reply)
        if reply is None:
            return
        reply.actions.append(event.action)
        if isinstance(event.action, Expect) and reply.stage is not Stage.DRAFT:
            self._set_thresholds(event.action)

    def _on_reply_ended(self, event: ev.ReplyEnded) -> None:
        reply = self._floor.known(event.reply)
        if reply is None:
            return
        self._floor.end_text(reply, hold_back=self._held_back(reply))
        reply.problem = reply.problem or event.problem
        if reply.stage is not Stage.DRAFT:
            self._check(reply)

    def _check(self, reply: Reply) -> None:
        """A reply that failed, or says and does nothing, becomes a re-ask."""
        does_something = any(not isinstance(action, Expect) for action in reply.actions)
        if reply.problem:
            self._ask_again(reply, reply.problem)
        elif not reply.text.strip() and not does_something:
            self._ask_again(reply, "an empty reply")
        elif reply.ends_call:
            self._timers.set("goodbye", self._now + GOODBYE_S)

    def _on_reply_audio(self, event: ev.ReplyAudio) -> None:
        reply = self._floor.known(event.reply)
        if reply is not None:
            self.account.sound_came(reply, self._now)
            self._voice_failures = 0
            self._floor.audio(event)

    def _on_phrase_spoken(self, event: ev.PhraseSpoken) -> None:
        reply = self._floor.known(event.reply)
        if reply is None:
            return
        self._floor.phrase_spoken(event)
        if not reply.problem or reply.open_phrases:
            return
        self._voice_failures += 1
        if self._voice_failures >= VOICE_FAILURES:
            self._end_call("the voice failed")
        elif reply.kind is Kind.ANSWER and self.ledger.available(reply.number) == 0:
            self._ask_again(reply, reply.problem)

    def _on_voice_down(self, event: ev.VoiceDown) -> None:
        if event.status is not None and 400 <= event.status < 500:
            self._end_call("the voice was refused")

    def _on_sent(self, event: ev.Sent) -> None:
        reply = self._floor.known(event.reply)
        self.ledger.sent(event.reply, event.start, event.end, self._now)
        if reply is None:
            return
        self.account.sent(reply, self._now)
        if reply is self._answer:
            self._answer = None
            self._timers.clear("filler", "bridge", "give up")

    # ---- our own words

    def _say(
        self,
        kind: Kind,
        text: str,
        actions: list[HangUp | Transfer] | None = None,
        *,
        interruptible: bool = True,
        first: bool = False,
        record: TurnRecord | None = None,
    ) -> Reply:
        reply = self._floor.new(kind, interruptible=interruptible, record=record)
        reply.actions += actions or []
        self.account.text_came(reply, self._now)
        self._floor.add_text(reply, text)
        self._floor.end_text(reply)
        self._floor.enqueue(reply, first=first)
        if reply.ends_call:
            self._timers.set("goodbye", self._now + GOODBYE_S)
        self._timers.clear("silence")
        return reply

    def _advance(self) -> None:
        """Feed what is due, and act on what was heard to its end."""
        for reply in self._floor.advance(self._now):
            self.account.settle(reply, self._now, interrupted=False)
            self._heard_out(reply)
            if self.phase is Phase.OVER:
                return
        head = self._floor.head
        if head is not None and head.stage is Stage.SENT:
            self._timers.set("heard", self.ledger.played_out_at())
        elif head is None:
            self._timers.clear("heard")
            self._rest()

    def _heard_out(self, reply: Reply) -> None:
        """The caller has heard a reply to its end: now it has its effects."""
        if reply is self._answer:
            self._answer = None
            self._timers.clear("filler", "bridge", "give up")
        if reply.question is not None:
            self._question = reply.question
        self._waiting = any(isinstance(action, Wait) for action in reply.actions)
        transfer = next((a for a in reply.actions if isinstance(a, Transfer)), None)
        if transfer is not None:
            self._commands.append(ev.TransferCall(transfer.to))
            self._over("agent")
        elif reply.ends_call:
            self._end_call("goodbye")

    def _rest(self) -> None:
        """Nobody speaks: answer what was kept, or wait for the caller."""
        if self._speaking is not None:
            self._unanswered += [text for text, _ in self._kept]
            self._kept.clear()
        elif self._kept:
            *before, (text, record) = self._kept
            self._kept.clear()
            self._unanswered += [said for said, _ in before]
            self._answer_turn(text, record)
            self._floor.advance(self._now)
        elif "silence" not in self._timers and "digits" not in self._timers:
            self._arm_silence()

    def _arm_silence(self) -> None:
        step = self._prompts.silence()
        if step is not None:
            after = self.policy.wait_s if self._waiting else step.after_s
            self._timers.set("silence", self._now + after)

    def _say_into_silence(self) -> None:
        step = self._prompts.silence()
        if step is None or self._floor.head is not None or self._speaking is not None:
            return
        self._prompts.silence_step += 1
        self._waiting = False
        self._say(Kind.PROMPT, step.say, [HangUp()] if step.hang_up else None)

    # ---- keys

    def _on_dtmf(self, event: ev.DtmfPressed) -> None:
        self._timers.clear("silence")
        if self._may_interrupt():
            self._cut("a key was pressed")
        if event.digit == "#" and self._digits:
            self._timers.clear("digits")
            self._digits_done()
            return
        self._digits = (self._digits + event.digit)[-64:]
        asked = self._question is not None and self._question.kind == "digits"
        patience = self.policy.dtmf_gap_s if asked else self.policy.single_key_s
        self._timers.set("digits", self._now + patience)

    def _digits_done(self) -> None:
        digits, self._digits = self._digits, ""
        if self._speaking is not None:
            self._commands.append(ev.EndTurn("keys were pressed"))
        self._prompts.silence_step = 0
        record = self.account.caller_turn(CallerPart("", eot_at=self._now, digits=True))
        self._answer_turn("", record, digits)

    # ---- listening: thresholds, and what can go wrong

    def _set_thresholds(self, question: Expect | None) -> None:
        """Flux waits longer while digits, letters or an address are dictated, less for a yes or no."""
        usual = (self.policy.eot_threshold, self.policy.eot_timeout_ms)
        eot, timeout = QUESTION_THRESHOLDS.get(question.kind, usual) if question else usual
        eager = self.policy.eager_eot_threshold
        if (eot, timeout) == (self._eot, self._timeout_ms):
            return
        self._eot, self._timeout_ms = eot, timeout
        reason = f"a question for {question.kind}" if question else "as usual"
        self._commands.append(
            ev.SetThresholds(eot, None if eager is None else min(eager, eot), timeout, reason)
        )

    def _stuck_after_s(self) -> float:
        """A turn without an end this long after its last new word is stuck."""
        return max(3.0, self._timeout_ms / 1000 + 2.0)

    def _turn_stuck(self) -> None:
        if self._speaking is not None:
            self._commands.append(ev.EndTurn("the turn does not end"))
            self._timers.set("dead", self._now + FORCED_END_S)

    def _listening_dead(self) -> None:
        """Not even a forced end came: the socket is dead. We ask again rather than leave dead air."""
        self._commands.append(ev.ReopenListening("no end of turn after ForceEndTurn"))
        self._lost_turn("listening stalled")

    def _lost_turn(self, reason: str) -> None:
        """The end of an open turn will never come: its words, if any, are answered by asking again."""
        self._speaking = None
        self._drop_draft(reason)
        lost = self._turns.abandon()
        if self._floor.queue and not lost:
            self._go_on()
            return
        self._cut(reason)
        record = self.account.caller_turn(self._caller_part(lost[0], None)) if lost else None
        self._decide("ask again", reason)
        self._say(Kind.REASK, self._prompts.reask(), record=record)

    def _on_listen_up(self, event: ev.ListenUp) -> None:
        self._timers.clear("unheard")
        for turn_event in self._turns.connected(event.offset_s):
            self._on_turn[turn_event.kind](turn_event)

    def _on_listen_down(self, event: ev.ListenDown) -> None:
        if not event.retry:
            self._cut("listening was refused")
            self._say(Kind.NOTICE, self.policy.apology, [HangUp()], interruptible=False)
        elif self.phase is Phase.TALKING:
            self._timers.set_if_unset("unheard", self._now + self.policy.silent_listener_s)

    def _listening_missing(self) -> None:
        """Listening was lost and is not back: the caller must not wait for an answer that cannot come."""
        self._timers.clear("stuck", "dead")
        self._lost_turn("listening was lost")
