"""Our half of a conversation: answers, drafts, fillers, prompts into silence, and their effects. PURE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from telephony import events as ev
from telephony.conversation.drafts import Drafts, foresee, unheard
from telephony.conversation.policy import GOODBYE_S, VOICE_FAILURES
from telephony.conversation.reply_queue import Reply, ReplyKind, Stage, Unanswered
from telephony.conversation.state import ConversationState
from telephony.conversation.timers import Timer
from telephony.conversation.turn_record import CallerPart, TurnRecord
from telephony.playback.position import LOST_MARK_S
from telephony.reply.agent import Expect, HangUp, Message, Transfer, Turn, Wait

TOO_MANY_REQUESTS = 429
WAITING_TIMERS = (Timer.FILLER, Timer.BRIDGE, Timer.GIVE_UP)


class AgentTurn:
    """What we say, from the agent's first word to the caller's ear."""

    def __init__(self, state: ConversationState) -> None:
        self.turn_count = 0
        self.unanswered = Unanswered()
        self.kept: list[tuple[str, TurnRecord]] = []
        """What the caller said while we could not be interrupted: answered after it."""
        self._state = state
        self._drafts = Drafts(state)
        self.drop_draft = self._drafts.drop
        self._answer: Reply | None = None
        """The accepted answer of which nothing was sent yet."""
        self._waiting = False
        self._voice_failures = 0
        self.apologising = False
        """The caller is told that there is no speech, unless the voice is missing, too."""
        self.voice_missing = False
        """The voice was lost before anything was heard of it."""

    # ---- answering

    def answer(self, text: str, record: TurnRecord, digits: str | None = None) -> None:
        """The floor is ours: answer these words, together with those that were never answered aloud."""
        state = self._state
        self._waiting = False
        before, self.unanswered = self.unanswered, Unanswered()
        parts = (*before.texts, text)
        merged = " ".join(parts).strip()
        caller = record.caller or CallerPart("")
        redacted_digits = before.redacted_digits or (bool(digits) and not caller.asked_digits)
        digits = before.digits + (digits or "") or None
        redacted = before.redacted or caller.redacted
        answered, state.question = state.question, state.question_left(parts, digits)
        state.expect(state.question)
        if redacted or redacted_digits:
            state.keep_secret(merged if redacted else "", digits or "")
        turn = self._turn(merged, state.transcript.history, before.first, digits)
        reply = self._drafts.take(turn, state.notes, record) if digits is None else None
        if reply is None:
            self.drop_draft("the words changed")
            reply = self._start(turn, parts, state.notes)
        self.turn_count += 1
        reply.record = record
        reply.digits, reply.redacted, reply.redacted_digits = digits or "", redacted, redacted_digits
        reply.answers = answered if answered is not None and answered.sensitive else None
        record.wasted = self._drafts.wasted()
        if merged or digits:
            state.transcript.caller_said(reply)
        state.replies.enqueue(reply)
        self._release(reply)
        self._await(reply)

    def start_draft(self, text: str) -> None:
        """A draft is made as if the turn ended here, and with it what we are saying."""
        self.drop_draft("the words changed")
        if self.unanswered.digits:
            return  # answered together with the keys, which no draft knows
        foreseen = foresee(self._state, self.unanswered)
        parts = (*foreseen.texts, text)
        turn = self._turn(" ".join(parts).strip(), foreseen.history, foreseen.first)
        draft = self._start(turn, parts, foreseen.notes, draft=True)
        draft.redacted = self._state.redacts(text) or self.unanswered.redacted
        self._drafts.begin(draft, turn, foreseen.notes)

    def _turn(
        self, text: str, history: Sequence[Message], first: int | None, digits: str | None = None
    ) -> Turn:
        return Turn(text, self.turn_count, tuple(history), digits, self._state.info, first)

    def _start(
        self, turn: Turn, parts: Sequence[str], notes: Mapping[str, Any], *, draft: bool = False
    ) -> Reply:
        stage = Stage.DRAFT if draft else Stage.WAITING
        reply = self._state.replies.new(
            ReplyKind.ANSWER, turn_text=turn.text, stage=stage, drafted=draft, began_at=self._state.now,
            redact_numbers=self._state.sensitive_asked, parts=tuple(filter(None, parts)),
            first_turn=turn.index if turn.first is None else turn.first,
        )  # fmt: skip
        self._state.commands.append(ev.StartReply(reply.number, turn, dict(notes), draft))
        return reply

    def _release(self, reply: Reply) -> None:
        """A reply is to be said: its notes are adopted, its words voiced, its question prepared."""
        state = self._state
        reply.notes_before = dict(state.notes)
        state.notes.update(reply.notes)
        state.replies.voice_deferred(reply)
        if reply.question is not None:
            state.expect(reply.question)
        if reply.ended:
            self._check(reply)

    def _await(self, reply: Reply) -> None:
        state = self._state
        self._answer = reply
        if state.ledger.available(reply.number) == 0 and not reply.complete:
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

    def _ask_again(self, failed: Reply, reason: str) -> None:
        """A reply that failed ends in words all the same."""
        state = self._state
        state.decide(ev.Decision.ASK_AGAIN, reason)
        record = None
        if state.ledger.available(failed.number) == 0:
            record = failed.record
            if failed.kind is ReplyKind.ANSWER:
                self.unanswered.answered_in_vain(failed)
            state.replies.discard(failed, state.now, reason)
            state.ledger.forget(failed.number)
        state.timers.clear(*WAITING_TIMERS)
        self.say(ReplyKind.REASK, state.prompts.reask(), record=record)

    # ---- holding, cutting, going on

    def may_interrupt(self) -> bool:
        """Whether what is in the caller's ear may be stopped for the caller."""
        state = self._state
        head = state.replies.head
        if head is None or state.replies.paused:
            return True
        in_the_ear = head.stage in (Stage.SPEAKING, Stage.SENT)
        if not in_the_ear:
            # An answer of which nothing was heard is made anew with what is being said; a notice is not.
            return head.interruptible or head.kind is ReplyKind.ANSWER
        return state.policy.barge_in != "off" and head.interruptible

    def go_on(self) -> None:
        """The hold is over: what was held goes on, and what waits for it goes on waiting."""
        state = self._state
        state.timers.clear(Timer.PAUSE, Timer.GO_ON)
        if state.replies.paused:
            for reply in state.replies.queue:
                part = state.transcript.agent_part(reply)
                if part is not None:
                    part.paused += 1
            state.replies.go_on(state.now)
        self.resume_waiting()

    def resume_waiting(self) -> None:
        """The caller's turn came to nothing: deadlines that rested for it are set anew."""
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
            state.question = asked
        cut = state.replies.cut(state.now, reason)
        if cut:
            state.decide(ev.Decision.CUT, reason)
        for reply in reversed(cut):
            if reply.kind is ReplyKind.ANSWER and unheard(state, reply) and reply.notes_before is not None:
                state.notes = reply.notes_before  # at last, those before the first of them
        for reply in cut:
            if reply.kind is ReplyKind.ANSWER and unheard(state, reply):
                # Its question will be answered together with the caller's next words.
                self.unanswered.take_back(reply)
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
            state.transcript.text_came(reply, state.now)
            reply.interruptible = reply.interruptible and event.interruptible
            state.replies.add_text(reply, event.text, defer=self._is_deferred(reply))

    def _is_deferred(self, reply: Reply) -> bool:
        return reply.stage is Stage.DRAFT and self._state.policy.eager != "voice"

    def on_note(self, event: ev.ReplyNote) -> None:
        reply = self._state.replies.known(event.reply)
        if reply is not None:
            reply.notes.update(event.note.values)
            if (reply.redacted or self._state.sensitive) and not event.note.clean:
                self._state.redacted_notes.update(event.note.values)
            if reply.stage is not Stage.DRAFT:
                self._state.notes.update(event.note.values)

    def on_action(self, event: ev.ReplyAction) -> None:
        reply = self._state.replies.known(event.reply)
        if reply is not None:
            reply.actions.append(event.action)
            if isinstance(event.action, Expect) and reply.stage is not Stage.DRAFT:
                self._state.expect(event.action)

    def on_ended(self, event: ev.ReplyEnded) -> None:
        reply = self._state.replies.known(event.reply)
        if reply is not None:
            self._state.replies.end_text(reply, defer=self._is_deferred(reply))
            reply.problem = reply.problem or event.problem
            if reply.stage is not Stage.DRAFT:
                self._check(reply)

    def _check(self, reply: Reply) -> None:
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
            state.transcript.sound_came(reply, state.now)
            self._voice_failures, self.voice_missing, self.apologising = 0, False, False
            state.replies.audio(event)
            if reply is self._answer:
                self._drop_fillers()

    def _drop_fillers(self) -> None:
        """The answer is here: a filler that has not begun would only hold it up."""
        state = self._state
        for filler in [r for r in state.replies.queue if r.kind is ReplyKind.FILLER and not r.segment]:
            state.replies.discard(filler, state.now, "the answer is here")
            state.ledger.forget(filler.number)

    def on_phrase(self, event: ev.PhraseSpoken) -> None:
        state = self._state
        reply = state.replies.known(event.reply)
        if reply is None:
            return
        state.replies.phrase_spoken(event)
        if not reply.problem or reply.open_phrases:
            return
        self._voice_failures += 1
        if self._voice_failures >= VOICE_FAILURES:
            state.end_call(ev.HangUpReason.VOICE_FAILED)
        elif reply.kind in (ReplyKind.ANSWER, ReplyKind.GREETING) and reply.complete and not reply.leaves:
            # What could not be spoken may have been the question: silence would be left.
            self._ask_again(reply, reply.problem)

    def on_voice_down(self, event: ev.TtsDisconnected) -> None:
        """A refusal is final, unless it says that too many speak at once; so is a start without a voice."""
        state = self._state
        refused = event.status is not None and 400 <= event.status < 500
        if refused and event.status != TOO_MANY_REQUESTS:
            state.end_call(ev.HangUpReason.VOICE_REFUSED)
        elif self.apologising:
            state.end_call(ev.HangUpReason.VOICE_UNREACHABLE)
        elif not state.ledger.play_end:
            self.voice_missing = True
            state.timers.set_if_unset(Timer.NO_SPEECH, max(state.now, state.policy.no_speech_s))

    def on_sent(self, event: ev.Sent) -> None:
        state = self._state
        state.ledger.sent(event.reply, event.start, event.end, state.now)
        if event.mark:
            state.ledger.mark_sent(event.mark, event.reply, event.end, state.now)
        reply = state.replies.known(event.reply)
        if reply is not None:
            state.transcript.sent(reply, state.now)
            self._came(reply)
            self._drafts.sounded(reply)

    def goodbye_overdue(self) -> None:
        """A goodbye must be over by now, unless it is a long one that is still being said."""
        state = self._state
        if state.ledger.play_end > state.now - LOST_MARK_S and not state.replies.paused:
            state.timers.set(Timer.GOODBYE, state.ledger.play_end + LOST_MARK_S + 1.0)
            return
        state.end_call(ev.HangUpReason.GOODBYE_OVERDUE)

    def _came(self, reply: Reply) -> None:
        if reply is self._answer:
            self._answer = None
            self._state.timers.clear(*WAITING_TIMERS)

    # ---- our own words

    def say(
        self,
        kind: ReplyKind,
        text: str,
        actions: Sequence[HangUp | Transfer | Expect] = (),
        *,
        interruptible: bool = True,
        first: bool = False,
        record: TurnRecord | None = None,
    ) -> None:
        """Say something of our own accord, behind what is queued, or before what has not begun (`first`)."""
        state = self._state
        reply = state.replies.new(kind, interruptible=interruptible, record=record)
        reply.actions += actions
        state.transcript.text_came(reply, state.now)
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

    def _heard_out(self, reply: Reply) -> None:
        """The caller has heard a reply to its end: now it has its effects."""
        state = self._state
        self._came(reply)
        if reply.question is not None:
            state.question = reply.question
        self._waiting = any(isinstance(action, Wait) for action in reply.actions)
        transfer = next((a for a in reply.actions if isinstance(a, Transfer)), None)
        if transfer is not None:
            state.commands.append(ev.TransferCall(transfer.to))
            state.close(ev.EndReason.AGENT)
        elif reply.ends_call:
            state.end_call(ev.HangUpReason.GOODBYE)

    def _rest(self) -> None:
        """Nobody speaks: answer what was kept, or wait for the caller."""
        state = self._state
        if state.speaking is not None:
            for kept in self.kept:
                self.unanswered.add(*kept)
            self.kept.clear()
        elif self.kept:
            *before, (text, record) = self.kept
            self.kept.clear()
            for kept in before:
                self.unanswered.add(*kept)
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
        state.prompts.silence_step += 1
        self._waiting = False
        self.say(ReplyKind.PROMPT, step.say, [HangUp()] if step.hang_up else [])

    def acknowledge(self) -> None:
        """A sign that we are still listening, in a caller's monologue."""
        line = self._state.prompts.acknowledge()
        if line:
            self.say(ReplyKind.FILLER, line)
