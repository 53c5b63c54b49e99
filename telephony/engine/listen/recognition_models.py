"""The hearing's models: loaded once per process, each run by a thread of its own, decodes at lower priority.

Whatever runs here releases the interpreter's lock while it computes (onnxruntime, ctranslate2), so audio and
messages go on meanwhile. One thread per model bounds what all streams together can ask for: work queues, and
streams skip partial texts while one of theirs is still under way.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telephony.engine.listen.recognizer import Moonshine
from telephony.engine.listen.smart_turn import SmartTurn
from telephony.engine.listen.vad import Silero
from telephony.engine.listen.whisper import Whisper
from telephony.engine.listen.worker_thread import WorkerThread
from telephony.errors import MissingModel

FINALS_AT_ONCE: Final = 2
"""Callers fall silent together: one careful text must not wait for another while a core is free."""


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


@dataclass(frozen=True, slots=True)
class RecognitionModels:
    """What a stream's hearing is made of. `load` makes it; `close` ends its threads."""

    silero: Silero
    smart_turn: SmartTurn | None
    quick: Moonshine | None
    careful: Whisper | None
    listening: WorkerThread
    """For voice activity: every block waits for it."""
    sounds: WorkerThread
    """For smart-turn."""
    partials: WorkerThread
    finals: WorkerThread
    missing: tuple[str, ...]
    """One line for each model that is not here, saying what is used instead."""

    @classmethod
    def load(cls, paths: ModelPaths) -> RecognitionModels:
        """Load what is there (about 1 s). Raises MissingModel when nothing can recognize speech."""
        if paths.moonshine is None and paths.whisper is None:
            raise MissingModel("no speech recognizer is on this machine: fetch the models first")
        listening, sounds = (
            WorkerThread("listening", in_background=False),
            WorkerThread("sounds", in_background=False),
        )
        partials, finals = WorkerThread("partials"), WorkerThread("finals", FINALS_AT_ONCE)
        # Each model is made by the thread that runs it: the threads it starts inherit the priority.
        careful = finals.submit(
            lambda: None if paths.whisper is None else Whisper(paths.whisper, FINALS_AT_ONCE)
        )
        quick = partials.submit(lambda: None if paths.moonshine is None else Moonshine(paths.moonshine))
        silero = listening.submit(lambda: Silero(paths.silero))
        smart = sounds.submit(lambda: None if paths.smart_turn is None else SmartTurn(paths.smart_turn))
        with ExitStack() as on_failure:
            for worker in (listening, sounds, partials, finals):
                on_failure.callback(worker.close)
            loaded = cls(
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
            on_failure.pop_all()
        return loaded

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
