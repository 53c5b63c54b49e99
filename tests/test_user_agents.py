"""A user's agent cannot break the line: real calls over the pretend carrier."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from telephony.record import tape
from tests.flow_agents import PERSON
from tests.real_line import running, said, verbs


@pytest.mark.parametrize("agent", ["Dated", "Large", "Failing"])
async def test_a_transfer_is_not_lost_with_what_else_the_agent_does(
    tmp_path: Path, agent: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And the caller is not sent round in circles."""
    async with running(tmp_path, AGENT=f"tests.odd_agents:{agent}") as server:
        result = await server.call()
    assert verbs(result) == ["Connect", "Dial", "Hangup"]
    assert result.verbs[1]["target"] == PERSON and result.ended_by == "agent" and not result.flags
    assert f"odd_agents.{agent}: reply" in caplog.text


async def test_a_transfer_that_cannot_be_made_is_an_error_and_the_call_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller is asked again; what the agent noted before it holds."""
    async with running(tmp_path, AGENT="tests.odd_agents:Lost") as server:
        result = await server.call()
    assert verbs(result) == ["Connect", "Hangup"] and not result.flags
    assert "Could you say that again?" in said(result) and "Tried: True." in said(result)
    assert "tests.odd_agents.Lost: reply" in caplog.text and "Transfer.to holds for no number" in caplog.text


async def test_one_call_s_agent_tears_no_hole_into_another_call_s_tape(tmp_path: Path) -> None:
    """Every event of both calls is on its tape, which gives the same commands again."""
    routes = tmp_path / "routes.yaml"
    routes.write_text('routes:\n- name: odd\n  to: "+12025550199"\n  agent: tests.odd_agents:Large\n')
    async with running(tmp_path, AGENT="tests.flow_agents:Memory", ROUTES=str(routes)) as server:
        good, odd = await asyncio.gather(server.call(), server.call(to_number="+12025550199"))
    assert verbs(odd) == ["Connect", "Dial", "Hangup"] and verbs(good) == ["Connect", "Hangup"]
    for result in (good, odd):
        assert result.record is not None
        with (tmp_path / "calls" / result.record["call_id"] / "tape.jsonl").open("rb") as file:
            manners, policy, entries = tape.read(file)
            written = list(entries)
        assert tape.run_again(manners, policy, written) == [entry.commands for entry in written]
