"""A turn's words, put together from decodes of its parts. PURE.

A long turn is decoded in segments: what the final decode covers up to a pause is settled, and only the
rest is decoded again. The open segment's text is interim until a final decode replaces it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from telephony.engine.listen.inverse_text_normalization import in_words, with_digits
from telephony.engine.listen.recognized import RecognizedWord


@dataclass(frozen=True, slots=True)
class WordPiece:
    """One recognized word, in the time of the audio that was decoded."""

    word: str
    probability: float
    """The recognizer's own, 0 to 1: the mean over the word's tokens."""
    start: float | None = None
    """Seconds into the decoded audio; None where the recognizer gives no times."""
    end: float | None = None


class TurnWords:
    """Settled words and those of the open segment."""

    def __init__(self) -> None:
        self.start_s = 0.0
        """Where the open segment begins, seconds of the stream."""
        self._settled: list[RecognizedWord] = []
        self._open: list[RecognizedWord] = []

    @property
    def words(self) -> tuple[RecognizedWord, ...]:
        return (*self._settled, *self._open)

    @property
    def open_text(self) -> str:
        """The text of the open segment."""
        return " ".join(word.word for word in self._open)

    @property
    def text(self) -> str:
        return " ".join(word.word for word in self.words)

    def begin(self, start_s: float) -> None:
        """A turn, or what may become one, begins."""
        self.start_s = start_s
        self._settled = []
        self._open = []

    def set_open(self, words: Sequence[RecognizedWord]) -> None:
        """New words for the open segment. An empty decode changes nothing: what was recognized stays."""
        if words:
            self._open = self._continued(words)

    def confirm(self, words: Sequence[RecognizedWord]) -> None:
        """The open segment's words were found again: written as they are, known better."""
        if len(words) == len(self._open):
            pairs = zip(self._open, words, strict=True)
            self._open = [replace(known, word=shown.word) for shown, known in pairs]

    def settle(self, at_s: float) -> None:
        """The open segment is done; the next one begins at `at_s`."""
        self._settled += self._open
        self._open = []
        self.start_s = at_s

    def _continued(self, words: Sequence[RecognizedWord]) -> list[RecognizedWord]:
        """Recognizers begin every decode with a capital; in mid-sentence it goes."""
        first = words[0]
        if self._settled and self._settled[-1].word[-1] not in ".?!" and _is_plain(first.word):
            first = replace(first, word=first.word[0].lower() + first.word[1:])
        return [first, *words[1:]]


def _is_plain(word: str) -> bool:
    return word[0].isupper() and word[1:].islower() and word != "I" and not word.startswith("I'")


def place(
    pieces: Iterable[WordPiece],
    start_s: float,
    speech: Sequence[tuple[float, float]],
    numerals: bool,
) -> list[RecognizedWord]:
    """Pieces -> words of the stream: digits spelled out (TN) unless `numerals`, times made absolute.

    Where the recognizer gave no times the words are spread by length over `speech`, the spans of the
    decoded audio in which the voice detector found speech.
    """
    spans = [(first - start_s, last - start_s) for first, last in speech]
    split = _with_digits(list(pieces)) if numerals else _spelled_out(pieces, spans)
    if not split:
        return []
    if any(piece.start is None or piece.end is None for piece in split):
        split = _spread(split, spans)
    last = speech[-1][1] if speech else start_s
    words: list[RecognizedWord] = []
    at = start_s
    for piece in split:
        begin = min(max(at, start_s + (piece.start or 0.0)), last)
        at = min(max(begin, start_s + (piece.end or 0.0)), last)
        words.append(RecognizedWord(piece.word, min(1.0, max(0.0, piece.probability)), begin, at))
    return words


def _spelled_out(pieces: Iterable[WordPiece], speech: Sequence[tuple[float, float]]) -> list[WordPiece]:
    """Digits as words (TN); each of "415" has its share of the speech in the time of the whole."""
    split: list[WordPiece] = []
    for piece in pieces:
        words = [replace(piece, word=word) for word in in_words(piece.word)]
        if len(words) > 1 and piece.start is not None and piece.end is not None:
            speech_times = [(max(a, piece.start), min(b, piece.end)) for a, b in speech]
            words = _spread(words, [(a, b) for a, b in speech_times if a < b] or [(piece.start, piece.end)])
        split += words
    return split


def _with_digits(pieces: list[WordPiece]) -> list[WordPiece]:
    """Number words joined to digits (ITN); such a word is as sure as the least sure of its parts."""
    joined: list[WordPiece] = []
    for text, first, after in with_digits([piece.word for piece in pieces]):
        parts = pieces[first:after]
        sure = min(piece.probability for piece in parts)
        joined.append(WordPiece(text, sure, parts[0].start, parts[-1].end))
    return joined


def _spread(pieces: Sequence[WordPiece], speech: Sequence[tuple[float, float]]) -> list[WordPiece]:
    """Give each piece a share of the speech time by its length."""
    total = sum(end - start for start, end in speech)
    letters = sum(len(piece.word) + 1 for piece in pieces)
    placed: list[WordPiece] = []
    done = 0
    for piece in pieces:
        # A word that begins where a span ends begins with the next span.
        start = _at(speech, total * done / letters + 1e-6)
        done += len(piece.word) + 1
        placed.append(replace(piece, start=start, end=_at(speech, total * done / letters)))
    return placed


def _at(speech: Sequence[tuple[float, float]], spoken: float) -> float:
    """The moment at which this much of the speech has passed."""
    for start, end in speech:
        if spoken <= end - start + 1e-9:
            return start + spoken
        spoken -= end - start
    return speech[-1][1] if speech else 0.0
