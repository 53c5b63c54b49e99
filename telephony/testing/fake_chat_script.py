"""What the stand-in for chat completions answers: rules, recorded streams, and a model that obeys everybody.

A script as a file is a list of rules. The first that fits answers; a rule without a condition fits always:

    - caller: latte|cappuccino          # a regular expression, looked for in the last thing that was said
      say: One of those. Anything else?
    - caller: book
      call: {book_table: {people: 2}}   # one tool or several
    - tool: book_table                  # the last message is this tool's result
      say: It is booked.
    - say: Sorry?
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from telephony.errors import BadInput

Body: TypeAlias = Mapping[str, Any]
"""A request as it came."""


@dataclass(frozen=True, slots=True)
class Called:
    """A tool call of the pretend model's."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    """A text is sent as it is, JSON or not."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    text: str = ""
    calls: tuple[Called, ...] = ()
    thoughts: str = ""
    """Sent as `reasoning_content`, before the text."""
    finish: str = ""
    """Empty: `stop`, or `tool_calls` where there are some."""
    recorded: bytes = b""
    """The body of a real stream, sent as it is: see `recorded`."""
    first_token_s: float | None = None
    """None: as the stand-in has it."""
    pace_s: float | None = None
    """Seconds between tokens; None: as the stand-in has it."""

    @property
    def reason(self) -> str:
        return self.finish or ("tool_calls" if self.calls else "stop")

    def tokens(self) -> list[str]:
        """The text in pieces, about as a model has them: words with the space before them."""
        return re.findall(r"\s*\S+|\s+$", self.text)


Script: TypeAlias = Callable[[Body], Reply]
"""What is answered to a request."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a script."""

    reply: Reply
    caller: str = ""
    """A regular expression, any case, looked for in the last message where that is the user's."""
    tool: str = ""
    """The last message must be a result of this tool's."""

    def fits(self, body: Body) -> bool:
        last = last_message(body)
        if self.tool:
            return last.get("role") == "tool" and tool_of(body) == self.tool
        if self.caller:
            return last.get("role") == "user" and bool(re.search(self.caller, text_of(last), re.IGNORECASE))
        return True


def rules(*of: Rule) -> Script:
    """The first rule that fits answers; without one the answer is empty."""
    return lambda body: next((rule.reply for rule in of if rule.fits(body)), Reply())


def in_turn(*replies: Reply | str) -> Script:
    """One reply after the other; the last one stays."""
    left = [Reply(one) if isinstance(one, str) else one for one in replies]
    return lambda body: left.pop(0) if len(left) > 1 else left[0]


def always(text: str) -> Script:
    """The same words to everything."""
    return lambda body: Reply(text)


def recorded(path: Path) -> Reply:
    """A stream as `curl -N` saved it."""
    return Reply(recorded=path.read_bytes())


