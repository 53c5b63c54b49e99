"""Anything that ffmpeg reads, as 80 ms pieces of linear16, in real time or as fast as they are taken."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator

from telephony.audio.file_kinds import complaint, plain_line
from telephony.base.tasks import undone_on_failure
from telephony.errors import BadAudio
from telephony.simulator.recording_source import Input, ffmpeg, open_input

RATE = 16_000
CHUNK_S = 0.080  # what Flux recommends
CHUNK_BYTES = int(RATE * CHUNK_S) * 2


class TranscribeSource:
    """One SOURCE being read. Iterate over `chunks`; `close` ends ffmpeg whatever it is at."""

    def __init__(self, opened: Input, process: Process) -> None:
        self._name = opened.name
        self._opened = opened
        self._process = process
        self._stderr = asyncio.ensure_future(_tail(process))
        self._pumping = asyncio.ensure_future(_pump(opened, process))
        self.warning = ""
        """What ffmpeg complained of although it gave some sound; known once all chunks were taken."""

    @classmethod
    async def open(cls, source: str) -> TranscribeSource:
        """Starts ffmpeg on a path, a URL or `-`. Raises BadInput when that cannot be."""
        program = ffmpeg()
        opened = await open_input(source)
        with undone_on_failure(opened.close):
            process = await asyncio.create_subprocess_exec(
                program,
                *("-nostdin", "-hide_banner", "-loglevel", "error"),
                *opened.arguments,
                *("-vn", "-ac", "1", "-ar", str(RATE), "-f", "s16le", "-flush_packets", "1", "pipe:1"),
                stdin=PIPE if opened.pipe is not None else opened.stdin or DEVNULL,
                stdout=PIPE,
                stderr=PIPE,
                start_new_session=True,  # Ctrl-C is for us: ffmpeg's last audio is still to be heard
            )
        return cls(opened, process)

    async def chunks(self) -> AsyncIterator[bytes]:
        """80 ms at a time; the last one filled up with silence. Raises BadAudio when ffmpeg gives up."""
        assert self._process.stdout is not None
        none_yet = True
        while True:
            try:
                chunk = await self._process.stdout.readexactly(CHUNK_BYTES)
            except asyncio.IncompleteReadError as error:
                if error.partial:
                    none_yet = False
                    yield error.partial.ljust(CHUNK_BYTES, b"\0")
                break
            none_yet = False
            yield chunk
        status = await self._process.wait()
        if status:
            raise BadAudio(f"{self._name} {complaint(await self._stderr, status)}")
        said = (await self._stderr).strip()
        if none_yet:
            raise BadAudio(f"{self._name} {complaint(said, 1) if said else 'has no sound in it'}")
        if said:
            self.warning = (
                f"{self._name} is perhaps not whole; ffmpeg says: {plain_line(said.splitlines()[-1])}"
            )

    async def close(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        # wait() returns only when the pipe was read to its end, and nobody reads it any more.
        if self._process.stdout is not None:
            while await self._process.stdout.read(1 << 16):
                pass
        await self._process.wait()
        self._stderr.cancel()
        self._pumping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._pumping
        self._opened.close()


async def paced(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks, none before its time. A source that was late is not hurried afterwards."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    async for chunk in chunks:
        await asyncio.sleep(due - loop.time())
        due = max(due + CHUNK_S, loop.time())
        yield chunk


async def _pump(opened: Input, process: Process) -> None:
    """Hands on what comes through a pipe. An ffmpeg that takes no more says itself why."""
    if opened.pipe is None or process.stdin is None:
        return
    with contextlib.suppress(ConnectionError):
        process.stdin.write(opened.head)
        while more := await opened.pipe.read(1 << 16):
            process.stdin.write(more)
            await process.stdin.drain()
    process.stdin.close()


async def _tail(process: Process) -> str:
    """ffmpeg's last words, read all along so that it never waits for us."""
    assert process.stderr is not None
    kept = b""
    while block := await process.stderr.read(4096):
        kept = (kept + block)[-4096:]
    return kept.decode("utf-8", "replace")
