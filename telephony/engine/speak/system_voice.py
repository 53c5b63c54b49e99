"""A synthesizer of the system, where there is one: flite or espeak-ng, run once for each clause.

Both take about 20 ms of CPU for a clause, so a process each is cheap; neither is linked or shipped.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from telephony.base import subprocesses
from telephony.engine.speak.piper_process import Utterance
from telephony.errors import VoiceFailed

DEADLINE_S = 5.0


@dataclass(frozen=True, slots=True)
class SystemVoice:
    """A voice of a program on PATH that reads a text file and writes a WAV file."""

    name: str
    """The voice as the user names it."""
    program: str
    """Name of the program."""
    command: tuple[str, ...]
    """The command line, with {text} and {wav} for the two files."""

    async def render(self, text: str) -> Utterance:
        """Speak one clause. Raises VoiceFailed; cancelling kills the process."""
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="telephony-clause-"))
        try:
            await asyncio.to_thread((folder / "text").write_text, text, "utf-8")
            await self._run(folder)
            return await asyncio.to_thread(self._read, folder / "wav")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def _run(self, folder: Path) -> None:
        files = {"text": str(folder / "text"), "wav": str(folder / "wav")}
        try:
            process = await asyncio.create_subprocess_exec(
                *(part.format_map(files) for part in self.command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            raise VoiceFailed(f"{self.program} cannot be started: {error.strerror}") from error
        try:
            async with asyncio.timeout(DEADLINE_S):
                status = await process.wait()
        except TimeoutError:
            raise VoiceFailed(f"{self.program} took longer than {DEADLINE_S:g} s") from None
        finally:
            await subprocesses.killed(process)
        if status != 0:
            raise VoiceFailed(f"{self.program} ended with status {status}")

    def _read(self, path: Path) -> Utterance:
        try:
            with wave.open(str(path), "rb") as file:
                if file.getsampwidth() != 2 or file.getnchannels() != 1:
                    raise VoiceFailed(f"{self.program} did not write 16-bit mono")
                return Utterance(file.readframes(file.getnframes()), file.getframerate())
        except (OSError, EOFError, wave.Error) as error:
            raise VoiceFailed(f"{self.program} did not write a WAV file: {error}") from error

    async def close(self) -> None:
        """Nothing runs between clauses."""


# In order of preference. Files both ways: flite goes back to its header, which a pipe does not allow, and
# what is said stays out of the list of processes.
_KNOWN: Sequence[SystemVoice] = (
    SystemVoice("slt", "flite", ("flite", "-voice", "slt", "-f", "{text}", "-o", "{wav}")),
    SystemVoice("espeak", "espeak-ng", ("espeak-ng", "-v", "en-us", "-f", "{text}", "-w", "{wav}")),
)


def find() -> SystemVoice | None:
    """The best system synthesizer on PATH."""
    return next((voice for voice in _KNOWN if shutil.which(voice.program)), None)
