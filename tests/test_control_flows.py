"""Every way a call can go, over the pretend carrier and the REST stand-in, with the real server between."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from telephony.carrier.call_flow import NextStep, Step
from telephony.commands.serve import drain
from telephony.deepgram.refusals import remedy
from telephony.errors import BadInput
from telephony.server.dialler import DialRequest
from telephony.simulator.call_report import CallResult
from telephony.testing.fake_twilio_rest import FakeCall
from telephony.testing.faults import Faults, RefusalFault
from tests import flow_agents
from tests.flow_agents import PERSON, QUIET
from tests.real_line import HERE, Running, running, said, until_heard, until_turns, verbs
from tests.rest_account import Account, rest_account
from tests.twilio_side import AUTH_TOKEN, PUBLIC_URL, until

pytestmark = pytest.mark.slow


async def test_a_transfer_without_rest(tmp_path: Path) -> None:
    """The socket closes once "one moment" was heard, and /twilio/after dials; then the call is over."""
    async with running(tmp_path, AGENT="tests.flow_agents:Desk") as server:
        result = await server.call()
    assert verbs(result) == ["Connect", "Dial", "Hangup"]
    assert result.verbs[1]["target"] == PERSON and result.ended_by == "agent" and not result.flags


@pytest.mark.parametrize("outcome", ["busy", "no-answer"])
async def test_a_failed_transfer_comes_back_to_the_same_conversation(tmp_path: Path, outcome: str) -> None:
    """The agent knows what was said before, and what it noted."""
    async with running(tmp_path, AGENT="tests.flow_agents:Desk") as server:
        result = await server.call(dial_status=outcome)
    assert verbs(result) == ["Connect", "Dial", "Connect", "Hangup"] and not result.flags
    assert "You wanted a latte. I said: Hi. One moment." in said(result)


@pytest.mark.parametrize("agent", ["Premium", "Abroad", "Address", "Browser"])
@pytest.mark.parametrize("with_rest", [False, True], ids=["without", "with"])
async def test_a_transfer_that_is_not_allowed_goes_nowhere(
    tmp_path: Path, agent: str, with_rest: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller hears that nobody is there, and the same conversation goes on; the log says why, once."""
    async with AsyncExitStack() as stack:
        account = await stack.enter_async_context(rest_account()) if with_rest else None
        environ = {**account.environ(), "TWILIO_AUTH_TOKEN": AUTH_TOKEN} if account else {}
        server = await stack.enter_async_context(
            running(tmp_path, AGENT=f"tests.flow_agents:{agent}", **environ)
        )
        result = await (by_rest(server, account) if account else server.call())
    assert verbs(result) == ["Connect", "Connect", "Hangup"] and not result.flags
    assert "nobody could take your call" in said(result) and "You wanted a latte." in said(result)
    [line] = [record.getMessage() for record in caplog.records if "no transfer" in record.getMessage()]
    person = getattr(flow_agents, agent).person
    assert person not in line or not person.startswith("+")


NAMED = """
greeting: Hi.
intents:
  anything: {match: [hello], say: One moment., do: {transfer: "%s"}}
"""


@pytest.mark.parametrize("to", ["+442071838750", "sip:Desk@example.com", "client:Desk", "${HUMAN_NUMBER}"])
async def test_a_transfer_that_the_operator_wrote_down_goes_there(tmp_path: Path, to: str) -> None:
    """In a script or in HUMAN_NUMBER: any country, and addresses, which no agent may make up."""
    script = tmp_path / "script.yaml"
    script.write_text(NAMED % to)
    human = "sip:front@example.com"
    async with running(tmp_path, AGENT=f"scripted:{script}", HUMAN_NUMBER=human) as server:
        result = await server.call()
    assert verbs(result) == ["Connect", "Dial", "Hangup"]
    assert result.verbs[1]["target"] == (human if "$" in to else to.removeprefix("client:"))


async def test_a_national_number_is_transferred_to_as_the_country_means_it(tmp_path: Path) -> None:
    async with running(tmp_path, AGENT="tests.flow_agents:National") as server:
        result = await server.call()
    assert verbs(result) == ["Connect", "Dial", "Hangup"] and result.verbs[1]["target"] == PERSON


