"""What the caller has heard of us: the ledger.

PURE: time is passed in as `now`, seconds. Positions are samples of a reply (8,000 a second).

The ledger's reasoning. Audio sent at `at` begins to play when what was sent before it is over:
`play_end = max(at, play_end) + samples / 8000`. The way there delays media and `clear` alike, so the
position that the model gives for the moment we send `clear` is the position at which it takes effect.
A mark returns when what lies before it was played: it proves a lower limit, and its lateness, beyond the
least lateness seen in the call, says how much later than the model this stretch began to play. Marks that
return after a `clear` belong to the stretch that was cleared, and prove nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum

from telephony.events import PHONE_RATE, WordTime
from telephony.speak.line_delay import LineDelay
from telephony.speak.words import estimate_words, speaking_samples

LINE_ALLOWANCE_S = 0.5
"""The caller may still hear us this long after the model says that all was played: the way there."""
LOST_MARK_S = 1.0
"""A last mark that is this late counts as lost; the playout clock speaks instead."""


class WordState(Enum):
    HEARD = "heard"
    NOT_HEARD = "not heard"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word of a reply, and whether it reached the caller's ear."""

    text: str
    state: WordState
    start: int
    end: int
    bound_ms: float
    """How far off, in milliseconds, the heard position may be that this state was read from."""


@dataclass(frozen=True, slots=True)
class Heard:
    """How much of a reply was heard: the best answer, and how far off it may be."""

    samples: int
    bound_ms: float


@dataclass(slots=True)
class _Phrase:
    text: str
    start: int
    samples: int = 0
    words: tuple[WordTime, ...] | None = None

    def timed_words(self) -> tuple[WordTime, ...]:
        if self.words is not None:
            return self.words
        return estimate_words(self.text, max(self.samples, speaking_samples(self.text)))


@dataclass(slots=True)
class _Segment:
    start: int
    end: int
    play_start: float
    run: int

    @property
    def play_end(self) -> float:
        return self.play_start + (self.end - self.start) / PHONE_RATE


@dataclass(slots=True)
class _Spoken:
    """All that is known of one reply."""

    phrases: dict[int, _Phrase] = field(default_factory=dict)
    segments: list[_Segment] = field(default_factory=list)
    sent: int = 0
    floor: int = 0
    """Samples that a mark has proved."""
    frozen: Heard | None = None
    """What was heard when a `clear` went out."""
    unplayed: int = 0
    """Samples that the `clear` is thought to have removed."""
    first_sent_at: float | None = None


@dataclass(frozen=True, slots=True)
class _OpenMark:
    reply: int
    sample: int
    expected: float
    run: int


