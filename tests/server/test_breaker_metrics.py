"""What /readyz and /metrics say of listening that is down."""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry, generate_latest

from telephony.deepgram.breaker import FAILURES, Breaker
from telephony.server.breaker_metrics import BreakerMetrics
from telephony.server.speech_health import breaker_check


async def test_an_open_circuit_is_told() -> None:
    breaker, registry = Breaker(), CollectorRegistry()
    BreakerMetrics(breaker, registry)
    check = breaker_check(breaker)
    assert await check() == ""
    assert b"voice_stt_circuit_open 0.0" in generate_latest(registry)
    for _ in range(FAILURES):
        breaker.failed(asyncio.get_running_loop().time())
    assert "the circuit is open after 5 failed connections" in await check()
    text = generate_latest(registry)
    assert b"voice_stt_circuit_open 1.0" in text
    assert b"voice_stt_circuit_opened_total 1.0" in text
    breaker.worked()
    assert await check() == ""
    assert b"voice_stt_circuit_open 0.0" in generate_latest(registry)
