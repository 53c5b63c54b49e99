"""The settings of a model: what they come to, and what is refused."""

from __future__ import annotations

import pytest

from telephony.config.settings import Settings
from telephony.errors import BadSetting
from telephony.llm.endpoints import Deadlines, chat_url
from telephony.llm.from_settings import chat_client, deadlines_of, endpoints_of

BOTH = {"LLM_URL": "http://127.0.0.1:11434", "LLM_MODEL": "llama3.2"}


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://api.openai.com", "https://api.openai.com/v1/chat/completions"),
        ("https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1/chat/completions"),
        ("https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1/chat/completions"),
        ("https://api.perplexity.ai/chat/completions/", "https://api.perplexity.ai/chat/completions"),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1/chat/completions"),
        ("https://api.groq.com/openai/v1", "https://api.groq.com/openai/v1/chat/completions"),
        ("https://open.bigmodel.cn/api/paas/v4", "https://open.bigmodel.cn/api/paas/v4/chat/completions"),
        (
            "https://generativelanguage.googleapis.com/v1beta/openai/",
            "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
        ),
        (
            "https://us.openai.azure.com/openai/deployments/gpt?api-version=2024-10-21",
            "https://us.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2024-10-21",
        ),
        ("http://[::1]:8000", "http://[::1]:8000/v1/chat/completions"),
        ("http://gpu:8000/llama", "http://gpu:8000/llama/v1/chat/completions"),
    ],
)
def test_an_address_may_be_given_with_or_without_its_path(given: str, url: str) -> None:
    assert chat_url(given) == url
    assert chat_url(url) == url
    assert Settings.load({**BOTH, "LLM_URL": given}).llm_url == url


@pytest.mark.parametrize(
    "given",
    ["api.openai.com", "ftp://host/v1", "https://", "http://host:0", "http://host:99999", "http://a b/v1",
     "https://user:pass@host/v1", "https://host/v1#x", "http://127.0.0.1:11434/api/chat",
     "https://api.openai.com/v1/completions", "https://api.openai.com/v1/responses", "wss://host"],
)  # fmt: skip
def test_what_is_no_such_address_is_refused(given: str) -> None:
    with pytest.raises(BadSetting, match="LLM_URL="):
        Settings.load({**BOTH, "LLM_URL": given})


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"AGENT": "llm"}, "AGENT='llm' cannot be used: it needs LLM_URL"),
        ({"AGENT": "llm", "LLM_MODEL": "m"}, "LLM_MODEL='m' cannot be used: it needs LLM_URL"),
        ({"LLM_URL": "http://h"}, "LLM_URL='http://h' cannot be used: it needs LLM_MODEL"),
        ({"LLM_FALLBACK_MODEL": "m"}, "LLM_FALLBACK_MODEL='m' cannot be used: it needs LLM_URL"),
        (
            {**BOTH, "LLM_FALLBACK_URL": "http://h"},
            "LLM_FALLBACK_URL='http://h' cannot be used: it needs LLM_FALLBACK_MODEL",
        ),
        ({**BOTH, "LLM_OPTIONS": "warm"}, "LLM_OPTIONS='warm' cannot be used: must be a JSON object"),
        ({**BOTH, "LLM_OPTIONS": '{"stream": false}'}, "LLM_OPTIONS=.* stream is set by the server"),
        ({**BOTH, "LLM_API_KEY": "a b"}, r"LLM_API_KEY='\*\*\*\* \(3 characters\)' cannot be used"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_one_line(given: dict[str, str], line: str) -> None:
    with pytest.raises(BadSetting, match=line):
        Settings.load(given)


def test_what_may_be_secret_in_an_address_is_not_shown() -> None:
    for given in (
        "https://user:hidden@host/v1",
        "https://user:p@hidden@host/v1",
        "https://host/models?key=hidden",
    ):
        with pytest.raises(BadSetting) as refused:
            Settings.load({**BOTH, "LLM_URL": given})
        assert "hidden" not in str(refused.value)
        assert "host" in str(refused.value)
    with pytest.raises(BadSetting) as refused:
        Settings.load({"LLM_URL": "https://host/v1?key=hidden"})
    assert "hidden" not in str(refused.value)


def test_without_an_address_there_is_no_model() -> None:
    assert endpoints_of(Settings.load({})) == ()


def test_the_fallback_may_be_another_model_of_the_same_server() -> None:
    found = Settings.load({**BOTH, "LLM_API_KEY": "key", "LLM_FALLBACK_MODEL": "tiny"})
    first, second = endpoints_of(found)
    assert second.url == first.url
    assert second.api_key == first.api_key
    assert (first.model, second.model) == ("llama3.2", "tiny")


def test_a_key_goes_to_its_own_server_only() -> None:
    more = {"LLM_API_KEY": "key", "LLM_FALLBACK_MODEL": "tiny", "LLM_FALLBACK_URL": "https://other.example"}
    _, second = endpoints_of(Settings.load({**BOTH, **more}))
    assert second.api_key is None
    _, second = endpoints_of(Settings.load({**BOTH, **more, "LLM_FALLBACK_API_KEY": "its-own"}))
    assert second.api_key is not None
    assert second.api_key.reveal() == "its-own"


def test_what_an_endpoint_is_called_shows_no_query() -> None:
    (first,) = endpoints_of(Settings.load({**BOTH, "LLM_URL": "https://host/v1?key=hidden"}))
    assert first.where == "LLM_URL=https://host/v1"
    assert first.models_url == "https://host/v1/models?key=hidden"


def test_the_deadlines_of_the_settings_are_those_of_the_client() -> None:
    assert deadlines_of(Settings.load({})) == Deadlines()
    given = {"LLM_HEDGE_SECONDS": "0.5", "LLM_FIRST_TOKEN_SECONDS": "8", "LLM_BETWEEN_TOKENS_SECONDS": "2",
             "LLM_TOTAL_SECONDS": "20"}  # fmt: skip
    client = chat_client(Settings.load({**BOTH, **given}))
    assert client.deadlines == Deadlines(hedge_s=0.5, first_token_s=8.0, between_s=2.0, total_s=20.0)
