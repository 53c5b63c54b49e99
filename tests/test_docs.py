"""The README runs, and says what the code says."""

from __future__ import annotations

import argparse
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from telephony.cli import COMMANDS
from telephony.config.settings import NAMES, SETTINGS
from telephony.engine.models.catalogue import MODELS
from tools.document_settings import example, readme

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def commands_shown() -> list[str]:
    """Every `telephony ...` that the README tells the reader to type, in a block or in a sentence."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    prose = re.sub(r"^ *```.*?^ *```$", "", README, flags=re.DOTALL | re.MULTILINE)
    told = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]
    lines += [re.sub(r"^[A-Z]+=\S+ ", "", code) for code in told]
    shown = {line for line in lines if re.match(r"telephony [a-z]+ ", line) and "--help" not in line}
    shown -= {"telephony call --json", "telephony dial --say"}  # spoken of, not to be typed so
    return sorted({re.sub(r" (SOURCE\.\.\.|NUMBER|CALL|SOURCE)$", r" +14155550100", line) for line in shown})


def test_the_readmes_settings_are_the_tables() -> None:
    """Else: python tools/document_settings.py"""
    assert readme(README) == README
    assert all(f"| `{setting.name}` |" in README for setting in SETTINGS)


def test_env_example_is_the_table() -> None:
    """Else: python tools/document_settings.py"""
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == example()


def test_every_setting_says_what_it_is() -> None:
    for setting in SETTINGS:
        assert setting.help and setting.kind.allowed
        assert "|" not in setting.help + setting.kind.allowed, "it would break the README's table"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.name)
def test_every_command_is_in_the_readme(command: object) -> None:
    assert f"`telephony {getattr(command, 'name')}" in README  # noqa: B009


@pytest.mark.parametrize("line", commands_shown())
def test_every_command_line_of_the_readme_is_accepted(line: str) -> None:
    words = shlex.split(line)[1:]
    module = next(import_module(c.module) for c in COMMANDS if c.name == words[0])
    parser = argparse.ArgumentParser(exit_on_error=False)
    module.add_arguments(parser)
    parser.parse_args(words[1:])


def test_every_make_target_of_the_readme_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(
        re.findall(r"\bmake (\w+)", "\n".join(blocks("sh")) + " ".join(re.findall(r"`[^`]+`", README)))
    ):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_file_that_the_readme_names_is_there() -> None:
    named = set(re.findall(r"(?:telephony|tools|twiml|bench)/[\w/]+\.(?:py|yaml|wav|xml|md)", README))
    assert named
    for name in named:
        assert (ROOT / name).is_file(), name


def test_every_model_is_listed_with_its_licence() -> None:
    for file in MODELS:
        for source in file.sources:
            package = re.sub(r"-\d$", "", source.package)
            row = next(line for line in README.splitlines() if line.startswith("|") and package in line)
            assert source.version in row
            assert file.licence in README


def test_settings_that_do_not_work_yet_are_not_promised() -> None:
    reserved = {
        "ROUTES",
        "LLM_URL",
        "DATABASE_URL",
        "RECORD",
        "CONSOLE_PASSWORD",
        "METRICS_TOKEN",
        "DIAL_PREFIXES",
    }
    assert not {name for name in reserved - NAMES if f"`{name}`" in README}


def test_the_agent_of_the_readme_is_one() -> None:
    block = next(block for block in blocks("python") if "class Barista" in block)
    scope: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), scope)
    assert callable(scope["Barista"])


def test_the_changelog_knows_this_version() -> None:
    from telephony import __version__

    assert f"## {__version__}" in CHANGELOG
