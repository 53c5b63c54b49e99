"""Closes the records of calls whose process died: what their tapes tell is what is known of them.

It reads and writes the disk, and runs conversations again: for a thread, in which it gives way to the calls
that are running.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from telephony import events as ev
from telephony.base.tasks import guarded
from telephony.conversation.conversation import Conversation
from telephony.errors import BadInput
from telephony.record import tape
from telephony.record.call_record import record_of

log = logging.getLogger(__name__)

CRASHED = ev.EndReason.CRASHED
AT_A_TIME = 20  # events, about 1 ms of work, between two moments in which others get the interpreter
PAUSE_S = 0.001


def close_records(
    data_dir: Path, lives: Callable[[str], bool], stopped: Callable[[], bool] = lambda: False
) -> list[str]:
    """Write call.json for each tape without one whose process does not live; the ids of these calls.

    `stopped` ends it early: what is left is done at the next start.
    """
    closed: list[str] = []
    for path in sorted((data_dir / "calls").glob("*/tape.jsonl")):
        if stopped():
            break
        folder = path.parent
        if (folder / "call.json").exists():
            continue
        whose = tape.whose(path)
        if whose is None or lives(str(whose.get("process") or "")):
            continue
        if guarded(partial(_not_closed, folder.name), _close_record, path, whose):
            closed.append(folder.name)
    if closed:
        log.warning("%d calls had lost their process; their records are closed", len(closed))
    return closed


def _close_record(path: Path, whose: dict[str, Any]) -> bool:
    folder = path.parent
    _write(folder, record_of_tape(path, folder.name, whose))
    return True


def _not_closed(call: str, error: Exception) -> bool:
    """The disk is full, or the call is being deleted."""
    log.warning("call %s: its record was not closed: %r", call, error)
    return False


def record_of_tape(path: Path, call_id: str, whose: dict[str, Any]) -> dict[str, Any]:
    """The record of a call that was cut off, up to the last event that was written."""
    sid, replay = str(whose.get("sid") or ""), _Replay()
    guarded(partial(replay.failed, call_id), replay.run, path)
    conversation, at = replay.conversation, replay.at
    if conversation is None:
        return {"call_id": call_id, "call_sid": sid, "live": False, "ended_by": CRASHED, "duration_s": at,
                "turns": [], "media": None}  # fmt: skip
    conversation.receive(ev.CallStopped(CRASHED), at)  # what was in the caller's ear is written down
    ended_by = conversation.ended_by or CRASHED
    return record_of(conversation, call_id, sid, ended_by=ended_by, duration_s=at, media=None, origin=whose)


class _Replay:
    """A tape, run again up to its last whole line."""

    def __init__(self) -> None:
        self.conversation: Conversation | None = None
        self.at = 0.0

    def run(self, path: Path) -> None:
        with path.open("rb") as file, contextlib.suppress(orjson.JSONDecodeError):  # the line being written
            wording, policy, entries = tape.read(file)
            self.conversation = Conversation(wording, policy)
            for number, entry in enumerate(entries):
                self.conversation.receive(entry.event, entry.at)
                self.at = entry.at
                if number % AT_A_TIME == 0:
                    time.sleep(PAUSE_S)

    def failed(self, call_id: str, error: Exception) -> None:
        """This version cannot run the tape again."""
        self.conversation = None
        if isinstance(error, BadInput):
            log.warning("call %s: its tape cannot be read: %s", call_id, error)
        else:
            log.error("call %s: its tape cannot be run again", call_id, exc_info=error)


def _write(folder: Path, record: dict[str, Any]) -> None:
    part, file = folder / "call.part", folder / "call.json"
    part.write_bytes(orjson.dumps(record, repr, orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))
    ended = (folder / "tape.jsonl").stat().st_mtime  # the call ended then, not now
    os.utime(part, (ended, ended))
    os.replace(part, file)
