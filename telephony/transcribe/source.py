"""Anything that ffmpeg reads, as 80 ms pieces of linear16, in real time or as fast as they are taken."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

from telephony.errors import BadAudio, BadInput

RATE = 16_000
CHUNK_S = 0.080  # what Flux recommends
CHUNK_BYTES = int(RATE * CHUNK_S) * 2
HOW_TO_INSTALL_FFMPEG = (
    "install it: apt install ffmpeg (Debian, Ubuntu), dnf install ffmpeg, brew install ffmpeg"
)
URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)

# ffmpeg's words, and ours. The first that is found in its last lines is taken.
FAULTS = (
    ("does not contain any stream", "has no sound in it"),
    ("Invalid data found", "is not audio or video that ffmpeg knows"),
    ("Connection refused", "does not answer: is the address right?"),
    ("404", "is not there (404 Not Found)"),
    ("403", "may not be read (403 Forbidden)"),
    ("401", "may not be read (401 Unauthorized)"),
    ("Permission denied", "may not be read"),
    ("Failed to resolve", "is on a host whose name is not known"),
    ("Protocol not found", "is a kind of address that ffmpeg does not know"),
    ("timed out", "does not answer in time"),
    ("Invalid argument", "is not audio or video that ffmpeg knows"),  # random bytes that look like MP3
)


class Source:
    """One SOURCE being read. Iterate over `chunks`; `close` ends ffmpeg whatever it is at."""

    def __init__(self, name: str, process: Process) -> None:
        self._name = name
        self._process = process
        self._stderr = asyncio.ensure_future(_tail(process))

    @classmethod
    async def open(cls, source: str) -> Source:
        """Starts ffmpeg on a path, a URL or `-`. Raises BadInput when that cannot be."""
        ffmpeg = shutil.which("ffmpeg")
        if ffmpeg is None:
            raise BadInput(f"ffmpeg is not here: {HOW_TO_INSTALL_FFMPEG}")
        process = await asyncio.create_subprocess_exec(
            ffmpeg,
            *("-nostdin" if source != "-" else "-hide_banner", "-loglevel", "error"),
            *("-i", _input(source)),
            *("-vn", "-ac", "1", "-ar", str(RATE), "-f", "s16le", "-flush_packets", "1", "pipe:1"),
            stdin=sys.stdin.buffer if source == "-" else DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,  # Ctrl-C is for us: ffmpeg's last audio is still to be heard
        )
        return cls("standard input" if source == "-" else source, process)

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
            raise BadAudio(f"{self._name} {_plain(await self._stderr, status)}")
        if none_yet:
            raise BadAudio(f"{self._name} has no sound in it")

    async def close(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        # wait() returns only when the pipe was read to its end, and nobody reads it any more.
        if self._process.stdout is not None:
            while await self._process.stdout.read(1 << 16):
                pass
        await self._process.wait()
        self._stderr.cancel()


async def paced(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks, none before its time. A source that was late is not hurried afterwards."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    async for chunk in chunks:
        await asyncio.sleep(due - loop.time())
        due = max(due + CHUNK_S, loop.time())
        yield chunk


def _input(source: str) -> str:
    """How ffmpeg is told what to read. A path is named as one, or `concat:x` would be taken as an order."""
    if source == "-":
        return "pipe:0"
    if URL.match(source):
        return source
    path = Path(source)
    if not path.exists():
        raise BadInput(f"{source}: no such file")
    if path.is_dir():
        raise BadInput(f"{source}: this is a folder; name a file in it")
    if path.is_file() and path.stat().st_size == 0:
        raise BadAudio(f"{source}: the file is empty")
    return f"file:{source}"


async def _tail(process: Process) -> str:
    """ffmpeg's last words, read all along so that it never waits for us."""
    assert process.stderr is not None
    kept = b""
    while block := await process.stderr.read(4096):
        kept = (kept + block)[-4096:]
    return kept.decode("utf-8", "replace")


def _plain(stderr: str, status: int) -> str:
    for theirs, ours in FAULTS:
        if theirs in stderr:
            return ours
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return f"cannot be read; ffmpeg says: {lines[-1][:200] if lines else f'exit status {status}'}"
