"""Flux's messages as lines for a person: each word coloured by how sure the recognizer is. PURE."""

from __future__ import annotations

from collections.abc import Sequence

from telephony.base.terminal import DIM, paint
from telephony.deepgram.flux_messages import EAGER_END_OF_TURN, END_OF_TURN, UPDATE, TurnInfo, Word

# (least confidence, ANSI colour): green, yellow, orange, and red below all of them.
COLOURS = ((0.90, "32"), (0.80, "33"), (0.70, "38;5;208"), (0.0, "31"))
REWRITE = "\r\x1b[K"  # back to the line's start, and clear it


def coloured(words: Sequence[Word]) -> str:
    """The words, neighbours of one colour painted together."""
    painted: list[str] = []
    group: list[str] = []
    last = ""
    for word in words:
        colour = next((c for least, c in COLOURS if word.confidence >= least), COLOURS[-1][1])
        if colour != last and group:
            painted.append(paint(" ".join(group), last))
            group = []
        last = colour
        group.append(printable(word.word))
    if group:
        painted.append(paint(" ".join(group), last))
    return " ".join(painted)


def printable(text: str) -> str:
    """A server's text without what could steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def began_s(info: TurnInfo) -> float:
    """When the turn's first word began; where words have no times, when its window did."""
    first = info.words[0].start if info.words else None
    return info.audio_window_start if first is None else first


class Screen:
    """Turns messages into text to write: whole lines, and on a terminal the turn as it grows."""

    def __init__(self, *, colour: bool, live: bool, events: bool, width: int = 80) -> None:
        self._colour = colour
        self._live = live
        self._events = events
        self._width = width
        self._open: TurnInfo | None = None

    def receive(self, info: TurnInfo) -> str:
        """What to write now; may be empty."""
        text = self._event(info) if self._events and info.event != UPDATE else ""
        if info.event == END_OF_TURN:
            text += self._whole(info if info.transcript else self._open or info)
            self._open = None
        elif info.transcript:
            self._open = info
            text += self._growing(info)
        return text

    def finish(self) -> str:
        """The turn that nobody ended, when there is one."""
        left, self._open = self._open, None
        return self._whole(left) if left else ""

    def _whole(self, info: TurnInfo) -> str:
        if not info.transcript:
            return ""
        return f"{self._clear()}{self._time(began_s(info))}  {self._words(info)}\n"

    def _growing(self, info: TurnInfo) -> str:
        """The end of the turn's text, as much as fits into one line."""
        if not self._live:
            return ""
        room = self._width - 12
        kept: list[Word] = []
        for word in reversed(self._as_words(info)):
            room -= len(word.word) + 1
            if room < 0:
                break
            kept.insert(0, word)
        shown = coloured(kept) if self._colour else " ".join(printable(w.word) for w in kept)
        return f"{REWRITE}{self._time(began_s(info))}  {shown}"

    def _event(self, info: TurnInfo) -> str:
        detail = ""
        if info.event == EAGER_END_OF_TURN:
            detail = f" {info.end_of_turn_confidence:.2f}"
        elif info.event == END_OF_TURN:
            detail = f" {info.end_of_turn_confidence:.2f}" + (f" by {info.trigger}" if info.trigger else "")
        line = f"{info.audio_window_end:8.2f}  {printable(info.event)}{printable(detail)}"
        return self._clear() + (paint(line, DIM) if self._colour else line) + "\n"

    def _words(self, info: TurnInfo) -> str:
        return coloured(self._as_words(info)) if self._colour else printable(info.transcript)

    @staticmethod
    def _as_words(info: TurnInfo) -> Sequence[Word]:
        """The transcript is the truth; a server that sends no words gets no colour but red-free text."""
        return info.words or tuple(Word(text, 1.0) for text in info.transcript.split())

    def _time(self, seconds: float) -> str:
        text = f"{seconds:8.2f}"
        return paint(text, DIM) if self._colour else text

    def _clear(self) -> str:
        return REWRITE if self._live else ""
