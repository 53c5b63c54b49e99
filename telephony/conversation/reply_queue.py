"""Who has the floor: our replies in the order they are spoken, held, cut, and heard to their end. PURE."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from telephony.audio.g711 import PHONE_RATE
from telephony.conversation.turn_record import REDACTED, TurnRecord
from telephony.events import (
    CancelReply,
    ClearAudio,
    Command,
    DropAudio,
    PhraseSpoken,
    Play,
    ReplyAudio,
    Speak,
    StopPlaying,
)
from telephony.playback.ledger import Ledger
from telephony.reply.agent import Expect, HangUp, Transfer, Wait
from telephony.speak.phrases import Phraser
from telephony.speak.spoken_style import SpokenStyle


class ReplyKind(Enum):
    """Why a reply is spoken."""

    GREETING = "greeting"
    ANSWER = "answer"
    FILLER = "filler"
    REASK = "re-ask"
    PROMPT = "silence prompt"
    NOTICE = "notice"


class Stage(Enum):
    """How far a reply has come."""

    DRAFT = "draft"
    WAITING = "waiting"
    SPEAKING = "speaking"
    SENT = "sent"
    DONE = "done"
    CUT = "cut"


@dataclass(slots=True)
class Reply:
    """One thing that we say."""

    number: int
    kind: ReplyKind
    stage: Stage = Stage.WAITING
    turn_text: str = ""
    """The caller's words that it answers."""
    parts: tuple[str, ...] = ()
    """The same, turn by turn."""
    first_turn: int = 0
    """The number of the first of those turns."""
    digits: str = ""
    """And the keys."""
    redacted: bool = False
    """Those are not to be written down."""
    redacted_digits: bool = False
    """The keys are not to be written down: nobody asked for them, or they are sensitive."""
    redact_numbers: bool = False
    """The agent may know a secret: numbers in its words are not written down as they are."""
    answers: Expect | None = None
    """The sensitive question that the caller's words answer, if they do."""
    began_at: float = 0.0
    """When it was asked for."""
    drafted: bool = False
    """It was begun before the caller's turn had ended."""
    record: TurnRecord | None = None
    """Where it is written down."""
    text: str = ""
    style: SpokenStyle = field(default_factory=SpokenStyle)
    phraser: Phraser = field(default_factory=Phraser)
    phrases: int = 0
    open_phrases: set[int] = field(default_factory=set)
    deferred: list[str] = field(default_factory=list)
    """Phrases of a draft that wait for its release (`EAGER=text`)."""
    retried: set[int] = field(default_factory=set)
    ended: bool = False
    problem: str = ""
    broke_off: bool = False
    """The voice could not say all of it."""
    first_text_at: float | None = None
    first_sound_at: float | None = None
    interruptible: bool = True
    notes: dict[str, Any] = field(default_factory=dict)
    notes_before: dict[str, Any] | None = None
    """The call's notes before this reply's were adopted; taken back if nothing of it is heard."""
    actions: list[HangUp | Transfer | Wait | Expect] = field(default_factory=list)
    backchannels: list[str] = field(default_factory=list)
    """What the caller said while it was spoken that asked nothing."""
    noise: bool = False
    """Whether a sound came meanwhile that was nobody's words."""
    resume: int = 0
    """The sample to go on from."""
    segment: int = 0

    @property
    def line_text(self) -> str:
        """The caller's words that it answers, as they are written down."""
        return REDACTED if self.redacted and self.turn_text else self.turn_text

    @property
    def line_digits(self) -> str:
        """The keys that it answers, as they are written down."""
        return REDACTED if self.redacted_digits and self.digits else self.digits

    @property
    def complete(self) -> bool:
        """Whether all of its audio has been made."""
        return self.ended and not self.open_phrases and not self.deferred

    @property
    def question(self) -> Expect | None:
        return next((a for a in reversed(self.actions) if isinstance(a, Expect)), None)

    @property
    def ends_call(self) -> bool:
        return any(isinstance(a, HangUp) for a in self.actions)

    @property
    def leaves(self) -> bool:
        """After it the caller is somewhere else: with nobody, or with somebody else."""
        return any(isinstance(a, HangUp | Transfer) for a in self.actions)


