"""README and docs/ say what the code says: settings, commands, files, links, and every block of code."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
import tomllib
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest

import telephony
from telephony import __version__
from telephony.cli import COMMANDS
from telephony.config.settings import NAMES, SETTINGS, Settings
from telephony.engine.models.catalogue import MODELS
from telephony.llm.mcp_file import read_servers
from telephony.llm.prompt import PromptSource
from telephony.record.call_record import record_of
from telephony.reply.agent import CallInfo
from telephony.reply.script_reader import load_script
from telephony.server.app import WEBHOOKS
from telephony.server.number_routes_file import read_routes
from telephony.server.pronunciations_file import pronunciations_of
from telephony.simulator.caller_script import read_script
from telephony.testing.virtual_call import VirtualCall
from tests.markdown import PAGES, ROOT, Block, blocks, blocks_of, name_of, prose, read, write_files
from tests.test_layout import ORDER
from tools.document_settings import ERRORS_PAGE, EXAMPLE, SETTINGS_PAGE, example, page

LANGUAGES = ("sh", "python", "yaml", "ini", "json", "markdown", "text")
README_LINES = 150
NOT_RUN = 1
"""So many blocks cannot be run by a test; each says why."""
# What stands for a value of the reader's own in a block of settings.
SAMPLES = {
    "AC...": "AC" + "0" * 32,
    "...": "0123456789abcdef0123456789abcdef",
}
PLACEHOLDERS = r" (SOURCE\.\.\.|NUMBER|CALL|SOURCE|ADDRESS)$"
NAMED_FILE = r"(?<![\w/.])(?:telephony|tools|twiml|bench|tests|docs)/[\w/]+\.(?:py|yaml|wav|xml|md)"


# ---- what is made from the code


@pytest.mark.parametrize("path", [SETTINGS_PAGE, ERRORS_PAGE], ids=lambda path: path.name)
def test_a_generated_page_is_up_to_date(path: Path) -> None:
    """Else: python tools/document_settings.py"""
    assert page(path) == path.read_text(encoding="utf-8")


def test_env_example_is_up_to_date() -> None:
    """Else: python tools/document_settings.py"""
    assert EXAMPLE.read_text(encoding="utf-8") == example()


def test_every_setting_is_documented() -> None:
    table = SETTINGS_PAGE.read_text(encoding="utf-8")
    assert [s.name for s in SETTINGS if f"| `{s.name}` |" not in table] == []


def test_every_setting_says_what_it_is() -> None:
    for setting in SETTINGS:
        assert setting.help and setting.kind.allowed
        assert "|" not in setting.help + setting.kind.allowed, "it would break the table"


def test_no_page_names_a_setting_that_does_not_exist() -> None:
    """What a page shows as code in capitals with an underscore is a setting, or known to be none."""
    others = {"NO_COLOR", "XDG_CACHE_HOME", "OPENBLAS_NUM_THREADS", "SO_RCVLOWAT"}
    for path in PAGES:
        text = re.sub(r"<!--.*?-->", "", read(name_of(path)))
        shown = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", text))
        assert not shown - NAMES - others, name_of(path)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.name)
def test_every_command_is_in_the_readme(command: object) -> None:
    assert f"`telephony {getattr(command, 'name')}" in read("README.md")  # noqa: B009


def test_every_model_is_listed_with_its_licence() -> None:
    engine = read("docs/engine.md")
    for file in MODELS:
        for source in file.sources:
            package = re.sub(r"-\d$", "", source.package)
            row = next(line for line in engine.splitlines() if line.startswith("|") and package in line)
            assert source.version in row
            assert file.licence in engine


def test_the_changelog_begins_with_this_version() -> None:
    """The package's and the project's; what is not released says so."""
    project = tomllib.loads(read("pyproject.toml"))["project"]
    heading = r"^## (\S+) \((?:unreleased|\d{4}-\d{2}-\d{2})\)\n+(.*)"
    newest, first_line = re.findall(heading, read("CHANGELOG.md"), re.MULTILINE)[0]
    assert newest == __version__ == project["version"] and first_line


def test_every_setting_is_used() -> None:
    """What no code reads is not promised."""
    files = [file for file in (ROOT / "telephony").rglob("*.py") if file.name != "settings.py"]
    code = "".join(file.read_text(encoding="utf-8") for file in files)
    used = r'settings\.%s\b|"%s"'
    unused = [one.name for one in SETTINGS if not re.search(used % (one.name.lower(), one.name), code)]
    assert unused == []


def test_the_readme_is_short() -> None:
    assert len(read("README.md").splitlines()) <= README_LINES


# ---- what the pages point at


@pytest.mark.parametrize("name", [name_of(path) for path in PAGES])
def test_every_link_leads_somewhere(name: str) -> None:
    """To a file of the project, and to a heading in it."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(name)):
        if re.match(r"https?://|mailto:", target):
            continue
        file, _, heading = target.partition("#")
        path = (ROOT / name).parent / file if file else ROOT / name
        assert path.exists(), f"{name}: {target}"
        if heading:
            assert heading in anchors(path), f"{name}: {target}"


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_every_page_of_docs_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[\w-]+\.md)", read("README.md")))
    assert linked == {name_of(path) for path in PAGES if name_of(path).startswith("docs/")}


