"""What turns ask of language models, in Prometheus's words."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from telephony.llm.client import ChatClient

FIRST_TOKEN_S = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0)


class ModelMetrics(Collector):
    """The counts of one process's client, as `/metrics` shows them."""

    def __init__(self, client: ChatClient, registry: CollectorRegistry) -> None:
        self._counts = client.counts
        first_token = Histogram(
            "voice_llm_first_token_seconds",
            "From a turn's request to the model's first token, by whichever endpoint",
            buckets=FIRST_TOKEN_S,
            registry=registry,
        )
        client.on_first_token = first_token.observe
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        counts = self._counts
        yield CounterMetricFamily("voice_llm_requests", "Requests to models", counts.requests)
        yield CounterMetricFamily("voice_llm_retries", "Requests that were made again", counts.retries)
        yield CounterMetricFamily("voice_llm_failures", "Turns that no model answered", counts.failed)
        yield CounterMetricFamily(
            "voice_llm_hung_up", "Answers that were hung up on, since nobody would hear them", counts.cut
        )
        asked = CounterMetricFamily(
            "voice_llm_fallbacks", "Times the fallback was asked, and why", labels=("reason",)
        )
        asked.add_metric(("late",), counts.hedges)
        asked.add_metric(("failed",), counts.fallovers)
        yield asked
        tokens = CounterMetricFamily(
            "voice_llm_tokens", "Tokens of complete answers, as servers count them", labels=("kind",)
        )
        tokens.add_metric(("prompt",), counts.prompt_tokens)
        tokens.add_metric(("cached",), counts.cached_tokens)
        tokens.add_metric(("completion",), counts.completion_tokens)
        yield tokens
