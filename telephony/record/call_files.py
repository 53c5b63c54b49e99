"""How long calls are kept, and how one is deleted everywhere. It reads and writes the disk: for threads."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from telephony.base.live_processes import Processes
from telephony.base.tasks import guarded
from telephony.errors import BadInput
from telephony.record import tape
from telephony.record.store import CALL_ID

log = logging.getLogger(__name__)

QUIET_S = 30.0
"""A running call's tape has something new every second."""
DAY_S = 86_400.0


class StillRunning(BadInput):
    """A call that runs cannot be deleted."""


class CallFiles:
    """The folders of calls under DATA_DIR."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / "calls"
        self._processes = Processes(data_dir)

    def sweep(self, days: int, now: float | None = None) -> int:
        """Delete the calls whose files nobody has changed for so many days; how many there were.

        One that cannot be deleted is logged, and keeps none of the others.
        """
        before = (time.time() if now is None else now) - days * DAY_S
        return sum(
            guarded(partial(_not_deleted, folder), self._delete_before, folder, before)
            for folder in self._folders()
        )

    def _delete_before(self, folder: Path, before: float) -> bool:
        """Delete a call that has not changed since `before`; whether it was deleted."""
        if _changed(folder) >= before or self._writes(folder.name):
            return False
        self._remove(folder)
        return True

    def _writes(self, call: str) -> bool:
        """Whether a call is surely running, whatever the times of its files are."""
        folder = self._root / call
        process = (tape.whose(folder / "tape.jsonl") or {}).get("process")
        return bool(process) and not (folder / "call.json").exists() and self._processes.lives(str(process))

    def delete(self, call: str) -> list[str]:
        """Delete a call by our id or its CallSid: every stream of it. The CallSids of what was deleted.

        Raises StillRunning when one of its streams is running, in whatever process.
        """
        if CALL_ID.fullmatch(call) is None:
            return []
        found = [folder for folder in self._folders() if call in (folder.name, _call_sid(folder))]
        sids = {_call_sid(folder) for folder in found}
        # A call that was resumed has several folders, which share its CallSid.
        more = [folder for folder in self._folders() if _call_sid(folder) in sids - {""}]
        if any(self.is_running(folder.name) for folder in {*found, *more}):
            raise StillRunning(f"call {call} is running: it can be deleted when it is over")
        try:
            for folder in {*found, *more}:
                self._remove(folder)
        except OSError as error:
            raise BadInput(f"call {call} cannot be deleted: {error}") from error
        return sorted(sid or call for sid in sids)

    def newest(self) -> float | None:
        """When a call was written down last, in Unix seconds; None: there is none."""
        return max(map(_changed, self._folders()), default=None)

    def folders_of(self, call_sid: str) -> list[Path]:
        """Where the streams of a call are kept."""
        return [folder for folder in self._folders() if call_sid and _call_sid(folder) == call_sid]

    def is_running(self, call: str, now: float | None = None) -> bool:
        """Whether a call, by our id, is being written down: it has no record yet, and its process lives.

        Where it is not known which process that is, its tape is new.
        """
        folder = self._root / call
        if CALL_ID.fullmatch(call) is None or not folder.is_dir() or (folder / "call.json").exists():
            return False
        if process := (tape.whose(folder / "tape.jsonl") or {}).get("process"):
            return self._processes.lives(str(process))
        return _changed(folder) > (time.time() if now is None else now) - QUIET_S

    def _remove(self, folder: Path) -> None:
        link = self._root / "by-sid" / (_call_sid(folder) or "-")
        link.unlink(missing_ok=True)
        shutil.rmtree(folder)
        log.info("call %s: deleted", folder.name)

    def _folders(self) -> Iterator[Path]:
        """Only what a call has made: nothing else in the folder is ever touched, and no link followed."""
        if not self._root.is_dir():
            return
        for folder in list(self._root.iterdir()):
            try:
                if _is_call(folder):
                    yield folder
            except OSError as error:
                log.error("%s cannot be looked into: %s", folder, error)


def _is_call(folder: Path) -> bool:
    ours = CALL_ID.fullmatch(folder.name) and folder.name != "by-sid"
    if not ours or folder.is_symlink() or not folder.is_dir():
        return False
    return any((folder / name).is_file() for name in ("tape.jsonl", "call.json", "call.wav"))


def _changed(folder: Path) -> float:
    try:
        return max((file.stat().st_mtime for file in folder.iterdir()), default=folder.stat().st_mtime)
    except OSError:
        return time.time()


def _call_sid(folder: Path) -> str:
    try:
        sid = str(json.loads((folder / "call.json").read_bytes()).get("call_sid") or "")
    except (OSError, ValueError, AttributeError):  # a call that runs, or whose process died
        sid = str((tape.whose(folder / "tape.jsonl") or {}).get("sid") or "")
    return sid if CALL_ID.fullmatch(sid) else ""


def _not_deleted(folder: Path, error: Exception) -> bool:
    log.error("call %s is too old, and cannot be deleted: %s", folder.name, error)
    return False
