"""The command line as a shell sees it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from telephony import __version__
from telephony.cli import COMMANDS, Command, main


def telephony(*words: str, cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "telephony", *words],
        cwd=cwd,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_help_shows_every_command_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"], {})
    shown = capsys.readouterr().out
    assert left.value.code == 0
    assert "examples:" in shown
    for command in COMMANDS:
        assert f"    {command.name}" in shown


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.name)
def test_every_command_that_help_shows_is_there(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([command.name, "--help"], {})
    assert left.value.code == 0
    assert f"telephony {command.name}" in capsys.readouterr().out


def test_version() -> None:
    done = telephony("--version")
    assert (done.returncode, done.stdout) == (0, f"telephony {__version__}\n")


@pytest.mark.parametrize("words", [[], ["sing"], ["--sing"]], ids=["nothing", "unknown", "option"])
def test_what_is_no_command_is_bad_input(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words, {})
    assert left.value.code == 2
    assert "usage: telephony" in capsys.readouterr().err


def test_a_bad_setting_is_one_line_and_status_2() -> None:
    done = telephony("doctor", PORT="eighty\x1b[31m")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "PORT" in done.stderr and "\x1b" not in done.stderr


def test_settings_are_read_from_dotenv_unless_told_otherwise(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=eighty\n", encoding="utf-8")
    assert "PORT='eighty'" in telephony("doctor", cwd=tmp_path).stderr
    assert "PORT" not in telephony("--ignore-environment", "doctor", cwd=tmp_path).stderr


def test_an_env_file_that_is_absent_is_said(tmp_path: Path) -> None:
    done = telephony("--env-file", str(tmp_path / "x.env"), "doctor")
    assert done.returncode == 2 and "x.env" in done.stderr


def test_a_terminal_that_knows_only_ascii_is_shown_escapes(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("VOICE=flux-zoë-en", encoding="utf-8")
    done = telephony("doctor", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert "zo\\xeb" in done.stdout and "Traceback" not in done.stderr


def test_only_the_command_asked_for_is_imported() -> None:
    """`--version` must not wait for numpy, aiohttp or an SDK."""
    script = (
        "import sys, telephony.cli; print([m for m in ('numpy', 'aiohttp', 'deepgram') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def old_pythons() -> list[str]:
    """Interpreters too old for us, where a version manager keeps some."""
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    return sorted(
        str(p) for v in ("2.7", "3.6", "3.9", "3.10") for p in Path(root).glob(f"versions/{v}*/bin/python")
    )


def test_a_wrong_python_is_one_clear_line(root: Path) -> None:
    """On every one that is here, and on one that only says it is old."""
    run = "runpy.run_module('telephony', run_name='__main__')"
    pretending = f"import runpy, sys; sys.version_info = (3, 9); {run}"
    lines = [[python, "-B", "-m", "telephony"] for python in old_pythons()]
    for line in (*lines, [sys.executable, "-c", pretending]):
        done = subprocess.run(line, cwd=root, capture_output=True, text=True)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1 and "needs Python 3.11, 3.12 or 3.13" in done.stderr


def test_what_an_old_python_reads_first_has_nothing_new_in_it(root: Path) -> None:
    """The syntax of 3.4, no f-strings: else the one clear line would be a SyntaxError."""
    for file in ("__init__.py", "__main__.py"):
        tree = ast.parse((root / "telephony" / file).read_text(encoding="utf-8"), feature_version=(3, 4))
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr | ast.AnnAssign)]
