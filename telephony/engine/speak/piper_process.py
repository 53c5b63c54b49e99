"""Piper in its own process: lines of text in, WAV files out, by its documented command line.

Piper is GPL: it is started with the interpreter's `-m piper` and never imported here, so it can be left out.
Of its output modes only `--output-dir` says where one text ends and the next begins (`--output-raw` does
not), so each clause becomes one small file, named on stderr when complete, read and deleted at once.
`--debug` makes it print the phonemes of every text, from which word times are estimated.

Measured on one core of a 2-core machine: model loaded and first clause after 0.45 s; then 27 ms for two
words, 85 ms for ten; 0.06 s of CPU per second of audio; twice that in wall time with both cores busy. 200 MB,
330 after long clauses.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
import wave
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from telephony.base import subprocesses
from telephony.engine.packages import QUIET
from telephony.errors import VoiceFailed

logger = logging.getLogger(__name__)

_Pending = deque[asyncio.Future[tuple[Path, str]]]

DEADLINE_S = 10.0  # a clause takes 0.1 s; a machine so loaded that it takes 10 s has lost its caller
MAX_WAITING = 32  # clauses in line; beyond that the caller would wait longer than anybody does
NICE = 2  # behind the process that carries audio, ahead of the recognizers (5): the caller waits for this

_FOLDER = "telephony-voice-"
_WROTE = "INFO:__main__:Wrote "
_SPOKE = "DEBUG:piper.voice:text="
_PHONEMES = ", phonemes="
_LINE_LIMIT = 1 << 20  # bytes of one stderr line: a clause's phonemes, quoted one by one, are a few kB


@dataclass(frozen=True, slots=True)
class Utterance:
    """What a voice's program made of one clause."""

    linear16: bytes
    """Signed 16-bit little-endian mono samples."""
    rate: int
    """Samples per second."""
    phonemes: str = ""
    """The clause in the voice's phonemes (IPA), words separated by spaces; empty where it does not tell."""


def available() -> bool:
    """Whether piper is installed beside this interpreter; looked up, not imported."""
    return importlib.util.find_spec("piper") is not None


def command_line(model: Path, folder: Path) -> list[str]:
    """The documented command line that reads texts from stdin and writes a WAV file for each."""
    return [
        *(sys.executable, "-m", "piper", "--model", str(model), "--output-dir", str(folder)),
        *("--no-normalize", "--debug"),  # normalised by peaks, a short clause would be louder than a long one
    ]


class PiperProcess:
    """One piper process: started once, fed one clause at a time, restarted when it dies.

    It ends by itself when our end of its stdin closes, also when we are killed.
    """

    def __init__(
        self, model: Path, *, command: Sequence[str] | None = None, deadline_s: float = DEADLINE_S
    ) -> None:
        """`command` stands in for piper's own command line; the output folder is appended to it."""
        self._model = model
        self._command = command
        self._deadline_s = deadline_s
        self._folder: Path | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._pending: _Pending = deque()
        self._closed = False
        self.restarts = -1
        """How many times the process had to be started again."""

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process else None

    async def render(self, text: str) -> Utterance:
        """Speak one clause, which must have a letter or digit in it.

        Raises VoiceFailed when the process dies twice on it, takes too long, or too many wait. Cancelling
        leaves the process running: what it makes of this clause is thrown away.
        """
        line = " ".join(text.replace("[[", " ").replace("]]", " ").split())  # [[…]] is piper's phoneme syntax
        if not any(letter.isalnum() for letter in line):
            raise VoiceFailed("nothing to say")
        if self._waiting >= MAX_WAITING:
            raise VoiceFailed(f"{self._waiting} clauses are waiting already")
        self._waiting += 1
        try:
            async with self._turn:
                path, phonemes = await self._ask(line)
        finally:
            self._waiting -= 1
        linear16, rate = await asyncio.to_thread(_take, path)
        return Utterance(linear16, rate, phonemes)

    async def close(self) -> None:
        """End the process for good and remove its folder; who waits for a clause gets VoiceFailed."""
        self._closed = True
        await self._stop()
        if self._folder:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
            self._folder = None

    async def _ask(self, line: str) -> tuple[Path, str]:
        for last_try in (False, True):
            process = await self._running()
            answer: asyncio.Future[tuple[Path, str]] = asyncio.get_running_loop().create_future()
            self._pending.append(answer)
            try:
                assert process.stdin
                process.stdin.write(line.encode() + b"\n")
                await process.stdin.drain()
                async with asyncio.timeout(self._deadline_s):
                    return await answer
            except TimeoutError:
                await self._stop()
                raise VoiceFailed(f"a clause was not spoken within {self._deadline_s:g} s") from None
            except (ConnectionError, VoiceFailed) as error:
                await self._stop()
                if last_try:
                    raise VoiceFailed(f"the voice's process died twice: {error}") from error
                logger.warning("the voice's process died and is started again: %s", error)
        raise AssertionError("unreachable")

    async def _running(self) -> asyncio.subprocess.Process:
        if self._closed:
            raise VoiceFailed("the voice was closed")
        if self._process and self._process.returncode is None and self._reader and not self._reader.done():
            return self._process
        await self._stop()
        if self._folder is None:
            self._folder = await asyncio.to_thread(make_folder)
        command = (
            [*self._command, str(self._folder)] if self._command else command_line(self._model, self._folder)
        )
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                limit=_LINE_LIMIT,
                env={**os.environ, **QUIET, "PYTHONUTF8": "1"},
                cwd=self._folder,  # `-m piper` must not find a piper.py that lies in the user's folder
            )
        except OSError as error:
            raise VoiceFailed(f"{command[0]} cannot be started: {error.strerror}") from error
        if self._closed:  # while it was being started
            await subprocesses.killed(process)
            raise VoiceFailed("the voice was closed")
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
        # A reader has the line of its own process: nothing of an earlier one can shift the answers.
        self._process, self._pending = process, deque()
        self._reader = asyncio.create_task(_read(process, self._pending), name=f"piper {process.pid}")
        self.restarts += 1
        return process

    async def _stop(self) -> None:
        process, reader = self._process, self._reader
        self._process = self._reader = None
        if process and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        if reader:
            await subprocesses.settled(reader)


