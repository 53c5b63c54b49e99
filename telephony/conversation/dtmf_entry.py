"""The caller's key presses: an entry ends with `#`, a pause or the last key. PURE."""

from __future__ import annotations

from collections import deque

from telephony import events as ev
from telephony.conversation.agent_turn import AgentTurn
from telephony.conversation.policy import FORCED_END_S
from telephony.conversation.state import ConversationState
from telephony.conversation.timers import Timer
from telephony.conversation.turn_record import CallerPart
from telephony.listen.turns import TurnEvent

LONGEST_ENTRY = 64
"""Keys pressed in one go; the newest are kept."""
TERMINATOR = "#"
BEFORE_KEY_S, AFTER_KEY_S = 0.6, 0.5
"""A key is reported while its tone sounds; what is taken for a word in it lies this near."""
WORDS_A_TONE = 2


class DtmfEntry:
    """Collects the keys, and has them answered."""

    def __init__(self, state: ConversationState, agent: AgentTurn) -> None:
        self._state = state
        self._agent = agent
        self._digits = ""
        self._entry: list[float] = []
        """When the keys of this entry were pressed."""
        self._complete: str | None = None
        """An entry that is answered together with the turn that is open, when that has ended."""
        self._pressed: deque[float] = deque(maxlen=LONGEST_ENTRY)
        self._full_until = 0.0
        """Until then `#` belongs to the entry that was complete without it."""
        self.asked = False
        """Whether all keys of this entry were asked for as something harmless."""

    @property
    def collecting(self) -> bool:
        """Whether an entry has begun and not ended."""
        return bool(self._digits)

    def on_dtmf(self, event: ev.DtmfPressed) -> None:
        """A key was pressed."""
        state = self._state
        state.timers.clear(Timer.SILENCE)
        self._pressed.append(state.now)
        if event.digit == TERMINATOR and state.now < self._full_until:
            return  # the entry it ends was complete with its last key
        self._full_until = 0.0
        self.asked = state.digits_asked and (self.asked or not self._digits)
        tone_at = state.transcript.clock.at(state.now)
        if not self.asked and tone_at is not None:
            state.blank(tone_at - BEFORE_KEY_S, tone_at + AFTER_KEY_S)
        if state.replies.queue and self._agent.may_interrupt():
            # A caller who presses keys over a question answers it.
            state.ask(state.asking)
            self._agent.cut("a key was pressed")
        if event.digit == TERMINATOR and self._digits:
            self.done()
            return
        self._entry.append(state.now)
        self._digits = (self._digits + event.digit)[-LONGEST_ENTRY:]
        question, patience = state.asking, state.policy.single_key_s
        if question is not None and question.kind == "digits":
            patience = state.policy.dtmf_gap_s if question.pause_s is None else question.pause_s
            if question.length is not None and len(self._digits) >= question.length:
                self._full_until = state.now + patience
                self.done()
                return
        state.timers.set(Timer.DTMF_PAUSE, state.now + patience)

    def done(self) -> None:
        """The keys pressed so far are an entry. What is being said meanwhile is answered with it."""
        state = self._state
        state.timers.clear(Timer.DTMF_PAUSE)
        self._complete, self._digits = self._digits, ""
        if state.speaking is not None:
            state.command(ev.EndTurn("keys were pressed"))
            state.timers.set(Timer.DTMF_ANSWER, state.now + FORCED_END_S)
            return
        self.answer()

    def answer(self) -> None:
        """Have a complete entry answered, if there is one."""
        digits = self.take()
        if digits is None:
            return
        state = self._state
        clock, pressed, self._entry = state.transcript.clock, self._entry or [state.now], []
        part = CallerPart(
            "",
            clock.at(pressed[0]),
            clock.at(pressed[-1]),
            clock.at(state.now),
            state.now,
            digits=True,
            asked_digits=self.asked,
            redacted=state.sensitive,
        )
        state.prompts.silence_broken()
        self._agent.answer("", state.transcript.caller_turn(part), digits)

    def take(self) -> str | None:
        """The complete entry that waits to be answered, once."""
        digits, self._complete = self._complete, None
        self._state.timers.clear(Timer.DTMF_ANSWER)
        return digits

    def sounding(self) -> bool:
        """Whether a key's tone may be sounding now."""
        return bool(self._pressed) and self._state.now - self._pressed[-1] < BEFORE_KEY_S + AFTER_KEY_S

    def made(self, turn: TurnEvent) -> bool:
        """Whether a turn is nothing but the tones of keys, mistaken for words."""
        if not self._pressed or not turn.words:
            return False
        clock, tones = self._state.transcript.clock, set()
        for word in turn.words:
            at = None if word.start is None else clock.when(word.start)
            near = [key for key in self._pressed if at and key - BEFORE_KEY_S < at < key + AFTER_KEY_S]
            if not near:
                return False
            tones.update(near)
        return len(turn.words) <= WORDS_A_TONE * len(tones)
