"""Chat-completions chunks -> the parts of an answer. PURE.

Servers agree on the common case and differ in the rest: what they do otherwise is taken for what it means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from telephony.base.json_codec import dumps, loads
from telephony.errors import RemoteProtocolError
from telephony.llm.chat import ChatPart, Finished, TextDelta, ToolCall, Usage
from telephony.llm.sse import EventReader, ServerSentEvent
from telephony.llm.thoughts import ThoughtFilter

DONE = b"[DONE]"
MOST_TOOL_CALLS = 64
MOST_CHARACTERS = 200_000
"""Of an answer, arguments and thoughts included."""
MOST_TOKENS = 1 << 40
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
SAID = frozenset(("role", "content", "refusal", "tool_calls", "function_call"))
"""Fields of a delta that are given on. Others, such as `reasoning_content`, hold what a model thinks."""
CALLED = frozenset(("index", "id", "type", "function"))
"""Fields of a tool call that every server has."""


class ErrorEvent(RemoteProtocolError):
    """The server says within its stream that it failed. The message is the server's own."""


@dataclass(slots=True)
class _Call:
    """A tool call that is being written."""

    id: str = ""
    name: str = ""
    arguments: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Its arguments are JSON by now, so that what comes next is another call's."""
        try:
            return isinstance(loads(self.arguments), dict)
        except ValueError:
            return False


