"""The agent's half of a conversation: answers, drafts, fillers, prompts into silence, effects. PURE."""

from __future__ import annotations

from collections.abc import Sequence

from telephony import events as ev
from telephony.conversation.drafts import Drafts, foresee, unheard
from telephony.conversation.policy import GOODBYE_S
from telephony.conversation.queued_reply import Action, QueuedReply, ReplyKind, Stage, Unanswered
from telephony.conversation.state import ConversationState
from telephony.conversation.timers import Timer
from telephony.conversation.turn_record import CallerPart, TurnRecord
from telephony.conversation.voice_watch import VoiceWatch
from telephony.reply.agent import Expect, HangUp, Message, Notes, Transfer, Turn, Wait

WAITING_TIMERS = (Timer.FILLER, Timer.BRIDGE, Timer.GIVE_UP)


class AgentTurn:
    """What we say, from the agent's first word to the caller's ear."""

    def __init__(self, state: ConversationState, voice: VoiceWatch) -> None:
        self.turn_count = 0
        """How many of the caller's turns were answered."""
        self._state = state
        self._voice = voice
        self._drafts = Drafts(state)
        self._unanswered = Unanswered()
        self._kept: list[tuple[str, TurnRecord]] = []
        """What the caller said while we could not be interrupted: answered after it."""
        self._answer: QueuedReply | None = None
        """The accepted answer of which nothing was sent yet."""
        self._waiting = False

    # ---- what waits to be answered

    def keep(self, text: str, record: TurnRecord) -> None:
        """What the caller said is answered after the utterance that we are in."""
        self._kept.append((text, record))

    def add_unanswered(self, text: str, record: TurnRecord) -> None:
        """What the caller said is answered together with what comes next."""
        self._unanswered.add(text, record)

    def pending(self) -> Unanswered:
        """All that the caller said and was not answered, so far as no reply has been begun for it."""
        pending = self._unanswered.copy()
        for text, record in self._kept:
            pending.add(text, record)
        return pending

    def restore(self, turn_count: int, unanswered: Unanswered) -> None:
        """Go on from what an earlier stream of this call left."""
        self.turn_count, self._unanswered = turn_count, unanswered

    def drop_draft(self, reason: str) -> None:
        """Give the draft up, if there is one."""
        self._drafts.drop(reason)

    # ---- answering

    def answer(self, text: str, record: TurnRecord, digits: str | None = None) -> None:
        """Answer these words, together with those that were never answered aloud."""
        state = self._state
        self._waiting = False
        before, self._unanswered = self._unanswered, Unanswered()
        parts = (*before.texts, text)
        merged = " ".join(parts).strip()
        caller = record.caller or CallerPart("")
        redacted_digits = before.redacted_digits or (bool(digits) and not caller.asked_digits)
        digits = before.digits + (digits or "") or None
        redacted = before.redacted or caller.redacted
        answered = state.answer_question(parts, digits)
        if redacted or redacted_digits:
            state.keep_secret(merged if redacted else "", digits or "")
        turn = self._turn(merged, state.transcript.history, before.first, digits)
        reply = self._drafts.take(turn, state.notes, record) if digits is None else None
        if reply is None:
            self.drop_draft("the words changed")
            reply = self._start(turn, parts, state.notes)
        self.turn_count += 1
        reply.accept(
            record,
            digits or "",
            redacted=redacted,
            redacted_digits=redacted_digits,
            answers=answered if answered is not None and answered.sensitive else None,
        )
        record.drafts_wasted(self._drafts.take_wasted())
        if merged or digits:
            state.transcript.caller_said(reply)
        state.replies.enqueue(reply)
        self._release(reply)
        self._await(reply)

    def start_draft(self, text: str) -> None:
        """A draft is made as if the turn ended here, and with it what we are saying."""
        self.drop_draft("the words changed")
        if self._unanswered.digits:
            return  # answered together with the keys, which no draft knows
        foreseen = foresee(self._state, self._unanswered)
        parts = (*foreseen.texts, text)
        turn = self._turn(" ".join(parts).strip(), foreseen.history, foreseen.first)
        redacted = self._state.redacts(text) or self._unanswered.redacted
        draft = self._start(turn, parts, foreseen.notes, draft=True, redacted=redacted)
        self._drafts.begin(draft, turn, foreseen.notes)

    def _turn(
        self, text: str, history: Sequence[Message], first: int | None, digits: str | None = None
    ) -> Turn:
        return Turn(text, self.turn_count, tuple(history), digits, self._state.info, first)

    def _start(
        self, turn: Turn, parts: Sequence[str], notes: Notes, *, draft: bool = False, redacted: bool = False
    ) -> QueuedReply:
        stage = Stage.DRAFT if draft else Stage.WAITING
        reply = self._state.replies.new(
            ReplyKind.ANSWER, turn_text=turn.text, stage=stage, drafted=draft, began_at=self._state.now,
            redact_numbers=self._state.sensitive_asked, parts=tuple(filter(None, parts)), redacted=redacted,
            first_turn=turn.index if turn.first is None else turn.first,
        )  # fmt: skip
        self._state.command(ev.StartReply(reply.number, turn, dict(notes), draft))
        return reply

    def _release(self, reply: QueuedReply) -> None:
        """A reply will be said: its notes are adopted, its words voiced, its question prepared."""
        state = self._state
        reply.remember_notes(state.notes)
        state.add_notes(reply.notes)
        state.replies.voice_deferred(reply)
        if reply.question is not None:
            state.expect(reply.question)
        if reply.ended:
            self._check(reply)

    def _await(self, reply: QueuedReply) -> None:
        state = self._state
        self._answer = reply
        if state.ledger.available(reply.number) == 0 and not state.replies.is_complete(reply):
            state.timers.set(Timer.FILLER, state.now + state.policy.filler_s)
            state.timers.set(Timer.BRIDGE, state.now + state.policy.bridge_s)
            state.timers.set(Timer.GIVE_UP, state.now + state.policy.give_up_s)

    def say_filler(self, line: str) -> None:
        """The answer is late: say something meanwhile."""
        state = self._state
        pending = self._answer is not None and self._answer in state.replies.queue
        if not pending:
            return
        if line and not state.replies.paused and state.speaking is None:
            self.say(ReplyKind.FILLER, line, first=True)
        if Timer.BRIDGE not in state.timers:
            state.timers.set(Timer.FILLER, state.now + state.policy.filler_again_s)

    def give_up_answer(self) -> None:
        """The answer has not come in all this time: ask again."""
        answer, self._answer = self._answer, None
        if answer is None or answer not in self._state.replies.queue:
            return
        if answer.leaves:  # its end is late, its transfer must not be lost
            self._state.replies.end_text(answer)
            self._check(answer)
        elif self._state.ledger.available(answer.number) == 0:
            self._ask_again(answer, "no reply in time")

    def _ask_again(self, failed: QueuedReply, reason: str) -> None:
        """A reply that failed still ends in words."""
        state = self._state
        state.decide(ev.Decision.ASK_AGAIN, reason)
        record = None
        if state.ledger.available(failed.number) == 0:
            record = failed.record
            if failed.kind is ReplyKind.ANSWER:
                self._unanswered.answered_in_vain(failed)
            state.replies.discard(failed, state.now, reason)
        state.timers.clear(*WAITING_TIMERS)
        self.say(ReplyKind.REASK, state.prompts.reask(), record=record)

    # ---- pausing, cutting, going on

    def may_interrupt(self) -> bool:
        """Whether what is playing may be stopped for the caller."""
        state = self._state
        head = state.replies.head
        if head is None or state.replies.paused:
            return True
        in_the_ear = head.stage in (Stage.SPEAKING, Stage.SENT)
        if not in_the_ear:
            # An answer of which nothing was heard is made again with what is being said; a notice is not.
            return head.interruptible or head.kind is ReplyKind.ANSWER
        return state.policy.barge_in != "off" and head.interruptible

    def go_on(self) -> None:
        """The pause is over: our words go on, and what waits for something goes on waiting."""
        state = self._state
        state.timers.clear(Timer.PAUSE, Timer.GO_ON)
        if state.replies.paused:
            for reply in state.replies.queue:
                state.transcript.went_on(reply)
            state.replies.go_on(state.now)
        self.resume_waiting()

    def resume_waiting(self) -> None:
        """The caller's turn came to nothing: set the deadlines again that rested meanwhile."""
        state = self._state
        if self._answer is not None and self._answer in state.replies.queue:
            self._await(self._answer)
        if any(reply.ends_call for reply in state.replies.queue):
            state.timers.set(Timer.GOODBYE, state.now + GOODBYE_S)

    def cut(self, reason: str) -> None:
        """Give up what is queued, and write down what was heard of it."""
        state = self._state
        asked = state.asking
        if asked is not None and asked.sensitive:  # cut or not, it is answered with what is said now
            state.ask(asked)
        cut = state.replies.cut(state.now, reason)
        if cut:
            state.decide(ev.Decision.CUT, reason)
        for reply in reversed(cut):
            if reply.kind is ReplyKind.ANSWER and unheard(state, reply) and reply.notes_before is not None:
                state.restore_notes(reply.notes_before)  # last of all, those before the first of them
        for reply in cut:
            if reply.kind is ReplyKind.ANSWER and unheard(state, reply):
                # Its question will be answered together with the caller's next words.
                self._unanswered.take_back(reply)
                if reply.turn_text or reply.digits:
                    state.transcript.take_back(reply)
            state.settle(reply, interrupted=True)
        self._answer = None
        state.timers.clear(Timer.PAUSE, Timer.GO_ON, *WAITING_TIMERS, Timer.PLAYED_OUT, Timer.GOODBYE)

    # ---- what the agent and the voice bring

    def on_text(self, event: ev.ReplyText) -> None:
        state = self._state
        reply = state.replies.known(event.reply)
        if reply is not None:
            reply.text_came(state.now)
            if not event.interruptible:
                reply.protect()
            state.replies.add_text(reply, event.text, defer=self._is_deferred(reply))

    def _is_deferred(self, reply: QueuedReply) -> bool:
        return reply.stage is Stage.DRAFT and self._state.policy.eager != "voice"

    def on_note(self, event: ev.ReplyNote) -> None:
        reply = self._state.replies.known(event.reply)
        if reply is not None:
            reply.add_notes(event.note.values)
            if (reply.redacted or self._state.sensitive) and not event.note.clean:
                self._state.redact_notes(list(event.note.values))
            if reply.stage is not Stage.DRAFT:
                self._state.add_notes(event.note.values)

    def on_action(self, event: ev.ReplyAction) -> None:
        reply = self._state.replies.known(event.reply)
        if reply is not None:
            reply.add_actions([event.action])
            if isinstance(event.action, Expect) and reply.stage is not Stage.DRAFT:
                self._state.expect(event.action)

    def on_ended(self, event: ev.ReplyEnded) -> None:
        reply = self._state.replies.known(event.reply)
        if reply is not None:
            self._state.replies.end_text(reply, defer=self._is_deferred(reply))
            reply.fail(event.problem)
            if reply.stage is not Stage.DRAFT:
                self._check(reply)

    def _check(self, reply: QueuedReply) -> None:
        """A reply that failed, or says and does nothing, is a re-ask; not one that lets the caller go."""
        does_something = any(not isinstance(action, Expect) for action in reply.actions)
        if reply.problem and not reply.leaves:
            self._ask_again(reply, reply.problem)
        elif not reply.text.strip() and not does_something:
            self._ask_again(reply, "an empty reply")
        elif reply.ends_call:
            self._state.timers.set(Timer.GOODBYE, self._state.now + GOODBYE_S)

    def on_audio(self, event: ev.ReplyAudio) -> None:
        state = self._state
        reply = state.replies.known(event.reply)
        if reply is not None:
            reply.sound_came(state.now)
            self._voice.sounded()
            state.replies.audio(event)
            if reply is self._answer:
                self._drop_fillers()

    def _drop_fillers(self) -> None:
        """The answer is here: a filler that has not begun would only delay it."""
        state = self._state
        for filler in [r for r in state.replies.queue if r.kind is ReplyKind.FILLER and not r.segment]:
            state.replies.discard(filler, state.now, "the answer is here")

    def on_phrase(self, event: ev.PhraseSpoken) -> None:
        state = self._state
        reply = state.replies.known(event.reply)
        if reply is None:
            return
        state.replies.phrase_spoken(event)
        if not reply.problem or state.replies.is_voicing(reply):
            return
        self._voice.phrase_failed()
        if state.over:
            return
        if (
            reply.kind in (ReplyKind.ANSWER, ReplyKind.GREETING)
            and state.replies.is_complete(reply)
            and not reply.leaves
        ):
            # What could not be spoken may have been the question: silence would be left.
            self._ask_again(reply, reply.problem)

    def on_sent(self, event: ev.Sent) -> None:
        state = self._state
        state.ledger.sent(event.reply, event.start, event.end, state.now)
        if event.mark:
            state.ledger.mark_sent(event.mark, event.reply, event.end, state.now)
        reply = state.replies.known(event.reply)
        if reply is not None:
            state.transcript.sent(reply, state.now)
            self._came(reply)
            reply.sounded()

    def _came(self, reply: QueuedReply) -> None:
        if reply is self._answer:
            self._answer = None
            self._state.timers.clear(*WAITING_TIMERS)

    # ---- our own words

    def say(
        self,
        kind: ReplyKind,
        text: str,
        actions: Sequence[Action] = (),
        *,
        interruptible: bool = True,
        first: bool = False,
        record: TurnRecord | None = None,
        redact_numbers: bool = False,
    ) -> None:
        """Say something by ourselves, behind what is queued, or before what has not begun (`first`)."""
        state = self._state
        reply = state.replies.new(
            kind, interruptible=interruptible, record=record, redact_numbers=redact_numbers
        )
        reply.add_actions(actions)
        reply.text_came(state.now)
        state.replies.add_text(reply, text)
        state.replies.end_text(reply)
        state.replies.enqueue(reply, first=first)
        if reply.ends_call:
            state.timers.set(Timer.GOODBYE, state.now + GOODBYE_S)
        state.timers.clear(Timer.SILENCE)

    def advance(self) -> None:
        """Feed what is due, and act on what was heard to its end."""
        state = self._state
        for reply in state.replies.advance(state.now):
            state.settle(reply, interrupted=False)
            self._heard_out(reply)
            if state.over:
                return
        head = state.replies.head
        if head is not None and head.stage is Stage.SENT:
            state.timers.set(Timer.PLAYED_OUT, state.ledger.played_out_at())
        elif head is None:
            state.timers.clear(Timer.PLAYED_OUT)
            self._rest()

    def _heard_out(self, reply: QueuedReply) -> None:
        """The caller has heard a reply to its end: now it has its effects."""
        state = self._state
        self._came(reply)
        if reply.question is not None:
            state.ask(reply.question)
        self._waiting = any(isinstance(action, Wait) for action in reply.actions)
        transfer = next((a for a in reply.actions if isinstance(a, Transfer)), None)
        if transfer is not None:
            state.command(ev.TransferCall(transfer.to))
            state.close(ev.EndReason.AGENT)
        elif reply.ends_call:
            state.end_call(ev.HangUpReason.GOODBYE)

    def _rest(self) -> None:
        """Nobody speaks: answer what was kept, or wait for the caller."""
        state = self._state
        if state.speaking is not None:
            for kept in self._kept:
                self._unanswered.add(*kept)
            self._kept.clear()
        elif self._kept:
            *before, (text, record) = self._kept
            self._kept.clear()
            for kept in before:
                self._unanswered.add(*kept)
            self.answer(text, record)
            state.replies.advance(state.now)
        elif Timer.SILENCE not in state.timers and Timer.DTMF_PAUSE not in state.timers:
            step = state.prompts.silence()
            if step is not None:
                after = state.policy.wait_s if self._waiting else step.after_s
                state.timers.set(Timer.SILENCE, state.now + after)

    def say_into_silence(self) -> None:
        """The next step of the silence ladder."""
        state = self._state
        step = state.prompts.silence()
        if step is None or state.replies.head is not None or state.speaking is not None:
            return
        state.prompts.silence_said()
        self._waiting = False
        self.say(ReplyKind.PROMPT, step.say, [HangUp()] if step.hang_up else [])