async def _read(process: asyncio.subprocess.Process, pending: _Pending) -> None:
    """Hands each finished file to the render that asked for it: files come in the order of the lines."""
    assert process.stderr
    phonemes, last_words = "", ""
    while True:
        try:
            line = (await process.stderr.readline()).decode(errors="replace")
        except ValueError:  # longer than the limit: whatever it was, it was neither of our two lines
            continue
        if not line:
            break
        if line.startswith(_SPOKE):
            phonemes = _phonemes(line)
        elif line.startswith(_WROTE):
            _deliver(Path(line.removeprefix(_WROTE).strip()), phonemes, pending)
            phonemes = ""
        elif line.strip() and not line.startswith("DEBUG:"):
            last_words = line.strip()
    returncode = await process.wait()
    reason = f"it ended with status {returncode} {last_words[:200]}".rstrip()
    for answer in pending:
        if not answer.done():
            answer.set_exception(VoiceFailed(reason))
    pending.clear()


def _deliver(path: Path, phonemes: str, pending: _Pending) -> None:
    answer = pending.popleft() if pending else None
    if answer is None or answer.done():  # the render was cancelled meanwhile
        path.unlink(missing_ok=True)
    else:
        answer.set_result((path, phonemes))


def _phonemes(line: str) -> str:
    """The phonemes out of piper's debug line; empty where its form has changed."""
    try:
        sentences = ast.literal_eval(line.rsplit(_PHONEMES, 1)[1].strip())
        return " ".join("".join(sentence) for sentence in sentences)
    except (IndexError, ValueError, SyntaxError, TypeError):
        return ""


def make_folder() -> Path:
    """A folder of our own; those of processes that were killed are removed."""
    for old in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*-*"):
        owner = old.name.removeprefix(_FOLDER).split("-")[0]
        if owner.isdigit() and not _runs(int(owner)):
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-"))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def _take(path: Path) -> tuple[bytes, int]:
    """Reads a WAV file and deletes it."""
    try:
        with wave.open(str(path), "rb") as file:
            if file.getsampwidth() != 2 or file.getnchannels() != 1:
                raise VoiceFailed(
                    f"the voice wrote {file.getnchannels()} channels of {file.getsampwidth()} bytes"
                )
            return file.readframes(file.getnframes()), file.getframerate()
    except (OSError, EOFError, wave.Error) as error:
        raise VoiceFailed(f"the voice's file cannot be read: {error}") from error
    finally:
        path.unlink(missing_ok=True)