async def by_rest(server: Running, account: Account, **options: Any) -> CallResult:
    """A call that the account knows: what REST asks of it, happens."""
    call = FakeCall("CA" + "7" * 32, {"To": [HERE], "From": ["+14155550123"]}, "in-progress")
    account.standin.calls[call.sid] = call
    orders: asyncio.Queue[str] = asyncio.Queue()
    ordering = asyncio.create_task(obey(call, orders))
    try:
        return await server.call(call_sid=call.sid, orders=orders, **options)
    finally:
        ordering.cancel()
        await asyncio.gather(ordering, return_exceptions=True)


async def obey(call: FakeCall, orders: asyncio.Queue[str]) -> None:
    """Twilio's part between its REST API and the call."""
    done = 0
    while True:
        await call.changed.wait()
        call.changed.clear()
        for update in call.updates[done:]:
            orders.put_nowait(update.get("Twiml", ""))
        done = len(call.updates)


@pytest.mark.parametrize("outcome", ["completed", "busy"])
async def test_a_transfer_by_rest(tmp_path: Path, outcome: str) -> None:
    """With credentials Twilio is told directly; success and failure go on as without."""
    async with rest_account() as account:
        environ = {**account.environ(), "TWILIO_AUTH_TOKEN": AUTH_TOKEN}
        async with running(tmp_path, AGENT="tests.flow_agents:Desk", **environ) as server:
            result = await by_rest(server, account, dial_status=outcome)
    expected = (
        ["Connect", "Dial", "Hangup"] if outcome == "completed" else ["Connect", "Dial", "Connect", "Hangup"]
    )
    assert verbs(result) == expected and not result.flags
    assert outcome == "completed" or "You wanted a latte." in said(result)


async def test_a_transfer_goes_through_though_rest_refuses(tmp_path: Path) -> None:
    """The account does not know the call: the socket closes, and /twilio/after dials."""
    async with rest_account() as account:
        environ = {**account.environ(), "TWILIO_AUTH_TOKEN": AUTH_TOKEN}
        async with running(tmp_path, AGENT="tests.flow_agents:Desk", **environ) as server:
            result = await server.call()
    assert verbs(result) == ["Connect", "Dial", "Hangup"]


async def close_stream(server: Running, word: NextStep | None) -> None:
    """Close the running call's media socket, having left word or not."""
    await until(lambda: bool(server.state.streams.sockets))
    [socket] = server.state.streams.sockets
    if word is not None:
        await server.state.host.steps.set(server_call(server), word)
    await socket.close()
    await until(lambda: socket not in server.state.streams.sockets)


def server_call(server: Running) -> str:
    [call_sid] = server.state.slots._kept
    return call_sid


@pytest.mark.parametrize(
    ("word", "between"),
    [
        (None, []),
        (NextStep(Step.DIGITS, to="12#"), ["Play"]),
        (NextStep(Step.HOLD, text="Please hold.", music_url="https://h/m.wav"), ["Say", "Play", "Redirect"]),
    ],
    ids=["lost socket", "digits", "hold"],
)
async def test_the_conversation_goes_on_after(
    tmp_path: Path, word: NextStep | None, between: list[str]
) -> None:
    """A lost socket, keys that were pressed, a hold: turns are counted on from where they were."""
    async with running(tmp_path, AGENT="tests.flow_agents:Memory") as server:
        calling = asyncio.create_task(server.call())
        await until_heard(server, "That was turn 1.")
        await close_stream(server, word)
        result = await calling
    assert verbs(result) == ["Connect", *between, "Connect", "Hangup"]
    assert "That was turn 2." in said(result) and "That was turn 1." not in said(result)


async def test_an_agent_presses_keys_and_parks_the_caller(tmp_path: Path) -> None:
    """In between and afterwards it is the same conversation."""
    async with running(tmp_path, AGENT="tests.flow_agents:Menu") as server:
        result = await server.call()
    expected = ["Connect", "Play", "Connect", "Say", "Play", "Redirect", "Connect", "Hangup"]
    assert verbs(result) == expected and not result.flags
    assert result.verbs[1]["digits"] == "12#"
    assert result.verbs[4]["url"] == f"{PUBLIC_URL}/twilio/hold.wav"
    assert "Back after asked." in said(result)


