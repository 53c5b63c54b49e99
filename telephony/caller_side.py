"""The caller's half of a conversation: turns, interruptions, murmurs, keys, listening that fails. PURE."""

from __future__ import annotations

from collections.abc import Callable

from telephony import events as ev
from telephony.agent_side import AgentSide
from telephony.floor import Kind, Reply
from telephony.listen.murmur import is_echo, is_farewell, is_murmur
from telephony.listen.turns import CallerTurns, TurnEvent, TurnKind
from telephony.policy import FORCED_END_S
from telephony.record.turns import CallerPart
from telephony.reply.agent import HangUp
from telephony.scene import CallerSpeaking, Scene

LONGEST_ENTRY = 64
"""Keys pressed in one go; the newest are kept."""


class CallerSide:
    """What the caller says and does, and what it means while we speak."""

    def __init__(self, scene: Scene, agent: AgentSide) -> None:
        self._scene = scene
        self._agent = agent
        self._turns = CallerTurns()
        self._digits = ""
        self._pressed: list[float] = []
        """When the first and the last key of this entry were pressed."""
        self._on_turn: dict[TurnKind, Callable[[TurnEvent], None]] = {
            TurnKind.STARTED: self._started,
            TurnKind.UPDATED: self._updated,
            TurnKind.EAGER: self._eager,
            TurnKind.RESUMED: self._resumed,
            TurnKind.ENDED: self._ended,
        }

    # ---- turns

    def on_turn(self, event: ev.TurnHeard) -> None:
        self._scene.timers.clear("unheard")
        self._take(self._turns.receive(event.info))

    def _take(self, events: list[TurnEvent]) -> None:
        for turn_event in events:
            self._on_turn[turn_event.kind](turn_event)

    def _started(self, turn: TurnEvent) -> None:
        scene = self._scene
        scene.speaking = CallerSpeaking(turn.turn, scene.now, turn.text)
        scene.timers.clear("silence", "go on", "filler", "bridge", "give up", "goodbye")
        self._watch_turn()
        if scene.floor.head is None:
            return
        if not self._agent.may_interrupt():
            scene.decide("not held", "an utterance that is not to be interrupted")
        elif scene.policy.barge_in == "immediate":
            self._agent.cut("the caller speaks")
        else:
            self._hold("the caller speaks")

    def _watch_turn(self) -> None:
        self._scene.timers.set("stuck", self._scene.now + self._scene.thresholds.stuck_after_s())

    def _hold(self, reason: str) -> None:
        scene = self._scene
        if not scene.floor.held:
            scene.floor.hold(scene.now, reason)
            scene.decide("hold", reason)
        scene.timers.set("hold", scene.now + scene.policy.hold_s)

    def _updated(self, turn: TurnEvent) -> None:
        scene = self._scene
        speaking = scene.speaking
        if speaking is None:
            return
        if turn.text != speaking.text:
            speaking.text = turn.text
            self._watch_turn()
            if scene.floor.held:
                scene.timers.set("hold", scene.now + scene.policy.hold_s)
        silence = turn.audio_end - turn.speech_end if turn.speech_end is not None else 0.0
        murmur = self._asks_nothing(turn.text)
        if scene.floor.held and murmur and silence >= scene.policy.early_quiet_s:
            speaking.gone_on = True
            scene.decide("go on", "a murmur, then silence")
            self._agent.go_on()
        elif speaking.gone_on and not murmur and scene.floor.head and self._agent.may_interrupt():
            speaking.gone_on = False
            self._hold("the murmur became words")
        if silence >= scene.policy.monologue_pause_s:
            self._acknowledge_monologue(speaking)

    def _acknowledge_monologue(self, speaking: CallerSpeaking) -> None:
        scene = self._scene
        long = scene.now - speaking.since >= scene.policy.monologue_s
        if long and not speaking.acknowledged and scene.floor.head is None:
            speaking.acknowledged = True
            self._agent.acknowledge()

    def _eager(self, turn: TurnEvent) -> None:
        scene = self._scene
        if scene.speaking is None:
            return
        scene.speaking.text = turn.text
        scene.speaking.eager_at = scene.now
        drafts = scene.policy.eager != "off" and self._agent.may_interrupt()
        if drafts and not self._asks_nothing(turn.text):
            self._agent.start_draft(turn.text)

    def _resumed(self, turn: TurnEvent) -> None:
        if self._scene.speaking is not None:
            self._scene.speaking.eager_at = None
            self._watch_turn()
        self._agent.drop_draft("the caller went on")

    def _ended(self, turn: TurnEvent) -> None:
        scene = self._scene
        speaking, scene.speaking = scene.speaking, None
        scene.timers.clear("hold", "stuck", "dead")
        caller = self._part(turn, speaking)
        if self._asks_nothing(turn.text):
            self._murmured(caller)
            return
        scene.prompts.silence_step = 0
        if not self._agent.may_interrupt():
            self._agent.kept.append((turn.text, scene.account.caller_turn(caller)))
            scene.decide("kept", "answered after the utterance")
            self._agent.drop_draft("answered later")
            return
        self._agent.cut("the caller said something")
        self._agent.answer(turn.text, scene.account.caller_turn(caller))

    def _part(self, turn: TurnEvent, speaking: CallerSpeaking | None) -> CallerPart:
        return CallerPart(
            turn.text,
            start_audio=turn.audio_start if turn.speech_start is None else turn.speech_start,
            end_audio=turn.audio_end if turn.speech_end is None else turn.speech_end,
            eot_audio=turn.audio_end,
            eot_at=self._scene.now,
            eager_at=speaking.eager_at if speaking else None,
            trigger=turn.trigger,
        )

    # ---- murmurs and echoes

    def _murmured(self, caller: CallerPart) -> None:
        """Words that ask for nothing: what we said goes on once the caller was silent for a moment."""
        scene = self._scene
        self._agent.drop_draft("a murmur")
        scene.account.caller_turn(caller)
        scene.decide("go on", "a murmur, or our own echo")
        if scene.floor.held:
            silence = (caller.eot_audio or 0.0) - (caller.end_audio or 0.0)
            scene.timers.set("go on", scene.now + max(0.0, scene.policy.quiet_s - silence))
        else:
            self._agent.resume_waiting()

    def _asks_nothing(self, text: str) -> bool:
        """Whether these words, while we speak, want no answer: a murmur in mid-utterance, or our own echo."""
        scene = self._scene
        head = scene.floor.head
        if head is None:
            return False
        said = [line.text for line in scene.account.history[-2:] if line.who == "agent"]
        options = head.question.options if head.question else ()
        if scene.ledger.first_sent_at(head.number) is not None:
            said.append(head.text)
        if is_echo(text, said, options):
            return True
        if head.ends_call:
            return is_farewell(text)
        return is_murmur(text) and not self._question_heard(head)

    def _question_heard(self, head: Reply) -> bool:
        """Whether the caller heard us ask something, or nearly all of it: then a murmur is an answer."""
        scene = self._scene
        heard = scene.ledger.heard(head.number, scene.now).samples
        words = scene.ledger.words(head.number, scene.now)
        unheard = [w.text for w in words if w.end > heard]
        asked = any(w.text.endswith("?") for w in words if w.end <= heard)
        return heard > 0 and (asked or (len(unheard) <= 3 and any(w.endswith("?") for w in unheard)))

    def hold_expired(self) -> None:
        """Nothing new followed: noise lets us go on, words have the floor for as long as the turn lasts."""
        scene = self._scene
        speaking = scene.speaking
        if speaking is not None and speaking.text and not self._asks_nothing(speaking.text):
            return
        if speaking is not None:
            speaking.gone_on = True
        scene.decide("go on", "nothing followed")
        self._agent.go_on()

    # ---- keys

    def on_dtmf(self, event: ev.DtmfPressed) -> None:
        scene = self._scene
        scene.timers.clear("silence")
        if self._agent.may_interrupt():
            self._agent.cut("a key was pressed")
        if event.digit == "#" and self._digits:
            scene.timers.clear("digits")
            self.digits_done()
            return
        self._pressed = [*self._pressed[:1], scene.now]
        self._digits = (self._digits + event.digit)[-LONGEST_ENTRY:]
        asked = scene.question is not None and scene.question.kind == "digits"
        patience = scene.policy.dtmf_gap_s if asked else scene.policy.single_key_s
        scene.timers.set("digits", scene.now + patience)

    def digits_done(self) -> None:
        """The keys pressed so far are an entry."""
        scene = self._scene
        digits, self._digits = self._digits, ""
        if scene.speaking is not None:
            scene.commands.append(ev.EndTurn("keys were pressed"))
        scene.prompts.silence_step = 0
        clock, pressed, self._pressed = scene.account.clock, self._pressed or [scene.now], []
        entry = CallerPart("", clock.at(pressed[0]), clock.at(pressed[-1]), clock.at(scene.now), scene.now)
        entry.digits = True
        record = scene.account.caller_turn(entry)
        self._agent.answer("", record, digits)

    # ---- listening that fails

    def turn_stuck(self) -> None:
        """The turn should have ended long ago: make Flux end it."""
        if self._scene.speaking is not None:
            self._scene.commands.append(ev.EndTurn("the turn does not end"))
            self._scene.timers.set("dead", self._scene.now + FORCED_END_S)

    def listening_dead(self) -> None:
        """Not even a forced end came: the socket is dead. We ask again rather than leave dead air."""
        self._scene.commands.append(ev.ReopenListening("no end of turn after ForceEndTurn"))
        self._lost_turn("listening stalled")

    def listening_missing(self) -> None:
        """Listening was lost and is not back: the caller must not wait for an answer that cannot come."""
        self._scene.timers.clear("stuck", "dead")
        self._lost_turn("listening was lost")

    def _lost_turn(self, reason: str) -> None:
        """The end of an open turn will never come: its words, if any, are answered by asking again."""
        scene = self._scene
        scene.speaking = None
        self._agent.drop_draft(reason)
        lost = self._turns.abandon()
        if scene.floor.queue and not lost:
            self._agent.go_on()
            return
        self._agent.cut(reason)
        record = scene.account.caller_turn(self._part(lost[0], None)) if lost else None
        scene.decide("ask again", reason)
        self._agent.say(Kind.REASK, scene.prompts.reask(), record=record)

    def on_listen_up(self, event: ev.ListenUp) -> None:
        self._scene.timers.clear("unheard")
        self._take(self._turns.connected(event.offset_s))

    def on_listen_down(self, event: ev.ListenDown) -> None:
        scene = self._scene
        if event.retry:
            scene.timers.set_if_unset("unheard", scene.now + scene.policy.silent_listener_s)
            return
        self._agent.cut("listening was refused")
        self._agent.say(Kind.NOTICE, scene.policy.apology, [HangUp()], interruptible=False)
