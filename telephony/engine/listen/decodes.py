"""One stream's work for the models: sent to their threads, and waited for as long as makes sense.

A recording fed faster than real time waits for every result at the block where it is due, so that its blocks
are the same on any machine. A live stream must go on: it waits briefly, then takes the result when it comes.
What a line brings at once after it stood still may wait. It is recognized as fast as results come, and at
least at the speed at which it was said: the blocks are those of audio that came in time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from telephony.engine.listen.recognition_models import RecognitionModels
from telephony.engine.listen.recognized import RecognitionOptions
from telephony.engine.listen.recognizer import Decoded
from telephony.engine.listen.turn_audio import TurnAudio

_T = TypeVar("_T")

_AHEAD_S: Final = 1.0
"""Audio this far ahead of the wall clock is a recording: a live stream's comes at most in small bursts."""
_MOST_QUEUED: Final = 2
"""Where a model has this much to do, a live stream asks it only for what it cannot do without."""
_OVERDUE_S: Final = 1.2
"""A final transcript this late is not worth the caller's silence."""
_OVERDUE_DICTATION_S: Final = 4.0
"""For digits and letters: their interim transcripts are too often wrong."""
_LONGEST_WAIT_S: Final = 0.4
"""A block waits no longer, even if it could: a service that is silent for 2 s of audio is taken for dead."""
_BEHIND_S: Final = 0.5
"""Audio this far behind: the machine cannot keep up, and interim transcripts are left out."""


@dataclass(slots=True)
class DecodeJob:
    """A decode under way."""

    future: Future[Decoded]
    start_s: float
    """The audio that it reads, seconds of the stream."""
    end_s: float
    due_s: float
    """The moment of the stream at which its result is shown."""
    cut: bool = False
    """It settles the beginning of speech that goes on."""
    waited_since: float | None = None
    """When a live stream first waited for it, the loop's time."""


class Decodes:
    """Where a stream's `TurnAudio` meets the models."""

    def __init__(self, models: RecognitionModels, audio: TurnAudio, live: bool | None) -> None:
        """`live`: whether the audio comes as it is spoken; None: the clock decides."""
        self._live = live
        self._models = models
        self._audio = audio
        self._began: float | None = None
        self._waited_at = 0.0
        """When the stream would have begun, had all its audio come like that which it last waited for."""
        self._looked_at = 0.0
        self._audio_s = 0.0
        self._lead_s = 0.0

    def arrived(self, audio_s: float, waited: bool) -> None:
        """Audio up to here is being looked at now; `waited`: nothing was left to do when it came."""
        now = asyncio.get_running_loop().time()
        if self._began is None:
            self._began = self._waited_at = now - audio_s
        if waited:
            self._waited_at = now - audio_s
        self._looked_at, self._audio_s = now, audio_s
        self._lead_s = audio_s - (now - self._began)

    @property
    def live(self) -> bool:
        """The audio comes no faster than it is spoken."""
        return self._lead_s < _AHEAD_S if self._live is None else self._live

    @property
    def _spare_s(self) -> float:
        """What a block of a live stream may still wait for a result without being later than its line."""
        now = asyncio.get_running_loop().time()
        return min(self._audio_s - (now - self._waited_at), self._looked_at + _LONGEST_WAIT_S - now)

    @property
    def behind(self) -> bool:
        """The machine does not keep up: interim transcripts are left out."""
        busy = self._models.interim_thread.queued >= _MOST_QUEUED
        return self.live and (busy or self._looked_at - self._waited_at - self._audio_s > _BEHIND_S)

    async def listen(self, work: Callable[[], _T]) -> _T:
        """Short work that every block needs."""
        return await asyncio.wrap_future(self._models.vad_thread.submit(work))

    def sound(self, start_s: float) -> Future[float] | None:
        """Begin to ask smart-turn about the turn from `start_s` on; None: no such model, or too busy."""
        model = self._models.smart_turn
        if model is None or (self.live and self._models.smart_turn_thread.queued >= _MOST_QUEUED):
            return None
        samples, power = self._audio.samples(start_s), self._audio.power(start_s)
        return self._models.smart_turn_thread.submit(lambda: model.predict(samples, power))

    def interim(
        self, start_s: float, guess: Sequence[int], due_s: float, by_final_model: bool = False
    ) -> DecodeJob:
        """Begin an interim transcript of the audio from `start_s` on; `by_final_model`: by the better one."""
        interim, final = self._models.interim_model, self._models.final_model
        end_s = self._audio.end_s
        by_final_model = by_final_model and not (self.live and self._models.final_threads.queued > 0)
        if interim is not None and not (by_final_model and final):
            work = partial(interim.decode, self._audio.samples(start_s), guess)
            return DecodeJob(self._models.interim_thread.submit(work), start_s, end_s, due_s)
        assert final is not None  # RecognitionModels.load requires one of the two
        work = partial(final.decode, self._audio.power(start_s))
        return DecodeJob(self._models.final_threads.submit(work, urgent=False), start_s, end_s, due_s)

    def final(
        self,
        start_s: float,
        end_s: float,
        due_s: float,
        options: RecognitionOptions,
        *,
        spelled: bool,
        urgent: bool,
    ) -> DecodeJob:
        """Begin a final transcript of a span of audio, at most 15 s.

        `spelled`: letters are being dictated; `urgent`: the end of a turn waits for it.
        """
        interim, final = self._models.interim_model, self._models.final_model
        if final is not None:
            power = self._audio.power(start_s, end_s)
            work = partial(final.decode, power, options.keyterms, spelled)
            return DecodeJob(self._models.final_threads.submit(work, urgent), start_s, end_s, due_s)
        assert interim is not None
        work = partial(interim.decode, self._audio.samples(start_s, end_s))
        return DecodeJob(self._models.interim_thread.submit(work), start_s, end_s, due_s)

    def hurry(self, job: DecodeJob) -> None:
        """The end of a turn waits for it now."""
        self._models.final_threads.hurry(job.future)

    async def result(self, job: DecodeJob, patience_s: float | None) -> Decoded | None:
        """A job's text; None: not yet. Without `patience_s` a live stream waits as long as it takes, too."""
        waited = job.waited_since is not None and patience_s is not None
        if waited and not job.future.done() and self.live and self._spare_s <= 0.0:
            return None
        if patience_s != 0.0:
            job.waited_since = job.waited_since or asyncio.get_running_loop().time()
        return await self.within(job.future, patience_s)

    def is_overdue(self, job: DecodeJob, dictated: bool = False) -> bool:
        """A live stream has waited for this long enough: it must do without."""
        if job.waited_since is None or not self.live:
            return False
        late_s = asyncio.get_running_loop().time() - job.waited_since
        return late_s > (_OVERDUE_DICTATION_S if dictated else _OVERDUE_S)

    async def within(self, future: Future[_T], patience_s: float | None) -> _T | None:
        """A result; None: not yet. Only a live stream's patience ends."""
        if not future.done():
            timeout = max(patience_s or 0.0, self._spare_s) if self.live and patience_s is not None else None
            await asyncio.wait([asyncio.wrap_future(future)], timeout=timeout)
        return future.result() if future.done() else None
