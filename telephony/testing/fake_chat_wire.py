"""What a chat-completions server puts on the wire: chunks, whole answers, errors, token counts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiohttp import web

from telephony.testing.fake_chat_script import Called, Reply

MODEL = "stand-in"
REMEMBERED = 32
"""Requests among which a prompt's beginning is looked for, as a provider's cache does it."""


class PromptCounts:
    """The prompts of late, as a provider's cache has them."""

    def __init__(self) -> None:
        self._prompts: list[list[str]] = []

    def usage(self, body: Mapping[str, Any], reply: Reply) -> dict[str, Any]:
        """Token counts: a word is one. Cached is what an earlier request began with, too."""
        words = json.dumps([body.get("tools"), body["messages"]]).split()
        cached = max((_common(words, other) for other in self._prompts), default=0)
        self._prompts = [*self._prompts[1 - REMEMBERED :], words]
        completion = sum(1 for _ in deltas(reply, with_role=False))
        return {
            "prompt_tokens": len(words),
            "completion_tokens": completion,
            "total_tokens": len(words) + completion,
            "prompt_tokens_details": {"cached_tokens": cached},
        }


def refusal(status: int, message: str, code: str, headers: dict[str, str] | None = None) -> web.Response:
    """An error as the API has it."""
    error = {"message": message, "type": code, "param": None, "code": code}
    return web.json_response({"error": error}, status=status, headers=headers)


def event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


def chunk(body: dict[str, Any], delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    """One chunk of a stream."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return {
        "id": "chatcmpl-standin",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": str(body.get("model") or MODEL),
        "choices": [choice],
    }


def deltas(reply: Reply, *, with_role: bool) -> Iterable[dict[str, Any]]:
    """An answer in pieces: thoughts, text, then each tool call with its arguments in pieces."""
    role: dict[str, Any] = {"role": "assistant"} if with_role else {}
    for word in Reply(reply.thoughts).tokens():
        yield {**role, "reasoning_content": word}
        role = {}
    for word in reply.tokens():
        yield {**role, "content": word}
        role = {}
    for index, call in enumerate(reply.calls):
        function = {"name": call.name, "arguments": ""}
        named = {"index": index, "id": _id(call, index), "type": "function", "function": function}
        yield {**role, "content": None, "tool_calls": [named]}
        role = {}
        for piece in _pieces(_arguments(call)):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def whole(body: dict[str, Any], reply: Reply, usage: dict[str, Any]) -> dict[str, Any]:
    """An answer that is not streamed."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
    if reply.thoughts:
        message["reasoning_content"] = reply.thoughts
    if reply.calls:
        message["tool_calls"] = [
            {
                "id": _id(call, index),
                "type": "function",
                "function": {"name": call.name, "arguments": _arguments(call)},
            }
            for index, call in enumerate(reply.calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": reply.reason}
    answer = chunk(body, {})
    return {**answer, "object": "chat.completion", "choices": [choice], "usage": usage}


def first_tool(body: dict[str, Any]) -> Called:
    tools = body.get("tools")
    first = tools[0] if isinstance(tools, list) and tools else {"function": {"name": "nothing"}}
    return Called(first["function"]["name"])


def _id(call: Called, index: int) -> str:
    return f"call_{call.name}_{index}_{time.monotonic_ns()}"


def _arguments(call: Called) -> str:
    return call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)


def _pieces(text: str, size: int = 5) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words two prompts have in common at their beginning."""
    return next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
