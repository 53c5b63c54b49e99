"""What keeps the tree as it is meant: pure modules pure, files and functions small, the package complete."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "telephony"

# The folders in the order in which they may import one another: each only those before it. `errors`, `events`
# and `logs` are single files with a place in that order.
ORDER = (
    *("errors", "base", "audio", "deepgram", "config", "logs"),
    *("carrier", "listen", "reply", "events", "speak", "playback", "conversation", "record", "llm", "call"),
    *("engine", "server", "simulator", "testing", "commands", "cli", "__main__"),
)
# Folders that decide and do nothing else: no clock, no network, no randomness, no SDK. Every file in them is
# pure. A file elsewhere joins them by saying PURE in its docstring.
PURE_FOLDERS = ("audio", "playback", "conversation")
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
LONGEST_FILE = 420
LONGEST_FUNCTION = 50


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def parsed(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


def dotted(module: Path) -> str:
    parts = ("telephony", *module.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def folder_of(name: str) -> str:
    """The place in ORDER of a module's dotted name; the package itself has none."""
    return (name.split(".") + [""])[1]


def is_pure(module: Path) -> bool:
    return module.relative_to(PACKAGE).parts[0] in PURE_FOLDERS or "PURE" in (
        ast.get_docstring(parsed(module)) or ""
    )


FILES = {dotted(module): module for module in modules()}


def imported(module: Path) -> set[str]:
    """Full names of the modules imported anywhere in a file: in functions and under TYPE_CHECKING, too."""
    found = set()
    package = dotted(module) if module.name == "__init__.py" else dotted(module).rpartition(".")[0]
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            found |= {full if (full := f"{base}.{alias.name}") in FILES else base for alias in node.names}
    return found


IMPORTS = {name: imported(module) for name, module in FILES.items()}


def ours(name: str) -> set[str]:
    return {other for other in IMPORTS[name] if other in FILES and other not in ("telephony", name)}


def test_every_folder_has_a_place_in_the_order() -> None:
    here = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))}
    assert here - {"__init__"} == set(ORDER)


def test_folders_import_only_what_lies_below_them() -> None:
    upward = [
        f"{name} -> {other}"
        for name in sorted(FILES)
        if name != "telephony"
        for other in sorted(ours(name))
        if folder_of(other) != folder_of(name)
        and ORDER.index(folder_of(other)) > ORDER.index(folder_of(name))
    ]
    assert upward == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Whatever hides it: an import in a function, or one for types only."""
    left = {name: ours(name) for name in FILES if name != "telephony"}
    while free := {name for name, others in left.items() if not others & left.keys()}:
        left = {name: others for name, others in left.items() if name not in free}
    # What is left is in a circle, or imports one. Without those that nobody in it imports:
    while loose := left.keys() - set().union(*left.values()):
        left = {name: others for name, others in left.items() if name not in loose}
    assert sorted(left) == []


@pytest.mark.parametrize("module", [m for m in modules() if is_pure(m)], ids=lambda m: name_of(m))
def test_a_pure_module_imports_no_clock_no_network_and_no_chance(module: Path) -> None:
    assert not {name.split(".")[0] for name in IMPORTS[dotted(module)]} & IMPURE


@pytest.mark.parametrize("module", [m for m in modules() if is_pure(m)], ids=lambda m: name_of(m))
def test_a_pure_module_leans_on_pure_modules_only(module: Path) -> None:
    """Else the clock comes in by the back door: everything of ours that it imports is as pure."""
    for name in ours(dotted(module)):
        roots = {found.split(".")[0] for found in IMPORTS[name]}
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


OWNED = ("playback", "conversation")
"""Folders in which a field is written only in the module whose class has it."""
MUTATORS = {"append", "add", "update", "extend", "insert", "pop", "remove", "setdefault"}


def _fields(tree: ast.Module) -> set[str]:
    """The fields of a module's classes."""
    stored = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_self(node.value)
    }
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    named = [node.target for one in classes for node in one.body if isinstance(node, ast.AnnAssign)]
    return stored | {target.id for target in named if isinstance(target, ast.Name)}


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _written(node: ast.AST) -> ast.Attribute | None:
    """The field that a node writes, by assignment or by a list's, set's or dict's own methods."""
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
        return node
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
        return node.func.value if isinstance(node.func.value, ast.Attribute) else None
    return None


@pytest.mark.parametrize(
    "module", [m for m in modules() if m.relative_to(PACKAGE).parts[0] in OWNED], ids=lambda m: name_of(m)
)
def test_state_is_written_by_its_owner_only(module: Path) -> None:
    """No module writes a field of another one's class: it asks for it by a method."""
    tree = parsed(module)
    own = _fields(tree)
    fields = [field for node in ast.walk(tree) if (field := _written(node)) is not None]
    foreign = [field for field in fields if not _is_self(field.value) and field.attr not in own]
    assert [f"line {field.lineno}: {ast.unparse(field)}" for field in foreign] == []


def test_every_folder_with_code_or_data_is_in_the_wheel() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "packages"
    ]
    suffixes = {".py", ".yaml", ".wav", ".xml", ".html", ".js", ".css"}
    folders = {file.parent for file in PACKAGE.rglob("*") if file.suffix in suffixes}
    needed = {".".join(["telephony", *folder.relative_to(PACKAGE).parts]) for folder in folders}
    assert set(listed) == needed | {"telephony.twiml"}


def test_the_map_names_every_folder_and_each_says_what_it_is_for() -> None:
    words = set(re.findall(r"[a-z_]+", ast.get_docstring(parsed(PACKAGE / "__init__.py")) or ""))
    here = {m.stem for m in PACKAGE.glob("*.py") if m.stem not in ("__init__", "__main__")}
    here |= {m.parent.name for m in PACKAGE.glob("*/*.py")}
    assert here - words == set()
    silent = [
        name_of(m) for m in PACKAGE.rglob("__init__.py") if len(ast.get_docstring(parsed(m)) or "") < 80
    ]
    assert silent == []


def test_a_class_name_has_one_meaning() -> None:
    """Two modules with classes of one name make a reader look twice; what begins with _ stays at home."""
    homes: dict[str, list[str]] = {}
    for module in modules():
        for node in ast.walk(parsed(module)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(name_of(module))
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}
