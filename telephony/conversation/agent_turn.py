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

    def __init__(self, scene: ConversationState) -> None:
        self.turn_count = 0
        self.unanswered = Unanswered()
        self.kept: list[tuple[str, TurnRecord]] = []
        """What the caller said while we could not be interrupted: answered after it."""
        self._scene = scene
        self._drafts = Drafts(scene)
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
        scene = self._scene
        self._waiting = False
        before, self.unanswered = self.unanswered, Unanswered()
        parts = (*before.texts, text)
        merged = " ".join(parts).strip()
        caller = record.caller or CallerPart("")
        hidden_keys = before.hidden_keys or (bool(digits) and not caller.asked_keys)
        digits = before.digits + (digits or "") or None
        withheld = before.withheld or caller.withheld
        answered, scene.question = scene.question, scene.question_left(parts, digits)
        scene.expect(scene.question)
        if withheld or hidden_keys:
            scene.withhold(merged if withheld else "", digits or "")
        turn = self._turn(merged, scene.account.history, digits)
        reply = self._drafts.take(turn, scene.notes, record) if digits is None else None
        if reply is None:
            self.drop_draft("the words changed")
            reply = self._start(turn, parts, scene.notes)
        self.turn_count += 1
        reply.record = record
        reply.digits, reply.withheld, reply.hidden_keys = digits or "", withheld, hidden_keys
        reply.answers = answered if answered is not None and answered.sensitive else None
        record.wasted = self._drafts.wasted()
        if merged:
            line = reply.line_text
            scene.account.add_line(Message("caller", line, line))
        scene.floor.enqueue(reply)
        self._release(reply)
        self._await(reply)

    def start_draft(self, text: str) -> None:
        """A draft is made as if the turn ended here, and with it what we are saying."""
        self.drop_draft("the words changed")
        if self.unanswered.digits:
            return  # answered together with the keys, which no draft knows
        foreseen = foresee(self._scene, self.unanswered.texts)
        parts = (*foreseen.texts, text)
        turn = self._turn(" ".join(parts).strip(), foreseen.history)
        draft = self._start(turn, parts, foreseen.notes, draft=True)
        draft.withheld = self._scene.withholds(text) or self.unanswered.withheld
        self._drafts.begin(draft, turn, foreseen.notes)

    def _turn(self, text: str, history: Sequence[Message], digits: str | None = None) -> Turn:
        return Turn(text, self.turn_count, tuple(history), digits, self._scene.info)

    def _start(
        self, turn: Turn, parts: Sequence[str], notes: Mapping[str, Any], *, draft: bool = False
    ) -> Reply:
        stage = Stage.DRAFT if draft else Stage.WAITING
        reply = self._scene.floor.new(
            ReplyKind.ANSWER, turn_text=turn.text, stage=stage, drafted=draft, began_at=self._scene.now,
            guarded=self._scene.guarding, parts=tuple(filter(None, parts)),
        )  # fmt: skip
        self._scene.commands.append(ev.StartReply(reply.number, turn, dict(notes), draft))
        return reply

    def _release(self, reply: Reply) -> None:
        """A reply is to be said: its notes are adopted, its words voiced, its question prepared."""
        scene = self._scene
        reply.notes_before = dict(scene.notes)
        scene.notes.update(reply.notes)
        scene.floor.voice_held_back(reply)
        if reply.question is not None:
            scene.expect(reply.question)
        if reply.ended:
            self._check(reply)

    def _await(self, reply: Reply) -> None:
        scene = self._scene
        self._answer = reply
        if scene.ledger.available(reply.number) == 0 and not reply.complete:
            scene.timers.set(Timer.FILLER, scene.now + scene.policy.filler_s)
            scene.timers.set(Timer.BRIDGE, scene.now + scene.policy.bridge_s)
            scene.timers.set(Timer.GIVE_UP, scene.now + scene.policy.give_up_s)

    def say_filler(self, line: str) -> None:
        """The answer is late: say something meanwhile."""
        scene = self._scene
        pending = self._answer is not None and self._answer in scene.floor.queue
        if not pending:
            return
        if line and not scene.floor.held and scene.speaking is None:
            self.say(ReplyKind.FILLER, line, first=True)
        if Timer.BRIDGE not in scene.timers:
            scene.timers.set(Timer.FILLER, scene.now + scene.policy.filler_again_s)

    def give_up_answer(self) -> None:
        """The answer has not come in all this time: ask again."""
        answer, self._answer = self._answer, None
        if answer is None or answer not in self._scene.floor.queue:
            return
        if answer.leaves:  # its end is late, its transfer must not be lost
            self._scene.floor.end_text(answer)
            self._check(answer)
        elif self._scene.ledger.available(answer.number) == 0:
            self._ask_again(answer, "no reply in time")

    def _ask_again(self, failed: Reply, reason: str) -> None:
        """A reply that failed ends in words all the same."""
        scene = self._scene
        scene.decide(ev.Decision.ASK_AGAIN, reason)
        record = None
        if scene.ledger.available(failed.number) == 0:
            record = failed.record
            scene.floor.discard(failed, scene.now, reason)
            scene.ledger.forget(failed.number)
        scene.timers.clear(*WAITING_TIMERS)
        self.say(ReplyKind.REASK, scene.prompts.reask(), record=record)

    # ---- holding, cutting, going on

    def may_interrupt(self) -> bool:
        """Whether what is in the caller's ear may be stopped for the caller."""
        scene = self._scene
        head = scene.floor.head
        if head is None or scene.floor.held:
            return True
        in_the_ear = head.stage in (Stage.SPEAKING, Stage.SENT)
        if not in_the_ear:
            # An answer of which nothing was heard is made anew with what is being said; a notice is not.
            return head.interruptible or head.kind is ReplyKind.ANSWER
        return scene.policy.barge_in != "off" and head.interruptible

    def go_on(self) -> None:
        """The hold is over: what was held goes on, and what waits for it goes on waiting."""
        scene = self._scene
        scene.timers.clear(Timer.PAUSE, Timer.GO_ON)
        if scene.floor.held:
            for reply in scene.floor.queue:
                part = scene.account.agent_part(reply)
                if part is not None:
                    part.held += 1
            scene.floor.go_on(scene.now)
        self.resume_waiting()

    def resume_waiting(self) -> None:
        """The caller's turn came to nothing: deadlines that rested for it are set anew."""
        scene = self._scene
        if self._answer is not None and self._answer in scene.floor.queue:
            self._await(self._answer)
        if any(reply.ends_call for reply in scene.floor.queue):
            scene.timers.set(Timer.GOODBYE, scene.now + GOODBYE_S)

    def cut(self, reason: str) -> None:
        """Give up what is queued, and write down what was heard of it."""
        scene = self._scene
        asked = scene.asking
        if asked is not None and asked.sensitive:  # cut or not, it is answered with what is said now
            scene.question = asked
        cut = scene.floor.cut(scene.now, reason)
        if cut:
            scene.decide(ev.Decision.CUT, reason)
        for reply in reversed(cut):
            if reply.kind is ReplyKind.ANSWER and unheard(scene, reply) and reply.notes_before is not None:
                scene.notes = reply.notes_before  # at last, those before the first of them
        for reply in cut:
            if reply.kind is ReplyKind.ANSWER and unheard(scene, reply):
                # Its question will be answered together with the caller's next words.
                self.unanswered.take_back(reply)
                if reply.turn_text:
                    scene.account.take_back(reply)
            scene.settle(reply, interrupted=True)
        self._answer = None
        scene.timers.clear(Timer.PAUSE, Timer.GO_ON, *WAITING_TIMERS, Timer.PLAYED_OUT, Timer.GOODBYE)

    # ---- what the agent and the voice bring

    def on_text(self, event: ev.ReplyText) -> None:
        scene = self._scene
        reply = scene.floor.known(event.reply)
        if reply is not None:
            scene.account.text_came(reply, scene.now)
            reply.interruptible = reply.interruptible and event.interruptible
            scene.floor.add_text(reply, event.text, hold_back=self._held_back(reply))

    def _held_back(self, reply: Reply) -> bool:
        return reply.stage is Stage.DRAFT and self._scene.policy.eager != "voice"

    def on_note(self, event: ev.ReplyNote) -> None:
        reply = self._scene.floor.known(event.reply)
        if reply is not None:
            reply.notes.update(event.note.values)
            if (reply.withheld or self._scene.sensitive) and not event.note.clean:
                self._scene.withheld_notes.update(event.note.values)
            if reply.stage is not Stage.DRAFT:
                self._scene.notes.update(event.note.values)

    def on_action(self, event: ev.ReplyAction) -> None:
        reply = self._scene.floor.known(event.reply)
        if reply is not None:
            reply.actions.append(event.action)
            if isinstance(event.action, Expect) and reply.stage is not Stage.DRAFT:
                self._scene.expect(event.action)

    def on_ended(self, event: ev.ReplyEnded) -> None:
        reply = self._scene.floor.known(event.reply)
        if reply is not None:
            self._scene.floor.end_text(reply, hold_back=self._held_back(reply))
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
            self._scene.timers.set(Timer.GOODBYE, self._scene.now + GOODBYE_S)

    def on_audio(self, event: ev.ReplyAudio) -> None:
        scene = self._scene
        reply = scene.floor.known(event.reply)
        if reply is not None:
            scene.account.sound_came(reply, scene.now)
            self._voice_failures, self.voice_missing, self.apologising = 0, False, False
            scene.floor.audio(event)
            if reply is self._answer:
                self._drop_fillers()

    def _drop_fillers(self) -> None:
        """The answer is here: a filler that has not begun would only hold it up."""
        scene = self._scene
        for filler in [r for r in scene.floor.queue if r.kind is ReplyKind.FILLER and not r.stretch]:
            scene.floor.discard(filler, scene.now, "the answer is here")
            scene.ledger.forget(filler.number)

    def on_phrase(self, event: ev.PhraseSpoken) -> None:
        scene = self._scene
        reply = scene.floor.known(event.reply)
        if reply is None:
            return
        scene.floor.phrase_spoken(event)
        if not reply.problem or reply.open_phrases:
            return
        self._voice_failures += 1
        if self._voice_failures >= VOICE_FAILURES:
            scene.end_call(ev.HangUpReason.VOICE_FAILED)
        elif reply.kind in (ReplyKind.ANSWER, ReplyKind.GREETING) and reply.complete and not reply.leaves:
            # What could not be spoken may have been the question: silence would be left.
            self._ask_again(reply, reply.problem)

    def on_voice_down(self, event: ev.TtsDisconnected) -> None:
        """A refusal is final, unless it says that too many speak at once; so is a start without a voice."""
        scene = self._scene
        refused = event.status is not None and 400 <= event.status < 500
        if refused and event.status != TOO_MANY_REQUESTS:
            scene.end_call(ev.HangUpReason.VOICE_REFUSED)
        elif self.apologising:
            scene.end_call(ev.HangUpReason.VOICE_UNREACHABLE)
        elif not scene.ledger.play_end:
            self.voice_missing = True
            scene.timers.set_if_unset(Timer.NO_SPEECH, max(scene.now, scene.policy.no_speech_s))

    def on_sent(self, event: ev.Sent) -> None:
        scene = self._scene
        scene.ledger.sent(event.reply, event.start, event.end, scene.now)
        if event.mark:
            scene.ledger.mark_sent(event.mark, event.reply, event.end, scene.now)
        reply = scene.floor.known(event.reply)
        if reply is not None:
            scene.account.sent(reply, scene.now)
            self._came(reply)
            self._drafts.sounded(reply)

    def goodbye_overdue(self) -> None:
        """A goodbye must be over by now, unless it is a long one that is still being said."""
        scene = self._scene
        if scene.ledger.play_end > scene.now - LOST_MARK_S and not scene.floor.held:
            scene.timers.set(Timer.GOODBYE, scene.ledger.play_end + LOST_MARK_S + 1.0)
            return
        scene.end_call(ev.HangUpReason.GOODBYE_OVERDUE)

    def _came(self, reply: Reply) -> None:
        if reply is self._answer:
            self._answer = None
            self._scene.timers.clear(*WAITING_TIMERS)

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
        scene = self._scene
        reply = scene.floor.new(kind, interruptible=interruptible, record=record)
        reply.actions += actions
        scene.account.text_came(reply, scene.now)
        scene.floor.add_text(reply, text)
        scene.floor.end_text(reply)
        scene.floor.enqueue(reply, first=first)
        if reply.ends_call:
            scene.timers.set(Timer.GOODBYE, scene.now + GOODBYE_S)
        scene.timers.clear(Timer.SILENCE)

    def advance(self) -> None:
        """Feed what is due, and act on what was heard to its end."""
        scene = self._scene
        for reply in scene.floor.advance(scene.now):
            scene.settle(reply, interrupted=False)
            self._heard_out(reply)
            if scene.over:
                return
        head = scene.floor.head
        if head is not None and head.stage is Stage.SENT:
            scene.timers.set(Timer.PLAYED_OUT, scene.ledger.played_out_at())
        elif head is None:
            scene.timers.clear(Timer.PLAYED_OUT)
            self._rest()

    def _heard_out(self, reply: Reply) -> None:
        """The caller has heard a reply to its end: now it has its effects."""
        scene = self._scene
        self._came(reply)
        if reply.question is not None:
            scene.question = reply.question
        self._waiting = any(isinstance(action, Wait) for action in reply.actions)
        transfer = next((a for a in reply.actions if isinstance(a, Transfer)), None)
        if transfer is not None:
            scene.commands.append(ev.TransferCall(transfer.to))
            scene.close(ev.EndReason.AGENT)
        elif reply.ends_call:
            scene.end_call(ev.HangUpReason.GOODBYE)

    def _rest(self) -> None:
        """Nobody speaks: answer what was kept, or wait for the caller."""
        scene = self._scene
        if scene.speaking is not None:
            for kept in self.kept:
                self.unanswered.add(*kept)
            self.kept.clear()
        elif self.kept:
            *before, (text, record) = self.kept
            self.kept.clear()
            for kept in before:
                self.unanswered.add(*kept)
            self.answer(text, record)
            scene.floor.advance(scene.now)
        elif Timer.SILENCE not in scene.timers and Timer.DTMF_PAUSE not in scene.timers:
            step = scene.prompts.silence()
            if step is not None:
                after = scene.policy.wait_s if self._waiting else step.after_s
                scene.timers.set(Timer.SILENCE, scene.now + after)

    def say_into_silence(self) -> None:
        """The next step of the silence ladder."""
        scene = self._scene
        step = scene.prompts.silence()
        if step is None or scene.floor.head is not None or scene.speaking is not None:
            return
        scene.prompts.silence_step += 1
        self._waiting = False
        self.say(ReplyKind.PROMPT, step.say, [HangUp()] if step.hang_up else [])

    def acknowledge(self) -> None:
        """A sign that we are still listening, in a caller's monologue."""
        line = self._scene.prompts.acknowledge()
        if line:
            self.say(ReplyKind.FILLER, line)
