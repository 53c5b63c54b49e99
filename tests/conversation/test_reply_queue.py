"""The queue of replies: what is voiced, fed, paused, cut, and heard to its end."""

from __future__ import annotations

from telephony import events as ev
from telephony.conversation.queued_reply import QueuedReply, ReplyKind, Stage
from telephony.conversation.reply_queue import ReplyQueue
from telephony.playback.ledger import Ledger


class Queue:
    """A queue, its ledger, and the commands that came out of it."""

    def __init__(self) -> None:
        self.commands: list[ev.Command] = []
        self.ledger = Ledger()
        self.replies = ReplyQueue(self.ledger, self.commands.append)

    def say(
        self, text: str = "One two three four.", samples: int = 16000, *, end: bool = True
    ) -> QueuedReply:
        """A queued reply whose words were all given, with so much audio of its first phrase."""
        reply = self.replies.new(ReplyKind.ANSWER)
        self.replies.add_text(reply, text)
        if end:
            self.replies.end_text(reply)
        self.replies.enqueue(reply)
        if samples:
            self.voice(reply, samples)
        return reply

    def voice(self, reply: QueuedReply, samples: int, problem: str = "") -> None:
        if samples:
            self.replies.audio(ev.ReplyAudio(reply.number, 0, samples))
        self.replies.phrase_spoken(ev.PhraseSpoken(reply.number, 0, (), problem))

    def send(self, reply: QueuedReply, start: int, end: int, now: float) -> None:
        self.ledger.sent(reply.number, start, end, now)
        self.ledger.mark_sent(f"{reply.number}.{end}", reply.number, end, now)

    def took(self, kind: type) -> list[ev.Command]:
        """The commands of one kind so far."""
        return [command for command in self.commands if isinstance(command, kind)]


def stage(reply: QueuedReply) -> Stage:
    return reply.stage


def test_a_reply_is_fed_when_its_audio_is_there_and_gone_when_it_was_heard() -> None:
    queue = Queue()
    reply = queue.say()
    assert queue.replies.advance(1.0) == [] and queue.took(ev.Play) == [ev.Play(reply.number, 0, 1)]
    queue.send(reply, 0, 16000, 1.0)
    assert queue.replies.advance(2.0) == [] and stage(reply) is Stage.SENT
    queue.ledger.mark_played("1.16000", 3.02)
    assert queue.replies.advance(3.02) == [reply] and stage(reply) is Stage.DONE
    assert queue.took(ev.DropAudio) and queue.replies.known(reply.number) is None


def test_replies_are_fed_in_their_order_and_a_filler_goes_before_what_has_not_begun() -> None:
    queue = Queue()
    first, second = queue.say(), queue.say()
    queue.replies.advance(1.0)
    filler = queue.replies.new(ReplyKind.FILLER)
    queue.replies.enqueue(filler, first=True)
    assert queue.replies.queue == [first, filler, second]


def test_a_pause_clears_the_line_and_goes_on_from_the_first_word_not_wholly_heard() -> None:
    queue = Queue()
    reply = queue.say()
    queue.replies.advance(1.0)
    queue.send(reply, 0, 16000, 1.0)
    queue.replies.pause(2.0, "the caller speaks")
    assert [type(c) for c in queue.commands[-2:]] == [ev.ClearAudio, ev.StopPlaying]
    queue.replies.advance(2.5)
    assert len(queue.took(ev.Play)) == 1, "nothing is fed while it is paused"
    queue.replies.go_on(3.0)
    queue.replies.advance(3.0)
    again = queue.took(ev.Play)[-1]
    assert isinstance(again, ev.Play) and (again.start, again.segment) == (
        queue.ledger.resume_point(reply.number, 3.0), 2,
    )  # fmt: skip
    assert 0 < again.start < 8000


def test_nothing_is_cleared_where_nothing_can_be_heard() -> None:
    queue = Queue()
    queue.say(samples=0)
    queue.replies.pause(2.0, "the caller speaks")
    assert queue.took(ev.ClearAudio) == [] == queue.took(ev.StopPlaying)


def test_what_is_cut_is_cancelled_with_what_was_heard_of_it() -> None:
    queue = Queue()
    first, second = queue.say(), queue.say()
    queue.replies.advance(1.0)
    queue.send(first, 0, 16000, 1.0)
    assert queue.replies.cut(2.0, "no") == [first, second] and not queue.replies.queue
    assert queue.took(ev.CancelReply) == [ev.CancelReply(1, 1000.0, "no"), ev.CancelReply(2, 0.0, "no")]
    assert not queue.replies.paused and queue.replies.known(1) is None


def test_a_phrase_that_fails_without_a_sound_is_tried_once_more() -> None:
    queue = Queue()
    reply = queue.say(samples=0)
    queue.voice(reply, 0, "the voice failed")
    assert len(queue.took(ev.Speak)) == 2 and not reply.problem and not queue.replies.is_complete(reply)
    queue.voice(reply, 0, "the voice failed")
    assert len(queue.took(ev.Speak)) == 2 and reply.broke_off and queue.replies.is_complete(reply)


def test_a_deferred_draft_is_voiced_when_it_is_released() -> None:
    queue = Queue()
    draft = queue.replies.new(ReplyKind.ANSWER, stage=Stage.DRAFT)
    queue.replies.add_text(draft, "One two three four. ", defer=True)
    queue.replies.end_text(draft, defer=True)
    assert queue.took(ev.Speak) == [] and not queue.replies.is_complete(draft)
    queue.replies.enqueue(draft)
    queue.replies.voice_deferred(draft)
    assert queue.took(ev.Speak) == [ev.Speak(draft.number, 0, "One two three four.", False)]


def test_what_comes_late_for_a_reply_that_is_gone_is_dropped() -> None:
    queue = Queue()
    reply = queue.say(samples=0)
    queue.replies.discard(reply, 1.0, "not needed")
    queue.voice(reply, 800)
    assert queue.ledger.available(reply.number) == 0 and not queue.replies.queue


def test_at_the_end_of_the_call_drafts_are_given_up_too() -> None:
    queue = Queue()
    queued, draft = queue.say(), queue.replies.new(ReplyKind.ANSWER, stage=Stage.DRAFT)
    assert queue.replies.close(2.0, "over") == [queued, draft] and not queue.replies.queue
    assert len(queue.took(ev.CancelReply)) == 2
