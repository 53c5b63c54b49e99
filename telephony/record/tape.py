"""The tape of a call: every event of its inbox and the commands that came out, one JSON object a line.

`{"at": 1.234, "event": {...}, "commands": [{...}]}`. The first line says whose it is and how to run it again:
`{"tape": 1, "call": {"id": ..., "sid": ..., "process": ...}, "wording": {...}, "policy": {...}}`.
Objects carry their type's name under `"_"`. No audio.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from enum import Enum
from operator import attrgetter
from pathlib import Path
from typing import Any

import orjson

from telephony import events as ev
from telephony.conversation.conversation import Conversation
from telephony.conversation.policy import Policy
from telephony.deepgram.flux_messages import TurnInfo, Word
from telephony.errors import BadInput
from telephony.reply import agent

VERSION = 2
TYPES: Mapping[str, type] = {
    cls.__name__: cls
    for cls in (
        *typing.get_args(ev.Event), *typing.get_args(ev.Command), ev.WordTime, TurnInfo, Policy,
        agent.CallInfo, agent.Expect, agent.HangUp, agent.Message, agent.Wording, agent.Say,
        agent.SilenceStep, agent.Transfer, agent.Turn, agent.Wait,
    )
}  # fmt: skip


_Reader = tuple[tuple[str, ...], Callable[[Any], Any]]


def _reader(cls: type) -> _Reader:
    """The names of what is written of a type's values, and what reads it out of one."""
    names = tuple(f.name for f in fields(cls))
    read: Callable[[Any], Any] = attrgetter("__class__.__name__", *names)
    return ("_", *names), read if names else lambda value: (cls.__name__,)


_READERS = {cls: _reader(cls) for cls in TYPES.values()}


def header(wording: agent.Wording, policy: Policy, whose: Mapping[str, str] | None = None) -> bytes:
    """A tape's first line.

    `whose`: the call's `id`, its CallSid as `sid`, the `process` that has it, when it `started`, its `agent`.
    """
    return _dumps({"tape": VERSION, "call": whose or {}, "wording": wording, "policy": policy})


def whose(path: Path) -> dict[str, Any] | None:
    """Whose tape a file is, as its first line says; None where that is none. Reads the disk."""
    try:
        with path.open("rb") as file:
            first = orjson.loads(file.readline())
    except (OSError, orjson.JSONDecodeError):
        return None
    call = first.get("call", {}) if isinstance(first, dict) and "tape" in first else None
    return call if isinstance(call, dict) else None


def entry(at: float, event: ev.Event, commands: list[ev.Command]) -> bytes:
    """One line of a tape."""
    return _dumps({"at": round(at, 6), "event": event, "commands": commands})


def _dumps(value: object) -> bytes:
    return orjson.dumps(
        value, _plain, orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
    )


def _plain(value: object) -> object:
    if isinstance(value, tuple):  # a word, most of all
        return list(value)
    reader = _READERS.get(type(value))
    if reader is not None:
        names, read = reader
        return dict(zip(names, read(value), strict=True))
    if isinstance(value, agent.Note):
        return {"_": "Note", "values": dict(value.values)}
    if isinstance(value, Mapping):
        return dict(value)
    return repr(value)


class TapeEntry(typing.NamedTuple):
    """One line of a tape, read back."""

    at: float
    event: ev.Event
    commands: list[ev.Command]


def read(lines: Iterable[bytes | str]) -> tuple[agent.Wording, Policy, Iterator[TapeEntry]]:
    """A tape, read back. Raises BadInput for what is not one."""
    rows = iter(lines)
    try:
        first = orjson.loads(next(rows, b""))
        if not isinstance(first, dict) or "tape" not in first:
            raise BadInput("this is not a call's tape")
        if first["tape"] != VERSION:
            raise BadInput(
                f"this tape has version {first['tape']}, and this telephony reads version {VERSION} only"
            )
        wording, policy = _revive(first["wording"]), _revive(first["policy"])
    except orjson.JSONDecodeError as error:
        raise BadInput("this is not a call's tape: its first line is not JSON") from error
    return wording, policy, (_entry(row) for row in rows)


def _entry(row: bytes | str) -> TapeEntry:
    value = orjson.loads(row)
    return TapeEntry(value["at"], _revive(value["event"]), [_revive(c) for c in value["commands"]])


def _revive(value: Any) -> Any:
    """The object that a line's JSON stands for."""
    if isinstance(value, dict) and "_" in value:
        if value["_"] == "Note":
            return agent.Note(**value["values"])
        cls = TYPES[value["_"]]
        hints = _hints(cls)
        return cls(**{k: hints[k](_revive(v)) for k, v in value.items() if k in hints})
    if isinstance(value, dict):
        return {k: _revive(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_revive(v) for v in value]
    return value


_cache: dict[type, dict[str, Callable[[Any], Any]]] = {}


def _hints(cls: type) -> dict[str, Callable[[Any], Any]]:
    """For each field, what turns JSON's lists back into the tuples they were."""
    if cls not in _cache:
        hints = typing.get_type_hints(cls)
        _cache[cls] = {f.name: _shape(hints[f.name]) for f in fields(cls)}
    return _cache[cls]


def _shape(hint: Any) -> Callable[[Any], Any]:
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        hint = next((a for a in typing.get_args(hint) if typing.get_origin(a) is tuple), hint)
    if typing.get_origin(hint) is not tuple:
        return lambda value: value
    if typing.get_args(hint)[0] is Word:
        return lambda value: None if value is None else tuple([Word(*w) for w in value])
    return lambda value: None if value is None else tuple(value)


def run_again(wording: agent.Wording, policy: Policy, entries: Iterable[TapeEntry]) -> list[list[ev.Command]]:
    """The commands that the conversation gives for these events now."""
    conversation = Conversation(wording, policy)
    return [conversation.receive(entry.event, entry.at) for entry in entries]
