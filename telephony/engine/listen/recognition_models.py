"""The recognition models: loaded once per process, each run by its own thread, decodes at lower priority.

Whatever runs here releases the interpreter's lock while it computes (onnxruntime, ctranslate2), so audio and
messages go on meanwhile. One thread per model bounds what all streams together can ask for: work queues, and
streams skip interim transcripts while one of theirs is still under way.
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
"""Callers fall silent together: a final decode must not wait for another while a core is free."""


@dataclass(frozen=True, slots=True)
class ModelPaths:
    """Where the models lie; None: not here, and a weaker way is used."""

    silero: Path
    """silero_vad.onnx; the only one that cannot be missing."""
    smart_turn: Path | None
    """smart-turn-v3.2-cpu.onnx; without it the end of a turn is detected by silence and text alone."""
    moonshine: Path | None
    """The folder with encoder_model.ort, decoder_model_merged.ort, tokenizer.bin."""
    whisper: Path | None
    """The folder with model.bin, config.json, vocabulary.json, tokenizer.json."""


@dataclass(frozen=True, slots=True)
class RecognitionModels:
    """The models of all streams, and their threads. `load` makes them; `close` ends the threads."""

    silero: Silero
    smart_turn: SmartTurn | None
    interim_model: Moonshine | None
    final_model: Whisper | None
    vad_thread: WorkerThread
    """Voice activity: every block waits for it."""
    smart_turn_thread: WorkerThread
    """Runs smart-turn."""
    interim_thread: WorkerThread
    final_threads: WorkerThread
    missing: tuple[str, ...]
    """One line for each model that is not here, saying what is used instead."""

    @classmethod
    def load(cls, paths: ModelPaths) -> RecognitionModels:
        """Load what is there (about 1 s). Raises MissingModel when nothing can recognize speech."""
        if paths.moonshine is None and paths.whisper is None:
            raise MissingModel("no speech recognizer is on this machine: fetch the models first")
        vad_thread, smart_turn_thread = (
            WorkerThread("listening", in_background=False),
            WorkerThread("sounds", in_background=False),
        )
        interim_thread, final_threads = WorkerThread("interim"), WorkerThread("final", FINALS_AT_ONCE)
        # Each model is made by the thread that runs it: the threads it starts inherit the priority.
        final_model = final_threads.submit(
            lambda: None if paths.whisper is None else Whisper(paths.whisper, FINALS_AT_ONCE)
        )
        interim_model = interim_thread.submit(
            lambda: None if paths.moonshine is None else Moonshine(paths.moonshine)
        )
        silero = vad_thread.submit(lambda: Silero(paths.silero))
        smart = smart_turn_thread.submit(
            lambda: None if paths.smart_turn is None else SmartTurn(paths.smart_turn)
        )
        with ExitStack() as on_failure:
            for worker in (vad_thread, smart_turn_thread, interim_thread, final_threads):
                on_failure.callback(worker.close)
            loaded = cls(
                silero.result(),
                smart.result(),
                interim_model.result(),
                final_model.result(),
                vad_thread,
                smart_turn_thread,
                interim_thread,
                final_threads,
                tuple(_missing_lines(paths)),
            )
            on_failure.pop_all()
        return loaded

    def close(self) -> None:
        """End the threads."""
        for worker in (self.vad_thread, self.smart_turn_thread, self.interim_thread, self.final_threads):
            worker.close()


def _missing_lines(paths: ModelPaths) -> list[str]:
    lines: list[str] = []
    if paths.smart_turn is None:
        lines.append("smart-turn is missing: the end of a turn is detected by silence and text alone")
    if paths.moonshine is None:
        lines.append("moonshine is missing: interim transcripts come from whisper, later and less often")
    if paths.whisper is None:
        lines.append("whisper is missing: final transcripts come from moonshine, with more errors")
    return lines
