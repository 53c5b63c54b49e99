"""Interim transcripts of one stream: when to make one, and by which model."""

from __future__ import annotations

from typing import Final

from telephony.engine.listen.decodes import DecodeJob, Decodes
from telephony.engine.listen.recognized import BLOCK_S
from telephony.engine.listen.recognizer import Decoded

_OPENING_S: Final = 1.2  # of a segment, with what is before its first speech
_OPENING_EVERY_S: Final = 0.16
_EVERY_S: Final = 0.4
_EVERY_PER_S: Final = 0.1  # the longer the segment the dearer its decode: the cost stays level
_DUE_S: Final = 0.16
_FIRST_WORDS_S: Final = 0.32  # after the start of a turn
_AFTER_FIRST_WORDS_S: Final = 0.64
_UNSURE_TOKENS: Final = 2  # at the end of a text cut off in mid-word


class InterimTranscripts:
    """One interim transcript at a time: while one is under way the next is skipped."""

    def __init__(self, decodes: Decodes) -> None:
        self._decodes = decodes
        self._job: DecodeJob | None = None
        self._guess: tuple[int, ...] = ()
        self._start_s = 0.0
        self._next_s = 0.0
        self._first_words_s = float("inf")

    def begin(self, start_s: float, now_s: float) -> None:
        """A turn begins: a text at once."""
        self.move(start_s, now_s)
        self._start(now_s, 0.0)
        self._first_words_s = now_s + _FIRST_WORDS_S

    def move(self, start_s: float, now_s: float) -> None:
        """The open segment begins here from now on; what is under way for the old one is given up."""
        self.cancel()
        self._start_s = start_s
        self._guess = ()
        self._next_s = now_s

    def cancel(self) -> None:
        """Give up what is under way."""
        if self._job is not None:
            self._job.future.cancel()
            self._job = None
        self._first_words_s = float("inf")

    def tick(self, now_s: float) -> None:
        """Speech goes on: start what is due."""
        if self._job is None and now_s >= self._next_s - 1e-6 and not self._decodes.behind:
            self._start(now_s, BLOCK_S if self._is_opening(now_s) else _DUE_S)
        if now_s >= self._first_words_s - 1e-6:
            self._start_first_words(now_s)

    def close_up(self, now_s: float) -> None:
        """A pause begins: a text of all that was said, at once; what is under way has less of it."""
        self.cancel()
        self._start(now_s, BLOCK_S)

    def covers(self, until_s: float) -> bool:
        """Whether the decode under way covers all that was said until then."""
        return self._job is not None and self._job.end_s >= until_s - 1e-6

    def resume(self, now_s: float) -> None:
        """Speech is back after a pause: a text at once, unless one is under way."""
        if self._job is None:
            self._start(now_s, _DUE_S)

    async def take(self, now_s: float, patience_s: float) -> tuple[Decoded, DecodeJob] | None:
        """The transcript that is due; None: not yet."""
        job = self._job
        if job is None or now_s < job.due_s - 1e-6:
            return None
        decoded = await self._decodes.result(job, patience_s)
        if decoded is None:
            return None
        self._job = None
        self._guess = decoded.tokens[:-_UNSURE_TOKENS]
        return decoded, job

    def _start(self, now_s: float, due_in_s: float) -> None:
        self._job = self._decodes.interim(self._start_s, self._guess, now_s + due_in_s)
        later_s = _EVERY_S + _EVERY_PER_S * (now_s - self._start_s)
        self._next_s = now_s + (_OPENING_EVERY_S if self._is_opening(now_s) else later_s)

    def _start_first_words(self, now_s: float) -> None:
        """The first words decide whether the agent falls silent: the better model decodes them, once."""
        self.cancel()
        self._job = self._decodes.interim(self._start_s, (), now_s + _DUE_S, by_final_model=True)
        self._next_s = now_s + _AFTER_FIRST_WORDS_S

    def _is_opening(self, now_s: float) -> bool:
        return now_s - self._start_s < _OPENING_S
