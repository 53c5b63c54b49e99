"""What an agent noted is found afterwards, and the agent is told of a call's end: once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from telephony.call.endings import notify_ended
from telephony.record.recovery import close_records
from telephony.reply.agent import CallInfo, EndedCall
from tests.flow_agents import ENDED
from tests.real_line import Running, running, until_heard, verbs
from tests.twilio_side import until

pytestmark = pytest.mark.slow

FROM, TO = "+12025550143", "+12025550100"


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    ENDED.clear()
    yield
    ENDED.clear()


async def asked(server: Running, path: str) -> dict[str, Any]:
    async with ClientSession(server.url, headers={"Authorization": "Bearer key-one"}) as session:
        async with session.get(path) as response:
            assert response.status == 200
            answer: dict[str, Any] = await response.json()
            return answer


async def test_the_record_says_who_when_and_what_was_noted(tmp_path: Path) -> None:
    """While the call runs and afterwards, in the list too, and in what `telephony call --json` prints."""
    routes = tmp_path / "routes.yaml"
    routes.write_text(f"routes:\n  - {{name: desk, to: '{TO}', agent: 'tests.flow_agents:Noting'}}\n")
    before = datetime.now(UTC)
    environ = {"AGENT": "tests.flow_agents:Memory", "ROUTES": str(routes)}
    async with running(tmp_path, **environ) as server:
        calling = asyncio.create_task(server.call(5.0))
        await until(lambda: bool(server.state.streams.sockets))
        call_sid = next(iter(server.state.streams.sockets.values()))
        live = await asked(server, f"/api/calls/{call_sid}")
        printed = (await calling).as_json()
        await until(lambda: not server.state.streams.sockets)
        record = await asked(server, f"/api/calls/{call_sid}")
        [listed] = (await asked(server, "/api/calls"))["calls"]
    for told in (live, record, listed, printed):
        who = {name: told[name] for name in ("from", "to", "agent", "route")}
        assert who == {"from": FROM, "to": TO, "agent": "tests.flow_agents:Noting", "route": "desk"}
        assert timedelta(0) <= datetime.fromisoformat(told["started"]) - before < timedelta(seconds=20)
    for told in (record, printed):
        assert told["notes"]["name"] == "Ada" and told["notes"]["order"] == {"drink": "latte", "size": 2}
    assert live["live"] and not record["live"] and "notes" not in listed


async def test_a_record_that_is_made_of_a_tape_says_the_same(tmp_path: Path) -> None:
    """Of a call whose process was killed."""
    async with running(tmp_path, AGENT="tests.flow_agents:Noting") as server:
        await server.call(5.0)
        await until(lambda: not server.state.streams.sockets)
    [file] = await asyncio.to_thread(lambda: list(tmp_path.glob("calls/*/call.json")))
    whole = json.loads(file.read_bytes())
    file.unlink()
    await asyncio.to_thread(close_records, tmp_path, lambda process: False)
    again = json.loads(file.read_bytes())
    names = ("from", "to", "started", "agent", "route", "notes")
    assert {name: again[name] for name in names} == {name: whole[name] for name in names}
    assert again["notes"]["name"] == "Ada"


@pytest.mark.parametrize(("seconds", "ended_by"), [(5.0, "caller"), (25.0, "agent")])
async def test_an_agent_is_told_of_the_end(tmp_path: Path, seconds: float, ended_by: str) -> None:
    """With its notes, all that was said, and who it was."""
    async with running(tmp_path, AGENT="tests.flow_agents:Noting") as server:
        await server.call(seconds)
        await until(lambda: bool(ENDED))
    [call] = ENDED
    assert call.ended_by == ended_by and call.notes["name"] == "Ada"
    assert (call.call.from_number, call.call.to_number) == (FROM, TO)
    heard = [line.heard for line in call.history if line.who == "agent"]
    assert heard[0] == "Hi." and "That was turn 1." in heard
    assert [line.who for line in call.history][1] == "caller" and call.duration_s > 1
    assert datetime.fromisoformat(call.started).tzinfo is not None


@pytest.mark.parametrize("outcome", ["completed", "busy"])
async def test_a_transferred_call_ends_once(tmp_path: Path, outcome: str) -> None:
    """When it is over, whether the caller came back or not."""
    async with running(tmp_path, AGENT="tests.flow_agents:NotingDesk") as server:
        result = await server.call(dial_status=outcome)
        await until(lambda: bool(ENDED))
        await until(lambda: not server.state.streams.sockets)
        assert verbs(result).count("Connect") == (1 if outcome == "completed" else 2)
    [call] = ENDED
    assert call.notes == {"wish": "latte"} and call.history[0].text == "Hi."


async def test_a_lost_socket_is_not_the_end(tmp_path: Path) -> None:
    async with running(tmp_path, AGENT="tests.flow_agents:Noting") as server:
        calling = asyncio.create_task(server.call(6.0))
        await until_heard(server, "That was turn 1.")
        [socket] = server.state.streams.sockets
        await socket.close()
        await until(lambda: socket not in server.state.streams.sockets)
        assert ENDED == []
        await calling
        await until(lambda: bool(ENDED))
        await until(lambda: not server.state.streams.sockets)
    assert len(ENDED) == 1


async def test_what_fails_in_it_costs_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(tmp_path, AGENT="tests.flow_agents:Stumbling") as server:
        for _ in range(2):
            await server.call(2.0)
        await until(lambda: len(ENDED) == 2)
    assert "ended() failed" in caplog.text and "no such customer" in caplog.text


OVER = EndedCall(CallInfo("c"), {}, (), "caller", "2026-01-01T00:00:00+00:00", 1.0)


class Odd:
    """An agent whose `ended` does something else."""

    def __init__(self, ended: object) -> None:
        self.ended = ended


async def test_an_agent_that_takes_too_long_is_stopped(caplog: pytest.LogCaptureFixture) -> None:
    async def forever(call: EndedCall) -> None:
        await asyncio.Event().wait()

    await notify_ended(Odd(forever), OVER, lambda: False, 0.01)  # type: ignore[arg-type]
    assert "took more than 0.01 s" in caplog.text


@pytest.mark.parametrize("ended", [None, 7, lambda: None, lambda call: None, lambda call: 1 / 0])
async def test_no_ended_or_an_odd_one_harms_nobody(ended: object) -> None:
    await notify_ended(Odd(ended), OVER, lambda: False)  # type: ignore[arg-type]


async def test_while_something_is_redacted_its_failure_has_no_text(caplog: pytest.LogCaptureFixture) -> None:
    async def trips(call: EndedCall) -> None:
        raise ValueError("no such card: 4111")

    await notify_ended(Odd(trips), OVER, lambda: True)  # type: ignore[arg-type]
    assert "4111" not in caplog.text and "test_endings.py:" in caplog.text
