"""What keeps the tree as it is meant: pure modules pure, files and functions small, the package complete."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "telephony"

# Modules that decide and do nothing else: no clock, no network, no randomness, no SDK. A module also joins
# them by saying PURE in its docstring.
PURE = {
    "audio.py",
    "carrier/media_stream.py",
    "simulator/playout.py",
    "carrier/signature.py",
    "carrier/token.py",
    "conversation.py",
    "deepgram/flux_codec.py",
    "listen/turns.py",
    "reply/scripted.py",
    "speak/phrases.py",
    "playback/pacer.py",
}
IMPURE = {
    "asyncio",
    "aiohttp",
    "time",
    "socket",
    "os",
    "random",
    "secrets",
    "threading",
    "subprocess",
    "deepgram",
    "twilio",
    "websockets",
}
# Imported by pure modules for its types. Its loader of users' agents runs once, before any call.
LOADERS = {"telephony.reply.agent"}
LONGEST_FILE = 520
LONGEST_FUNCTION = 60


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def parsed(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


def says_pure(module: Path) -> bool:
    return "PURE" in (ast.get_docstring(parsed(module)) or "")


def imported(module: Path) -> Iterator[str]:
    """Full names of the modules imported anywhere in a file, in functions too; not those only for types."""
    for node in ast.walk(_without_type_checking(parsed(module))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(
                ["telephony", *module.relative_to(PACKAGE).parts[:-1]][: 0 if not node.level else None]
            )
            if node.level > 1:
                base = base.rsplit(".", node.level - 1)[0]
            yield ".".join(part for part in (base, node.module) if part)


def _without_type_checking(tree: ast.Module) -> ast.Module:
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"))
    ]
    return tree


@pytest.mark.parametrize("name", sorted(PURE))
def test_a_module_that_must_be_pure_is_there(name: str) -> None:
    assert (PACKAGE / name).is_file()


@pytest.mark.parametrize(
    "module", [m for m in modules() if name_of(m) in PURE or says_pure(m)], ids=lambda m: name_of(m)
)
def test_a_pure_module_imports_no_clock_no_network_and_no_chance(module: Path) -> None:
    assert not {name.split(".")[0] for name in imported(module)} & IMPURE


@pytest.mark.parametrize(
    "module", [m for m in modules() if name_of(m) in PURE or says_pure(m)], ids=lambda m: name_of(m)
)
def test_a_pure_module_leans_on_pure_modules_only(module: Path) -> None:
    """Else the clock comes in by the back door: everything of ours that it imports is as pure."""
    for name in imported(module):
        if name.startswith("telephony.") and name not in LOADERS:
            path = PACKAGE.joinpath(*name.split(".")[1:])
            file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            roots = {found.split(".")[0] for found in imported(file)} if file.is_file() else set()
            assert not roots & IMPURE, f"{name} imports {sorted(roots & IMPURE)}"


def test_files_are_short() -> None:
    lengths = {name_of(m): len(m.read_text(encoding="utf-8").splitlines()) for m in modules()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_functions_are_short() -> None:
    long = {
        f"{name_of(module)}:{node.name}": length
        for module in modules()
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    }
    assert long == {}


def test_nothing_is_swallowed_in_silence() -> None:
    """`except Exception` belongs to the edge of a task, and there it is logged or handed on."""
    silent = [
        f"{name_of(module)}:{node.lineno}"
        for module in modules()
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and not any(isinstance(inner, ast.Raise | ast.Call) for inner in ast.walk(ast.Module(node.body, [])))
    ]
    assert silent == []


def test_every_folder_with_code_or_data_is_in_the_wheel() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "packages"
    ]
    suffixes = {".py", ".yaml", ".wav", ".xml", ".html", ".js", ".css"}
    folders = {file.parent for file in PACKAGE.rglob("*") if file.suffix in suffixes}
    needed = {".".join(["telephony", *folder.relative_to(PACKAGE).parts]) for folder in folders}
    assert set(listed) == needed | {"telephony.twiml"}


def test_the_map_names_every_module_and_folder() -> None:
    """Who adds one says in `telephony/__init__.py` what it is for."""
    words = set(re.findall(r"[a-z_]+", ast.get_docstring(parsed(PACKAGE / "__init__.py")) or ""))
    here = {m.stem for m in PACKAGE.glob("*.py") if m.stem != "__init__"}
    here |= {m.parent.name for m in PACKAGE.glob("*/*.py")}
    assert here - words == set()
