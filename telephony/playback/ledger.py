"""What the caller has heard of us: the ledger.

PURE: time is passed in as `now`, seconds. Positions are samples of a reply (8,000 a second).

The ledger's reasoning. Audio sent at `at` begins to play when what was sent before it is over:
`play_end = max(at, play_end) + samples / 8000`. The way there delays media and `clear` alike, so the
position that the model gives for the moment we send `clear` is the position at which it takes effect.
A mark returns when what lies before it was played: it proves a lower limit, and its lateness teaches how much
later than the model its run is playing (playback/playout_delay.py). Marks that return because of a `clear`
prove nothing that was heard; but they come at the moment when the `clear` took effect, and so date it.
Where a mark is overdue, or the `clear` was late, the line had stalled: nothing but the last mark is sure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from telephony.audio.g711 import PHONE_RATE
from telephony.base.frozen import frozen
from telephony.events import WordTime
from telephony.playback.position import Positions
from telephony.playback.word_times import estimate_words, speaking_samples

WORD_END = 200
"""Samples at a word's end that may be missing: 25 ms, about as exactly as a line tells where it was cut. Else
a word that was wholly heard would now and then be said again."""


class WordState(Enum):
    """Whether a word reached the caller's ear."""

    HEARD = "heard"
    NOT_HEARD = "not heard"
    UNCERTAIN = "uncertain"


@frozen
class HeardWord:
    """A word of a reply, and whether it reached the caller's ear; in samples of the reply."""

    text: str
    state: WordState
    start: int
    end: int
    bound_ms: float
    """How far off, in milliseconds, the heard position may be that this state was read from."""


@dataclass(slots=True)
class _Phrase:
    """A phrase that was given to the voice."""

    text: str
    start: int
    samples: int = 0
    words: tuple[WordTime, ...] | None = None
    """Where its words lie; None while its audio is not complete."""
    retried: bool = False

    def timed_words(self) -> tuple[WordTime, ...]:
        if self.words is not None:
            return self.words
        return estimate_words(self.text, max(self.samples, speaking_samples(self.text)))


@dataclass(slots=True)
class _Phrases:
    """The phrases of one reply; a phrase's number is its place."""

    all: list[_Phrase] = field(default_factory=list)
    open: int = 0
    """How many of them are not complete."""
    available: int = 0
    """Samples that there are of all of them."""


class Ledger(Positions):
    """For each word of each reply: heard, not heard, or uncertain, with a bound.

    It is also the one place where a reply's phrases are tracked: which there are, which are complete, and how
    much audio there is of each.
    """

    def __init__(self) -> None:
        super().__init__()
        self._phrases: dict[int, _Phrases] = {}

    # what is known of a reply's words

    def add_phrase(self, reply: int, text: str) -> int:
        """A phrase is given to the voice; returns its number."""
        known = self._phrases.setdefault(reply, _Phrases())
        known.all.append(_Phrase(text, known.available))
        known.open += 1
        return len(known.all) - 1

    def audio(self, reply: int, phrase: int, samples: int) -> None:
        """More audio of a phrase is there."""
        phrases = self._phrases[reply]
        known = phrases.all[phrase]
        if known.samples == 0:
            known.start = phrases.available
        known.samples += samples
        phrases.available += samples

    def retry(self, reply: int, phrase: int) -> str | None:
        """The text of a phrase that failed without a sound, to be spoken once more; None: not again."""
        known = self._phrases[reply].all[phrase]
        if known.samples or known.retried:
            return None
        known.retried = True
        return known.text

    def phrase_done(self, reply: int, phrase: int, words: tuple[WordTime, ...]) -> None:
        """A phrase's audio is complete; `words` are where its words lie, if it is known."""
        known = self._phrases[reply].all[phrase]
        self._complete(reply, known, words or estimate_words(known.text, known.samples))

    def phrase_failed(self, reply: int, phrase: int, words: tuple[WordTime, ...]) -> None:
        """A phrase's audio broke off; `words` are those that lie in it, if known. Others never sound."""
        known = self._phrases[reply].all[phrase]
        lasting = [word for word in words or known.timed_words() if word.end <= known.samples]
        self._complete(reply, known, tuple(lasting))

    def _complete(self, reply: int, known: _Phrase, words: tuple[WordTime, ...]) -> None:
        self._phrases[reply].open -= known.words is None
        known.words = words

    def is_open(self, reply: int, phrase: int) -> bool:
        """Whether a phrase was given to the voice and is not complete."""
        phrases = self._phrases.get(reply)
        return phrases is not None and phrase < len(phrases.all) and phrases.all[phrase].words is None

    def has_open_phrases(self, reply: int) -> bool:
        """Whether the voice still has something to bring."""
        phrases = self._phrases.get(reply)
        return phrases is not None and phrases.open > 0

    def available(self, reply: int) -> int:
        """Samples of a reply that are there to be sent."""
        phrases = self._phrases.get(reply)
        return phrases.available if phrases is not None else 0

    # which words were heard

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
        position = self.heard(reply, now).samples + WORD_END
        return " ".join(w.text for start, w in self._word_times(reply) if start + w.end <= position)

    def reaches(self, reply: int, sample: int, now: float) -> bool:
        """Whether all before this sample was heard by `now`, by the best answer."""
        return self.heard(reply, now).samples + WORD_END >= sample

    def resume_point(self, reply: int, now: float) -> int:
        """Where to go on: the start of the first word that was not wholly heard."""
        position = self.heard(reply, now).samples + WORD_END
        for start, word in self._word_times(reply):
            if start + word.end > position:
                return min(start + word.start, self.available(reply))
        return self.available(reply)

    def played_words(self, reply: int, now: float) -> list[tuple[str, float | None]]:
        """The words of a reply that the caller has begun to hear, and when each began."""
        position = self.heard(reply, now).samples
        times = [(word.text, start + word.start) for start, word in self._word_times(reply)]
        return [(text, self.played_at(reply, at)) for text, at in times if at < position]

    def _word_times(self, reply: int) -> list[tuple[int, WordTime]]:
        return [(p.start, w) for p in self._all(reply) if p.samples for w in p.timed_words()]

    def _all(self, reply: int) -> list[_Phrase]:
        phrases = self._phrases.get(reply)
        return phrases.all if phrases is not None else []

    def cut_phrases(self, reply: int) -> dict[int, str] | None:
        """The phrases of a reply, if its word times are only estimated; None where the voice gave them."""
        phrases = self._all(reply)
        words = [word for phrase in phrases for word in phrase.timed_words()]
        return {n: p.text for n, p in enumerate(phrases)} if any(w.estimated for w in words) else None

    def line_delay_s(self) -> float:
        """Half of the quickest mark's round trip: the way to the caller's ear, as far as we can know it."""
        return max(0.0, (self.line.least or 0.0) / 2)

    def forget(self, reply: int) -> None:
        """A reply is over and written down: its phrases and positions are no longer needed."""
        super().forget(reply)
        self._phrases.pop(reply, None)
