"""Where calls are kept: a folder each, under DATA_DIR. A thread of its own writes, never a call's loop."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson

from telephony import events as ev
from telephony.policy import Policy
from telephony.record import tape
from telephony.reply.agent import Manners

log = logging.getLogger(__name__)

FLUSH_ENTRIES = 200
CALL_ID = re.compile(r"[A-Za-z0-9_-]{2,64}")
SIDS_REMEMBERED = 10_000


class RecordStore:
    """The calls of now and before."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / "calls"
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="record")
        self._ids: dict[str, str] = {}

    def folder(self, call_id: str) -> Path:
        return self._root / call_id

    def open_tape(self, call_id: str, call_sid: str, manners: Manners, policy: Policy) -> TapeWriter:
        """A tape for a new call."""
        if call_sid:
            self._ids[call_sid] = call_id
            while len(self._ids) > SIDS_REMEMBERED:
                del self._ids[next(iter(self._ids))]
        writer = TapeWriter(self.folder(call_id) / "tape.jsonl", self._thread)
        writer.start(tape.header(manners, policy))
        return writer

    async def save(self, call_id: str, record: dict[str, Any]) -> None:
        """Keep a finished call's record."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._save, call_id, record)

    def _save(self, call_id: str, record: dict[str, Any]) -> None:
        path = self.folder(call_id) / "call.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))
        os.replace(part, path)
        sid = str(record.get("call_sid") or "")
        if CALL_ID.fullmatch(sid) and sid != call_id:
            link = self._root / "by-sid" / sid
            link.parent.mkdir(parents=True, exist_ok=True)
            link.write_text(call_id)

    async def load(self, call_id: str) -> dict[str, Any] | None:
        """A finished call by our id or its CallSid; None if there is none."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._load, call_id)

    def _load(self, call_id: str) -> dict[str, Any] | None:
        found = self._resolve(call_id)
        try:
            value = None if found is None else orjson.loads((self.folder(found) / "call.json").read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return None
        return value if isinstance(value, dict) else None

    def tape_path(self, call_id: str) -> Path | None:
        """Where the tape of a call lies, by our id or its CallSid. Reads the disk: not for the loop."""
        found = self._resolve(call_id)
        path = None if found is None else self.folder(found) / "tape.jsonl"
        return path if path is not None and path.is_file() else None

    def _resolve(self, call_id: str) -> str | None:
        """Our id for a name that came from outside; never a path."""
        if not CALL_ID.fullmatch(call_id):
            return None
        if call_id in self._ids:
            return self._ids[call_id]
        link = self._root / "by-sid" / call_id
        try:
            linked = link.read_text()
        except OSError:
            return call_id
        return linked if CALL_ID.fullmatch(linked) else None

    def close(self) -> None:
        """Wait until everything is written."""
        self._thread.shutdown(wait=True)


class TapeWriter:
    """Takes entries in the event loop and writes them in the store's thread, a second's worth at a time."""

    def __init__(self, path: Path, thread: ThreadPoolExecutor) -> None:
        self._path = path
        self._thread = thread
        self._entries: list[tuple[float, ev.Event, list[ev.Command]]] = []
        self._broken = False

    def start(self, header: bytes) -> None:
        self._thread.submit(self._create, header)

    def note(self, at: float, event: ev.Event, commands: list[ev.Command]) -> None:
        self._entries.append((at, event, commands))
        if len(self._entries) >= FLUSH_ENTRIES:
            self.flush()

    def flush(self) -> None:
        entries, self._entries = self._entries, []
        if entries:
            self._thread.submit(self._write, entries)

    def _create(self, header: bytes) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(header)
        except OSError as error:
            self._failed(error)

    def _write(self, entries: list[tuple[float, ev.Event, list[ev.Command]]]) -> None:
        if self._broken:
            return
        try:
            with self._path.open("ab") as file:
                file.writelines(tape.entry(at, event, commands) for at, event, commands in entries)
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        """A full disk costs the tape, never the call."""
        self._broken = True
        log.error("the tape cannot be written: %s", error)
