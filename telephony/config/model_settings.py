"""The settings of language models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telephony.config.kinds import budget, fields_of_json, model_url, number, path, secret, text, texts, whole
from telephony.config.secret import Secret
from telephony.config.setting import setting, short
from telephony.errors import BadSetting


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """AGENT=llm, its tools and its limits."""

    llm_url: str = setting(
        model_url(),
        "",
        "the language model of `AGENT=llm`: a chat-completions server, `https://host/v1` or"
        " `http://127.0.0.1:11434`",
    )
    llm_api_key: Secret | None = setting(secret(), "", "API key of LLM_URL, if it needs one")
    llm_model: str = setting(text(), "", "name of the model, as its server knows it")
    llm_prompt: str = setting(text(), "", "system prompt: a file, or the text itself")
    llm_fallback_url: str = setting(
        model_url(), "", "a second server, asked when the first is late or fails. Unset: LLM_URL"
    )
    llm_fallback_model: str = setting(text(), "", "model to ask when the first is late or fails. Unset: none")
    llm_fallback_api_key: Secret | None = setting(
        secret(), "", "API key of LLM_FALLBACK_URL. Unset: LLM_API_KEY if the server is the same"
    )
    llm_hedge_seconds: float = setting(
        number(0.05, 60), "1", "seconds without a first token after which the fallback is asked as well"
    )
    llm_first_token_seconds: float = setting(
        number(0.1, 300), "4", "maximum seconds until the first token, including a retry and the fallback"
    )
    llm_between_tokens_seconds: float = setting(number(0.1, 300), "3", "maximum seconds between two tokens")
    llm_total_seconds: float = setting(number(1, 3600), "20", "maximum seconds that one answer may take")
    llm_max_tokens: int = setting(whole(1, 100_000), "600", "maximum length of an answer, in tokens")
    llm_context_tokens: int = setting(
        whole(1000, 10_000_000),
        "16000",
        "tokens that the model can take, prompt and answer together; longer calls are summarised",
    )
    llm_options: dict[str, Any] = setting(
        fields_of_json(),
        "",
        'more fields for every request, as JSON: `{"temperature": 0.3, "reasoning_effort": "none"}`',
    )
    llm_tools: tuple[str, ...] = setting(
        texts(100),
        "",
        "Python functions that the model may call: `package.module:function`, or `package.module` for every"
        " function in it that `@tool` marks; comma separated",
    )
    mcp_servers: Path | None = setting(
        path(optional=True),
        "",
        'JSON or YAML file of MCP servers whose tools the model may call: `{"mcpServers": {"name":'
        ' {"command": ..., "args": [...]}, "other": {"url": ...}}}`',
    )
    llm_budget: dict[str, float] = setting(
        budget(tool_calls=(0, 60), tokens=(1, 1_000_000), minutes=(0.1, 60), rounds=(1, 5)),
        "tool_calls=60, tokens=1000000, minutes=60, rounds=5",
        "what one call may use of the model; `rounds` is how often it may call tools in one turn",
    )
    after_call: str = setting(
        text(),
        "",
        "pydantic model, `package.module:Name`, that the language model fills in when a call is over, with a"
        " summary; it goes into the call's record",
    )


def check_model(settings: ModelSettings, agent: str, given: Mapping[str, str]) -> None:
    """A model is an address and a name; the fallback's address may be the first one's. Raises BadSetting."""
    wants = "AGENT" if agent == "llm" else "LLM_FALLBACK_MODEL" if settings.llm_fallback_model else ""
    for one, other in (("LLM_URL", "LLM_MODEL"), ("LLM_MODEL", "LLM_URL"), (wants, "LLM_URL")):
        if one in given and other not in given:
            raise BadSetting(one, short(given[one]), f"it needs {other}")
    if settings.llm_fallback_url and not settings.llm_fallback_model:
        shown = short(given["LLM_FALLBACK_URL"])
        raise BadSetting("LLM_FALLBACK_URL", shown, "it needs LLM_FALLBACK_MODEL")
    reserved = sorted(
        {"model", "messages", "tools", "stream", "stream_options"} & settings.llm_options.keys()
    )
    if reserved:
        raise BadSetting("LLM_OPTIONS", short(given["LLM_OPTIONS"]), f"{reserved[0]} is set by the server")
    if settings.after_call and not settings.llm_url:
        raise BadSetting("AFTER_CALL", settings.after_call, "it needs LLM_URL")
