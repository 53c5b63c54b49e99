"""The hearing's models: loaded once per process, each run by a thread of its own, decodes at lower priority.

Whatever runs here releases the interpreter's lock while it computes (onnxruntime, ctranslate2), so audio and
messages go on meanwhile. One thread per model bounds what all streams together can ask for: work queues, and
streams skip partial texts while one of theirs is still under way.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar, cast

from telephony.engine.recognizer import Moonshine
from telephony.engine.smart_turn import SmartTurn
from telephony.engine.vad import Silero
from telephony.engine.whisper import Whisper
from telephony.errors import MissingModel

_T = TypeVar("_T")
_NICENESS: Final = 3  # of decodes: frames, voice activity and messages come first


@dataclass(frozen=True, slots=True)
class ModelPaths:
    """Where the models lie; None: not here, and a weaker way is used."""

    silero: Path
    """silero_vad.onnx; the only one that cannot be missing."""
    smart_turn: Path | None
    """smart-turn-v3.2-cpu.onnx; without it the end of a turn is told by silence and text alone."""
    moonshine: Path | None
    """The folder with encoder_model.ort, decoder_model_merged.ort, tokenizer.bin."""
    whisper: Path | None
    """The folder with model.bin, config.json, vocabulary.json, tokenizer.json."""


class Worker:
    """One thread for one model."""

    def __init__(self, name: str, in_background: bool) -> None:
        step_back = _step_back if in_background else None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name, initializer=step_back)
        self._open: deque[Future[object]] = deque()

    def submit(self, work: Callable[[], _T]) -> Future[_T]:
        """Queue some work; its result, or what it raised, is the future's."""
        future = self._pool.submit(work)
        self._open.append(cast(Future[object], future))
        return future

    @property
    def queued(self) -> int:
        """How much is under way or waits, of all streams."""
        while self._open and self._open[0].done():
            self._open.popleft()
        return len(self._open)

    def close(self) -> None:
        """No more work; what waits is given up."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _step_back() -> None:
    """Lower the priority of this thread (Linux knows one per thread; elsewhere it would be the process's)."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        # Only ever down: raising it back is not allowed to everybody.
        if os.getpriority(os.PRIO_PROCESS, thread) < _NICENESS:
            os.setpriority(os.PRIO_PROCESS, thread, _NICENESS)


@dataclass(frozen=True, slots=True)
class HearingModels:
    """What a stream's hearing is made of. `load` makes it; `close` ends its threads."""

    silero: Silero
    smart_turn: SmartTurn | None
    quick: Moonshine | None
    careful: Whisper | None
    listening: Worker
    """For voice activity: every block waits for it."""
    sounds: Worker
    """For smart-turn."""
    partials: Worker
    finals: Worker
    missing: tuple[str, ...]
    """One line for each model that is not here, saying what is used instead."""

    @classmethod
    def load(cls, paths: ModelPaths) -> HearingModels:
        """Load what is there (about 1 s). Raises MissingModel when nothing can recognize speech."""
        if paths.moonshine is None and paths.whisper is None:
            raise MissingModel("no speech recognizer is on this machine: fetch the models first")
        listening, sounds = Worker("listening", False), Worker("sounds", False)
        partials, finals = Worker("partials", True), Worker("finals", True)
        # Each model is made by the thread that runs it: the threads it starts inherit the priority.
        careful = finals.submit(lambda: None if paths.whisper is None else Whisper(paths.whisper))
        quick = partials.submit(lambda: None if paths.moonshine is None else Moonshine(paths.moonshine))
        silero = listening.submit(lambda: Silero(paths.silero))
        smart = sounds.submit(lambda: None if paths.smart_turn is None else SmartTurn(paths.smart_turn))
        try:
            return cls(
                silero.result(),
                smart.result(),
                quick.result(),
                careful.result(),
                listening,
                sounds,
                partials,
                finals,
                tuple(_missing_lines(paths)),
            )
        except BaseException:
            for worker in (listening, sounds, partials, finals):
                worker.close()
            raise

    def close(self) -> None:
        """End the threads."""
        for worker in (self.listening, self.sounds, self.partials, self.finals):
            worker.close()


def _missing_lines(paths: ModelPaths) -> list[str]:
    lines: list[str] = []
    if paths.smart_turn is None:
        lines.append("smart-turn is missing: the end of a turn is told by silence and text alone")
    if paths.moonshine is None:
        lines.append("moonshine is missing: partial texts come from whisper, later and less often")
    if paths.whisper is None:
        lines.append("whisper is missing: final texts come from moonshine, with more errors")
    return lines
