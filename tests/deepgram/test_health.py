"""Readiness knows that nobody can be heard: from calls, and from a look that costs little."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from telephony.deepgram.health import BAD_S, FAILURES, GOOD_S, REMEMBERED_S, Health
from telephony.listen.deepgram import FluxClient
from telephony.speak.deepgram import VoiceClient
from telephony.testing.faults import Faults, RefusalFault
from tests.real_line import Running, running
from tests.twilio_side import until


def test_what_calls_meet_is_believed_for_a_while() -> None:
    """One failure is an accident; two in a row are none; one that goes well ends it."""
    health = Health("listening")
    health.worked(0.0)
    health.failed("refused", 1.0)
    assert not health.trouble(1.0)
    for _ in range(FAILURES):
        health.failed("refused", 2.0)
    assert health.trouble(2.0) == "listening: refused"
    health.looked("", 3.0)
    assert health.trouble(3.0), "a look may find in order what calls find broken"
    assert not health.trouble(2.0 + REMEMBERED_S)
    health.failed("refused", 30.0)
    assert health.trouble(30.0)
    health.worked(31.0)
    assert not health.trouble(31.0)


def test_a_look_is_made_seldom() -> None:
    """Not while calls go well; what is broken more often than what is not."""
    health = Health("listening")
    assert health.wants_look(0.0)
    health.looked("", 0.0)
    assert not health.wants_look(GOOD_S - 1) and health.wants_look(GOOD_S)
    health.worked(GOOD_S)
    assert not health.wants_look(2 * GOOD_S - 1)
    health.looked("refuses", 100.0)
    assert health.trouble(100.0) == "listening: refuses"
    assert not health.wants_look(100.0 + BAD_S - 0.1) and health.wants_look(100.0 + BAD_S)


async def readiness(server: Running, later_s: float = 60.0) -> dict[str, Any]:
    """What /readyz says, to somebody who asks so much later than the last one."""
    checks, health = server.state.readiness, clients(server)
    before, checks.clock = checks.clock, lambda: before() + later_s
    for one in health:
        one.looked_at = None if one.looked_at is None else one.looked_at - later_s
        one.good_at = None if one.good_at is None else one.good_at - later_s
    async with aiohttp.ClientSession() as client, client.get(f"{server.url}/readyz") as response:
        state: dict[str, Any] = await response.json()
        assert (response.status == 200) is state["ready"]
        return state


def clients(server: Running) -> tuple[Health, Health]:
    resources = server.answers.resources_for({})
    assert isinstance(resources.listen, FluxClient) and isinstance(resources.speak, VoiceClient)
    return resources.listen.health, resources.speak.health


async def test_a_speech_service_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Before any call has met it; both sides."""
    async with running(tmp_path) as server:
        assert (await readiness(server))["ready"]
        await server.flux.close()
        state = await readiness(server)
        assert not state["ready"] and state["free"] > 0
        assert "nobody can be heard: cannot be reached" in state["reasons"][0]
        assert "nothing can be said: cannot be reached" in state["reasons"][0]


@pytest.mark.parametrize("status", [401, 402, 403, 500, 503])
async def test_a_speech_service_that_refuses_is_told_until_it_takes_calls_again(
    tmp_path: Path, status: int
) -> None:
    async with running(tmp_path) as server:
        server.flux.misbehave(Faults(refuse=RefusalFault(status)))
        assert f"refuses with {status}" in (await readiness(server))["reasons"][0]
        server.flux.misbehave(Faults())
        assert (await readiness(server))["ready"]


async def test_one_that_is_busy_is_there(tmp_path: Path) -> None:
    """429: other calls of ours, or of our account, have what it grants."""
    async with running(tmp_path) as server:
        server.flux.misbehave(Faults(refuse=RefusalFault(429)))
        assert (await readiness(server))["ready"]


async def test_calls_that_are_refused_are_told_at_once(tmp_path: Path) -> None:
    """Though the last look was good, and nobody has looked since."""
    async with running(tmp_path, AGENT="tests.flow_agents:Memory") as server:
        assert (await readiness(server))["ready"]
        server.flux.misbehave(Faults(refuse=RefusalFault(500)))
        calling = asyncio.create_task(server.call(3.0))
        await until(lambda: clients(server)[0].failures >= FAILURES)
        state = await readiness(server, later_s=4.0)
        assert not state["ready"] and "500" in state["reasons"][0]
        await calling


async def test_many_who_ask_cost_the_service_one_look(tmp_path: Path) -> None:
    """A hundred at once, and a hundred one after the other: one handshake."""
    async with running(tmp_path) as server:
        clients(server)[0].looked_at = clients(server)[0].good_at = None
        before = len(server.flux.sessions)
        async with aiohttp.ClientSession() as client:

            async def ask() -> int:
                async with client.get(f"{server.url}/readyz") as response:
                    return response.status

            assert set(await asyncio.gather(*(ask() for _ in range(100)))) == {200}
            assert {await ask() for _ in range(100)} == {200}
        assert len(server.flux.sessions) - before <= 1