@dataclass(slots=True)
class Unanswered:
    """What the caller said that will be answered together with what comes next."""

    texts: list[str] = field(default_factory=list)
    digits: str = ""
    """And keyed in."""
    redacted: bool = False
    """Some of it is not to be written down."""
    redacted_digits: bool = False
    """Nor are the keys."""
    first: int | None = None
    """The number of the earliest turn whose answer was begun, and of which nothing was heard."""

    def add(self, text: str, record: TurnRecord) -> None:
        """More words, and how they are written down."""
        self.texts.append(text)
        self.redacted |= record.caller is not None and record.caller.redacted

    def take_back(self, reply: Reply) -> None:
        """What a reply was to answer, of which nothing was heard."""
        self.digits += reply.digits
        self.redacted |= reply.redacted
        self.redacted_digits |= reply.redacted_digits
        self.texts += reply.parts
        self.answered_in_vain(reply)

    def answered_in_vain(self, reply: Reply) -> None:
        """Nothing was heard of a reply; what it has done already is not to be done again."""
        self.first = reply.first_turn if self.first is None else min(self.first, reply.first_turn)


def _is_sentence(text: str) -> bool:
    """Whether a piece of text is more than a word or a part of one: "Okay.", "Two lattes", not "S."."""
    return len(text.split()) > 1 or (len(text) > 2 and text[-1] in ".!?")


