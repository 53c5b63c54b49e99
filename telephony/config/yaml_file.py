"""YAML with the line of everything, so that a mistake can be reported as `file:line: what is wrong`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import yaml

from telephony.errors import BadScript

_LARGEST = 1_000_000  # bytes; a script is some kilobytes


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a YAML file: a text, a list or a mapping, and where it stands."""

    file: str
    path: str
    """Its place in words: `intents.order.say`."""
    node: yaml.Node

    @property
    def line(self) -> int:
        """The line on which it begins, from 1."""
        return int(self.node.start_mark.line) + 1

    def wrong(self, what: str) -> NoReturn:
        """Raise BadScript for this value."""
        where = f"{self.path}: " if self.path else ""
        raise BadScript(f"{self.file}:{self.line}: {where}{what}")

    @property
    def is_text(self) -> bool:
        return isinstance(self.node, yaml.ScalarNode)

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        return isinstance(self.node, yaml.SequenceNode)

    def text(self) -> str:
        """A text, not empty."""
        if not isinstance(self.node, yaml.ScalarNode):
            self.wrong("a text is needed here")
        if not self.node.value.strip():
            self.wrong("is empty; a text is needed here")
        return str(self.node.value).strip()

    def number(self, least: float, most: float) -> float:
        text = self.text()
        try:
            value = float(text)
        except ValueError:
            self.wrong(f"{text!r} is not a number from {least:g} to {most:g}")
        if not least <= value <= most:
            self.wrong(f"{text} is not allowed; {least:g} to {most:g} is")
        return value

    def flag(self) -> bool:
        text = self.text().lower()
        if text not in ("true", "false", "yes", "no"):
            self.wrong(f"{text!r} is not allowed; true or false is")
        return text in ("true", "yes")

    def one_of(self, allowed: Collection[str]) -> str:
        text = self.text()
        if text not in allowed:
            self.wrong(f"{text!r} is not allowed; {_either(allowed)} is")
        return text

    def values(self) -> list[Value]:
        """The values of a list; a single value stands for a list of one."""
        if not isinstance(self.node, yaml.SequenceNode):
            return [self]
        if not self.node.value:
            self.wrong("is empty; at least one is needed")
        return [Value(self.file, self.path, node) for node in self.node.value]

    def texts(self) -> tuple[str, ...]:
        return tuple(value.text() for value in self.values())

    def items(self) -> Iterator[tuple[str, Value]]:
        """The pairs of a mapping; a name that stands twice is a mistake."""
        if not isinstance(self.node, yaml.MappingNode):
            self.wrong("`name: value` lines are needed here")
        seen: set[str] = set()
        for key_node, node in self.node.value:
            key = Value(self.file, self.path, key_node).text()
            inside = Value(self.file, f"{self.path}.{key}" if self.path else key, key_node)
            if key in seen:
                inside.wrong("stands here twice")
            seen.add(key)
            yield key, Value(self.file, inside.path, node)

    def fields(self, allowed: Collection[str], needed: Collection[str] = ()) -> dict[str, Value]:
        """The pairs of a mapping whose names are known in advance."""
        found = dict(self.items())
        for name, value in found.items():
            if name not in allowed:
                value.wrong(f"unknown; {_either(allowed)} can stand here")
        for name in needed:
            if name not in found:
                self.wrong(f"`{name}` is missing")
        return found


def _either(allowed: Collection[str]) -> str:
    names = list(allowed)
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def read_yaml(path: Path, shown: str = "", what: str = "the script") -> Value:
    """The whole file. Raises BadScript, which names `what` it is, if it cannot be read or is not YAML."""
    name = shown or str(path)
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise BadScript(f"{name}: {what} cannot be read: {error.strerror}") from error
    if len(data) > _LARGEST:
        raise BadScript(f"{name}: {what} is larger than {_LARGEST:,} bytes")
    return parse_yaml(data, name, what)


def parse_yaml(data: bytes, name: str, what: str) -> Value:
    """As `read_yaml`, of what was read already from a file of this name."""
    try:
        node = yaml.compose(data.decode(), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadScript(f"{name}:{line}: not UTF-8 text") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise BadScript(f"{name}:{line}: no valid YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise BadScript(f"{name}:1: no valid YAML: {' '.join(str(error).split())}") from error
    if node is None:
        raise BadScript(f"{name}:1: {what} is empty")
    return Value(name, "", node)