REFUSALS = [(400, "BAD"), (401, "INVALID_AUTH"), (402, "PAYMENT"), (403, "FORBIDDEN"), (429, "TOO_MANY")]


@pytest.mark.parametrize(("status", "dg_error"), REFUSALS)
async def test_without_speech_the_caller_hears_a_sentence(
    tmp_path: Path, status: int, dg_error: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Within five seconds, in Twilio's voice, and the log has the service's own reason."""
    faults = Faults(refuse=RefusalFault(status, dg_error))
    if status == 400:  # found out before the server is ready
        with pytest.raises(BadInput):
            async with running(tmp_path, faults, AGENT="tests.flow_agents:Memory"):
                pass
        return
    async with running(tmp_path, faults, AGENT="tests.flow_agents:Memory") as server:
        result = await server.call()
    assert verbs(result) == ["Connect", "Say", "Hangup"]
    assert result.verbs[1]["at_s"] < 5.0 and dg_error in caplog.text
    assert remedy(status) in caplog.text


REFUSED, HANGS = Faults(refuse=RefusalFault(400, "BAD")), Faults(handshake_delay_s=60.0)


@pytest.mark.parametrize(("side", "fault"), [
    ("listening", REFUSED), ("listening", HANGS), ("voice", REFUSED), ("both", HANGS),
], ids=["listening refused", "listening hangs", "voice refused", "both hang"])  # fmt: skip
async def test_when_half_of_the_speech_fails_the_caller_hears_a_sentence(
    tmp_path: Path, side: str, fault: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    """Within five seconds of the call's beginning, by whoever can say it; the log has the reason."""
    async with running(tmp_path, AGENT="tests.flow_agents:Memory") as server:
        for name, standin in (("listening", server.flux), ("voice", server.voice)):
            if side in (name, "both"):
                standin.misbehave(fault)
        result = await server.call()
    assert verbs(result)[-1] == "Hangup"
    if "Say" in verbs(result):
        (spoken_s,) = [verb["at_s"] for verb in result.verbs if verb["verb"] == "Say"]
    else:
        agent = [turn["agent"] for turn in (result.record or {})["turns"] if turn["agent"]]
        spoken_s = next(one["first_audio_s"] for one in agent if "call again" in one["text"])
    assert spoken_s < 5.0
    if fault is REFUSED:
        assert "BAD" in caplog.text and remedy(400) in caplog.text


async def test_when_speech_cannot_be_reached_the_caller_hears_a_sentence(tmp_path: Path) -> None:
    """Also when it was there when the server started, and its greeting is known."""
    async with running(tmp_path, AGENT="tests.flow_agents:Memory") as server:
        await server.flux.close()
        result = await server.call()
    assert verbs(result)[0] == "Connect" and verbs(result)[-1] == "Hangup"
    assert "Say" in verbs(result) or "call again" in said(result)
    assert result.verbs[-1]["at_s"] < 9.0


async def test_a_server_that_stops_says_goodbye(tmp_path: Path) -> None:
    """At the end of the drain, and the call is hung up when it was heard."""
    async with running(tmp_path, AGENT="tests.flow_agents:Memory") as server:
        calling = asyncio.create_task(server.call())
        await until(lambda: bool(server.state.streams.sockets))
        await drain(server.state, 5.2)
        result = await calling
    assert verbs(result) == ["Connect", "Hangup"] and not result.flags
    assert QUIET.farewell in said(result) and result.duration_s < 5.0


async def test_a_resume_loop_is_stopped(tmp_path: Path) -> None:
    """Three times within a minute; then Twilio says a sentence, and hangs up."""
    async with running(tmp_path, AGENT="tests.flow_agents:Memory") as server:
        calling = asyncio.create_task(server.call())
        for _ in range(4):
            await until_turns(server, 1)
            await close_stream(server, None)
        result = await calling
    assert verbs(result) == ["Connect"] * 4 + ["Say", "Hangup"]


async def test_each_number_has_its_route(tmp_path: Path) -> None:
    """Its agent and its greeting; a blocked caller is rejected."""
    routes = tmp_path / "routes.yaml"
    routes.write_text(
        "routes:\n"
        "  - {name: desk, to: +14155550101, agent: 'tests.flow_agents:Memory', greeting: Desk here.}\n"
        "default: {agent: 'tests.flow_agents:Memory'}\n"
        "blocked: [+1900*]\n"
    )
    async with running(tmp_path, ROUTES=str(routes)) as server:
        desk, other, blocked = await asyncio.gather(
            server.call(3.0, to_number="+14155550101"),
            server.call(3.0, to_number="+14155550102"),
            server.call(3.0, from_number="+19005550000"),
        )
    assert said(desk).startswith("Desk here.") and said(other).startswith("Hi.")
    assert blocked.ended_by == "refused" and verbs(blocked) == ["Reject"]


async def dialled(folder: Path, answered_by: str, **request: Any) -> tuple[CallResult, dict[str, Any]]:
    """An outbound call that is picked up by somebody or something."""
    results: list[CallResult] = []
    box: list[Running] = []

    async def pick_up(call: FakeCall) -> None:
        server, orders = box[0], asyncio.Queue[str]()
        call.status = "in-progress"
        parts = urlsplit(call.parameters["Url"][0])
        ordering = asyncio.create_task(obey(call, orders))
        verdict = asyncio.create_task(tell_verdict(server, call, answered_by))
        result = await server.call(
            4.5,
            server=f"{server.url}{parts.path}?{parts.query}",
            call_sid=call.sid,
            orders=orders,
            parameters=(("Direction", "outbound-api"),),
        )
        for task in (ordering, verdict):
            task.cancel()
        results.append(result)

    async with rest_account(pick_up) as account:
        environ = {**account.environ(), "TWILIO_AUTH_TOKEN": AUTH_TOKEN}
        async with running(folder, AGENT="tests.flow_agents:Memory", **environ) as server:
            box.append(server)
            assert server.state.dialler is not None
            asked = DialRequest(
                to="+14155552671", say="This is the coffee line.", machine="message", **request
            )
            record, _ = await server.state.dialler.dial(asked)
            await until(lambda: bool(results), 30)
            final = await server.state.dialler.record(record["id"])
    return results[0], final or {}


async def tell_verdict(server: Running, call: FakeCall, answered_by: str) -> None:
    """Twilio's answering machine detection, a few seconds into the call."""
    from aiohttp import ClientSession
    from twilio.request_validator import RequestValidator

    await until_turns(server, 1)
    url = call.parameters["AsyncAmdStatusCallback"][0]
    form = {"CallSid": call.sid, "AnsweredBy": answered_by, "MachineDetectionDuration": "2000"}
    signature = RequestValidator(AUTH_TOKEN).compute_signature(url, form)
    async with ClientSession() as session:
        local = server.url + url.removeprefix(PUBLIC_URL)
        headers = {"X-Twilio-Signature": str(signature)}
        async with session.post(local, data=form, headers=headers) as response:
            assert response.status == 204


async def test_a_person_picks_up(tmp_path: Path) -> None:
    """The agent says what was asked, and the conversation goes on."""
    result, record = await dialled(tmp_path, "human", message="Call us back.")
    assert verbs(result) == ["Connect"] and result.ended_by == "caller"
    assert said(result).startswith("This is the coffee line.") and "That was turn 1." in said(result)
    assert record["answered_by"] == "human"


async def test_a_machine_picks_up(tmp_path: Path) -> None:
    """After the beep the message is left, and the call ends."""
    result, record = await dialled(tmp_path, "machine_end_beep", message="Call us back.")
    assert verbs(result) == ["Connect", "Say", "Hangup"]
    assert result.verbs[1]["text"] == "Call us back." and record["answered_by"] == "machine_end_beep"


async def test_a_fax_picks_up(tmp_path: Path) -> None:
    """It is left alone."""
    result, _ = await dialled(tmp_path, "fax", message="Call us back.")
    assert verbs(result) == ["Connect"] and result.why == "hung up by REST"


async def test_nobody_can_tell(tmp_path: Path) -> None:
    """Then it is as was asked for that case."""
    result, _ = await dialled(tmp_path, "unknown", message="Call us back.", unknown="hang_up")
    assert result.why == "hung up by REST"
