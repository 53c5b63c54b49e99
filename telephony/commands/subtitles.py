"""Turns as subtitles: SRT and WebVTT cues made from the words' times. PURE."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from telephony.deepgram.flux_messages import TurnInfo, Word

LINE_CHARACTERS = 42  # what broadcasters allow for a line; two lines a cue
CUE_CHARACTERS = 2 * LINE_CHARACTERS
CUE_S = 6.0
PAUSE_S = 0.8  # a silence this long begins a new cue
SHORTEST_S = 0.2

Format = Literal["srt", "vtt"]


@dataclass(frozen=True, slots=True)
class Cue:
    """Some words on the screen."""

    start_s: float
    end_s: float
    text: str


def cues(info: TurnInfo) -> Iterator[Cue]:
    """The cues of one finished turn, in order."""
    group: list[Word] = []
    for word in timed(info):
        if group and _full(group, word):
            yield _cue(group)
            group = []
        group.append(word)
    if group:
        yield _cue(group)


def timed(info: TurnInfo) -> list[Word]:
    """The turn's words, each with times; spread evenly over the turn where the server sent none."""
    words = info.words or tuple(Word(text, 1.0) for text in info.transcript.split())
    step = (info.audio_window_end - info.audio_window_start) / max(1, len(words))
    made: list[Word] = []
    for index, word in enumerate(words):
        start = info.audio_window_start + index * step if word.start is None else word.start
        end = start + step if word.end is None else word.end
        made.append(word._replace(start=start, end=end))
    return made


class Writer:
    """Writes cues in one format; cues never overlap and are numbered in SRT."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._number = 0
        self._shown_until_s = 0.0

    def head(self) -> str:
        return "WEBVTT\n\n" if self._form == "vtt" else ""

    def turn(self, info: TurnInfo) -> str:
        return "".join(self._write(cue) for cue in cues(info))

    def _write(self, cue: Cue) -> str:
        start = max(cue.start_s, self._shown_until_s)
        end = max(cue.end_s, start + SHORTEST_S)
        self._number += 1
        self._shown_until_s = end
        text = "\n".join(_wrapped(cue.text))
        if self._form == "vtt":
            escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            return f"{_clock(start, '.')} --> {_clock(end, '.')}\n{escaped}\n\n"
        return f"{self._number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{text}\n\n"


def _full(group: list[Word], word: Word) -> bool:
    characters = sum(len(w.word) + 1 for w in group) + len(word.word)
    first, last = group[0].start or 0.0, group[-1].end or 0.0
    sentence = group[-1].word[-1:] in ".?!" and characters > LINE_CHARACTERS
    pause = (word.start or 0.0) - last
    return characters > CUE_CHARACTERS or (word.end or 0.0) - first > CUE_S or pause > PAUSE_S or sentence


def _cue(group: list[Word]) -> Cue:
    return Cue(group[0].start or 0.0, group[-1].end or 0.0, " ".join(word.word for word in group))


def _wrapped(text: str) -> list[str]:
    """One line, or two of about the same length."""
    if len(text) <= LINE_CHARACTERS:
        return [text]
    spaces = [i for i, c in enumerate(text) if c == " "]
    if not spaces:
        return [text]
    middle = min(spaces, key=lambda i: abs(i - len(text) / 2))
    return [text[:middle], text[middle + 1 :]]


def _clock(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    whole, thousandths = divmod(milliseconds, 1000)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}{point}{thousandths:03}"
