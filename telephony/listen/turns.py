"""The caller's turns, out of what Flux says on one connection after another. PURE.

Turn numbers grow through the whole call and times are seconds of the caller's stream clock, whatever happens
to the connections in between. A turn that was open when its connection was lost is carried over: its audio is
sent again, so that the next connection's StartOfTurn is that turn's, not a new one's.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from telephony.base.frozen import frozen
from telephony.deepgram.flux_messages import (
    EAGER_END_OF_TURN,
    END_OF_TURN,
    START_OF_TURN,
    TURN_RESUMED,
    UPDATE,
    TurnInfo,
    Word,
)
from telephony.listen.shifts import Shifts


class TurnKind(StrEnum):
    """What happened to a turn."""

    STARTED = "started"
    UPDATED = "updated"
    EAGER = "eager"
    RESUMED = "resumed"
    ENDED = "ended"


class TrackedTurn(StrEnum):
    """Where the caller's turn is."""

    READY = "ready"
    OPEN = "open"
    MAYBE_END = "maybe end"
    CARRIED = "carried"
    """Open on a connection that was lost; the new one has not said so yet."""


@frozen
class TurnEvent:
    """A step of one of the caller's turns."""

    kind: TurnKind
    turn: int
    """0, 1, 2 ... through the whole call."""
    text: str
    """Everything said in the turn so far; never empty."""
    words: tuple[Word, ...]
    """The text's words; their times are on the caller's clock, or None."""
    confidence: float
    """That the turn has ended, 0 to 1."""
    audio_start: float
    """Seconds of the caller's clock: the end of the turn before, so it includes the silence between them."""
    audio_end: float
    """Seconds of the caller's clock: up to here the caller was heard."""
    trigger: str | None = None
    """Of ENDED: model, timeout, manual, another of Flux's, or `lost`: its end never came."""
    started_by: Literal["start", "end"] = "start"
    """Whether StartOfTurn opened the turn or an end without it."""

    @property
    def speech_start(self) -> float | None:
        """Where the first word begins, if Flux gave times."""
        return self.words[0].start if self.words else None

    @property
    def speech_end(self) -> float | None:
        """Where the last word ends, if Flux gave times."""
        return self.words[-1].end if self.words else None

    @property
    def silence(self) -> float:
        """Seconds of the caller's sound since the last word ended; 0 if Flux gave no times."""
        return 0.0 if self.speech_end is None else self.audio_end - self.speech_end


_READY, _OPEN, _MAYBE, _CARRIED = TrackedTurn
_STARTED, _UPDATED, _EAGER, _RESUMED, _ENDED = TurnKind

TRANSITIONS: Mapping[tuple[TrackedTurn, str], tuple[tuple[TurnKind, ...], TrackedTurn]] = {
    # A word may show in an Update before StartOfTurn, and vanish again: that is not a turn yet.
    (_READY, UPDATE): ((), _READY),
    (_READY, START_OF_TURN): ((_STARTED,), _OPEN),
    (_READY, EAGER_END_OF_TURN): ((_STARTED, _EAGER), _MAYBE),
    (_READY, TURN_RESUMED): ((), _READY),
    (_READY, END_OF_TURN): ((_STARTED, _ENDED), _READY),
    (_OPEN, UPDATE): ((_UPDATED,), _OPEN),
    (_OPEN, START_OF_TURN): ((_UPDATED,), _OPEN),
    (_OPEN, EAGER_END_OF_TURN): ((_EAGER,), _MAYBE),
    (_OPEN, TURN_RESUMED): ((_UPDATED,), _OPEN),
    (_OPEN, END_OF_TURN): ((_ENDED,), _READY),
    # Flux sends Updates between EagerEndOfTurn and EndOfTurn (in the capture: message 86).
    (_MAYBE, UPDATE): ((_UPDATED,), _MAYBE),
    (_MAYBE, START_OF_TURN): ((_RESUMED,), _OPEN),
    (_MAYBE, EAGER_END_OF_TURN): ((_RESUMED, _EAGER), _MAYBE),
    (_MAYBE, TURN_RESUMED): ((_RESUMED,), _OPEN),
    (_MAYBE, END_OF_TURN): ((_ENDED,), _READY),
    (_CARRIED, UPDATE): ((_UPDATED,), _CARRIED),
    (_CARRIED, START_OF_TURN): ((_UPDATED,), _OPEN),
    (_CARRIED, EAGER_END_OF_TURN): ((_EAGER,), _MAYBE),
    (_CARRIED, TURN_RESUMED): ((_UPDATED,), _OPEN),
    (_CARRIED, END_OF_TURN): ((_ENDED,), _READY),
}
"""What each of Flux's events means in each state. Events that are not Flux's today are ignored."""

LOST = "lost"
FAR_MESSAGES, FAR_TURNS = 1000, 100  # both are counted one by one on a connection