class Ledger:
    """For each word of each reply: heard, not heard, or uncertain, with a bound."""

    def __init__(self) -> None:
        self._replies: dict[int, _Spoken] = {}
        self._marks: OrderedDict[str, _OpenMark] = OrderedDict()
        self._line = LineDelay()
        self._cleared: set[str] = set()
        self._clear_at = 0.0
        self._clear_late = 0.0
        self._play_end = 0.0
        self._run = 0

    # what is known of a reply's words

    def phrase(self, reply: int, phrase: int, text: str) -> None:
        """A phrase was given to the voice."""
        spoken = self._replies.setdefault(reply, _Spoken())
        spoken.phrases[phrase] = _Phrase(text, self.available(reply))

    def audio(self, reply: int, phrase: int, samples: int) -> None:
        """More audio of a phrase is there."""
        spoken = self._replies[reply]
        known = spoken.phrases[phrase]
        if known.samples == 0:
            known.start = self.available(reply)
        known.samples += samples

    def phrase_done(self, reply: int, phrase: int, words: tuple[WordTime, ...]) -> None:
        """A phrase's audio is complete; `words` are the voice's own times, or none."""
        known = self._replies[reply].phrases[phrase]
        known.words = words or estimate_words(known.text, known.samples)

    def phrase_samples(self, reply: int, phrase: int) -> int:
        """How much audio of a phrase there is."""
        return self._replies[reply].phrases[phrase].samples

    def phrase_text(self, reply: int, phrase: int) -> str:
        return self._replies[reply].phrases[phrase].text

    def available(self, reply: int) -> int:
        """Samples of a reply that are there to be sent."""
        spoken = self._replies.get(reply)
        return sum(p.samples for p in spoken.phrases.values()) if spoken else 0

    # what happened on the line

    def sent(self, reply: int, start: int, end: int, now: float) -> None:
        """Samples [start, end) of a reply went out."""
        spoken = self._replies.setdefault(reply, _Spoken())
        if now > self._play_end:
            self._run += 1
        play_start = max(now, self._play_end)
        last = spoken.segments[-1] if spoken.segments else None
        if last is not None and last.end == start and last.run == self._run:
            last.end = end
        else:
            spoken.segments.append(_Segment(start, end, play_start, self._run))
        self._play_end = play_start + (end - start) / PHONE_RATE
        spoken.sent = max(spoken.sent, end)
        if spoken.first_sent_at is None:
            spoken.first_sent_at = now

    def mark_sent(self, name: str, reply: int, sample: int, now: float) -> None:
        self._marks[name] = _OpenMark(reply, sample, max(now, self._play_end), self._run)

    def mark_played(self, name: str, now: float) -> bool:
        """A mark came back. False: it proves nothing (cleared, duplicate, unknown)."""
        mark = self._marks.get(name)
        if mark is None:
            self._clear_answered(name, now)
            return False
        # The line keeps its order: marks before this one that have not come are lost.
        while next(iter(self._marks)) != name:
            self._marks.popitem(last=False)
        del self._marks[name]
        self._line.mark(mark.run, now - mark.expected)
        spoken = self._replies.get(mark.reply)
        if spoken is not None:
            spoken.floor = max(spoken.floor, mark.sample)
        for number, other in self._replies.items():
            # The line plays in order: what was queued before this mark has been played too.
            if number != mark.reply and other.segments and other.segments[-1].play_end <= mark.expected:
                other.floor = max(other.floor, other.sent)
        return True

    def _clear_answered(self, name: str, now: float) -> None:
        """A cleared mark came back: not proof of anything heard, but of when the `clear` took effect."""
        if name in self._cleared:
            self._cleared.clear()
            self._clear_late = max(0.0, now - self._clear_at - (self._line.least or 0.0))

    def clock(self, stream_ms: int, now: float) -> None:
        """The caller's side of the line: Twilio's timestamp of a frame that came at `now`."""
        self._line.clock(stream_ms, now)

    def cleared(self, now: float) -> None:
        """A `clear` goes out now: what was heard is settled, open marks prove nothing any more."""
        for reply, spoken in self._replies.items():
            if spoken.segments:
                spoken.frozen = self.heard(reply, now)
                spoken.unplayed = spoken.sent - spoken.frozen.samples
                spoken.segments.clear()
                spoken.sent = spoken.frozen.samples
        self._cleared = set(self._marks)
        self._marks.clear()
        self._clear_at, self._clear_late = now, 0.0
        self._play_end = now

    # what was heard

    def heard(self, reply: int, now: float) -> Heard:
        """How much of a reply the caller has heard by `now`."""
        spoken = self._replies.get(reply)
        if spoken is None:
            return Heard(0, 0.0)
        if not spoken.segments:
            return self._settled(spoken, now)
        position, bound = spoken.floor, 0.0
        if spoken.frozen is not None:
            position = max(position, spoken.frozen.samples)
        for segment in spoken.segments:
            played = now - segment.play_start - self._line.stretch_delay(segment.run)
            if played <= 0:
                continue
            reached = segment.start + min(int(played * PHONE_RATE), segment.end - segment.start)
            position = max(position, reached)
            bound = self._line.bound_s(segment.run, played)
        if spoken.floor >= spoken.sent:
            return Heard(spoken.sent, 0.0)
        return Heard(min(position, spoken.sent), (bound + self._overdue(now)) * 1000)

    def _settled(self, spoken: _Spoken, now: float) -> Heard:
        """What was heard when the last `clear` took effect.

        A stalled line delays the `clear` too; what was sent before it may then have been heard after all.
        """
        if spoken.frozen is None:
            return Heard(0, 0.0)
        late = self._clear_late
        if self._cleared:
            late = max(0.0, now - self._clear_at - (self._line.least or 0.0))
        more = min(late, spoken.unplayed / PHONE_RATE)
        return Heard(spoken.frozen.samples, spoken.frozen.bound_ms + more * 1000)

    def _overdue(self, now: float) -> float:
        """How long the next mark is overdue: lost, or the line stands still; either widens the bound."""
        for mark in self._marks.values():
            late = now - mark.expected - (self._line.least or 0.0)
            return max(0.0, late)
        return 0.0

    def words(self, reply: int, now: float) -> tuple[HeardWord, ...]:
        """Each word of a reply, and whether it was heard by `now`."""
        heard = self.heard(reply, now)
        slack = int(heard.bound_ms * PHONE_RATE / 1000)
        words = []
        for start, word in self._word_times(reply):
            begin, end = start + word.start, start + word.end
            if end <= heard.samples - slack:
                state = WordState.HEARD
            elif begin >= heard.samples + slack:
                state = WordState.NOT_HEARD
            else:
                state = WordState.UNCERTAIN
            words.append(HeardWord(word.text, state, begin, end, heard.bound_ms))
        return tuple(words)

    def heard_text(self, reply: int, now: float) -> str:
        """The words of a reply that were heard to their end, by the best answer."""
        position = self.heard(reply, now).samples
        return " ".join(w.text for start, w in self._word_times(reply) if start + w.end <= position)

    def resume_point(self, reply: int, now: float) -> int:
        """Where to go on: the start of the first word that was not wholly heard."""
        position = self.heard(reply, now).samples
        for start, word in self._word_times(reply):
            if start + word.end > position:
                return min(start + word.start, self.available(reply))
        return self.available(reply)

    def _word_times(self, reply: int) -> list[tuple[int, WordTime]]:
        spoken = self._replies.get(reply)
        if spoken is None:
            return []
        return [(p.start, w) for p in spoken.phrases.values() if p.samples for w in p.timed_words()]

    def cut_phrases(self, reply: int) -> dict[int, str] | None:
        """The phrases of a reply, if their word times are only estimated; None where the voice gave them."""
        spoken = self._replies.get(reply)
        if spoken is None:
            return None
        words = [word for phrase in spoken.phrases.values() for word in phrase.timed_words()]
        return {n: p.text for n, p in spoken.phrases.items()} if any(w.estimated for w in words) else None

    def audible(self, now: float) -> bool:
        """Whether the caller may still be hearing us, or about to."""
        return bool(self._marks) or now < self._play_end + LINE_ALLOWANCE_S

    def played_out_at(self) -> float:
        """When, at the latest, all that was sent counts as heard, even if its last mark is lost."""
        return self._play_end + LOST_MARK_S

    def all_heard(self, reply: int, now: float) -> bool:
        """Whether all that was sent of a reply was heard: proved by its last mark, or by the clock."""
        spoken = self._replies.get(reply)
        if spoken is None:
            return True
        return spoken.floor >= spoken.sent or now >= self.played_out_at()

    def line_delay_s(self) -> float:
        """Half of the quickest mark's round trip: the way to the caller's ear, as far as we can know it."""
        return max(0.0, (self._line.least or 0.0) / 2)

    def sent_samples(self, reply: int) -> int:
        spoken = self._replies.get(reply)
        return spoken.sent if spoken else 0

    def first_sent_at(self, reply: int) -> float | None:
        spoken = self._replies.get(reply)
        return spoken.first_sent_at if spoken else None

    def play_end(self) -> float:
        """When, by the model, everything sent so far has been played."""
        return self._play_end

    def forget(self, reply: int) -> None:
        """A reply is over and written down: its positions are not needed any more."""
        self._replies.pop(reply, None)
