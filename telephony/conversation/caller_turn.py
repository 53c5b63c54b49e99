"""The caller's half of a conversation: turns, interruptions, backchannels, listening that fails. PURE."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum

from telephony import events as ev
from telephony.audio.g711 import PHONE_RATE
from telephony.conversation.agent_turn import WAITING_TIMERS, AgentTurn
from telephony.conversation.backchannel import is_backchannel, is_farewell
from telephony.conversation.dtmf_entry import DtmfEntry
from telephony.conversation.echo import LATEST_S, OwnWord, alternatives, is_echo, may_be_echo, timed
from telephony.conversation.echo_evidence import EchoEvidence
from telephony.conversation.policy import FORCED_END_S
from telephony.conversation.queued_reply import QueuedReply, ReplyKind
from telephony.conversation.state import CallerSpeaking, ConversationState
from telephony.conversation.timers import Timer
from telephony.conversation.turn_record import REDACTED, CallerPart
from telephony.conversation.voice_watch import VoiceWatch
from telephony.listen.events import SttConnected, SttDisconnected
from telephony.listen.turns import TurnEvent, TurnKind, TurnTracker
from telephony.reply.agent import HangUp

ONSET_S = 0.6
"""Flux reports a turn about so long after its first sound."""
QUESTION_S = 4.0
"""A backchannel this soon after a question mark was heard answers it."""
LAST_WORDS = 3
"""A backchannel at most so many words before a question's end answers it too."""
CARRIED_S = 3.0
"""A new connection is given the sound of an open turn again: its words come again within this."""
WORD_EARLY_S = 0.5
"""A word may begin this much before Flux says that it does."""


class NoAnswer(StrEnum):
    """Why words of the caller want no answer."""

    OUR_ECHO = "our own echo"
    KEY_TONES = "the keys' own sound"
    FAREWELL = "a goodbye in return"
    BACKCHANNEL = "a backchannel"

    @property
    def is_noise(self) -> bool:
        """Whether these are nobody's words."""
        return self in (NoAnswer.OUR_ECHO, NoAnswer.KEY_TONES)