class ReplyQueue:
    """The replies that are to be spoken, in order; the first is in the caller's ear."""

    def __init__(self, ledger: Ledger, commands: list[Command]) -> None:
        self.ledger = ledger
        self._by_number: dict[int, Reply] = {}
        self.queue: list[Reply] = []
        self.paused = False
        self._commands = commands
        self._number = 0

    def new(self, kind: ReplyKind, **fields: Any) -> Reply:
        """A reply with the next number; it is not in the queue yet."""
        self._number += 1
        reply = Reply(self._number, kind, **fields)
        self._by_number[reply.number] = reply
        return reply

    def known(self, number: int) -> Reply | None:
        """A reply that has not been cut or finished; None drops what comes late for it."""
        return self._by_number.get(number)

    def unfinished(self) -> list[Reply]:
        """Drafts, and all that is queued."""
        return list(self._by_number.values())

    # words and audio

    def add_text(self, reply: Reply, text: str, *, defer: bool = False) -> None:
        """More of a reply's words. `hold_back`: not to be voiced before its release."""
        if reply.text[-1:] in (".", "!", "?") and text[:1].isupper() and _is_sentence(text):
            # Whole sentences yielded one by one come without the space between them; a model's tokens bring
            # their own: "U." and "S." are one word.
            text = " " + text
        self._speakable(reply, reply.style.feed(text), defer)

    def end_text(self, reply: Reply, *, defer: bool = False) -> None:
        self._speakable(reply, reply.style.finish(), defer)
        self._voice(reply, reply.phraser.finish(), defer)
        reply.ended = True

    def _speakable(self, reply: Reply, text: str, defer: bool) -> None:
        if text:
            reply.text += text
            self._voice(reply, reply.phraser.feed(text), defer)

    def _voice(self, reply: Reply, phrases: list[str], defer: bool) -> None:
        if defer:
            reply.deferred += phrases
            return
        for text in phrases:
            number = reply.phrases
            reply.phrases += 1
            reply.open_phrases.add(number)
            self.ledger.phrase(reply.number, number, text)
            self._commands.append(Speak(reply.number, number, text, reply.stage is Stage.DRAFT))

    def voice_deferred(self, reply: Reply) -> None:
        """A draft was released: its words are voiced now."""
        phrases, reply.deferred = reply.deferred, []
        self._voice(reply, phrases, defer=False)

    def audio(self, event: ReplyAudio) -> None:
        if event.reply in self._by_number:
            self.ledger.audio(event.reply, event.phrase, event.samples)

    def phrase_spoken(self, event: PhraseSpoken) -> None:
        """A phrase is complete; one that failed without a sound is tried once more."""
        reply = self._by_number.get(event.reply)
        if reply is None or event.phrase not in reply.open_phrases:
            return
        silent = self.ledger.phrase_samples(event.reply, event.phrase) == 0
        if event.problem and silent and event.phrase not in reply.retried:
            reply.retried.add(event.phrase)
            text = self.ledger.phrase_text(event.reply, event.phrase)
            self._commands.append(Speak(event.reply, event.phrase, text, reply.stage is Stage.DRAFT))
            return
        if event.problem:
            reply.problem = reply.problem or event.problem
            reply.broke_off = True
            self.ledger.phrase_failed(event.reply, event.phrase, event.words)
        else:
            self.ledger.phrase_done(event.reply, event.phrase, event.words)
        reply.open_phrases.discard(event.phrase)

    # the queue

    def enqueue(self, reply: Reply, *, first: bool = False) -> None:
        """Give a reply its place; `first`: before those of which nothing was sent yet."""
        place = len(self.queue)
        if first:
            place = sum(r.stage in (Stage.SPEAKING, Stage.SENT) for r in self.queue)
        self.queue.insert(place, reply)
        reply.stage = Stage.WAITING

    @property
    def head(self) -> Reply | None:
        """The reply in the caller's ear, or the next to be."""
        return self.queue[0] if self.queue else None

    def pause(self, now: float, reason: str) -> None:
        """Stop, empty the carrier's buffer, and settle what was heard. Nothing is sent until `go_on`."""
        self.paused = True
        audible = self.ledger.audible(now)
        if audible:
            self._commands.append(ClearAudio(reason))
        # Nothing may be audible because the voice is late: what it brings now must not be fed either.
        if audible or any(reply.stage is Stage.SPEAKING for reply in self.queue):
            self._commands.append(StopPlaying())
        if audible:
            self.ledger.cleared(now)
        for reply in self.queue:
            if reply.stage in (Stage.SPEAKING, Stage.SENT):
                reply.resume = self.ledger.resume_point(reply.number, now)
                reply.stage = Stage.WAITING

    def go_on(self, now: float) -> None:
        """The hold is over, and every reply goes on from the first word not wholly heard."""
        self.paused = False
        for reply in self.queue:
            if reply.segment:
                # By now the line may have told more exactly where the `clear` cut.
                reply.resume = self.ledger.resume_point(reply.number, now)

    def cut(self, now: float, reason: str) -> list[Reply]:
        """Give up all that is queued; returns the replies that were cut, with the ledger settled."""
        if not self.paused:
            self.pause(now, reason)
        self.paused = False
        cut, self.queue = self.queue, []
        for reply in cut:
            self._give_up(reply, now, reason)
        return cut

    def discard(self, reply: Reply, now: float, reason: str) -> None:
        """Give up one reply that is not in the queue (a draft), or that failed before a sound."""
        if reply in self.queue:
            self.queue.remove(reply)
        self._give_up(reply, now, reason)

    def _give_up(self, reply: Reply, now: float, reason: str) -> None:
        reply.stage = Stage.CUT
        self._by_number.pop(reply.number, None)
        heard = self.ledger.heard(reply.number, now)
        self._commands.append(CancelReply(reply.number, heard.samples * 1000 / PHONE_RATE, reason))

    def advance(self, now: float) -> list[Reply]:
        """Start what is due to be spoken; returns the replies that were heard to their end."""
        finished: list[Reply] = []
        if not self.queue:
            return finished
        if not self.paused:
            self._feed()
        while self.queue and self.queue[0].stage is Stage.SENT and self._heard(self.queue[0], now):
            reply = self.queue.pop(0)
            reply.stage = Stage.DONE
            self._by_number.pop(reply.number, None)
            self._commands.append(DropAudio(reply.number))
            finished.append(reply)
        return finished

    def _heard(self, reply: Reply, now: float) -> bool:
        return self.ledger.all_heard(reply.number, now)

    def _feed(self) -> None:
        for reply in self.queue:
            if reply.stage is Stage.SENT:
                continue
            available = self.ledger.available(reply.number)
            if reply.stage is Stage.WAITING:
                if available > reply.resume:
                    reply.segment += 1
                    reply.stage = Stage.SPEAKING
                    self._commands.append(Play(reply.number, reply.resume, reply.segment))
                elif reply.complete:
                    reply.stage = Stage.SENT
                    continue
            elif reply.complete and self.ledger.sent_samples(reply.number) >= available:
                reply.stage = Stage.SENT
                continue
            return