@pytest.mark.parametrize("name", [name_of(path) for path in PAGES])
def test_every_file_that_a_page_names_is_there(name: str) -> None:
    for file in set(re.findall(NAMED_FILE, read(name))):
        if file.endswith("NAME.py"):
            continue
        assert (ROOT / file).is_file(), file


def test_every_make_target_that_a_page_names_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for path in PAGES:
        name = name_of(path)
        shown = [
            *re.findall(r"`[^`]+`", prose(name)),
            *(b.text for b in blocks_of(name) if b.language == "sh"),
        ]
        for target in set(re.findall(r"(?<![\w-])make (\w[\w-]*)", "\n".join(shown))):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{name}: make {target}"


# ---- architecture.md follows the code


def hops(heading: str) -> list[tuple[str, str]]:
    """File and name of each hop of a journey: the rows under a heading that have both."""
    text = read("docs/architecture.md").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"\| `([\w/]+\.py)` `([\w.]+)` \|$", text, re.MULTILINE)


JOURNEYS = ("The journey of a frame", "The journey of a barge-in", "The journey of a reply", "Where is it?")


@pytest.mark.parametrize("journey", JOURNEYS)
def test_every_hop_of_a_journey_is_where_the_page_says(journey: str) -> None:
    """A change that moves or renames one of them writes its new place into docs/architecture.md."""
    assert hops(journey)
    assert [f"{file} {name}" for file, name in hops(journey) if not is_there(file, name)] == []


def is_there(file: str, name: str) -> bool:
    """Whether a module of the package defines a function, a class or a method of this name."""
    try:
        module = import_module("telephony." + file.removesuffix(".py").replace("/", "."))
        found: object = module
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return False
    return getattr(found, "__module__", "") == module.__name__


def test_the_folders_are_on_the_page_in_their_order() -> None:
    folders = [name for name in ORDER if (ROOT / "telephony" / name).is_dir()]
    listed = re.findall(r"^\| `(\w+)/` \|", read("docs/architecture.md"), re.MULTILINE)
    assert listed == folders


# ---- api.md and operations.md follow the code


def routes() -> set[str]:
    """All that the server answers."""
    source = (ROOT / "telephony" / "server" / "app.py").read_text(encoding="utf-8")
    return {*WEBHOOKS, *re.findall(r"""add_\w+\(\w+ \+ "(/[^"]*)\"""", source)}


def test_every_route_is_documented() -> None:
    page = read("docs/api.md")
    assert len(routes()) > 12
    assert [route for route in sorted(routes()) if not re.search(rf"{re.escape(route)}[`?]", page)] == []


def test_the_metrics_of_the_page_are_those_of_the_server() -> None:
    modules = sorted((ROOT / "telephony" / "server").glob("*metrics*.py"))
    served = {
        name for file in modules for name in re.findall(r'"(voice_\w+)"', file.read_text(encoding="utf-8"))
    }
    shown = re.findall(r"`(voice_\w+?)(?:_total)?`", read("docs/operations.md").partition("## Logs")[0])
    assert sorted(set(shown)) == sorted(served)


def test_every_field_of_a_calls_record_is_documented() -> None:
    """The record of a call in which the agent was interrupted once."""
    call = VirtualCall(lambda turn, notes: ["This is a long answer to what you have said."])
    call.run(4)
    for _ in range(2):
        call.caller("tell me more about it please")
        call.run(1)
    call.run(5)
    record = record_of(call.conversation, "id", "CA1", ended_by=None, duration_s=1.0, media=None, origin={})
    turn = next(turn for turn in record["turns"] if turn["caller"] and turn["agent"]["interrupted"])
    page = read("docs/api.md").partition("## The record of a call")[2].partition("\n## ")[0]
    fields = {*record, *turn, *turn["caller"], *turn["agent"], *turn["latency_ms"], *turn["eager"]} - {
        "index"
    }
    assert [
        field for field in sorted(fields - {"turns", "index"}) if not re.search(rf"\b{field}`", page)
    ] == []


