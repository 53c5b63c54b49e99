"""One reply: what it says, what it does, and how far it has come. PURE.

`ReplyQueue` moves a reply from stage to stage, `AgentTurn` adds what the agent gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from telephony.conversation.turn_record import REDACTED, TurnRecord
from telephony.reply.agent import Expect, HangUp, Transfer, Wait
from telephony.speak.phrases import Phraser
from telephony.speak.spoken_style import SpokenStyle

Action = HangUp | Transfer | Wait | Expect


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
class QueuedReply:
    """One thing that we say."""

    number: int
    kind: ReplyKind
    stage: Stage = Stage.WAITING
    turn_text: str = ""
    """The caller's words that it answers."""
    parts: tuple[str, ...] = ()
    """The same words, turn by turn."""
    first_turn: int = 0
    """The number of the first of those turns."""
    digits: str = ""
    """The keys that it answers."""
    redacted: bool = False
    """The caller's words must not be written down."""
    redacted_digits: bool = False
    """The caller's keys must not be written down: nobody asked for them, or they are sensitive."""
    redact_numbers: bool = False
    """The agent may know a secret: numbers in its words are not written down as they are."""
    answers: Expect | None = None
    """The sensitive question that the caller's words answer, if they do."""
    began_at: float = 0.0
    """When the agent was asked for it."""
    drafted: bool = False
    """It was begun before the caller's turn had ended, and has made no sound yet."""
    record: TurnRecord | None = None
    """Where it is written down."""
    text: str = ""
    style: SpokenStyle = field(default_factory=SpokenStyle)
    phraser: Phraser = field(default_factory=Phraser)
    deferred: list[str] = field(default_factory=list)
    """Phrases of a draft that wait for its release (`EAGER=text`)."""
    ended: bool = False
    """The agent has nothing to add."""
    problem: str = ""
    broke_off: bool = False
    """The voice could not say all of it."""
    first_text_at: float | None = None
    first_sound_at: float | None = None
    interruptible: bool = True
    notes: dict[str, Any] = field(default_factory=dict)
    notes_before: dict[str, Any] | None = None
    """The call's notes before this reply's were adopted. They come back if nothing of it is heard."""
    actions: list[Action] = field(default_factory=list)
    backchannels: list[str] = field(default_factory=list)
    """What the caller said over it that asked nothing."""
    noise: bool = False
    """A sound came meanwhile that was nobody's words."""
    resume: int = 0
    """The sample to go on from."""
    segment: int = 0
    """How many segments of it were begun: each Play begins one."""

    @property
    def line_text(self) -> str:
        """The caller's words that it answers, as they are written down."""
        return REDACTED if self.redacted and self.turn_text else self.turn_text

    @property
    def line_digits(self) -> str:
        """The keys that it answers, as they are written down."""
        return REDACTED if self.redacted_digits and self.digits else self.digits

    @property
    def question(self) -> Expect | None:
        """The question that it ends with, if any."""
        return next((a for a in reversed(self.actions) if isinstance(a, Expect)), None)

    @property
    def ends_call(self) -> bool:
        """Whether we hang up after it."""
        return any(isinstance(a, HangUp) for a in self.actions)

    @property
    def leaves(self) -> bool:
        """Whether the caller is somewhere else after it: with nobody, or with somebody else."""
        return any(isinstance(a, HangUp | Transfer) for a in self.actions)

    # its words and its way to the line

    def add_text(self, text: str) -> list[str]:
        """More words; returns the phrases that are complete with them."""
        if self.text[-1:] in (".", "!", "?") and text[:1].isupper() and _is_sentence(text):
            # Whole sentences yielded one by one come without the space between them. A model's tokens bring
            # their own: "U." and "S." are one word.
            text = " " + text
        return self._speakable(self.style.feed(text))

    def end_text(self) -> list[str]:
        """It has all its words; returns the phrases that are left."""
        self.ended = True
        return self._speakable(self.style.finish()) + self.phraser.finish()

    def _speakable(self, text: str) -> list[str]:
        self.text += text
        return self.phraser.feed(text) if text else []

    def defer(self, phrases: list[str]) -> None:
        """These are voiced when it is released."""
        self.deferred += phrases

    def release(self) -> list[str]:
        """It is released: returns the phrases that waited for it."""
        phrases, self.deferred = self.deferred, []
        return phrases

    def break_off(self, problem: str) -> None:
        """The voice could not say all of it."""
        self.fail(problem)
        self.broke_off = True

    def move(self, stage: Stage) -> None:
        """It has come as far as this."""
        self.stage = stage

    def play(self) -> int:
        """It is fed to the line from `resume` on; returns the segment's number."""
        self.stage = Stage.SPEAKING
        self.segment += 1
        return self.segment

    def resume_at(self, sample: int) -> None:
        """From where it will be fed to the line."""
        self.resume = sample

    # what is learnt about it

    def accept(
        self,
        record: TurnRecord,
        digits: str,
        *,
        redacted: bool,
        redacted_digits: bool,
        answers: Expect | None,
    ) -> None:
        """It is the answer to a turn that has ended."""
        self.record, self.digits = record, digits
        self.redacted, self.redacted_digits, self.answers = redacted, redacted_digits, answers

    def write_in(self, record: TurnRecord) -> None:
        """It is written down there."""
        self.record = record

    def remember_notes(self, notes: Mapping[str, Any]) -> None:
        """The call's notes before this reply's are adopted."""
        self.notes_before = dict(notes)

    def add_notes(self, values: Mapping[str, Any]) -> None:
        """The agent wants these remembered."""
        self.notes.update(values)

    def add_actions(self, actions: Sequence[Action]) -> None:
        """The agent wants these done once it was heard."""
        self.actions += actions

    def protect(self) -> None:
        """It must be finished whatever the caller says."""
        self.interruptible = False

    def fail(self, problem: str) -> None:
        """Something went wrong; the first problem counts."""
        self.problem = self.problem or problem

    def heard_backchannel(self, text: str) -> None:
        """The caller said this over it, which asked nothing."""
        self.backchannels.append(text)

    def heard_noise(self) -> None:
        """A sound came while it was spoken that was nobody's words."""
        self.noise = True

    def text_came(self, now: float) -> None:
        """The agent gave the first of its words."""
        if self.first_text_at is None:
            self.first_text_at = now

    def sound_came(self, now: float) -> None:
        """The first of its audio is in the store."""
        if self.first_sound_at is None:
            self.first_sound_at = now

    def sounded(self) -> None:
        """It is heard from now on. A draft saved no more than it took to make its first sound."""
        if self.drafted and self.record is not None and self.first_sound_at is not None:
            self.record.draft_saved(round((self.first_sound_at - self.began_at) * 1000))
            self.drafted = False


