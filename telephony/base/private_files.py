"""What calls leave on the disk belongs to this user alone: nobody else on the machine may read it.

New files are made so by `umask`. What an older version left readable is mended at the server's start: only
what this program has made, under DATA_DIR, and only what is this user's; no link is followed. DATA_DIR itself
stays as it is, since it may be anybody's folder.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

UMASK = 0o077
FILES = ("shared.db", "shared.db-wal", "shared.db-shm", "shared.db-journal")
FOLDERS = ("calls", "placed", "processes", "numbers")
_CALL = re.compile(r"[A-Za-z0-9_-]{2,64}")
_OF_A_CALL = frozenset({"tape.jsonl", "call.json", "call.wav"})


@contextlib.contextmanager
def privately() -> Iterator[None]:
    """What is made meanwhile is this user's alone."""
    before = os.umask(UMASK)
    try:
        yield
    finally:
        os.umask(before)


def mend(data_dir: Path, owner: int | None = None) -> int:
    """Close to others what they may read; how many files and folders that were. For a thread.

    Only what belongs to `owner` is touched, which is the user who runs this where it is None.
    """
    if not hasattr(os, "fwalk"):  # a system without such permissions
        return 0
    owner = os.geteuid() if owner is None else owner
    try:
        root = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return 0  # there is nothing yet
    try:
        mended = sum(_close(name, root, stat.S_IFREG, owner) for name in FILES)
        for name in FOLDERS:
            with contextlib.suppress(FileNotFoundError):
                mended += _close_all(name, root, owner)
    finally:
        os.close(root)
    if mended:
        log.warning("%s: %d files and folders could be read by other users, and cannot now", data_dir, mended)
    return mended


def _close_all(name: str, root: int, owner: int) -> int:
    """The same for a folder of ours and all that is in it."""
    mended = int(_close(name, root, stat.S_IFDIR, owner))
    for path, folders, files, folder in os.fwalk(name, dir_fd=root, follow_symlinks=False):
        if path == "calls":  # a stranger's folder among them is none of ours
            folders[:] = [one for one in folders if _is_ours(one, folder)]
            files = []
        mended += sum(_close(one, folder, stat.S_IFDIR, owner) for one in folders)
        mended += sum(_close(one, folder, stat.S_IFREG, owner) for one in files)
    return mended


def _is_ours(name: str, calls: int) -> bool:
    if name == "by-sid":
        return True
    if _CALL.fullmatch(name) is None:
        return False
    with contextlib.suppress(OSError):
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=calls)
        try:
            return not _OF_A_CALL.isdisjoint(os.listdir(folder))
        finally:
            os.close(folder)
    return False


def _close(name: str, folder: int, kind: int, owner: int) -> bool:
    """Take what others may do with a file of this kind in a folder; whether there was anything to take.

    What is opened is looked at, not what its name may stand for a moment later.
    """
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return False  # it is not there, a link, or not ours
    try:
        found = os.fstat(file)
        ours = stat.S_IFMT(found.st_mode) == kind and found.st_uid == owner
        if not ours or not found.st_mode & UMASK or (kind == stat.S_IFREG and found.st_nlink != 1):
            return False
        os.fchmod(file, stat.S_IMODE(found.st_mode) & ~UMASK)
        return True
    except OSError as error:
        log.warning("%s stays readable for others: %s", name, error)
        return False
    finally:
        os.close(file)
