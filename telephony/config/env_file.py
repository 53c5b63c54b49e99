"""Reads `.env`: UTF-8, with a byte order mark or without, with the line ends of any system.

What cannot be read so is refused in words: an editor's choice of encoding must not cost somebody a setting.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from dotenv.parser import parse_stream

from telephony.errors import BadInput

LARGEST = 1_000_000  # bytes
WIDE = (b"\xff\xfe", b"\xfe\xff")  # begin UTF-16, and UTF-32 as it is found on the machines of today
BEGINS = re.compile(r"^\s*(export\s+)?")
UTF_8 = "save it as UTF-8 (Notepad: Save as, Encoding; PowerShell: Out-File -Encoding utf8)"


def read_env_file(path: Path, names: Collection[str] = ()) -> Mapping[str, str | None]:
    """Names and values; nothing where there is no file. Raises BadInput, of one line.

    A line that cannot be read is passed over, as other programs do, unless it sets one of `names`.
    """
    data = _bytes(path)
    if data.startswith(WIDE) or b"\0" in data:
        kind = "UTF-16" if data.startswith(WIDE) or _half_zeros(data) else "no text"
        raise BadInput(f"{path} is {kind}, which cannot be read as settings: {UTF_8}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadInput(f"{path}:{line}: a character that is not UTF-8: {UTF_8}") from error
    found: dict[str, str | None] = {}
    for binding in parse_stream(io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n"))):
        if binding.key is not None:
            found[binding.key] = binding.value
        elif binding.error and BEGINS.sub("", binding.original.string).startswith(tuple(names)):
            where = f"{path}:{binding.original.line}"
            raise BadInput(
                f"{where}: this line cannot be read: write NAME=VALUE; is a quotation mark missing?"
            )
    return found


def _bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            if (path / "pyvenv.cfg").exists():
                return b""  # a virtual environment that is called .env
            raise BadInput(f"{path} is a folder: settings are read from a file of that name")
        if not path.exists() and not path.is_symlink():
            return b""
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from error
    if len(data) > LARGEST:
        raise BadInput(f"{path} is larger than {LARGEST:,} bytes: it cannot be a file of settings")
    return data


def _half_zeros(data: bytes) -> bool:
    """Whether it looks like UTF-16 without a mark: every other byte of plain letters is zero."""
    return 3 * data.count(b"\0") >= len(data)
