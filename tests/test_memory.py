"""A call that is over is gone at once: nothing of it waits for the garbage collector."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telephony.call import call as calls
from telephony.simulator.network import Impairments
from telephony.testing.faults import NONE, Faults
from tests.real_line import running
from tests.twilio_side import until

PARTS = ("_conversation", "_inbound", "_outbound", "_listening", "_own_sound", "_tape", "_socket")


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Nothing is freed but by the last reference to it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[weakref.ref[Any]]:
    """Every call that begins, and what it is made of."""
    seen: list[weakref.ref[Any]] = []
    make = calls.Call.__init__

    def making(self: calls.Call, *arguments: Any) -> None:
        make(self, *arguments)
        seen.append(weakref.ref(self))
        seen.extend(weakref.ref(getattr(self, name)) for name in PARTS)

    monkeypatch.setattr(calls.Call, "__init__", making)
    return seen


@pytest.mark.parametrize(
    ("agent", "seconds", "faults", "options", "environ"),
    [
        ("flow_agents:Memory", 25.0, NONE, {}, {}),
        ("flow_agents:Memory", 2.0, NONE, {}, {}),
        ("flow_agents:Desk", 25.0, NONE, {}, {}),
        ("odd_agents:Failing", 25.0, NONE, {}, {}),
        ("flow_agents:Memory", 25.0, NONE, {}, {"RECORD": "on", "EAGER": "voice"}),
        ("flow_agents:Memory", 3.0, Faults(reset_after_s=1.0), {}, {}),
        ("flow_agents:Memory", 3.0, NONE, {"impairments": Impairments(drop_at_s=1.5)}, {}),
    ],
    ids=["agent ends", "caller ends", "transfer", "agent fails", "recorded", "speech resets", "line drops"],
)
async def test_a_finished_call_is_freed_without_a_collection(
    tmp_path: Path,
    parts: list[weakref.ref[Any]],
    no_collector: None,
    caplog: pytest.LogCaptureFixture,
    agent: str,
    seconds: float,
    faults: Faults,
    options: dict[str, Any],
    environ: dict[str, str],
) -> None:
    """However it ended."""
    # pytest would keep the agent's exception, with its frames
    caplog.set_level(logging.CRITICAL + 1, "telephony.reply.runner")
    async with running(tmp_path, AGENT=f"tests.{agent}", **environ) as server:
        server.flux.misbehave(faults)
        server.voice.misbehave(faults)
        await server.call(seconds, **options)
        assert len(parts) >= 1 + len(PARTS)
        await until(lambda: all(part() is None for part in parts))