class TurnTracker:
    """Reads the TurnInfo messages of a call, in order."""

    def __init__(self) -> None:
        self.state = TrackedTurn.READY
        self.turn = -1
        """The newest turn's number; -1 before the first."""
        self._offset = 0.0
        self._shifts = Shifts()
        self._sequence = -1
        self._index = 0
        self._carried: tuple[Word, ...] = ()
        self._latest: TurnEvent | None = None
        """The newest text of the turn that is open, or of what may become one."""
        self._started_by: Literal["start", "end"] = "start"

    @property
    def open(self) -> bool:
        """The caller is in a turn."""
        return self.state is not TrackedTurn.READY

    def shifted(self, at_s: float, seconds: float) -> None:
        """From second `at_s` of the audio given to all connections, it is so much further ahead of the
        caller's clock than before."""
        self._shifts.add(at_s, seconds)

    def connected(self, offset_s: float) -> list[TurnEvent]:
        """A new connection: its second 0 is second `offset_s` of all the audio that was given.

        What was said of an open turn before that second will not be heard again, so its words are kept.
        """
        self._offset = offset_s
        self._sequence = -1
        self._index = 0
        if self.state is TrackedTurn.READY or self._latest is None:
            self._latest = None
            self._carried = ()
            return []
        was, self.state = self.state, TrackedTurn.CARRIED
        begins = self._shifts.caller_s(offset_s)
        self._carried = tuple([w for w in self._latest.words if w.end is not None and w.end <= begins])
        # a draft made for the eager end would be released by nobody
        return [self._event(TurnKind.RESUMED, self._latest)] if was is TrackedTurn.MAYBE_END else []

    def receive(self, info: TurnInfo) -> list[TurnEvent]:
        """What this message means for the turns.

        Nothing for a duplicate, for an event of a later Flux, and for a number that is far from all before:
        were it believed, everything that follows would be taken for a duplicate.
        """
        if 0 < info.sequence_id <= self._sequence or info.turn_index < self._index:
            return []
        if info.sequence_id - self._sequence > FAR_MESSAGES or info.turn_index - self._index > FAR_TURNS:
            return []
        self._sequence = info.sequence_id
        events = self.abandon() if self._skipped(info) else []
        self._index = info.turn_index
        if (self.state, info.event) not in TRANSITIONS:
            return events
        heard = self._heard(info)
        if heard is None:
            return events
        kinds, following = self._step(info.event, heard)
        if TurnKind.STARTED in kinds:
            self.turn += 1
            self._started_by = "start" if info.event == START_OF_TURN else "end"
        events += [self._event(kind, heard, info.trigger) for kind in kinds]
        self.state, self._latest = following, heard
        if info.event == END_OF_TURN:
            self._finish()
        return events

    def abandon(self, trigger: str = LOST) -> list[TurnEvent]:
        """End an open turn with the words it has: its end will not come. Nothing when none is open."""
        if self.state is TrackedTurn.READY or self._latest is None:
            return []
        ended = self._event(TurnKind.ENDED, self._latest, trigger)
        self.state = TrackedTurn.READY
        self._finish()
        return [ended]

    def _skipped(self, info: TurnInfo) -> bool:
        return self.state in (TrackedTurn.OPEN, TrackedTurn.MAYBE_END) and info.turn_index > self._index

    def _step(self, event: str, heard: TurnEvent) -> tuple[tuple[TurnKind, ...], TrackedTurn]:
        if (self.state, event) == (TrackedTurn.MAYBE_END, EAGER_END_OF_TURN):
            assert self._latest is not None
            if heard.text == self._latest.text:
                return (TurnKind.UPDATED,), TrackedTurn.MAYBE_END
        return TRANSITIONS[self.state, event]

    def _finish(self) -> None:
        self._index += 1
        self._latest = None
        self._carried = ()

    def _heard(self, info: TurnInfo) -> TurnEvent | None:
        """The message on the caller's clock; an empty transcript keeps the words known before it.

        None where there is nothing to say: no words between turns, or none yet of a turn carried over.
        """
        start, end = self._on_clock(info.audio_window_start), self._on_clock(info.audio_window_end)
        if info.transcript:
            own = self._offset == 0.0 and not self._shifts
            words = info.words if own else tuple([self._rebased(w) for w in info.words])
            text = info.transcript
            if self._carried:
                text = " ".join([*(word.word for word in self._carried), text])
                words = self._carried + words
        elif self._latest is None or info.event == UPDATE and not self._keeps_words():
            self._latest = None if self.state is TrackedTurn.READY else self._latest
            return None
        else:
            text, words = self._latest.text, self._latest.words
        if self._latest is not None and self.state is not TrackedTurn.READY:
            start = min(start, self._latest.audio_start)
        return TurnEvent(TurnKind.UPDATED, self.turn, text, words, info.end_of_turn_confidence, start, end)

    def _keeps_words(self) -> bool:
        return self.state in (TrackedTurn.OPEN, TrackedTurn.MAYBE_END)

    def _rebased(self, word: Word) -> Word:
        return Word(
            word.word,
            word.confidence,
            None if word.start is None else self._on_clock(word.start),
            None if word.end is None else self._on_clock(word.end),
        )

    def _on_clock(self, connection_s: float) -> float:
        given = connection_s + self._offset
        return self._shifts.caller_s(given) if self._shifts else given

    def _event(self, kind: TurnKind, heard: TurnEvent, trigger: str | None = None) -> TurnEvent:
        return TurnEvent(
            kind,
            self.turn,
            heard.text,
            heard.words,
            heard.confidence,
            heard.audio_start,
            heard.audio_end,
            trigger if kind is TurnKind.ENDED else None,
            self._started_by,
        )
