"""Whether calls wait for listening that is down, in Prometheus's words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from telephony.deepgram.breaker import Breaker


class BreakerMetrics(Collector):
    """One process's circuit breaker of listening. It is read in the event loop."""

    def __init__(self, breaker: Breaker, registry: CollectorRegistry) -> None:
        self._breaker = breaker
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        is_open = self._breaker.is_open(asyncio.get_running_loop().time())
        yield GaugeMetricFamily(
            "voice_stt_circuit_open", "1: listening is down, and calls take turns to try it", int(is_open)
        )
        yield CounterMetricFamily(
            "voice_stt_circuit_opened", "Times that listening was found to be down", self._breaker.opened
        )
