"""What the stand-in for chat completions can do wrong, by name. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class ChatFaults:
    """One request's faults. Tokens are counted from 0, seconds by the clock."""

    headers_s: float = 0.0
    """Before the status line."""
    first_token_s: float = 0.0
    """From the headers to the first token."""
    status: int = 200
    """Anything else is answered in place of a stream."""
    retry_after: str = ""
    location: str = ""
    body: str = ""
    """An error's message; with status 200 it is sent in place of a stream."""
    content_type: str = "application/json"
    refuses: tuple[str, ...] = ()
    """Fields of a request that are answered with `refuses_status`: unknown."""
    refuses_with: str = ""
    """The words for it; empty: the usual ones."""
    refuses_status: int = 400
    stall_after: int | None = None
    """Then nothing more comes, and the connection stays."""
    reset_after: int | None = None
    end_after: int | None = None
    """Then the body ends, as if it were complete."""
    garbage_after: int | None = None
    """Then an event comes that is not JSON."""
    truncated_after: int | None = None
    """Then half an event comes, and the body ends."""
    error_after: int | None = None
    """Then an `error` event comes."""
    empty: bool = False
    """A stream without events."""
    endless: bool = False
    """The answer is said again and again."""
    only_tool_calls: bool = False
    """Whatever is asked, a tool is called: the first that is offered."""
    without_done: bool = False
    """The body ends behind the finish reason."""
    stays_open: bool = False
    """Behind the finish reason nothing comes, not even the end."""
    not_http: bytes = b""
    """Sent in place of an answer."""
    ignores_stream: bool = False
    """The whole answer comes at once, as JSON."""


NONE = ChatFaults()

NAMED: Mapping[str, ChatFaults] = {
    "late": ChatFaults(first_token_s=3.0),
    "slow-headers": ChatFaults(headers_s=3.0),
    "stall": ChatFaults(stall_after=3),
    "401": ChatFaults(status=401),
    "403": ChatFaults(status=403),
    "404": ChatFaults(status=404),
    "429": ChatFaults(status=429, retry_after="1"),
    "500": ChatFaults(status=500),
    "503": ChatFaults(status=503),
    "reset": ChatFaults(reset_after=3),
    "garbage": ChatFaults(garbage_after=3),
    "truncated": ChatFaults(truncated_after=3),
    "error": ChatFaults(error_after=3),
    "cut": ChatFaults(end_after=3),
    "empty": ChatFaults(empty=True),
    "endless": ChatFaults(endless=True),
    "only-tool-calls": ChatFaults(only_tool_calls=True),
    "html": ChatFaults(content_type="text/html", body="<!doctype html><title>Sign in</title>"),
    "redirect": ChatFaults(status=307, location="/elsewhere"),
    "not-http": ChatFaults(not_http=b"\x16\x03\x01 what is this\r\n\r\n"),
    "no-done": ChatFaults(without_done=True),
    "stays-open": ChatFaults(stays_open=True),
    "whole": ChatFaults(ignores_stream=True),
    "no-stream-options": ChatFaults(refuses=("stream_options",)),
    "no-tools": ChatFaults(refuses=("tools",), refuses_with="this model does not support tools"),
}
"""Faults by name, as the command line takes them."""

_NUMBERED = {
    "late": "first_token_s",
    "slow-headers": "headers_s",
    "stall": "stall_after",
    "reset": "reset_after",
    "garbage": "garbage_after",
    "truncated": "truncated_after",
    "error": "error_after",
    "cut": "end_after",
}


def named_fault(text: str) -> ChatFaults:
    """`stall`, `stall:10` (after ten tokens), `late:0.7` (seconds), `429:5` (Retry-After).

    Raises ValueError(what is allowed).
    """
    name, _, amount = text.partition(":")
    fault = NAMED.get(name)
    if fault is None:
        raise ValueError(f"one of {', '.join(NAMED)}; {', '.join(_NUMBERED)} take a number: stall:10")
    if not amount:
        return fault
    field = _NUMBERED.get(name)
    if field is None:
        if name != "429":
            raise ValueError(f"{name} takes no number")
        return replace(fault, retry_after=amount)
    try:
        number = float(amount) if field.endswith("_s") else int(amount)
    except ValueError:
        raise ValueError(f"{name} takes a number, not {amount!r}") from None
    if not 0 <= number < float("inf"):
        raise ValueError(f"{name} takes a number from 0")
    return replace(fault, **{field: number})  # type: ignore[arg-type]
