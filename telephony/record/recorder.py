"""RECORD=on: keeps both channels of a call in call.wav, beside its tape. A thread of its own writes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from telephony.audio.g711 import PHONE_RATE
from telephony.record.recording import SILENCE, Recording, wav_header

log = logging.getLogger(__name__)

WRITE_EVERY_S = 1.0
NAME = "call.wav"


class RecordedCall(Protocol):
    """What the recorder has to know of a running call."""

    call_id: str

    @property
    def sensitive(self) -> bool:
        """The caller says or types what must not be kept."""

    @property
    def notes(self) -> Mapping[str, Any]:
        """`recorded=False` among them: the caller does not want to be recorded."""

    @property
    def blanks(self) -> Sequence[tuple[float, float]]:
        """From when to when, in seconds of the caller's stream, the recording must not be heard; it grows.

        It is known only afterwards: that a key was pressed, that what was said is redacted.
        """

    @property
    def unheeded(self) -> Sequence[str]:
        """What the caller said last, to which the agent has not answered: all of it once the call is over."""

    @property
    def answered(self) -> bool:
        """Whether the caller has said something before that."""


class RecordingObserver:
    """Hears both sides of a call for its recording."""

    def __init__(self, recording: Recording, look: Callable[[], None]) -> None:
        """`look` is called before each frame of the caller's."""
        self._recording = recording
        self._look = look
        self._clock = asyncio.get_running_loop().time

    def caller(self, timestamp_ms: int, ulaw: bytes) -> None:
        """A frame of the caller's."""
        self._look()
        self._recording.caller(self._clock(), timestamp_ms, ulaw)

    def agent(self, ulaw: bytes) -> None:
        """Sound was sent to the caller."""
        self._recording.agent(self._clock(), ulaw)

    def cleared(self) -> None:
        """What was not played yet was taken back."""
        self._recording.clear(self._clock())


def blank(sound: bytes, start: int, blanks: Sequence[tuple[int, int]]) -> bytes:
    """Both channels from sample `start` on, silent where they must not be heard."""
    heard = bytearray(sound)
    for a, b in blanks:
        first, end = max(a, start) - start, min(b - start, len(sound) // 2)
        if first < end:
            heard[2 * first : 2 * end] = SILENCE * (2 * (end - first))
    return bytes(heard)


class Recorder:
    """Writes one call's recording until it is cancelled, and its end then."""

    def __init__(
        self,
        recording: Recording,
        find: Callable[[], RecordedCall | None],
        folder: Callable[[str], str],
        objects: Callable[[str, bool], bool] = lambda said, noticed: False,
        earlier: Callable[[], Iterable[Path]] = tuple,
    ) -> None:
        """`find` gives the call once it runs; `folder` says where the files of a call id are.

        `objects`: whether a caller who says this, perhaps as the first thing after a notice, does not want to
        be recorded; `earlier`: the folders of all streams of the same call, for that case.
        """
        self._objects = objects
        self._earlier = earlier
        self._recording = recording
        self._find = find
        self._folder = folder
        self._call: RecordedCall | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self._bytes = 0
        self._first = 0
        """The sample with which the file begins."""
        self._blanked = 0
        """How many of the blanks are done, up to what is written."""
        self._given_up = False

    async def run(self) -> None:
        """Once a second, look whether recording is allowed, and write."""
        try:
            while not self._given_up:
                await asyncio.sleep(WRITE_EVERY_S)
                await self._step(last=False)
        finally:
            await asyncio.shield(self._finish())

    def look(self) -> None:
        """Mute while something sensitive is said. Called before each frame is kept, so it is cheap."""
        self._call = self._call or self._find()
        if self._call is not None:
            self._recording.muted = self._call.sensitive

    async def _step(self, *, last: bool) -> None:
        sound = self._recording.take(asyncio.get_running_loop().time(), all_of_it=last)
        if self._call is None or self._given_up:
            return
        path = f"{self._folder(self._call.call_id)}/{NAME}"  # text: see store.py
        if self._call.notes.get("recorded") is False or (last and self._objected(self._call)):
            await self._in_thread(lambda: self._erase(path))
        elif sound or (self._bytes and self._blanked < len(self._call.blanks)):
            start = self._recording.taken - len(sound) // 2
            blanks = self._blanks(self._call.blanks, start)
            await self._in_thread(lambda: self._write(path, start, blank(sound, start, blanks), blanks, last))

    def _blanks(self, blanks: Sequence[tuple[float, float]], start: int) -> list[tuple[int, int]]:
        """In samples, those that are new or reach into what is written now, from sample `start` on."""
        given = [(max(0, round(a * PHONE_RATE)), round(b * PHONE_RATE)) for a, b in blanks[self._blanked :]]
        while self._blanked < len(blanks) and blanks[self._blanked][1] * PHONE_RATE <= self._recording.taken:
            self._blanked += 1
        return given

    def _objected(self, call: RecordedCall) -> bool:
        """Who objects and hangs up in the same breath has objected, though nobody could answer."""
        return any(self._objects(said, not call.answered) for said in call.unheeded)

    async def _finish(self) -> None:
        await self._step(last=True)
        self._thread.shutdown(wait=False)
        self._call, self._find = None, lambda: None  # its stream knows us: see Call.let_go

    async def _in_thread(self, work: Callable[[], None]) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except OSError as error:  # a full disk costs the recording, never the call
            self._given_up = True
            log.error("the recording cannot be written: %s", error)

    def _write(
        self, path: str, start: int, sound: bytes, blanks: Sequence[tuple[int, int]], last: bool
    ) -> None:
        if self._bytes and not os.path.exists(path):  # somebody has deleted the call: it must not come back
            self._given_up = True
            return
        if not last:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "r+b" if os.path.exists(path) else "w+b") as file:
            # The header is right after each write: a killed process leaves a file that plays.
            file.seek(0, 2)
            if file.tell() == 0:
                file.write(wav_header(0))
                self._first = start
            for a, b in blanks:
                first, end = max(a, self._first), min(b, start)
                if first < end:
                    file.seek(len(wav_header(0)) + 2 * (first - self._first))
                    file.write(SILENCE * (2 * (end - first)))
            file.seek(0, 2)
            file.write(sound)
            self._bytes += len(sound)
            file.seek(0)
            file.write(wav_header(self._bytes))

    def _erase(self, path: str) -> None:
        self._given_up = True
        for recording in {path, *(str(folder / NAME) for folder in self._earlier())}:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(recording)
        log.info("a recording was stopped and deleted: the caller asked for it")