@dataclass(slots=True)
class Unanswered:
    """What the caller said that will be answered together with what comes next."""

    texts: list[str] = field(default_factory=list)
    digits: str = ""
    """The keys that were pressed."""
    redacted: bool = False
    """Some of the words must not be written down."""
    redacted_digits: bool = False
    """The keys must not be written down."""
    first: int | None = None
    """The number of the earliest turn whose answer was begun, and of which nothing was heard."""

    def copy(self) -> Unanswered:
        """The same, to be changed by itself."""
        return replace(self, texts=self.texts.copy())

    def add(self, text: str, record: TurnRecord) -> None:
        """More words, and how they are written down."""
        self.texts.append(text)
        self.redacted |= record.caller is not None and record.caller.redacted

    def take_back(self, reply: QueuedReply) -> None:
        """What a reply was to answer, of which nothing was heard."""
        self.digits += reply.digits
        self.redacted |= reply.redacted
        self.redacted_digits |= reply.redacted_digits
        self.texts += reply.parts
        self.answered_in_vain(reply)

    def answered_in_vain(self, reply: QueuedReply) -> None:
        """Nothing was heard of a reply; what it has done already must not be done again."""
        self.first = reply.first_turn if self.first is None else min(self.first, reply.first_turn)


def _is_sentence(text: str) -> bool:
    """Whether a piece of text is more than a word or a part of one: "Okay.", "Two lattes", not "S."."""
    return len(text.split()) > 1 or (len(text) > 2 and text[-1] in ".!?")