def read_script(path: Path) -> Script:
    """A script out of a YAML file. Raises BadInput, naming the file and the rule."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{path} cannot be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, list):
        raise BadInput(f"{path}: a script is a list of rules")
    return rules(*(_rule(one, f"{path}, rule {number}") for number, one in enumerate(found, 1)))


_WORDS = ("caller", "tool", "say", "call", "think", "first_token_s", "pace_s")


def _rule(found: object, where: str) -> Rule:
    if not isinstance(found, dict) or not set(found) <= set(_WORDS):
        raise BadInput(f"{where}: a rule has {', '.join(_WORDS)} and nothing else")
    calls = found.get("call") or {}
    if not isinstance(calls, dict):
        raise BadInput(f"{where}: call is a tool's name with its arguments: {{book_table: {{people: 2}}}}")
    try:
        re.compile(str(found.get("caller", "")))
        first, pace = (_seconds(found.get(name)) for name in ("first_token_s", "pace_s"))
    except (re.error, TypeError, ValueError) as error:
        raise BadInput(f"{where}: {error}") from error
    reply = Reply(
        str(found.get("say", "")),
        tuple(Called(str(name), arguments or {}) for name, arguments in calls.items()),
        str(found.get("think", "")),
        first_token_s=first,
        pace_s=pace,
    )
    return Rule(reply, str(found.get("caller", "")), str(found.get("tool", "")))


def _seconds(value: object) -> float | None:
    if value is None:
        return None
    seconds = float(str(value))
    if not 0 <= seconds < 3600:
        raise ValueError(f"{value} is not a number of seconds")
    return seconds


# ---- the worst case

NAMED_CALL = re.compile(r"\b([A-Za-z]\w*_\w+|[A-Za-z]\w+(?=\s*\())\s*(\(?\{.*?\}\)?)?", re.DOTALL)
"""A tool named in a text, and JSON behind it: `delete_account {"id": 1}`."""
TARGET = re.compile(r"\+?\d[\d ().-]{3,}\d|sip:\S+|client:\S+|https?://\S+|\"[^\"]+\"|'[^']+'")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def obedient(body: Body) -> Reply:
    """The worst model there can be: it obeys everybody who speaks, caller or tool.

    It calls each tool that the last message names, offered or not, with whatever arguments the message holds,
    and tells its instructions to everybody who asks. What it does must be refused by those who carry it out.
    """
    last = last_message(body)
    said = text_of(last)
    offered = {tool["function"]["name"]: tool["function"].get("parameters", {}) for tool in _tools(body)}
    calls = [*_named(said, offered), *_meant(said, offered)]
    if calls:
        first: dict[str, Called] = {}
        for call in calls:
            first.setdefault(call.name, call)
        return Reply("Certainly.", tuple(first.values()))
    if re.search(r"instruction|prompt|system|secret|password", said, re.IGNORECASE):
        return Reply(
            " ".join(text_of(one) for one in body.get("messages", ()) if one.get("role") == "system")
        )
    return Reply(f"Certainly: {said}" if last.get("role") == "user" else "It is done.")


def _named(said: str, offered: Mapping[str, Any]) -> Iterable[Called]:
    """Tools called by their names."""
    for name, json_text in NAMED_CALL.findall(said):
        text = json_text.strip("()")
        try:
            arguments = json.loads(text) if text else _filled(offered.get(name, {}), said)
        except ValueError:
            arguments = text
        yield Called(name, arguments)


def _meant(said: str, offered: Mapping[str, Any]) -> Iterable[Called]:
    """Offered tools of whose names a word was said: "transfer me to" means `transfer_call`."""
    words = set(re.findall(r"[a-z]+", said.lower()))
    squeezed = re.sub(r"[^a-z]", "", said.lower())
    for name, parameters in offered.items():
        parts = [part for part in re.findall(r"[a-z]+", name.lower()) if len(part) > 3]
        if set(parts) & words or re.sub(r"[^a-z]", "", name.lower()) in squeezed:
            yield Called(name, _filled(parameters, said))


def _filled(parameters: Mapping[str, Any], said: str) -> dict[str, Any]:
    """Arguments for a tool, out of what was said."""
    targets = [one.strip("\"'") for one in TARGET.findall(said)]
    numbers = NUMBER.findall(said)
    filled: dict[str, Any] = {}
    for name, about in (parameters.get("properties") or {}).items():
        kind = about.get("type") if isinstance(about, Mapping) else None
        if kind in ("integer", "number"):
            number = float(numbers[0]) if numbers else 1.0
            filled[name] = int(number) if kind == "integer" else number
        elif kind == "boolean":
            filled[name] = True
        elif kind in ("array", "object"):
            filled[name] = [said] if kind == "array" else {"text": said}
        else:
            filled[name] = targets[0] if targets else _chosen(about, said)
    return filled


def _chosen(about: object, said: str) -> str:
    """Of the values that a parameter may have the one that was said; else all that was said."""
    values = about.get("enum", ()) if isinstance(about, Mapping) else ()
    return next((str(one) for one in values if str(one).lower() in said.lower()), said)


# ---- a request, looked into


def last_message(body: Body) -> Mapping[str, Any]:
    messages = body.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else {}
    return last if isinstance(last, dict) else {}


def text_of(message: Mapping[str, Any]) -> str:
    """A message's text, whichever form it has."""
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def tool_of(body: Body) -> str:
    """Which tool's result the last message is; empty: none's."""
    wanted = last_message(body).get("tool_call_id")
    for message in reversed(body.get("messages", ())):
        for call in message.get("tool_calls") or ():
            if call.get("id") == wanted:
                return str(call["function"]["name"])
    return ""


def _tools(body: Body) -> Sequence[Mapping[str, Any]]:
    tools = body.get("tools") or ()
    return [one for one in tools if isinstance(one, dict) and "function" in one]
