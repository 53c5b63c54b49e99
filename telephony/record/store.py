"""Where calls are kept: a folder each, under DATA_DIR. A thread of its own writes, never a call's loop.

Paths with a call's name in them are text here. `pathlib` interns each part of a path: the interpreter's table
of names would have to grow for calls that are over (0.9 MiB after a thousand), and in some versions of Python
a name that is in it stays for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, TypeAlias

import orjson

from telephony import events as ev
from telephony.base.tasks import guarded
from telephony.conversation.policy import Policy
from telephony.record import tape
from telephony.reply.agent import Wording

log = logging.getLogger(__name__)

Entry: TypeAlias = tuple[float, ev.Event, list[ev.Command]]

FLUSH_S = 1.0
SLICE_S = 0.05
"""Tapes that are due within this are written together. Those of all calls at once, once a second, would have
the thread hold the interpreter's lock so long that every call waits (bench/README.md)."""
CALL_ID = re.compile(r"[A-Za-z0-9_-]{2,64}")


SUMMARY = ("call_id", "call_sid", "from", "to", "started", "agent", "route", "live", "ended_by", "duration_s")


NO_ORIGIN: Mapping[str, str] = MappingProxyType({})


def summary(record: dict[str, Any]) -> dict[str, Any]:
    """A call's record as a list of calls shows it: how many turns there were, nothing of what was said."""
    turns = record.get("turns")
    return {
        **{name: record.get(name) for name in SUMMARY},
        "turns": len(turns) if isinstance(turns, list) else 0,
    }


class RecordStore:
    """The calls of now and before."""

    def __init__(self, data_dir: Path, process: str = "", clock: Callable[[], float] = time.time) -> None:
        """`process`: this one's name, by which others find out whether it lives (live_processes.py). `clock`:
        by which a call is kept, best one that goes on when the wall clock is set."""
        self.process = process
        self.clock = clock
        self.left_out = 0
        """Events and records that could not be written, in all calls."""
        self._root = f"{data_dir}/calls"
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="record")
        self._ids: dict[str, str] = {}  # of the calls that run, by their CallSids
        self._due: deque[tuple[float, TapeWriter]] = deque()
        self._flush: asyncio.TimerHandle | None = None
        self._open: set[TapeWriter] = set()
        self._closed = False

    def folder(self, call_id: str) -> str:
        """Where a call's files are."""
        return f"{self._root}/{call_id}"

    def _by_sid(self, call_sid: str) -> str:
        return f"{self._root}/by-sid/{call_sid}"

    def open_tape(
        self,
        call_id: str,
        call_sid: str,
        wording: Wording,
        policy: Policy,
        origin: Mapping[str, str] = NO_ORIGIN,
    ) -> TapeWriter:
        """A tape for a new call; `origin` as in its record."""
        if call_sid:
            self._ids[call_sid] = call_id
        writer = TapeWriter(call_id, call_sid, self.folder(call_id), self)
        self._open.add(writer)
        whose = {"id": call_id, "sid": call_sid, "process": self.process, **origin}
        self.run(writer.begin, tape.header(wording, policy, whose))
        self.run(self._link, call_sid, call_id)
        return writer

    def over(self, writer: TapeWriter) -> None:
        """A tape is complete; its call is found on the disk from now on."""
        self._open.discard(writer)
        if self._ids.get(writer.call_sid) == writer.call_id:  # else a newer stream of the call runs
            del self._ids[writer.call_sid]

    def run(self, write: Callable[..., None], *arguments: object) -> None:
        """Have something written by the store's thread, after all before it."""
        if not self._closed:
            self._thread.submit(write, *arguments)

    def due(self, writer: TapeWriter) -> None:
        """A tape has entries: they are written in about a second, with those of the calls due by then."""
        loop = asyncio.get_running_loop()
        self._due.append((loop.time() + FLUSH_S, writer))
        if self._flush is None:
            self._flush = loop.call_later(FLUSH_S, self._write_due)

    def _write_due(self) -> None:
        loop = asyncio.get_running_loop()
        rows, until = [], loop.time() + SLICE_S / 2
        while self._due and self._due[0][0] <= until:
            writer = self._due.popleft()[1]
            rows.append((writer, writer.take()))
        self.run(_write_all, rows)
        self._flush = loop.call_at(self._due[0][0] + SLICE_S / 2, self._write_due) if self._due else None

    def save_soon(self, call_id: str, record: dict[str, Any]) -> None:
        """The same, which nobody waits for."""
        self.run(self._try_to_save, call_id, record)

    def flush(self, within_s: float) -> None:
        """Wait until everything so far is written, but no longer than this. Blocks: for the process's end."""
        with contextlib.suppress(TimeoutError):
            self._thread.submit(lambda: None).result(within_s)

    async def save(self, call_id: str, record: dict[str, Any]) -> None:
        """Keep a finished call's record; that it cannot be written is logged."""
        loop = asyncio.get_running_loop()
        saved = loop.create_future()

        def tell(_: object) -> None:  # run_in_executor would leave its futures in a circle, at each call
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle, saved)

        self._thread.submit(self._try_to_save, call_id, record).add_done_callback(tell)
        await saved

    def _try_to_save(self, call_id: str, record: dict[str, Any]) -> None:
        guarded(partial(self._not_saved, call_id), self._save, call_id, record)

    def _not_saved(self, call_id: str, error: Exception) -> None:
        """The disk is full, or the record holds what JSON has no form for: it costs the record only."""
        self.left_out += 1
        log.error("the record of call %s cannot be written: %s", call_id, error)

    def _save(self, call_id: str, record: dict[str, Any]) -> None:
        folder = self.folder(call_id)
        os.makedirs(folder, exist_ok=True)
        part = f"{folder}/call.part"
        with open(part, "wb") as file:
            file.write(orjson.dumps(record, repr, orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))
        ended = self.clock()
        os.utime(part, (ended, ended))
        os.replace(part, f"{folder}/call.json")
        sid = str(record.get("call_sid") or "")
        if not os.path.exists(self._by_sid(sid)):
            self._link(sid, call_id)

    def _link(self, sid: str, call_id: str) -> None:
        """By its CallSid the newest stream of a call is found, from its beginning."""
        if CALL_ID.fullmatch(sid) is None or sid == call_id:
            return
        try:
            os.makedirs(f"{self._root}/by-sid", exist_ok=True)
            with open(self._by_sid(sid), "w") as link:
                link.write(call_id)
        except OSError as error:
            log.error("call %s cannot be found by its CallSid: %s", call_id, error)

    async def load(self, call_id: str) -> dict[str, Any] | None:
        """A finished call by our id or its CallSid; None if there is none."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._load, call_id)

    def _load(self, call_id: str) -> dict[str, Any] | None:
        found = self._resolve(call_id)
        try:
            value = None if found is None else orjson.loads(_read(f"{self.folder(found)}/call.json"))
        except (OSError, orjson.JSONDecodeError):
            return None
        return value if isinstance(value, dict) else None

    async def recent(self, most: int) -> list[dict[str, Any]]:
        """The newest finished calls, at most so many: their records without the turns."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._recent, most)

    def _recent(self, most: int) -> list[dict[str, Any]]:
        ended: list[tuple[float, str]] = []
        with contextlib.suppress(FileNotFoundError):  # there is no call yet
            for call_id in os.listdir(self._root):
                with contextlib.suppress(OSError):  # not a call that is over, or deleted just now
                    ended.append((os.stat(f"{self.folder(call_id)}/call.json").st_mtime, call_id))
        ended.sort(reverse=True)
        loaded = ((at, self._load(call_id)) for at, call_id in ended)
        found = ({**summary(record), "ended_at": round(at)} for at, record in loaded if record)
        return list(itertools.islice(found, most))

    def tape_path(self, call_id: str) -> Path | None:
        """Where the tape of a call lies, by our id or its CallSid. Reads the disk: not for the loop."""
        found = self._resolve(call_id)
        path = None if found is None else Path(f"{self.folder(found)}/tape.jsonl")
        return path if path is not None and path.is_file() else None

    def _resolve(self, call_id: str) -> str | None:
        """Our id for a name that came from outside; never a path."""
        if not CALL_ID.fullmatch(call_id):
            return None
        if call_id in self._ids:
            return self._ids[call_id]
        try:
            linked = _read(self._by_sid(call_id)).decode(errors="replace")
        except OSError:
            return call_id
        return linked if CALL_ID.fullmatch(linked) else None

    async def close(self) -> None:
        """Write what is left; returns when all of it is. What comes later is not written."""
        if self._flush is not None:
            self._flush.cancel()
        for writer in list(self._open):
            writer.close()
        self._closed = True
        await asyncio.to_thread(self._thread.shutdown)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _write_all(rows: list[tuple[TapeWriter, list[Entry]]]) -> None:
    for writer, entries in rows:
        writer.write(entries)


