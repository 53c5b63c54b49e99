"""What the caller has heard of us: the ledger.

PURE: time is passed in as `now`, seconds. Positions are samples of a reply (8,000 a second).

The ledger's reasoning. Audio sent at `at` begins to play when what was sent before it is over:
`play_end = max(at, play_end) + samples / 8000`. The way there delays media and `clear` alike, so the
position that the model gives for the moment we send `clear` is the position at which it takes effect.
A mark returns when what lies before it was played: it proves a lower limit, and its lateness teaches how much
later than the model its run is playing (playback/playout_delay.py). Marks that return because of a `clear`
prove nothing that was heard; but they come at the moment when the `clear` took effect, and so date it.
Where a mark is overdue, or the `clear` was late, the line stood still: nothing but the last mark is sure.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    HEARD = "heard"
    NOT_HEARD = "not heard"
    UNCERTAIN = "uncertain"


@frozen
class HeardWord:
    """A word of a reply, and whether it reached the caller's ear."""

    text: str
    state: WordState
    start: int
    end: int
    bound_ms: float
    """How far off, in milliseconds, the heard position may be that this state was read from."""


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


class Ledger(Positions):
    """For each word of each reply: heard, not heard, or uncertain, with a bound."""

    def __init__(self) -> None:
        super().__init__()
        self._phrases: dict[int, dict[int, _Phrase]] = {}
        self._available: dict[int, int] = {}

    # what is known of a reply's words

    def phrase(self, reply: int, phrase: int, text: str) -> None:
        """A phrase was given to the voice."""
        self._phrases.setdefault(reply, {})[phrase] = _Phrase(text, self.available(reply))

    def audio(self, reply: int, phrase: int, samples: int) -> None:
        """More audio of a phrase is there."""
        known = self._phrases[reply][phrase]
        if known.samples == 0:
            known.start = self.available(reply)
        known.samples += samples
        self._available[reply] = self._available.get(reply, 0) + samples

    def phrase_done(self, reply: int, phrase: int, words: tuple[WordTime, ...]) -> None:
        """A phrase's audio is complete; `words` are where its words lie, if it is known."""
        known = self._phrases[reply][phrase]
        known.words = words or estimate_words(known.text, known.samples)

    def phrase_failed(self, reply: int, phrase: int, words: tuple[WordTime, ...]) -> None:
        """A phrase's audio broke off; `words` are those that lie in it, if known. Others never sound."""
        known = self._phrases[reply][phrase]
        known.words = tuple([word for word in words or known.timed_words() if word.end <= known.samples])

    def phrase_samples(self, reply: int, phrase: int) -> int:
        """How much audio of a phrase there is."""
        return self._phrases[reply][phrase].samples

    def phrase_text(self, reply: int, phrase: int) -> str:
        return self._phrases[reply][phrase].text

    def available(self, reply: int) -> int:
        """Samples of a reply that are there to be sent."""
        return self._available.get(reply, 0)

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
        phrases = self._phrases.get(reply, {}).values()
        return [(p.start, w) for p in phrases if p.samples for w in p.timed_words()]

    def cut_phrases(self, reply: int) -> dict[int, str] | None:
        """The phrases of a reply, if its word times are only estimated; None where the voice gave them."""
        phrases = self._phrases.get(reply, {})
        words = [word for phrase in phrases.values() for word in phrase.timed_words()]
        return {n: p.text for n, p in phrases.items()} if any(w.estimated for w in words) else None

    def line_delay_s(self) -> float:
        """Half of the quickest mark's round trip: the way to the caller's ear, as far as we can know it."""
        return max(0.0, (self.line.least or 0.0) / 2)

    def forget(self, reply: int) -> None:
        """A reply is over and written down: its positions are not needed any more."""
        super().forget(reply)
        self._phrases.pop(reply, None)
        self._available.pop(reply, None)