class CallerTurn:
    """What the caller says and does, and what it means while we speak."""

    def __init__(
        self, state: ConversationState, agent: AgentTurn, dtmf: DtmfEntry, voice: VoiceWatch
    ) -> None:
        self.echo = EchoEvidence()
        self._state = state
        self._agent = agent
        self._dtmf = dtmf
        self._voice = voice
        self._turns = TurnTracker()
        self._listened = False
        self._on_turn: dict[TurnKind, Callable[[TurnEvent], None]] = {
            TurnKind.STARTED: self._started,
            TurnKind.UPDATED: self._updated,
            TurnKind.EAGER: self._eager,
            TurnKind.RESUMED: self._resumed,
            TurnKind.ENDED: self._ended,
        }

    def dispose(self) -> None:
        """Nothing more will be heard: take the table apart, which refers to this object."""
        self._on_turn.clear()

    # ---- turns

    def on_turn(self, event: ev.TurnInfoReceived) -> None:
        """Flux has news of a turn."""
        self._listened = True
        info = self.echo.of(event.info)
        self._state.words_came(event.info.transcript)
        self._state.timers.clear(Timer.LISTENING_MISSING)
        self._take(self._turns.receive(info))

    def _take(self, events: list[TurnEvent]) -> None:
        if events:
            self._state.timers.clear(Timer.TURN_NOT_CARRIED)
        for turn_event in events:
            self._on_turn[turn_event.kind](turn_event)

    def _started(self, turn: TurnEvent) -> None:
        state = self._state
        speaking = state.open_turn(turn)
        state.timers.clear(Timer.SILENCE, Timer.GO_ON, *WAITING_TIMERS, Timer.GOODBYE)
        self._watch_turn()
        if state.replies.head is None:
            return
        why_not = self._why_no_pause(turn)
        if why_not:
            speaking.dismiss()
            state.decide(ev.Decision.NO_PAUSE, why_not)
            self._agent.resume_waiting()
        elif state.policy.barge_in == "immediate":
            self._agent.cut("the caller speaks")
        else:
            self._pause("the caller speaks")

    def _why_no_pause(self, turn: TurnEvent) -> str:
        if not self._agent.may_interrupt():
            return "an utterance that is not to be interrupted"
        if self._dtmf.sounding():
            return "a key's tone"
        if self.echo.ours:
            return NoAnswer.OUR_ECHO
        if not self.echo.both and may_be_echo(self._caller_words(turn), self._state.own_words()):
            return "perhaps our own echo"
        return ""

    def _watch_turn(self) -> None:
        self._state.timers.set(Timer.STUCK_TURN, self._state.now + self._state.thresholds.stuck_after_s())

    def _pause(self, reason: str) -> None:
        state = self._state
        if not state.replies.paused:
            state.replies.pause(state.now, reason)
            state.decide(ev.Decision.PAUSE, reason)
        state.timers.set(Timer.PAUSE, state.now + state.policy.pause_s)

    def _updated(self, turn: TurnEvent) -> None:
        state = self._state
        speaking = state.speaking
        if speaking is None:
            return
        if speaking.update(turn):
            self._watch_turn()
            if state.replies.paused:
                state.timers.set(Timer.PAUSE, state.now + state.policy.pause_s)
        self._weigh(speaking, turn)
        if turn.silence >= state.policy.monologue_pause_s:
            self._acknowledge_monologue(speaking)

    def _weigh(self, speaking: CallerSpeaking, turn: TurnEvent) -> None:
        """More was heard of a turn while we have something to say: pause, or go on?"""
        state = self._state
        if state.replies.head is None:
            return
        nothing = self._asks_nothing(turn)
        if nothing is NoAnswer.OUR_ECHO:
            state.replies.head.heard_noise()
        if state.replies.paused:
            if nothing is NoAnswer.OUR_ECHO and self.echo.theirs:
                return  # the caller is heard, and their words come later; if none do, the pause expires
            if nothing and (nothing is NoAnswer.OUR_ECHO or turn.silence >= state.policy.early_quiet_s):
                speaking.dismiss()
                why = nothing if nothing is NoAnswer.OUR_ECHO else f"{nothing}, then silence"
                state.decide(ev.Decision.GO_ON, why)
                self._agent.go_on()
        elif speaking.dismissed and (not nothing or self.echo.both) and not self._why_no_pause(turn):
            speaking.dismiss(False)
            self._pause("the caller speaks over our echo" if nothing else "it became words")

    def _acknowledge_monologue(self, speaking: CallerSpeaking) -> None:
        state = self._state
        long = state.now - speaking.since >= state.policy.monologue_s
        if long and not speaking.acknowledged and state.replies.head is None:
            speaking.acknowledge()
            state.decide(ev.Decision.ACKNOWLEDGE, "a long turn, at a pause")
            line = state.prompts.acknowledge()
            if line:
                self._agent.say(ReplyKind.FILLER, line)

    def _eager(self, turn: TurnEvent) -> None:
        state = self._state
        speaking = state.speaking
        if speaking is None:
            return
        speaking.eager(turn, state.now)
        self._weigh(speaking, turn)  # what the draft is made from must have stopped
        drafts = state.policy.eager != "off" and self._agent.may_interrupt() and not self._dtmf.collecting
        if drafts and not self._asks_nothing(turn):
            self._agent.start_draft(turn.text)

    def _resumed(self, turn: TurnEvent) -> None:
        if self._state.speaking is not None:
            self._state.speaking.went_on()
            self._watch_turn()
            self._weigh(self._state.speaking, turn)
        self._agent.drop_draft("the caller went on")

    def _ended(self, turn: TurnEvent) -> None:
        state = self._state
        nothing = NoAnswer.KEY_TONES if self._dtmf.made(turn) else self._asks_nothing(turn)
        speaking = state.close_turn()
        state.timers.clear(Timer.PAUSE, Timer.STUCK_TURN, Timer.DEAD_LISTENING, Timer.TURN_NOT_CARRIED)
        caller = self._part(turn, speaking)
        if caller.redacted:
            began = turn.audio_start if turn.speech_start is None else turn.speech_start - WORD_EARLY_S
            state.blank(began, turn.audio_end)
        if nothing:
            self._asked_nothing(caller, nothing)
            return
        state.prompts.silence_broken()
        record = state.transcript.caller_turn(caller)
        if self._dtmf.collecting:
            self._agent.add_unanswered(turn.text, record)
            self._agent.drop_draft("answered with the keys")
            state.decide(ev.Decision.KEEP, "answered with the keys that are being pressed")
        elif not self._agent.may_interrupt():
            self._agent.keep(turn.text, record)
            state.decide(ev.Decision.KEEP, "answered after the utterance")
            self._agent.drop_draft("answered later")
        else:
            self._agent.cut("the caller said something")
            self._agent.answer(turn.text, record, self._dtmf.take())

    def _part(self, turn: TurnEvent, speaking: CallerSpeaking | None) -> CallerPart:
        redacted = self._state.redacts(turn.text)
        return CallerPart(
            REDACTED if redacted else turn.text,
            asked_digits=self._dtmf.asked,
            redacted=redacted,
            start_audio=turn.audio_start if turn.speech_start is None else turn.speech_start,
            end_audio=turn.audio_end if turn.speech_end is None else turn.speech_end,
            eot_audio=turn.audio_end,
            eot_at=self._state.now,
            eager_at=speaking.eager_at if speaking else None,
            trigger=turn.trigger,
        )

    # ---- backchannels and echoes

    def _asked_nothing(self, caller: CallerPart, why: NoAnswer) -> None:
        """Words that want no answer: we go on once the caller was silent for a moment."""
        state = self._state
        self._agent.drop_draft(why)
        record = state.transcript.caller_turn(caller)
        head = state.replies.head
        if head is not None and why.is_noise:
            head.heard_noise()
        elif head is not None:
            head.heard_backchannel(caller.text)
        state.decide(ev.Decision.GO_ON, why)
        if state.replies.paused:
            silence = (caller.eot_audio or 0.0) - (caller.end_audio or 0.0)
            state.timers.set(Timer.GO_ON, state.now + max(0.0, state.policy.quiet_s - silence))
        else:
            self._agent.resume_waiting()
        self._dtmf.answer()
        if state.replies.head is None and not self._dtmf.collecting and self._agent.pending().texts:
            # These words came to nothing, but they had cut the answer to what was said before.
            self._agent.answer("", record)

    def _asks_nothing(self, turn: TurnEvent) -> NoAnswer | None:
        """Why these words want no answer; None if they want one."""
        state = self._state
        head = state.replies.head
        if self.echo.ours:
            return NoAnswer.OUR_ECHO
        ours = self._words_that_echo()
        if ours and is_echo(self._caller_words(turn), ours, self._offered()):
            return NoAnswer.OUR_ECHO
        if head is None:
            return None
        if head.ends_call:
            return NoAnswer.FAREWELL if is_farewell(turn.text) else None
        if is_backchannel(turn.text) and not self._question_open(head):
            return NoAnswer.BACKCHANNEL
        return None

    def _caller_words(self, turn: TurnEvent) -> list[OwnWord]:
        clock = self._state.transcript.clock
        words: list[OwnWord] = []
        for word in turn.words:
            words += timed(word.word, None if word.start is None else clock.when(word.start))
        return words or timed(turn.text, None)

    def _words_that_echo(self) -> list[OwnWord]:
        """Our words whose echo could be in this turn."""
        state = self._state
        began = state.speaking.since if state.speaking else state.now
        return state.own_words(began - ONSET_S - LATEST_S)

    def _offered(self) -> Iterator[str]:
        """What the caller may choose from, as the agent listed it or as the question words it."""
        state = self._state
        head = state.replies.head
        texts = [line.text for line in state.transcript.history[-2:] if line.who == "agent"]
        questions = [state.question]
        if head is not None:
            texts.append(head.text)
            questions.append(head.question)
        for question in questions:
            yield from question.options if question is not None else ()
        for text in texts:
            yield from alternatives(text)

    def _question_open(self, head: QueuedReply) -> bool:
        """Whether the caller may say yes to something: asked before, just now, or in the next few words."""
        state = self._state
        if state.question is not None:
            return True
        heard = state.ledger.heard(head.number, state.now).samples
        words = state.ledger.words(head.number, state.now)
        asked = [word.end for word in words if word.text.endswith("?") and word.end <= heard]
        if asked and heard - asked[-1] <= QUESTION_S * PHONE_RATE:
            return True
        unheard = [word.text for word in words if word.end > heard]
        asks = head.question is not None or any(text.endswith("?") for text in unheard)
        return 0 < heard and len(unheard) <= LAST_WORDS and asks

    def pause_expired(self) -> None:
        """Nothing new followed. After noise we go on; words keep us silent for as long as the turn lasts."""
        state = self._state
        speaking = state.speaking
        if speaking is not None and not self._asks_nothing(speaking.latest):
            return
        if speaking is not None:
            speaking.dismiss()
        state.decide(ev.Decision.GO_ON, "nothing followed")
        self._agent.go_on()

    # ---- listening that fails

    def turn_stuck(self) -> None:
        """The turn should have ended long ago, in seconds of its own sound: have Flux end it."""
        state = self._state
        speaking = state.speaking
        if speaking is None:
            return
        heard_s = speaking.latest.audio_end - speaking.new_word_audio
        missing = state.thresholds.stuck_after_s() - heard_s
        if heard_s > 0 and missing > 0 and not speaking.waited_for:
            # The line had stalled: less was heard of the caller than time has passed.
            speaking.wait()
            state.timers.set(Timer.STUCK_TURN, state.now + missing)
            return
        state.command(ev.EndTurn("the turn does not end"))
        state.timers.set(Timer.DEAD_LISTENING, state.now + FORCED_END_S)

    def listening_dead(self) -> None:
        """Not even a forced end came: the socket is dead. We ask again, to avoid dead air."""
        self._state.command(ev.ReopenListening("no end of turn after ForceEndTurn"))
        self._lost_turn("listening stalled")

    def listening_missing(self) -> None:
        """Listening was lost and is not back: the caller must not wait for an answer that will not come."""
        self._state.timers.clear(Timer.STUCK_TURN, Timer.DEAD_LISTENING, Timer.TURN_NOT_CARRIED)
        self._lost_turn("listening was lost")

    def _lost_turn(self, reason: str) -> None:
        """The end of an open turn will never come: its words, if any, are answered by asking again."""
        state = self._state
        state.close_turn()
        self._agent.drop_draft(reason)
        lost = self._turns.abandon()
        if state.replies.queue and not lost:
            self._agent.go_on()
            return
        if self._agent.may_interrupt():
            self._agent.cut(reason)
        record = state.transcript.caller_turn(self._part(lost[0], None)) if lost else None
        state.decide(ev.Decision.ASK_AGAIN, reason)
        self._agent.say(ReplyKind.REASK, state.prompts.reask(), record=record)

    def on_listen_up(self, event: SttConnected) -> None:
        self._listened = True
        self._state.timers.clear(Timer.LISTENING_MISSING)
        self._take(self._turns.connected(event.offset_s))
        if self._state.speaking is not None:
            self._state.timers.set(Timer.TURN_NOT_CARRIED, self._state.now + CARRIED_S)

    def on_shift(self, event: ev.AudioShifted) -> None:
        self._turns.shifted(event.at_s, event.seconds)

    def turn_not_carried(self) -> None:
        """What the caller was saying when listening was lost was not heard again."""
        if self._state.speaking is not None:
            self._lost_turn("listening was lost in mid-turn")

    def on_listen_down(self, event: SttDisconnected) -> None:
        state = self._state
        if event.retry:
            if not self._listened:
                state.timers.set_if_unset(Timer.NO_SPEECH, max(state.now, state.policy.no_speech_s))
            state.timers.set_if_unset(Timer.LISTENING_MISSING, state.now + state.policy.silent_listener_s)
            return
        self._apologise("listening was refused")

    def no_speech(self) -> None:
        """The call began without listening, or without a voice, and still has none."""
        if self._voice.missing and not self._state.ledger.play_end:
            self._state.end_call(ev.HangUpReason.VOICE_UNREACHABLE)
        elif not self._listened:
            self._listened = True  # said once
            self._voice.given_last_words()
            self._apologise("listening cannot be reached")

    def _apologise(self, reason: str) -> None:
        self._agent.cut(reason)
        self._agent.say(ReplyKind.NOTICE, self._state.policy.apology, [HangUp()], interruptible=False)
