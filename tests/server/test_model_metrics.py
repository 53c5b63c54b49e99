"""/metrics tells of models: requests, tokens, the first token's time, and why a fallback was asked."""

from __future__ import annotations

from contextlib import aclosing

from prometheus_client import CollectorRegistry, generate_latest

from telephony.llm.chat import ChatRequest
from telephony.llm.client import ChatClient, open_session
from telephony.llm.endpoints import ChatEndpoint, chat_url
from telephony.server.model_metrics import ModelMetrics
from telephony.testing.fake_chat import FakeChat
from telephony.testing.fake_chat_faults import NAMED, NONE
from telephony.testing.fake_chat_script import always


async def test_what_turns_asked_of_models_is_counted() -> None:
    registry = CollectorRegistry()
    first = FakeChat(always("one two"), faults=[NAMED["500"], NONE], pace_s=0.05)
    async with first as one, FakeChat(always("three")) as two:
        async with open_session() as session:
            client = ChatClient([ChatEndpoint(chat_url(model.url), "m") for model in (one, two)], session)
            ModelMetrics(client, registry)
            request = ChatRequest([{"role": "user", "content": "hi"}])
            for _ in range(2):
                async for _ in client.stream(request):
                    pass
            async with aclosing(client.stream(request)) as parts:
                await anext(parts)
    text = generate_latest(registry).decode()
    for line in (
        "voice_llm_requests_total 4.0",
        "voice_llm_failures_total 0.0",
        "voice_llm_hung_up_total 1.0",
        'voice_llm_fallbacks_total{reason="failed"} 1.0',
        'voice_llm_fallbacks_total{reason="late"} 0.0',
        'voice_llm_tokens_total{kind="completion"} 3.0',
        "voice_llm_first_token_seconds_count 3.0",
    ):
        assert line in text
