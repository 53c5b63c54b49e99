"""LLM_PROMPT: what a model is told before a call begins, out of a file or a text.

    ---
    greeting: "Rosa's, good evening. How can I help?"
    timezone: Europe/Rome
    parameters: {guest: our guest}          # of the media stream, with what stands there when it is not given
    tools: {start: [check_pin], known: [book, hang_up]}     # which there are, by state; a list: in all states
    ---
    You answer the telephone of Rosa's, a restaurant. Today is {date}, and it is {time}.
    You speak with {guest}, who calls from {from}.

    {file:menu.md}

Between the lines of `---`, which may be left out, stands what a script may say of its own accord, too
(greeting, silence, fillers, bridge, reask, farewell, warning, acknowledge). `{{` stands for a brace. A file
that changes is read again, and counts from the next turn on; one with a mistake does not.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from telephony.config.yaml_file import Value, parse_yaml
from telephony.errors import BadScript
from telephony.llm.toolbox import EVERY_STATE
from telephony.reply.agent import CallInfo, Wording
from telephony.reply.wording_reader import WORDING, read_wording

log = logging.getLogger(__name__)

USUAL = "LLM_PROMPT"
"""The setting that names the prompt of calls whose route has none."""
DEFAULT = "You answer the telephone. Find out what the caller wants, and help as well as you can."
LARGEST = 1_000_000
"""Bytes of one file, and characters of a whole prompt."""
MOST_FILES = 50
OF_THE_CALL = ("from", "to", "date", "time", "weekday")
SCRIPT_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
NOT_KNOWN = "unknown"
MOST_VALUE = 2_000
"""Characters of a call's parameter."""

