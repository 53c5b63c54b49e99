"""The process that holds the listening models: `python -m telephony.engine.listen.recognition_worker FD`.

It ends when the engine's end of the socket pair is gone, however the engine died.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING

from telephony import logs
from telephony.base.tasks import guarded_task
from telephony.engine.listen import worker_pipe as pipe
from telephony.engine.listen.recognized import RecognitionOptions
from telephony.engine.models import catalogue
from telephony.engine.packages import not_installed
from telephony.errors import MissingModel

if TYPE_CHECKING:
    from telephony.engine.listen.recognition import ModelPaths, Recognition, RecognitionModels

log = logging.getLogger(__name__)

NICENESS = 1
"""The models yield to whatever carries audio on this machine."""


class Worker:
    """Serves every stream of one engine."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._streams: dict[int, asyncio.Queue[pipe.WorkerMessage]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Loads the models, says so, and serves until the engine is gone."""
        try:
            loaded = await asyncio.to_thread(_load)
        except MissingModel as error:
            self._say((0, pipe.FAILED, str(error)))
            return
        except ImportError as error:
            self._say((0, pipe.FAILED, not_installed([str(error.name)])))
            return
        self._say((0, pipe.READY, tuple(loaded.missing)))
        while (message := await pipe.unpack(self._reader)) is not None:
            self._take(loaded, message)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        loaded.close()

    def _take(self, loaded: RecognitionModels, message: pipe.WorkerMessage) -> None:
        number, what, content = message
        if what == pipe.OPEN:
            self._streams[number] = asyncio.Queue()
            task = asyncio.create_task(self._serve(loaded, number, content))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif queue := self._streams.get(number):
            queue.put_nowait(message)

    async def _serve(self, loaded: RecognitionModels, number: int, options: RecognitionOptions) -> None:
        from telephony.engine.listen.recognition import Recognition

        recognition = Recognition(loaded, options)
        try:
            obeying = self._obey(recognition, number, self._streams[number])
            await guarded_task(partial(self._failed, number), obeying)
        finally:
            recognition.close()
            del self._streams[number]

    def _failed(self, number: int, error: Exception) -> None:
        """One stream fails; the others go on."""
        log.error("the recognition of stream %d failed", number, exc_info=error)
        self._say((number, pipe.ERROR, f"the recognition failed: {type(error).__name__}"))

    async def _obey(
        self, recognition: Recognition, number: int, queue: asyncio.Queue[pipe.WorkerMessage]
    ) -> None:
        while True:
            match await queue.get():
                case (_, pipe.AUDIO, (audio, waited)):
                    self._say(
                        (number, pipe.BLOCKS, [block async for block in recognition.recognize(audio, waited)])
                    )
                case (_, pipe.FLUSH, _):
                    known = await recognition.flush()
                    self._say((number, pipe.BLOCKS, [known] if known else []))
                case (_, pipe.END_TURN, _):
                    recognition.end_turn()
                case (_, pipe.CONFIGURE, options):
                    recognition.configure(options)
                case (_, pipe.CLOSE, _):
                    return

    def _say(self, message: pipe.WorkerMessage) -> None:
        # Not awaited: the engine has at most one question open for a stream, so little can pile up.
        self._writer.write(pipe.pack(message))


def _load() -> RecognitionModels:
    # Imported here and not above: a missing library is then an answer, not a crash.
    from telephony.engine.listen.recognition import RecognitionModels

    return RecognitionModels.load(find_models())


def find_models() -> ModelPaths:
    """Where the models lie. Raises MissingModel without the one that finds speech."""
    from telephony.engine.listen.recognition import ModelPaths

    return ModelPaths(
        silero=catalogue.need("silero-vad/silero_vad.onnx"),
        smart_turn=catalogue.path("smart-turn/smart-turn-v3.2-cpu.onnx"),
        moonshine=catalogue.path("moonshine-tiny-en"),
        whisper=catalogue.path("whisper-base"),
    )


async def _main(descriptor: int) -> None:
    end = socket.socket(fileno=descriptor)
    reader, writer = await asyncio.open_connection(sock=end)
    await Worker(reader, writer).run()
    writer.close()
    await writer.wait_closed()


if __name__ == "__main__":
    # Ctrl-C reaches the whole terminal group; this process ends with the engine, and not before it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    logs.set_up(os.environ.get("LOG_LEVEL", "INFO"))
    asyncio.run(_main(int(sys.argv[1])))
