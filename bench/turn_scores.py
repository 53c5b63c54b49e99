"""Scores a stream of turn events against a recording's ground truth. No I/O.

The rules are those of the recordings' README: a turn is cut by an EndOfTurn inside one of its pauses or
before its end; inserted pauses (silence put into fluent speech) are counted apart; a StartOfTurn outside
every turn is a false start. A word error rate takes digits and number words alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from telephony.engine.listen.inverse_text_normalization import in_words

Truth = Mapping[str, Any]

_LATE_S: Final = 0.4  # a StartOfTurn this long after a turn's end still belongs to it
_FIRST_WORD_S: Final = 0.8


@dataclass(frozen=True, slots=True)
class Event:
    """One TurnInfo, ours or the service's."""

    name: str
    at_s: float
    """The end of its audio window, seconds of the stream."""
    text: str
    wall_s: float | None = None
    """When it came, seconds after the stream's first audio was sent."""


@dataclass(slots=True)
class Score:
    """What one call, or several together, came to."""

    turns: int = 0
    latencies: list[float] = field(default_factory=list)
    wall_beyond: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    cut: int = 0
    cut_inserted: int = 0
    missed: int = 0
    merged: int = 0
    false_starts: dict[str, int] = field(default_factory=dict)
    start_delays: list[float] = field(default_factory=list)
    first_words: list[bool] = field(default_factory=list)
    resumed: int = 0
    with_eager: int = 0
    word_errors: int = 0
    words: int = 0
    cpu_s: float = 0.0
    audio_s: float = 0.0
    notes: list[str] = field(default_factory=list)

    def add(self, other: Score) -> None:
        """Pool another call's figures with these."""
        for name in ("latencies", "wall_beyond", "lags", "start_delays", "first_words", "notes"):
            getattr(self, name).extend(getattr(other, name))
        for name in ("turns", "cut", "cut_inserted", "missed", "merged", "resumed", "with_eager"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("word_errors", "words", "cpu_s", "audio_s"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for cause, count in other.false_starts.items():
            self.false_starts[cause] = self.false_starts.get(cause, 0) + count


def percentile(values: Sequence[float], share: float) -> float:
    """A percentile; nan of nothing."""
    return float(np.percentile(values, share)) if values else float("nan")


def score_call(truth: Truth, events: Sequence[Event]) -> Score:
    """All measures of one call but its cost."""
    score = Score(audio_s=float(truth["duration_s"]))
    turns: list[Truth] = list(truth["turns"])
    slack = float(truth["boundary_accuracy_s"])
    ends = [event for event in events if event.name == "EndOfTurn"]
    score.wall_beyond = [event.wall_s - event.at_s for event in ends if event.wall_s is not None]
    owners = [_owner(turns, event.at_s, slack) for event in ends]
    for index, turn in enumerate(turns):
        own = [event for event, owner in zip(ends, owners, strict=True) if owner == index]
        _score_turn(score, turn, index, own, events, turns, slack)
    _score_starts(score, truth, events, slack)
    score.turns = len(turns)
    score.resumed = sum(event.name == "TurnResumed" for event in events)
    return score


def _owner(turns: Sequence[Truth], at_s: float, slack: float) -> int | None:
    """The turn to which an EndOfTurn belongs: the last one that had begun."""
    begun = [index for index, turn in enumerate(turns) if at_s > turn["start_s"] - slack]
    return begun[-1] if begun else None


def _score_turn(
    score: Score,
    turn: Truth,
    index: int,
    ends: Sequence[Event],
    events: Sequence[Event],
    turns: Sequence[Truth],
    slack: float,
) -> None:
    start_s, end_s = turn["start_s"], turn["end_s"]
    until_s = turns[index + 1]["start_s"] if index + 1 < len(turns) else float("inf")
    true_ends = [event for event in ends if event.at_s >= end_s - slack]
    early = [event for event in ends if event.at_s < end_s - slack]
    _score_cuts(score, turn, early)
    if true_ends:
        score.latencies.append(true_ends[0].at_s - end_s)
        if any(event.name == "EagerEndOfTurn" and start_s < event.at_s < until_s for event in events):
            score.with_eager += 1
    else:
        started = any(event.name == "StartOfTurn" and start_s < event.at_s < until_s for event in events)
        score.merged += started
        score.missed += not started
        score.notes.append(f"{'merged' if started else 'missed'}: {turn['text'][:40]}")
    starts = [
        e.at_s for e in events if e.name == "StartOfTurn" and start_s - slack < e.at_s < end_s + _LATE_S
    ]
    if starts:
        score.start_delays.append(starts[0] - start_s)
    _score_first_word(score, turn, events)
    if turn["text_tier"] in "ABC":
        heard = " ".join(event.text for event in [*early, *true_ends[:1]])
        errors, words = word_errors(turn["text"], heard)
        score.word_errors += errors
        score.words += words
        if errors:
            score.notes.append(f"{errors} of {words} words: {turn['text']!r} heard {heard!r}")


def _score_cuts(score: Score, turn: Truth, early: Sequence[Event]) -> None:
    inserted = [p for p in turn["pauses"] if p["kind"] == "inserted"]
    others = [e for e in early if not any(p["start_s"] <= e.at_s <= p["end_s"] + 0.08 for p in inserted)]
    score.cut += bool(others)
    score.cut_inserted += bool(len(early) > len(others))
    score.notes.extend(f"cut at {event.at_s:.2f}: {event.text[-40:]!r}" for event in others)


def _score_first_word(score: Score, turn: Truth, events: Sequence[Event]) -> None:
    if turn["text_tier"] not in "ABC":
        return
    start_s = turn["start_s"]
    soon = [event.text for event in events if start_s < event.at_s <= start_s + _FIRST_WORD_S and event.text]
    heard = normal_words(soon[-1]) if soon else []
    score.first_words.append(heard[:1] == normal_words(turn["text"])[:1])


def _score_starts(score: Score, truth: Truth, events: Sequence[Event], slack: float) -> None:
    for event in events:
        if event.name != "StartOfTurn":
            continue
        if any(t["start_s"] - slack <= event.at_s <= t["end_s"] + _LATE_S for t in truth["turns"]):
            continue
        causes = [e["type"] for e in truth["events"] if e["start_s"] <= event.at_s <= e["end_s"] + _LATE_S]
        cause = causes[0] if causes else "other"
        score.false_starts[cause] = score.false_starts.get(cause, 0) + 1
        score.notes.append(f"false start at {event.at_s:.2f} ({cause}): {event.text!r}")


def normal_words(text: str) -> list[str]:
    """Words as they are compared: lower case, no marks, figures as words, spelled words letter by letter."""
    text = re.sub(r"\b([ap])\.?\s?m\b\.?", r"\1m", text, flags=re.IGNORECASE)
    words: list[str] = []
    for chunk in text.replace("-", " - ").split():
        for word in in_words(chunk):
            plain = re.sub(r"[^\w']", "", word)
            if re.fullmatch(r"[A-Z]{3,}", plain):
                words += list(plain.lower())
            elif plain:
                words.append(plain.lower())
    return words


def word_errors(truth: str, heard: str) -> tuple[int, int]:
    """Edit distance in words, and the number of true words."""
    reference, found = normal_words(truth), normal_words(heard)
    row = list(range(len(found) + 1))
    for i, word in enumerate(reference, 1):
        above, row[0] = row[0], i
        for j, other in enumerate(found, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (word != other))
    return row[-1], len(reference)
