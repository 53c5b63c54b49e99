"""A file of settings is read whatever editor wrote it, or refused in one line that says what to do."""

from __future__ import annotations

import codecs
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telephony.config.env_file import read_env_file
from telephony.config.settings import Settings
from telephony.errors import BadInput

TEXT = "# Übersicht\nPORT=1234\nexport VOICE='aura-2-thalia-en' # speaks\nRECORD_NOTICE=\"Grüß Gott\"\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "mac"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8], ids=["plain", "marked"])
def test_utf_8_is_read_with_a_mark_and_with_any_line_ends(tmp_path: Path, end: str, mark: bytes) -> None:
    """The first name is read, too, which a mark would otherwise hide."""
    file = tmp_path / ".env"
    for text in (TEXT, TEXT.split("\n", 1)[1]):
        file.write_bytes(mark + text.replace("\n", end).encode())
        loaded = Settings.load({}, file)
        assert (loaded.port, loaded.voice) == (1234, "aura-2-thalia-en")
        assert loaded.record_notice == "Grüß Gott"


WIDE = ["utf-16", "utf-16-le", "utf-16-be", "utf-32"]


@pytest.mark.parametrize("encoding", WIDE)
def test_utf_16_is_refused_in_words(tmp_path: Path, encoding: str) -> None:
    """What Windows calls Unicode, with its mark and without."""
    file = tmp_path / ".env"
    file.write_bytes(TEXT.encode(encoding))
    with pytest.raises(BadInput, match=r"\.env is UTF-16.*save it as UTF-8"):
        Settings.load({}, file)


def test_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(TEXT.encode().replace("Grüß".encode(), "Grüß".encode("latin-1")))
    with pytest.raises(BadInput, match=r"\.env:4: a character that is not UTF-8: save it"):
        Settings.load({}, file)


def test_what_is_no_file_of_text_is_refused(tmp_path: Path) -> None:
    """A folder (Docker makes one where a file to mount is missing), a socket, a dangling link, a picture."""
    folder, linked, picture = tmp_path / "folder", tmp_path / "linked", tmp_path / "picture"
    folder.mkdir()
    linked.symlink_to(tmp_path / "gone")
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"x" * 100)
    large = tmp_path / "large"
    large.write_bytes(b"#" * 1_000_001)
    for path, says in ((folder, "is a folder"), (linked, "cannot be read: No such"), (picture, "no text"),
                       (large, "larger than")):  # fmt: skip
        with pytest.raises(BadInput, match=says) as refused:
            read_env_file(path)
        assert str(refused.value).startswith(str(path)) and "\n" not in str(refused.value)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
        with pytest.raises(BadInput, match="cannot be read: "):
            read_env_file(tmp_path / "socket")


def test_a_virtual_environment_of_that_name_holds_no_settings(tmp_path: Path) -> None:
    """`python -m venv .env` is a habit of many."""
    (tmp_path / ".env").mkdir()
    (tmp_path / ".env" / "pyvenv.cfg").touch()
    assert Settings.load({}, tmp_path / ".env") == Settings.load({})


def test_a_line_of_ours_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """It would be left out without a word; one that sets something else is none of our business."""
    file = tmp_path / ".env"
    file.write_text("OTHER='it's\nPORT=1234\n")
    assert Settings.load({}, file).port == 1234
    file.write_text("PORT=1234\nVOICE='flux-haley-en\n")
    with pytest.raises(BadInput, match=r"\.env:2: this line cannot be read"):
        Settings.load({}, file)


@pytest.mark.parametrize("command", ["doctor", "serve"])
def test_every_command_says_it_in_one_line(tmp_path: Path, command: str) -> None:
    (tmp_path / ".env").write_bytes(TEXT.encode("utf-16"))
    done = subprocess.run(
        [sys.executable, "-m", "telephony", command],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("telephony: .env is UTF-16")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_whatever_a_file_holds_it_is_read_or_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / ".env"
    file.write_bytes(data)
    try:
        read_env_file(file, ("PORT",))
    except BadInput as refused:
        assert "\n" not in str(refused)
