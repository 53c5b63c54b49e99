"""Phrases that were spoken before, on disk: a greeting comes at once, and costs nothing.

Only what is said a second time is kept: greetings and questions are, a caller's order is not. Of the first
time an empty file remains, named by a hash. The least recently used files go when there are too many.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from telephony.engine.speak.voice_chunk import SpokenWord, VoiceChunk

MOST_BYTES = 64 << 20  # 25 minutes of speech at 22 kHz
MOST_FILES = 4096
_FORMAT = 2  # raised when the same text would come out differently
_SWEEP_EVERY = 16  # new files between two looks at the folder's size
_SEEN, _AUDIO = ".seen", ".speech"


def cache_folder() -> Path:
    """`telephony/phrases` in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "telephony" / "phrases"


def key_of(*parts: str | float) -> str:
    """One name for everything that makes a rendering what it is: voice, its version, speed, text."""
    return hashlib.sha256(json.dumps([_FORMAT, *parts]).encode()).hexdigest()


class PhraseCache:
    """Renderings by key. Blocks on the disk: call it from a thread. A failing disk is only a slow cache."""

    def __init__(self, folder: Path, *, most_bytes: int = MOST_BYTES, most_files: int = MOST_FILES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._most_files = most_files
        self._written = itertools.count()

    def get(self, key: str) -> tuple[VoiceChunk, ...] | None:
        """The rendering, or None. A damaged file is deleted."""
        path = self._folder / (key + _AUDIO)
        try:
            data = path.read_bytes()
            os.utime(path)  # used now
            return tuple(_decoded(data))
        except OSError:
            return None
        except (ValueError, KeyError, TypeError):
            with contextlib.suppress(OSError):
                path.unlink()
            return None

    def put(self, key: str, chunks: Sequence[VoiceChunk]) -> None:
        """Keeps a rendering if it was asked for before, else remembers that it was asked for now."""
        seen = self._folder / (key + _SEEN)
        with contextlib.suppress(OSError):
            if seen.exists():
                self._write(self._folder / (key + _AUDIO), _encoded(chunks))
                seen.unlink(missing_ok=True)
            else:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                seen.touch()
            if next(self._written) % _SWEEP_EVERY == 0:
                self._sweep()

    def _write(self, path: Path, data: bytes) -> None:
        """Whole or not at all: other processes read the same folder."""
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".new")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(name, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise

    def _sweep(self) -> None:
        """Deletes the longest unused until the rest is within bounds."""
        files = []
        for entry in os.scandir(self._folder):
            with contextlib.suppress(OSError):
                facts = entry.stat()
                files.append((facts.st_mtime, facts.st_size, entry.path))
        files.sort(reverse=True)
        total = 0
        for number, (_, size, path) in enumerate(files, 1):
            total += size
            if total > self._most_bytes or number > self._most_files:
                with contextlib.suppress(OSError):
                    os.unlink(path)


def _encoded(chunks: Sequence[VoiceChunk]) -> bytes:
    """A line of JSON, then the samples."""
    heading = [
        {"rate": chunk.rate, "bytes": len(chunk.linear16), "words": [asdict(word) for word in chunk.words]}
        for chunk in chunks
    ]
    return b"".join([json.dumps(heading).encode(), b"\n", *(chunk.linear16 for chunk in chunks)])


def _decoded(data: bytes) -> Iterable[VoiceChunk]:
    heading, _, samples = data.partition(b"\n")
    at = 0
    for part in json.loads(heading):
        audio = samples[at : at + part["bytes"]]
        at += part["bytes"]
        yield VoiceChunk(audio, part["rate"], tuple(SpokenWord(**word) for word in part["words"]))
    if at != len(samples):
        raise ValueError("cut short")
