"""Recognition in its own process: a model that crashes ends its streams; later streams get a new worker."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable

from telephony.base import subprocesses
from telephony.base.tasks import closed_on_failure
from telephony.engine.listen import worker_pipe as pipe
from telephony.engine.listen.loudness import LoudnessStream
from telephony.engine.listen.recognized import BLOCK_S, Block, RecognitionOptions
from telephony.engine.listen.recognizer_stream import RecognizerLost, RecognizerStream

log = logging.getLogger(__name__)

ANSWER_S = 20.0
"""A worker that is silent for this long hangs, and is replaced. A final decode takes about a second."""
READY_S = 30.0
"""Longest load of the models, on a machine that is busy."""
RETRY_S = (0.0, 0.5, 2.0)
"""Waits before a worker that never became ready is tried again; then loudness has to do."""

_BLOCK_BYTES = int(BLOCK_S * 8000) * 2


class WorkerStream:
    """The recognition of one stream, in the worker process."""

    def __init__(self, worker: _Connection, number: int) -> None:
        self._worker = worker
        self._number = number
        self._rest = b""

    async def recognize(self, linear16: bytes, waited: bool = False) -> AsyncIterator[Block]:
        """Audio at 8000 Hz; a block for each 80 ms completed. Raises RecognizerLost."""
        # Block by block: an end of turn must reach the worker before the audio after it.
        data = self._rest + linear16
        whole = len(data) - len(data) % _BLOCK_BYTES
        self._rest = data[whole:]
        for at in range(0, whole, _BLOCK_BYTES):
            for block in await self._ask(pipe.AUDIO, (data[at : at + _BLOCK_BYTES], waited)):
                yield block
            waited = False

    async def flush(self) -> Block | None:
        """All that is known of the open turn; None outside a turn. Raises RecognizerLost."""
        # A rest of less than a block is too short to be a word; it is the beginning of the next block.
        blocks = await self._ask(pipe.FLUSH, None)
        return blocks[0] if blocks else None

    def end_turn(self) -> None:
        """The turn is over."""
        self._worker.tell((self._number, pipe.END_TURN, None))

    def configure(self, options: RecognitionOptions) -> None:
        """New options, from the next block on."""
        self._worker.tell((self._number, pipe.CONFIGURE, options))

    def when_lost(self, tell: Callable[[], None]) -> None:
        """Calls `tell` when the worker is gone, at once where it is already."""
        self._worker.watch(self._number, tell)

    def close(self) -> None:
        """The stream is over."""
        self._worker.drop(self._number)

    async def _ask(self, what: str, content: tuple[bytes, bool] | None) -> list[Block]:
        return await self._worker.ask((self._number, what, content))


class _Connection:
    """One worker process and the questions it has not answered."""

    def __init__(self, child: asyncio.subprocess.Process, writer: asyncio.StreamWriter) -> None:
        self.child = child
        self.alive = True
        self._writer = writer
        self._next = 1
        self._waiting: dict[int, asyncio.Future[list[Block]]] = {}
        self._watching: dict[int, Callable[[], None]] = {}

    def open(self, options: RecognitionOptions) -> WorkerStream:
        number, self._next = self._next, self._next + 1
        self.tell((number, pipe.OPEN, options))
        return WorkerStream(self, number)

    def tell(self, message: pipe.WorkerMessage) -> None:
        if self.alive:
            self._writer.write(pipe.pack(message))

    async def ask(self, message: pipe.WorkerMessage) -> list[Block]:
        if not self.alive:
            raise RecognizerLost()
        answer: asyncio.Future[list[Block]] = asyncio.get_running_loop().create_future()
        self._waiting[message[0]] = answer
        self.tell(message)
        try:
            async with asyncio.timeout(ANSWER_S):
                return await answer
        except TimeoutError:
            log.error("the recognition worker has not answered for %.0f s: it is replaced", ANSWER_S)
            self.kill()
            raise RecognizerLost("the recognition worker does not answer") from None
        finally:
            self._waiting.pop(message[0], None)

    def watch(self, number: int, tell: Callable[[], None]) -> None:
        if not self.alive:
            tell()
        self._watching[number] = tell

    def drop(self, number: int) -> None:
        self._watching.pop(number, None)
        self.tell((number, pipe.CLOSE, None))

    def answered(self, message: pipe.WorkerMessage) -> None:
        number, what, content = message
        waiting = self._waiting.get(number)
        if waiting is None or waiting.done():
            return
        if what == pipe.BLOCKS:
            waiting.set_result(content)
        else:
            waiting.set_exception(RecognizerLost(str(content)))

    def lost(self) -> None:
        self.alive = False
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(RecognizerLost())
        for tell in list(self._watching.values()):
            tell()
        self._writer.close()

    def kill(self) -> None:
        if self.child.returncode is None:
            self.child.kill()


class WorkerPool:
    """Keeps a worker running, and opens its recognizer streams."""

    def __init__(
        self, command: tuple[str, ...] = (sys.executable, "-m", "telephony.engine.listen.recognition_worker")
    ):
        self.notes: tuple[str, ...] = ()
        """What is missing and what is used instead, once it is known."""
        self._command = command
        self._worker: _Connection | None = None
        self._known = asyncio.Event()
        """Set while it is known what new streams get: a worker, or loudness."""
        self._fallback = False
        self._task: asyncio.Task[None] | None = None

    @property
    def state(self) -> str:
        """For /healthz: loading, ready, loudness."""
        return "loudness" if self._fallback else "ready" if self._worker else "loading"

    @property
    def worker_pid(self) -> int | None:
        """The worker's process, while one is ready."""
        return self._worker.child.pid if self._worker else None

    def start(self) -> None:
        """Begins to load; `ready` waits for it."""
        self._task = asyncio.create_task(self._keep_running())

    async def ready(self) -> None:
        """Returns once a stream can be recognized, by the models or by loudness."""
        await self._known.wait()

    async def open(self, options: RecognitionOptions) -> RecognizerStream:
        """The recognizer of a new stream. Raises RecognizerLost when the models do not load in time."""
        try:
            async with asyncio.timeout(READY_S):
                await self._known.wait()
        except TimeoutError:
            raise RecognizerLost("the models are not loaded yet") from None
        return self._worker.open(options) if self._worker else LoudnessStream(options)

    async def close(self) -> None:
        """Ends the worker."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_running(self) -> None:
        failures = 0
        while failures < len(RETRY_S):
            await asyncio.sleep(RETRY_S[failures])
            became_ready, reason = await self._run_once()
            if reason is not None:
                return self._fall_back(reason)
            failures = 0 if became_ready else failures + 1
        self._fall_back("the recognition worker does not start")

    def _fall_back(self, reason: str) -> None:
        self.notes = (f"{reason}; until then turns are detected by loudness, and no words are recognized",)
        log.warning("%s", self.notes[0])
        self._fallback = True
        self._known.set()

    async def _run_once(self) -> tuple[bool, str | None]:
        """One life of a worker: whether it became ready, and why no other would."""
        ours, theirs = socket.socketpair()
        try:
            child = await asyncio.create_subprocess_exec(
                *self._command,
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
            )
        finally:
            theirs.close()
        async with closed_on_failure(lambda: subprocesses.killed(child)):  # a cancellation may come here
            reader, writer = await asyncio.open_connection(sock=ours)
        connection = _Connection(child, writer)
        began, became_ready = time.monotonic(), False
        try:
            while (message := await pipe.unpack(reader)) is not None:
                if message[1] == pipe.FAILED:
                    return False, str(message[2])
                if message[1] == pipe.READY:
                    became_ready = True
                    self._ready(connection, message[2], time.monotonic() - began)
                else:
                    connection.answered(message)
        finally:
            self._worker = None
            self._known.clear()
            connection.lost()
            await subprocesses.killed(child)
        log.error("the recognition worker ended with status %s: starting another", child.returncode)
        return became_ready, None

    def _ready(self, connection: _Connection, missing: tuple[str, ...], took_s: float) -> None:
        self._worker, self.notes = connection, missing
        for line in missing:
            log.warning("%s", line)
        log.info("listening is ready after %.1f s", took_s)
        self._known.set()
