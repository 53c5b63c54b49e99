"""What a Flux stand-in hears, by the audio it was sent and not by its content. PURE."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from telephony.deepgram import flux_codec
from telephony.deepgram.flux_codec import Word


class FakeScript(Protocol):
    """Decides what a stand-in says."""

    def due(self, audio_s: float) -> Iterable[flux_codec.TurnInfo]:
        """What will be said once so many seconds of audio have come, and was not said before."""

    def force(self, audio_s: float) -> flux_codec.TurnInfo | None:
        """The end of the turn that is open, asked for now; None when none is."""


class RecordedScript:
    """A recorded session of the live service, said again at its own audio times."""

    def __init__(self, messages: Iterable[flux_codec.ServerMessage]) -> None:
        self._messages = [m for m in messages if isinstance(m, flux_codec.TurnInfo)]
        self._next = 0

    @classmethod
    def read(cls, texts: Iterable[str]) -> RecordedScript:
        """From the texts of a capture, in order."""
        return cls(map(flux_codec.decode_server, texts))

    def due(self, audio_s: float) -> Iterable[flux_codec.TurnInfo]:
        """The recorded messages whose window has come."""
        first = self._next
        while (
            self._next < len(self._messages) and self._messages[self._next].audio_window_end <= audio_s + 1e-6
        ):
            self._next += 1
        return self._messages[first : self._next]

    def force(self, audio_s: float) -> flux_codec.TurnInfo | None:
        """A recording cannot be forced."""
        return None


CYCLE_S = 6.0
STEP_S = 0.25
FIRST = "can I get a large latte please"
SECOND = "and could you say that again"
_STARTED, _EAGER, _ENDED = flux_codec.START_OF_TURN, flux_codec.EAGER_END_OF_TURN, flux_codec.END_OF_TURN
_CYCLE: tuple[tuple[float, str, str], ...] = (
    # seconds into the cycle, event, what the caller says: a turn, then one that interrupts its answer
    (0.00, _STARTED, FIRST),
    (1.00, _EAGER, FIRST),
    (1.25, _ENDED, FIRST),
    (2.25, _STARTED, SECOND),
    (3.25, _EAGER, SECOND),
    (3.50, _ENDED, SECOND),
)


class Cycle:
    """A conversation for ever: two turns each 6 s of audio; the second interrupts the answer to the first.

    `phase_s`: seconds of audio before the first turn, so that many streams are not in step. `texts`: what the
    two turns say.
    """

    def __init__(
        self, phase_s: float = 0.0, *, eager: bool = False, texts: Sequence[str] = (FIRST, SECOND)
    ) -> None:
        self._steps = _steps(eager, texts)
        self._phase = phase_s
        self._index = 0
        self._window_start = 0.0
        self._next = 0
        self._next_s = STEP_S
        self._open: flux_codec.TurnInfo | None = None
        self._forced = False
        self._begins = int(phase_s / STEP_S)

    def due(self, audio_s: float) -> list[flux_codec.TurnInfo]:
        """The steps of the cycle up to here: one each 0.25 s."""
        said = []
        while self._next_s <= audio_s + 1e-6:
            said.append(self._say(self._next_s))
            self._next_s += STEP_S
            self._next += 1
        return said

    def force(self, audio_s: float) -> flux_codec.TurnInfo | None:
        """End the open turn; the script's own end of it becomes an Update."""
        if self._open is None:
            return None
        forced = replace(
            self._open,
            event=_ENDED,
            trigger="manual",
            audio_window_end=max(audio_s, self._open.audio_window_end),
        )
        self._end(forced)
        self._forced = True
        return forced

    def _say(self, at: float) -> flux_codec.TurnInfo:
        event: str = flux_codec.UPDATE
        words: tuple[str, ...] = ()
        if self._next >= self._begins:
            event, words = self._steps[(self._next - self._begins) % len(self._steps)]
        if self._forced and event != _STARTED:
            self._forced, event, words = event != _ENDED, flux_codec.UPDATE, ()
        start = self._open.words[0].start if self._open else None
        info = flux_codec.TurnInfo(
            event,
            self._index,
            " ".join(words),
            _timed(words, start or max(self._window_start, at - STEP_S), at),
            0.8 if event in (_EAGER, _ENDED) else 0.1,
            self._window_start,
            at,
            "model" if event == _ENDED else None,
        )
        if event == _ENDED:
            self._end(info)
        elif words:
            self._open = info
        return info

    def _end(self, info: flux_codec.TurnInfo) -> None:
        self._index += 1
        self._window_start = info.audio_window_end
        self._open = None


def _timed(words: Sequence[str], start: float, end: float) -> tuple[Word, ...]:
    step = (end - start) / max(1, len(words))
    return tuple([Word(w, 0.9, start + i * step, start + (i + 1) * step) for i, w in enumerate(words)])


def _steps(eager: bool, texts: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """The cycle as one event and the words so far for each 0.25 s."""
    events = {at: event for at, event, _ in _CYCLE if eager or event != _EAGER}
    spoken = dict(zip((FIRST, SECOND), texts, strict=True))
    steps: list[tuple[str, tuple[str, ...]]] = []
    text: list[str] = []
    began = 0.0
    for number in range(int(CYCLE_S / STEP_S)):
        at = number * STEP_S
        event = events.get(at, flux_codec.UPDATE)
        if event == _STARTED:
            began = at
            text = next(spoken[said] for when, _, said in _CYCLE if when == at).split()
        share = min(1.0, (at - began + STEP_S))  # a second to say it, and all of it at the eager end
        steps.append((event, tuple(text[: max(1, int(len(text) * share))])))
        if event == _ENDED:
            text = []
    return steps
