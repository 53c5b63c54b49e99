"""A chat request as JSON. PURE. What stays the same from turn to turn comes first."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from telephony.llm.chat import ChatRequest, ToolSpec

FORMATS = ("text", "json_object", "json_schema")
MAX_TOKENS, NEWER_MAX_TOKENS = "max_tokens", "max_completion_tokens"
OPTIONAL = (
    "stream_options",
    "temperature",
    "parallel_tool_calls",
    "cache_prompt",
    "seed",
    "reasoning_effort",
)
"""What a server may do without, when it does not know it."""
TOOLS = ("tools", "tool_choice", "parallel_tool_calls")
NO_TOOLS = re.compile(
    r"\b(?:not|n't) support (?:tool|function)"  # Ollama, of a model whose template has none
    r"|(?:tools?|function.calling|tool (?:use|calls?|calling)) (?:is|are) not (?:supported|available)"
    r"|requires? --(?:enable-auto-tool-choice|jinja)"  # vLLM and llama.cpp's server, started without them
    r"|no endpoints found that support tool"  # OpenRouter
)
"""How servers say that they, or a model, cannot call tools."""
UNKNOWN = (
    "unsupported",
    "not support",
    "unknown",
    "unrecognized",
    "unexpected",
    "not permitted",
    "extra_forbidden",
    "not allowed",
    "invalid",
)


def body_of(
    request: ChatRequest, model: str, max_tokens: int, options: Mapping[str, Any], without: Collection[str]
) -> dict[str, Any]:
    """The body of a streamed request.

    `max_tokens` counts where the request has none, `options` are fields for every request, `without` names
    fields that this server refuses.
    """
    body: dict[str, Any] = {"model": model}
    if request.tools:
        body["tools"] = [_tool(one) for one in request.tools]
    body["messages"] = list(request.messages)
    if request.response_format is not None:
        body["response_format"] = _format(request.response_format)
    if request.temperature is not None:
        body["temperature"] = request.temperature
    body |= {**options, **request.extra}
    limit = NEWER_MAX_TOKENS if MAX_TOKENS in without else MAX_TOKENS
    if not {MAX_TOKENS, NEWER_MAX_TOKENS} & body.keys() or request.max_tokens is not None:
        body[limit] = request.max_tokens or max_tokens
    body |= {"stream": True, "stream_options": {"include_usage": True}}
    return {name: value for name, value in body.items() if name == limit or name not in without}


def refused_fields(body: Mapping[str, Any], words: str) -> frozenset[str]:
    """The fields of a request that a server's refusal says it does not know, and that can be left out."""
    said = words.lower()
    if NEWER_MAX_TOKENS in said and MAX_TOKENS in body:
        return frozenset((MAX_TOKENS,))
    if "tools" in body and NO_TOOLS.search(said):
        return frozenset(name for name in TOOLS if name in body)
    if not any(word in said for word in UNKNOWN):
        return frozenset()
    return frozenset(name for name in OPTIONAL if name in body and name in said)


def _tool(spec: ToolSpec) -> dict[str, Any]:
    function = {"name": spec.name, "description": spec.description, "parameters": spec.parameters}
    return {"type": "function", "function": function}


def _format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON schema as `response_format` has it; what already is one stays."""
    if schema.get("type") in FORMATS:
        return dict(schema)
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
