"""Which of the processes that share a DATA_DIR live. It reads and writes the disk.

Each holds a lock on a file of its own. The system drops the lock when the process ends, by `kill -9` too; it
does so across containers that share the folder, where a process number means nothing, and a number that is
used again confuses nobody.
"""

from __future__ import annotations

import logging
import os
import re
import uuid
from pathlib import Path

try:
    import fcntl
except ImportError:  # no such locks on this system: nobody is known to be dead, and times decide
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

NAME = re.compile(r"[0-9a-f]{16}")


class Processes:
    """The processes of one DATA_DIR; this one enters with `enter` and is known as `own`."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / "processes"
        self._lock: int | None = None
        self.own = ""
        """Empty before `enter`, and where no lock can be had."""

    def enter(self) -> str:
        """Take a name that others see living as long as this process does; the dead ones' files go."""
        if fcntl is None or self.own:
            return self.own
        name = uuid.uuid4().hex[:16]
        part = self._root / f"{name}.part"
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(part, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            part.rename(self._root / name)  # only now is it seen: locked from the first moment
        except OSError as error:
            log.warning("%s: other processes will not see at once that this one died: %s", part, error)
            self.leave()
            return ""
        self.own = name
        for other in list(self._root.iterdir()):
            if NAME.fullmatch(other.name) and not self.lives(other.name):
                other.unlink(missing_ok=True)
        return name

    def lives(self, name: str) -> bool:
        """Whether the process of this name still runs."""
        if fcntl is None or (name and name == self.own):
            return True
        if NAME.fullmatch(name) is None:
            return False
        try:
            file = os.open(self._root / name, os.O_RDONLY)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(file)
        return False

    def leave(self) -> None:
        """This process ends in order."""
        if self._lock is not None:
            if self.own:
                (self._root / self.own).unlink(missing_ok=True)
            os.close(self._lock)
        self._lock, self.own = None, ""