_BEHIND = r"(?::(?P<of>[^{}\n]+))?"
_PLACE = re.compile(rf"\{{\{{|\}}\}}|\{{(?P<name>[A-Za-z_]\w*){_BEHIND}\}}")
_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(?P<front>.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_FILE_NAME = re.compile(
    r"(?!.*[.,;:!?] ).{0,80}\.(?:md|txt|text|prompt|markdown)|\S*\.\w{1,8}|(?:\.{0,2}/|~/)\S+"
)
"""What looks like a path, so that a text with a mistake in its path is not read out to the model."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a prompt where something of the call is put in."""

    name: str
    of: str = ""
    """Behind the colon: a parameter's name."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt, read and checked."""

    parts: tuple[str | Place, ...]
    wording: Wording = field(default_factory=Wording)
    parameters: Mapping[str, str] = field(default_factory=dict)
    """The call's parameters that it names, with what stands in the place of one that was not given."""
    scripts: Mapping[str, str] = field(default_factory=dict)
    """Scripts that the model may hand the caller to: names, and what AGENT would call them by."""
    tools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The only tools that there are in a state of the call: see `Toolbox.limited`."""
    zone: tzinfo | None = None
    """Whose date and time it tells; None: this machine's."""

    def filled(self, call: CallInfo, began: datetime) -> str:
        """The prompt for a call that began at this moment. It stays the same for the whole call."""
        local = began.astimezone(self.zone)
        known = {
            "from": call.from_number or NOT_KNOWN,
            "to": call.to_number or NOT_KNOWN,
            "date": f"{local:%A}, {local.day} {local:%B %Y}",
            "time": f"{local:%H:%M}",
            "weekday": f"{local:%A}",
            "parameters": "\n".join(f"{name}: {value}" for name, value in call.parameters.items()),
        }

        def value(place: Place) -> str:
            if place.name in ("parameter", "parameters") and place.of:
                return _plain(call.parameters.get(place.of) or self.parameters.get(place.of, NOT_KNOWN))
            if place.name in self.parameters:
                return _plain(call.parameters.get(place.name) or self.parameters[place.name])
            return known[place.name] if place.name == "parameters" else _plain(known[place.name])

        return "".join(value(part) if isinstance(part, Place) else part for part in self.parts).strip()


class PromptSource:
    """Where a prompt comes from. A changed file is read again."""

    def __init__(self, given: str, where: str = USUAL, folder: Path | None = None) -> None:
        """`given`: a file's path or the text itself; `where` it was given; paths are relative to `folder`.

        Raises BadScript, of one line, for a file that is missing and for a prompt with a mistake.
        """
        self.where = where
        self._given = given.strip() or DEFAULT
        self._file = _file_of(self._given, where, folder)
        self._seen: dict[Path, tuple[int, int] | None] = {}
        self._prompt = self._read()

    @property
    def current(self) -> Prompt:
        """The prompt as its files have it now. One with a mistake is named in the log, and does not count."""
        if any(_stamp(file) != stamp for file, stamp in self._seen.items()):
            try:
                self._prompt = self._read()
                log.info("%s: the prompt was read again", self.where)
            except BadScript as error:
                log.warning("%s; calls go on with the prompt as it was", error)
        return self._prompt

    def _read(self) -> Prompt:
        reader = _Reader(self.where, self._file)
        try:
            return reader.prompt(self._given)
        finally:
            self._seen = {file: _stamp(file) for file in reader.files}


def _file_of(given: str, where: str, folder: Path | None) -> Path | None:
    """The file that is meant, or None for a text. Raises BadScript for one that is not there."""
    if "\n" in given:
        return None
    path = (folder or Path()) / Path(given).expanduser()
    try:
        if path.is_file():
            return path
        there = path.exists()
    except (OSError, ValueError):  # longer than any file's name
        return None
    if there:
        raise BadScript(f"{where}={given!r} cannot be used: it is a folder; name a file in it")
    if _FILE_NAME.fullmatch(given):
        raise BadScript(f"{where}={given!r} cannot be used: there is no such file")
    return None


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _plain(value: str) -> str:
    """A value that others chose, in one line, without brackets: it can pretend to be nothing else."""
    line = " ".join("".join(c if c.isprintable() else " " for c in value).split())[:MOST_VALUE]
    return line.replace("[", "(").replace("]", ")")


class _Reader:
    """Reads one prompt, with the files that it names."""

    def __init__(self, where: str, file: Path | None) -> None:
        self.files: list[Path] = []
        self._where = where
        self._file = file
        self._declared: Mapping[str, str] = {}

    def prompt(self, given: str) -> Prompt:
        text = given if self._file is None else self._text(self._file, self._where)
        shown = self._where if self._file is None else str(self._file)
        wording, zone, first = Wording(), None, 1
        scripts: dict[str, str] = {}
        tools: dict[str, tuple[str, ...]] = {}
        if front := _FRONT.match(text):
            fields = _fields(front["front"], shown)
            _refuse_places([fields[name] for name in WORDING if name in fields])
            wording, zone = read_wording(fields), _zone(fields.get("timezone"))
            self._declared = _parameters(fields.get("parameters"))
            scripts, tools = _scripts(fields.get("scripts")), _tools(fields.get("tools"))
            first += text[: front.end()].count("\n")
            text = text[front.end() :]
        parts = tuple(self._parts(text, shown, first))
        if sum(len(part) for part in parts if isinstance(part, str)) > LARGEST:
            raise BadScript(f"{shown}: the prompt with its files is longer than {LARGEST:,} characters")
        if not "".join(part if isinstance(part, str) else part.name for part in parts).strip():
            raise BadScript(f"{shown}: the prompt is empty")
        return Prompt(parts, wording, self._declared, scripts, tools, zone)

    def _parts(self, text: str, shown: str, first: int) -> Iterator[str | Place]:
        at = 0
        for found in _PLACE.finditer(text):
            yield text[at : found.start()]
            at = found.end()
            if found.group() in ("{{", "}}"):
                yield found.group()[0]
                continue
            line = first + text[: found.start()].count("\n")
            yield self._put_in(found["name"], (found["of"] or "").strip(), f"{shown}:{line}")
        yield text[at:]

    def _put_in(self, name: str, of: str, place: str) -> str | Place:
        if name == "file" and of:
            return self._knowledge(of, place)
        known = name in self._declared or name in (*OF_THE_CALL, "parameters")
        if (known and not of) or (name in ("parameter", "parameters") and of):
            return Place(name, of)
        names = ", ".join(f"{{{one}}}" for one in (*OF_THE_CALL, *self._declared))
        raise BadScript(
            f"{place}: {{{name}{':' if of else ''}{of}}} is not known; there are {names}, {{parameter:NAME}}"
            f" and {{file:PATH}}; {{{{{name}}}}} stands for the word in braces"
        )

    def _knowledge(self, named: str, place: str) -> str:
        """The text of a file, as it is: nothing is put into it."""
        folder = Path() if self._file is None else self._file.parent
        path = folder / Path(named).expanduser()
        if len(self.files) >= MOST_FILES:
            raise BadScript(f"{place}: more than {MOST_FILES} files")
        return self._text(path, f"{place}: {{file:{named}}}").strip()

    def _text(self, path: Path, place: str) -> str:
        self.files.append(path)
        try:
            with path.open("rb") as file:
                data = file.read(LARGEST + 1)
        except OSError as error:
            raise BadScript(f"{place} cannot be read: {error.strerror or error}") from error
        if len(data) > LARGEST:
            raise BadScript(f"{place} is larger than {LARGEST:,} bytes")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            raise BadScript(f"{path}:{line}: not UTF-8 text") from error


def _fields(front: str, shown: str) -> Mapping[str, Value]:
    if not front.strip():
        return {}
    value = parse_yaml(b"\n" + front.encode(), shown, "what stands between the lines of ---")
    return value.fields((*WORDING, "timezone", "parameters", "scripts", "tools"))


def _refuse_places(wording: Sequence[Value]) -> None:
    """What is said without the model is the same in every call: nothing is put into it."""
    for value in wording:
        for one in _texts_in(value):
            found = _PLACE.search(one.text())
            if found and found["name"]:
                one.wrong(f"{found.group()} is not filled in here, only in the prompt below")


def _texts_in(value: Value) -> Iterator[Value]:
    if value.is_text:
        yield value
    elif value.is_list:
        for one in value.values():
            yield from _texts_in(one)
    elif value.is_mapping:
        for one in (field for _, field in value.items()):
            yield from _texts_in(one)


def _parameters(value: Value | None) -> dict[str, str]:
    if value is None:
        return {}
    found = {}
    for name, one in value.items():
        if not re.fullmatch(r"[A-Za-z_]\w*", name) or name in (
            *OF_THE_CALL,
            "file",
            "parameter",
            "parameters",
        ):
            one.wrong(
                f"{name!r} cannot be a parameter's name here: letters, digits and _, and not a name of ours"
            )
        found[name] = one.text()
    return found


def _scripts(value: Value | None) -> dict[str, str]:
    """Names and paths of scripts."""
    found: dict[str, str] = {}
    for name, one in value.items() if value is not None else ():
        if not SCRIPT_NAME.fullmatch(name):
            one.wrong(f"{name!r} cannot be a script's name here: letters, digits, _ and -")
        found[name] = one.text().removeprefix("scripted:")
    return found


def _tools(value: Value | None) -> dict[str, tuple[str, ...]]:
    """Names of tools, by state; of a list, in every state. An empty list allows none."""
    if value is None:
        return {}
    if not value.is_mapping:
        return {EVERY_STATE: _names(value)}
    return {"" if state == "start" else state: _names(names) for state, names in value.items()}


def _names(value: Value) -> tuple[str, ...]:
    return () if value.is_list and not value.node.value else value.texts()


def _zone(value: Value | None) -> tzinfo | None:
    if value is None:
        return None
    try:
        return ZoneInfo(value.text())
    except (OSError, ValueError, KeyError):  # KeyError: ZoneInfoNotFoundError
        value.wrong(f"{value.text()!r} is not a time zone known here; Europe/London is how they are written")