class TapeWriter:
    """Takes entries in the event loop; the store's thread writes those of all calls, once a second."""

    def __init__(self, call_id: str, call_sid: str, folder: str, store: RecordStore) -> None:
        self.call_id = call_id
        self.call_sid = call_sid
        self._folder = folder
        self._store = store
        self._entries: list[Entry] = []
        self._file: BinaryIO | None = None

    def note(self, at: float, event: ev.Event, commands: list[ev.Command]) -> None:
        if not self._entries:
            self._store.due(self)
        self._entries.append((at, event, commands))

    def take(self) -> list[Entry]:
        """What waits to be written."""
        entries, self._entries = self._entries, []
        return entries

    def close(self) -> None:
        """The call is over."""
        self._store.over(self)
        self._store.run(self._end, self.take())

    # in the store's thread

    def begin(self, header: bytes) -> None:
        try:
            os.makedirs(self._folder, exist_ok=True)
            part = f"{self._folder}/tape.part"
            self._file = open(part, "wb")  # it stays open while the call runs
            self._file.write(header)
            self._file.flush()
            # nobody ever sees a tape that does not say whose it is
            os.replace(part, f"{self._folder}/tape.jsonl")
        except OSError as error:
            self._failed(error)

    def write(self, entries: list[Entry]) -> None:
        if self._file is None:
            return
        try:
            self._file.write(self._lines(entries))
            self._file.flush()
        except OSError as error:
            self._failed(error)

    def _lines(self, entries: list[Entry]) -> bytes:
        """The lines of all events that can be written. One that cannot costs no other one."""
        return guarded(lambda _: self._each(entries), _joined, entries)

    def _each(self, entries: list[Entry]) -> bytes:
        lines = [guarded(partial(self._left_out, entry[1]), tape.entry, *entry) for entry in entries]
        return b"".join(lines)

    def _left_out(self, event: object, error: Exception) -> bytes:
        """What an event holds came from outside, and may have no form in JSON."""
        self._store.left_out += 1
        log.error("left out of the tape: %s (%s)", type(event).__name__, type(error).__name__)
        return b""

    def _end(self, entries: list[Entry]) -> None:
        self.write(entries)
        if self._file is not None:
            self._file.close()
            self._file = None

    def _failed(self, error: OSError) -> None:
        """A full disk costs the tape, never the call."""
        log.error("the tape cannot be written: %s", error)
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()


def _joined(entries: list[Entry]) -> bytes:
    return b"".join([tape.entry(*entry) for entry in entries])
