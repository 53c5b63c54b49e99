"""The client of the models that the settings name."""

from __future__ import annotations

from urllib.parse import urlsplit

import aiohttp

from telephony.config.settings import Settings
from telephony.llm.client import ChatClient
from telephony.llm.endpoints import ChatEndpoint, Deadlines


def endpoints_of(settings: Settings) -> tuple[ChatEndpoint, ...]:
    """The model and its fallback; none where no model is named."""
    if not settings.llm_url:
        return ()
    first = ChatEndpoint(settings.llm_url, settings.llm_model, settings.llm_api_key)
    if not settings.llm_fallback_model:
        return (first,)
    url, key = settings.llm_fallback_url or settings.llm_url, settings.llm_fallback_api_key
    if key is None and urlsplit(url)[:2] == urlsplit(settings.llm_url)[:2]:
        key = settings.llm_api_key  # a key goes to the server that it was given for, and to no other
    return first, ChatEndpoint(url, settings.llm_fallback_model, key, "LLM_FALLBACK_")


def deadlines_of(settings: Settings) -> Deadlines:
    """How long a model may take."""
    return Deadlines(
        hedge_s=settings.llm_hedge_seconds,
        first_token_s=settings.llm_first_token_seconds,
        between_s=settings.llm_between_tokens_seconds,
        total_s=settings.llm_total_seconds,
    )


def chat_client(settings: Settings, session: aiohttp.ClientSession | None = None) -> ChatClient:
    """The client of LLM_URL. Raises ValueError where none is set.

    `session`: see `open_session`; None: one of its own, which `ChatClient.close` closes.
    """
    return ChatClient(
        endpoints_of(settings),
        session,
        deadlines=deadlines_of(settings),
        max_tokens=settings.llm_max_tokens,
        options=settings.llm_options,
    )
