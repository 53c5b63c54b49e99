"""A call that is over is gone at once: nothing of it waits for the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telephony.call.call import Call
from telephony.call.inbound import Inbound
from telephony.call.outbound import Outbound
from telephony.carrier.media_stream import ServerStream
from telephony.carrier.websocket import FrameSocket
from telephony.carrier.writer import CarrierWriter
from telephony.conversation.acoustic_echo import OwnSound
from telephony.conversation.conversation import Conversation
from telephony.listen.connection import FluxConnection
from telephony.record.store import TapeWriter
from telephony.simulator.network import Impairments
from telephony.testing.faults import NONE, Faults
from tests.real_line import Running, running, until_turns
from tests.twilio_side import until

pytestmark = pytest.mark.slow

PARTS = (
    Call,
    Conversation,
    Inbound,
    Outbound,
    FluxConnection,
    OwnSound,
    CarrierWriter,
    TapeWriter,
    ServerStream,
    FrameSocket,
)
"""A call, and what is made for it alone."""


def parts_that_live() -> list[Any]:
    """In this process; other tests may have left some."""
    return [found for found in gc.get_objects() if issubclass(type(found), PARTS)]


async def parts_of(server: Running) -> list[weakref.ref[Any]]:
    """All parts of the call that begins, by references that keep none of them."""
    before = parts_that_live()
    known = set(map(id, before))
    await until_turns(server, 1)
    parts = [weakref.ref(part) for part in parts_that_live() if id(part) not in known]
    assert all(any(isinstance(part(), kind) for part in parts) for kind in PARTS)
    return parts


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Nothing is freed but by the last reference to it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


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
        watching = asyncio.create_task(parts_of(server))
        await server.call(seconds, **options)
        parts = await watching
        await until(lambda: all(part() is None for part in parts))
