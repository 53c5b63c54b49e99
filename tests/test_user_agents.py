"""A user's agent cannot break the line: real calls over the pretend carrier."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from telephony.deepgram import flux_codec
from telephony.record import tape
from telephony.testing.fake_scripts import RecordedScript
from telephony.testing.faults import NONE
from tests.flow_agents import PERSON
from tests.odd_agents import Sleeper
from tests.real_line import Running, running, said, verbs
from tests.twilio_side import until

pytestmark = pytest.mark.slow


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
            wording, policy, entries = tape.read(file)
            written = list(entries)
        assert tape.run_again(wording, policy, written) == [entry.commands for entry in written]


@pytest.mark.parametrize("isolation", ["thread", "loop"])
async def test_an_agent_that_sleeps_in_one_call_costs_another_call_no_sound(
    tmp_path: Path, isolation: str
) -> None:
    """In a thread of its own; in the calls' loop, which is the default, every call stands still with it."""
    Sleeper.asleep.clear()
    Sleeper.awake.clear()
    environ = {} if isolation == "loop" else {"AGENT_ISOLATION": isolation}
    async with running(
        tmp_path, NONE, one_turn, lambda text: 0.25 * len(text.split()), AGENT="tests.odd_agents:Sleeper",
        **environ,
    ) as server:  # fmt: skip
        listening = asyncio.create_task(server.call(14.0))
        await until(lambda: sent(server) > 4000)  # the story has begun
        sleeping = asyncio.create_task(server.call(8.0, to_number="+12025550199"))
        await until(Sleeper.asleep.is_set)
        before = sent(server)
        await until(Sleeper.awake.is_set)
        during = sent(server) - before
        await asyncio.gather(listening, sleeping)
        underruns = server.state.host.metrics._past.underruns
    if isolation == "thread":
        assert during > 2.0 * 8000 and underruns == 0
    else:
        assert during < 0.5 * 8000


def one_turn() -> RecordedScript:
    """The caller says something at once, and nothing more."""
    steps: list[flux_codec.ServerMessage] = []
    for at in range(1, 100):
        event, text = {2: ("StartOfTurn", "hello"), 3: ("EndOfTurn", "hello")}.get(at, ("Update", ""))
        words = (flux_codec.Word("hello", 0.9, 0.3, 0.5),) if text else ()
        start, index = (0.75, 1) if at > 3 else (0.0, 0)
        steps.append(flux_codec.TurnInfo(event, index, text, words, 0.8, start, at * 0.25))
    return RecordedScript(steps)


def sent(server: Running) -> int:
    """Samples that went to the callers."""
    return sum(call.traffic().samples_out for call in server.state.host.metrics._running)