class ChunkReader:
    """Reads one streamed answer: bytes in, parts out, then one `Finished`.

    Raises RemoteProtocolError for what is not an answer, and ErrorEvent where the server says that it failed.
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        """`new_id` names a tool call whose server does not."""
        self.pieces = 0
        """Pieces of text, thoughts and tool calls so far: about as many tokens."""
        self.answered = False
        """Something to say or to do has begun to come; a thought is neither."""
        self.reason = ""
        """Why the model ended; empty: it has not, as far as the server says."""
        self.seen = False
        """There was an event."""
        self.done = False
        """The server says that nothing more comes."""
        self._new_id = new_id
        self._events = EventReader()
        self._thoughts = ThoughtFilter()
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._usage = Usage()
        self._model = ""
        self._characters = 0
        self.fault: RemoteProtocolError | None = None
        """What came behind the parts that were given on: reading ends here."""

    def feed(self, data: bytes) -> list[ChatPart]:
        """The parts that `data` completes."""
        return self._take(self._events.feed(data))

    def end(self) -> list[ChatPart]:
        """The last parts, `Finished` at the end: the connection is over, or `done` is true.

        Raises RemoteProtocolError when the answer is not complete.
        """
        parts = self._take(self._events.end()) if not self.done else []
        if not self.seen:
            raise RemoteProtocolError("an empty answer")
        if not self.done and not self.reason:
            raise RemoteProtocolError("the answer ended in the middle")
        return [*parts, *self._rest(), self._finished(self.reason)]

    def cut(self, reason: str) -> list[ChatPart]:
        """The last parts of an answer that is not read to its end, without incomplete tool calls."""
        self._calls = [one for one in self._calls if one.complete]
        return [*self._rest(), self._finished(self.reason or reason)]

    def whole(self, body: bytes) -> list[ChatPart]:
        """The parts of an answer that a server gave in one piece, although it was asked for a stream."""
        parts = self._chunk(body)
        if not self.reason and not self.answered:
            raise RemoteProtocolError("JSON that is not an answer")
        return [*parts, *self._rest(), self._finished(self.reason)]

    def _take(self, events: list[ServerSentEvent]) -> list[ChatPart]:
        """The parts of events. What was good before a fault is given on; the fault is raised after it."""
        parts: list[ChatPart] = []
        try:
            self._read(events, parts)
        except RemoteProtocolError as fault:
            if not parts:
                raise
            self.fault = fault
        return parts

    def _read(self, events: list[ServerSentEvent], parts: list[ChatPart]) -> None:
        for event in events:
            data = event.data.strip()
            if self.done or not data:
                continue
            self.seen = True
            if data == DONE:
                self.done = True
            else:
                parts += self._chunk(data, event.type == "error")

    def _chunk(self, data: bytes, error: bool = False) -> list[ChatPart]:
        chunk = _parsed(data)
        if error or chunk.get("error"):
            raise ErrorEvent(error_words(chunk))
        if isinstance(model := chunk.get("model"), str) and model:
            self._model = model
        if isinstance(used := _usage_of(chunk), dict):
            self._usage = read_usage(used)
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict) or choice.get("index") not in (0, None):
            return []
        delta = choice.get("delta") or choice.get("message")
        parts = self._delta(delta) if isinstance(delta, dict) else []
        if isinstance(reason := choice.get("finish_reason"), str) and reason:
            if reason == "error":
                raise ErrorEvent("the model failed")
            self.reason = "tool_calls" if reason == "function_call" else reason
            parts += self._rest()
        return parts

    def _delta(self, delta: Mapping[str, Any]) -> list[ChatPart]:
        text = delta.get("content")
        if len(delta) > 1 or not isinstance(text, str):
            text = self._odd_delta(delta)
        if not text:
            return []
        self._count(text)
        text = self._thoughts.feed(text)
        self.answered = self.answered or bool(text.strip())
        return [TextDelta(text)] if text else []

    def _odd_delta(self, delta: Mapping[str, Any]) -> str:
        """Whatever is more than text; gives the text."""
        for name, thought in delta.items():
            if name not in SAID and thought:
                self._count(_string(thought))
        for one in _list(delta.get("tool_calls")):
            self._piece(one)
        if isinstance(old := delta.get("function_call"), dict):
            self._piece({"index": 0, "function": old})
        return _text(delta.get("content")) or _text(delta.get("refusal"))

    def _piece(self, piece: Mapping[str, Any]) -> None:
        """A piece of a tool call."""
        function = piece.get("function")
        function = function if isinstance(function, dict) else {}
        id, name = _string(piece.get("id")), _string(function.get("name"))
        arguments = function.get("arguments")
        if isinstance(arguments, dict):  # not written as text
            arguments = dumps(arguments)
        arguments = _string(arguments)
        call = self._call_of(piece.get("index"), id, name)
        call.id = call.id or id
        if name and name != call.name:
            call.name += name
        call.arguments += arguments
        call.extra |= {key: value for key, value in piece.items() if key not in CALLED and value}
        self.answered = True
        self._count(name + arguments)

    def _call_of(self, index: object, id: str, name: str) -> _Call:
        """Which call a piece belongs to: by its index, and where that says nothing, by its id or name.

        There are servers that number every call 0, that give none a number, and that give each piece an id of
        its own: a name in it, then, begins a call.
        """
        number = index if isinstance(index, int) else None
        if number is not None:
            call = self._by_index.get(number)
        else:
            call = self._calls[-1] if self._calls else None
        if call is not None and name and (call.name or call.arguments):
            other = bool(id and call.id and id != call.id)
            if other or (not (id and id == call.id) and (number is None or call.complete)):
                call = None
        if call is None:
            if len(self._calls) >= MOST_TOOL_CALLS:
                raise RemoteProtocolError(f"more than {MOST_TOOL_CALLS} tool calls")
            call = _Call()
            self._calls.append(call)
            if number is not None:
                self._by_index[number] = call
        return call

    def _count(self, text: str) -> None:
        self.pieces += 1
        self._characters += len(text)
        if self._characters > MOST_CHARACTERS:
            raise RemoteProtocolError(f"an answer of more than {MOST_CHARACTERS} characters")

    def _rest(self) -> list[ChatPart]:
        """Text that was kept back, and the tool calls, in their order."""
        text = self._thoughts.end()
        calls = [
            ToolCall(one.id or self._new_id(), one.name, one.arguments or "{}", one.extra)
            for one in self._calls
        ]
        self._calls, self._by_index = [], {}
        return [*([TextDelta(text)] if text else []), *calls]

    def _finished(self, reason: str) -> Finished:
        return Finished(reason, self._usage, self._model)


def _parsed(data: bytes) -> dict[str, Any]:
    """A JSON object. A character that a server has cut in two, such as an emoji, is replaced."""
    try:
        chunk = loads(data)
    except ValueError:
        mended = SURROGATE.sub(rb"\\ufffd", data.decode("utf-8", "replace").encode())
        try:
            chunk = loads(mended)
        except ValueError:
            raise RemoteProtocolError("broken JSON") from None
    if not isinstance(chunk, dict):
        raise RemoteProtocolError("JSON that is not an object")
    return chunk


def error_words(body: Mapping[str, Any]) -> str:
    """A server's own words for what went wrong, out of the shapes that errors have; empty: none."""
    error = body.get("error") or body.get("detail") or body
    if isinstance(error, list):  # pydantic's: one a field
        error = error[0] if error else {}
    if isinstance(error, dict):
        said = error.get("message") or error.get("msg") or error.get("detail") or error.get("code") or ""
        place = error.get("loc")
        where = ".".join(map(str, place)) if isinstance(place, list) else ""
        return f"{where}: {said}" if where else str(said)
    return str(error)


def read_usage(used: Mapping[str, Any]) -> Usage:
    """Token counts, under the names that servers give them."""
    details = used.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return Usage(
        _tokens(used.get("prompt_tokens")),
        _tokens(used.get("completion_tokens")),
        _tokens(cached or used.get("prompt_cache_hit_tokens") or used.get("cached_tokens")),
    )


def _usage_of(chunk: Mapping[str, Any]) -> object:
    groq = chunk.get("x_groq")
    return chunk.get("usage") or (groq.get("usage") if isinstance(groq, dict) else None)


def _tokens(value: object) -> int:
    whole = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < MOST_TOKENS
    return int(value) if whole and isinstance(value, int | float) else 0


def _text(content: object) -> str:
    """Text as a string, or as a list of typed parts, of which some are thoughts."""
    if isinstance(content, list):
        return "".join(
            _string(one.get("text")) for one in content if isinstance(one, dict) and one.get("type") == "text"
        )
    return _string(content)


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _list(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