def test_every_public_name_is_documented_with_what_is_in_it() -> None:
    page = read("docs/agents.md").partition("## An agent that takes an order")[0]
    given = (telephony.Turn, telephony.Message, telephony.CallInfo, telephony.EndedCall)
    inside = {name for kind in given for name in vars(kind) if not name.startswith("_")}
    names = {name for name in telephony.__all__ if name not in ("Notes", "Said")} | inside
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", page)] == []


# ---- blocks of code


def test_every_block_has_a_language_whose_blocks_are_tested() -> None:
    assert [str(block) for block in blocks() if block.language not in LANGUAGES] == []


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    left_out = [block for block in blocks() if block.why_not_run]
    assert len(left_out) <= NOT_RUN, [str(block) for block in left_out]


def test_what_is_only_shown_holds_no_command() -> None:
    """`text` is for pictures and output: a command in it would be tested by nobody."""
    for block in (b for b in blocks() if b.language == "text"):
        assert not re.search(r"^\$ |^(telephony|make|pytest|curl|python) \w", block.text, re.MULTILINE), block


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_every_json_block_is_json(block: Block, tmp_path: Path) -> None:
    if "mcpServers" in json.loads(block.text):
        file = tmp_path / "servers.json"
        file.write_text(block.text, encoding="utf-8")
        assert read_servers(file, {"FILES_TOKEN": "a", "CRM_KEY": "b"})


@pytest.mark.parametrize("block", blocks("markdown"), ids=str)
def test_every_prompt_is_read_by_its_reader(block: Block, tmp_path: Path) -> None:
    (tmp_path / "prompt.md").write_text(block.text, encoding="utf-8")
    prompt = PromptSource(str(tmp_path / "prompt.md")).current
    assert prompt.wording.greeting.text
    assert "{" not in prompt.filled(CallInfo("id"), datetime.now(UTC))


@pytest.mark.parametrize("block", blocks("ini"), ids=str)
def test_every_block_of_settings_can_be_loaded(block: Block) -> None:
    lines = [line.partition("  #")[0].strip() for line in block.text.splitlines() if line.strip()]
    given = dict(line.split("=", 1) for line in lines)
    assert not given.keys() - NAMES
    Settings.load({name: SAMPLES.get(value, value) for name, value in given.items()})


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_every_yaml_block_is_read_by_its_reader(block: Block, tmp_path: Path) -> None:
    file = tmp_path / (block.file or "block.yaml")
    file.write_text(block.text, encoding="utf-8")
    if re.search(r"^steps:", block.text, re.MULTILINE):
        assert read_script(file).steps
    elif re.search(r"^routes:", block.text, re.MULTILINE):
        read_routes(file, "US")
    elif block.file == "words.yaml":
        assert pronunciations_of(Settings.load({"PRONUNCIATIONS": str(file)})).words
    else:
        assert load_script(str(file), Settings.load({})).intents


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_every_python_block_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder with the files of the pages. A test that a page shows is run in test_readme.py."""
    write_files(tmp_path, "docs/agents.md", "docs/testing.md", block.page)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for file in tmp_path.glob("*.py"):  # what another test has imported under this name
        monkeypatch.delitem(sys.modules, file.stem, raising=False)
    exec(compile(block.text, str(block), "exec"), {"__name__": "shown"})
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(file.stem, None)


# ---- commands


def commands_shown() -> list[str]:
    """Every `telephony ...` that a page tells its reader to type, in a block or in a sentence."""
    shown = {line for block in blocks() if block.language == "sh" for line in block.text.splitlines()}
    for path in PAGES:
        shown |= {" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose(name_of(path)))}
    lines = {re.sub(r"^(([A-Z]+=\S+ )*)(python -m )?(?=telephony )", "", line) for line in shown}
    lines = {line for line in lines if re.match(r"telephony [a-z]+ ", line) and "--help" not in line}
    return sorted({re.sub(PLACEHOLDERS, " +14155550100", line) for line in lines})


SPOKEN_OF = {"telephony call --json", "telephony dial --say", "telephony dial --from"}
"""Options of a command that a sentence names, not lines to type."""


@pytest.mark.parametrize("line", [line for line in commands_shown() if line not in SPOKEN_OF])
def test_every_command_line_is_accepted(line: str) -> None:
    words = shlex.split(line)[1:]
    module = next(import_module(c.module) for c in COMMANDS if c.name == words[0])
    parser = argparse.ArgumentParser(exit_on_error=False)
    module.add_arguments(parser)
    parser.parse_args(words[1:])
