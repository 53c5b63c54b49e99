"""The queue of our replies: in the order they are spoken, paused, cut, and heard to their end. PURE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from telephony.audio.g711 import PHONE_RATE
from telephony.conversation.queued_reply import QueuedReply, ReplyKind, Stage
from telephony.events import (
    CancelReply,
    ClearAudio,
    Command,
    ContinueReply,
    DropAudio,
    PauseReply,
    PhraseSpoken,
    Play,
    ReplyAudio,
    Speak,
    StopPlaying,
)
from telephony.playback.ledger import Ledger


class ReplyQueue:
    """The replies that will be spoken, in order; the first is playing."""

    def __init__(self, ledger: Ledger, emit: Callable[[Command], None]) -> None:
        """`emit` takes the commands that follow."""
        self.queue: list[QueuedReply] = []
        self.paused = False
        """Nothing is sent: the caller may be interrupting."""
        self._ledger = ledger
        self._emit = emit
        self._by_number: dict[int, QueuedReply] = {}
        self._number = 0

    def new(self, kind: ReplyKind, **fields: Any) -> QueuedReply:
        """A reply with the next number; it is not in the queue yet."""
        self._number += 1
        reply = QueuedReply(self._number, kind, **fields)
        self._by_number[reply.number] = reply
        return reply

    def known(self, number: int) -> QueuedReply | None:
        """A reply that has not been cut or finished; None drops what comes late for it."""
        return self._by_number.get(number)

    def is_complete(self, reply: QueuedReply) -> bool:
        """Whether all of a reply's audio has been made."""
        return reply.ended and not reply.deferred and not self._ledger.has_open_phrases(reply.number)

    def is_voicing(self, reply: QueuedReply) -> bool:
        """Whether the voice still has something to bring for a reply."""
        return self._ledger.has_open_phrases(reply.number)

    # words and audio

    def add_text(self, reply: QueuedReply, text: str, *, defer: bool = False) -> None:
        """More of a reply's words. `defer`: they must not be voiced before its release."""
        self._voice(reply, reply.add_text(text), defer)

    def end_text(self, reply: QueuedReply, *, defer: bool = False) -> None:
        """A reply has all its words."""
        self._voice(reply, reply.end_text(), defer)

    def _voice(self, reply: QueuedReply, phrases: list[str], defer: bool) -> None:
        if defer:
            reply.defer(phrases)
            return
        for text in phrases:
            number = self._ledger.add_phrase(reply.number, text)
            self._emit(Speak(reply.number, number, text, reply.stage is Stage.DRAFT))

    def voice_deferred(self, reply: QueuedReply) -> None:
        """A draft was released: its words are voiced now."""
        self._voice(reply, reply.release(), defer=False)

    def audio(self, event: ReplyAudio) -> None:
        """More audio of a phrase is in the store."""
        if event.reply in self._by_number:
            self._ledger.audio(event.reply, event.phrase, event.samples)

    def phrase_spoken(self, event: PhraseSpoken) -> None:
        """A phrase is complete; one that failed without a sound is tried once more."""
        reply = self._by_number.get(event.reply)
        if reply is None or not self._ledger.is_open(event.reply, event.phrase):
            return
        if not event.problem:
            self._ledger.phrase_done(event.reply, event.phrase, event.words)
            return
        text = self._ledger.retry(event.reply, event.phrase)
        if text is not None:
            self._emit(Speak(event.reply, event.phrase, text, reply.stage is Stage.DRAFT))
            return
        reply.break_off(event.problem)
        self._ledger.phrase_failed(event.reply, event.phrase, event.words)

    # the queue

    def close(self, now: float, reason: str) -> list[QueuedReply]:
        """Give up drafts and all that is queued; returns them."""
        left = list(self._by_number.values())
        for reply in left:
            heard = self._ledger.heard(reply.number, now)
            self._emit(CancelReply(reply.number, heard.samples * 1000 / PHONE_RATE, reason))
        self.queue.clear()
        return left

    def enqueue(self, reply: QueuedReply, *, first: bool = False) -> None:
        """Give a reply its place; `first`: before those of which nothing was sent yet."""
        place = len(self.queue)
        if first:
            place = sum(r.stage in (Stage.SPEAKING, Stage.SENT) for r in self.queue)
        self.queue.insert(place, reply)
        reply.move(Stage.WAITING)

    @property
    def head(self) -> QueuedReply | None:
        """The reply that is playing, or the next one."""
        return self.queue[0] if self.queue else None

    def pause(self, now: float, reason: str) -> None:
        """Stop, empty the carrier's buffer, and settle what was heard. Nothing is sent until `go_on`."""
        self._stop(now, reason)
        for reply in self.queue:
            if not reply.ended:
                self._emit(PauseReply(reply.number))

    def _stop(self, now: float, reason: str) -> None:
        self.paused = True
        audible = self._ledger.audible(now)
        if audible:
            self._emit(ClearAudio(reason))
        # Nothing may be audible because the voice is late: what it brings now must not be fed either.
        if audible or any(reply.stage is Stage.SPEAKING for reply in self.queue):
            self._emit(StopPlaying())
        if audible:
            self._ledger.cleared(now)
        for reply in self.queue:
            if reply.stage in (Stage.SPEAKING, Stage.SENT):
                reply.resume_at(self._ledger.resume_point(reply.number, now))
                reply.move(Stage.WAITING)

    def go_on(self, now: float) -> None:
        """The pause is over: every reply goes on from the first word that was not wholly heard."""
        self.paused = False
        for reply in self.queue:
            if not reply.ended:
                self._emit(ContinueReply(reply.number))
            if reply.segment:
                # By now the line may have shown more exactly where the `clear` cut.
                reply.resume_at(self._ledger.resume_point(reply.number, now))

    def cut(self, now: float, reason: str) -> list[QueuedReply]:
        """Give up all that is queued; returns the replies that were cut, with the ledger settled."""
        if not self.paused:
            self._stop(now, reason)
        self.paused = False
        cut, self.queue = self.queue, []
        for reply in cut:
            self._give_up(reply, now, reason)
        return cut

    def discard(self, reply: QueuedReply, now: float, reason: str) -> None:
        """Give up one reply, queued or not: a draft, or one that failed before it made a sound.

        Nobody heard any of it, so nothing of it is written down.
        """
        if reply in self.queue:
            self.queue.remove(reply)
        self._give_up(reply, now, reason)
        self._ledger.forget(reply.number)

    def _give_up(self, reply: QueuedReply, now: float, reason: str) -> None:
        reply.move(Stage.CUT)
        self._by_number.pop(reply.number, None)
        heard = self._ledger.heard(reply.number, now)
        self._emit(CancelReply(reply.number, heard.samples * 1000 / PHONE_RATE, reason))

    def advance(self, now: float) -> list[QueuedReply]:
        """Start what is due to be spoken; returns the replies that were heard to their end."""
        finished: list[QueuedReply] = []
        if not self.queue:
            return finished
        if not self.paused:
            self._feed()
        while self.queue and self._was_heard(self.queue[0], now):
            reply = self.queue.pop(0)
            reply.move(Stage.DONE)
            self._by_number.pop(reply.number, None)
            self._emit(DropAudio(reply.number))
            finished.append(reply)
        return finished

    def _was_heard(self, reply: QueuedReply, now: float) -> bool:
        return reply.stage is Stage.SENT and self._ledger.all_heard(reply.number, now)

    def _feed(self) -> None:
        for reply in self.queue:
            if reply.stage is Stage.SENT:
                continue
            available = self._ledger.available(reply.number)
            if reply.stage is Stage.WAITING:
                if available > reply.resume:
                    self._emit(Play(reply.number, reply.resume, reply.play()))
                elif self.is_complete(reply):
                    reply.move(Stage.SENT)
                    continue
            elif self.is_complete(reply) and self._ledger.sent_samples(reply.number) >= available:
                reply.move(Stage.SENT)
                continue
            return
