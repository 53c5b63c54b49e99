"""The words of a chat-completions conversation: what is sent to a model and what comes back. PURE.

Shapes are those of OpenAI's chat-completions API, which hosted and local servers share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

ChatMessage: TypeAlias = Mapping[str, Any]
"""One message as the API takes it: `role`, `content`, `tool_calls` or `tool_call_id` where they belong."""

JsonSchema: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model is shown it."""

    name: str
    description: str
    parameters: JsonSchema


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request. What stays the same from turn to turn comes first, so that prompt caches hit."""

    messages: Sequence[ChatMessage]
    tools: Sequence[ToolSpec] = ()
    response_format: JsonSchema | None = None
    """A JSON schema that the answer must follow; None: free text."""
    max_tokens: int | None = None
    temperature: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields that only some servers know (`grammar`, `cache_prompt`), sent as they are."""


# ---- what a stream brings


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer's text, as it came."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A complete call of a tool; given once its last argument has come."""

    id: str
    name: str
    arguments: str
    """JSON as the model wrote it: to be checked."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further fields that the server wants to see again in the history, such as Gemini's `extra_content`."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request. Zero where the server does not say."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """How many of the prompt's tokens came out of the provider's cache."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The stream is complete."""

    reason: str
    """`stop`, `length`, `tool_calls`, `content_filter`; empty where the server ended without one."""
    usage: Usage
    model: str = ""
    """Which model answered, in the server's words."""


ChatPart: TypeAlias = TextDelta | ToolCall | Finished
"""What a stream yields: texts and tool calls in the order they came, then one `Finished`."""
