"""The signed bytes of a webhook that somebody has captured are worth nothing: a call begins once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from xml.etree import ElementTree

import pytest
from aiohttp import ClientSession
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from telephony.carrier.call_flow import NextStep, Step
from tests.pacing import until_so
from tests.real_line import Running, running, verbs
from tests.twilio_side import AUTH_TOKEN, CALL, PUBLIC, PUBLIC_URL, Phone, parameters_of, phone_line, until

pytestmark = pytest.mark.slow


class Clock:
    """The machine's uptime, which a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def processes(tmp_path: Path, clock: Clock) -> AsyncIterator[list[Phone]]:
    """Two server processes on one DATA_DIR: the call comes in at the first of them."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(phone_line(tmp_path, clock, **PUBLIC)) for _ in range(2)]


def token_of(answer: ElementTree.Element) -> str | None:
    return parameters_of(answer).get("token")


LATER_S = {
    "at once": 0.0,
    "29 s": 29.0,
    "31 s": 31.0,
    "10 min": 600.0,
    "23 h": 82_800.0,
    "20 days": 1_728_000.0,
}


@pytest.mark.parametrize("state", ["answered", "in mid call", "after the end"])
@pytest.mark.parametrize("process", [0, 1], ids=["here", "in another process"])
@pytest.mark.parametrize("later", LATER_S)
async def test_a_call_begins_once(
    processes: list[Phone], clock: Clock, later: str, process: int, state: str
) -> None:
    """Twilio's own repetition gets the same answer while no stream has begun; nobody gets another token."""
    first = await processes[0].twiml("/twilio/voice")
    for one in processes:
        one.answering.prewarmed.clear()
    socket = None
    if state != "answered":
        socket = await processes[0].start(parameters_of(first))
        await processes[0].answering.arrival.wait()
    if state == "after the end" and socket is not None:
        await processes[0].post("/twilio/status", CallStatus="completed")
        await socket.close()
        await until(lambda: not processes[0].state.streams.sockets)
    slots = await processes[0].state.slots.free()
    clock.now += LATER_S[later]
    answer = await processes[process].twiml("/twilio/voice")
    again = state == "answered" and LATER_S[later] < 30
    assert token_of(answer) == (token_of(first) if again else None)
    assert not any(one.answering.prewarmed for one in processes), "no speech is paid for"
    assert await processes[0].state.slots.free() >= slots, "and no slot is taken"
    if state == "in mid call" and socket is not None:
        assert list(processes[0].state.streams.sockets.values()) == [CALL] and not socket.closed
        await socket.close()


async def test_two_hundred_at_once_have_one_token(processes: list[Phone]) -> None:
    responses = await asyncio.gather(*(processes[at % 2].post("/twilio/voice") for at in range(200)))
    answers = {await response.text() for response in responses}
    assert len(answers) == 1 and "token" in answers.pop()
    assert await processes[0].state.slots.free() == processes[0].state.settings.max_calls - 1


async def test_a_call_that_was_turned_away_may_come_again(tmp_path: Path, clock: Clock) -> None:
    """It has not begun: busy is no answer that is used up."""
    async with phone_line(tmp_path, clock, **PUBLIC, MAX_CALLS="1") as phone:
        await phone.twiml("/twilio/voice", CallSid="CA1")
        assert token_of(await phone.twiml("/twilio/voice")) is None
        await phone.post("/twilio/status", CallSid="CA1", CallStatus="completed")
        await phone.state.slots.give_back("CA1")
        assert token_of(await phone.twiml("/twilio/voice")) is not None


async def test_after_the_deletion_of_a_call_it_does_not_begin_again(phone: Phone) -> None:
    await phone.twiml("/twilio/voice")
    await phone.state.host.calls.delete(CALL)
    assert token_of(await phone.twiml("/twilio/voice")) is None


@pytest.mark.parametrize("away", ["transfer", "hold"])
@pytest.mark.parametrize("process", [0, 1], ids=["here", "in another process"])
async def test_nobody_takes_the_place_of_a_caller_who_is_away(
    processes: list[Phone], process: int, away: str
) -> None:
    """Who talks to somebody else, or hears the music, comes back by a request of its own."""
    first, form = processes[0], {"CallStatus": "in-progress"}
    socket = await first.start(parameters_of(await first.twiml("/twilio/voice")))
    await first.answering.arrival.wait()
    to = "+14155550199" if away == "transfer" else "hold:20:One moment."
    await first.state.host.steps.set(CALL, NextStep(Step.TRANSFER, to=to))
    await socket.close()
    await until(lambda: not first.state.streams.sockets)
    sent_away = await first.twiml("/twilio/after", form)
    assert token_of(sent_away) is None
    for _ in range(2):
        assert token_of(await processes[process].twiml("/twilio/after", form, Again="1")) is None
    if away == "transfer":
        back = await processes[process].twiml("/twilio/after", form, DialCallStatus="busy")
    else:
        back = await processes[process].twiml("/twilio/after?held", form)
    assert token_of(back) is not None


@pytest.fixture
async def phone(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone_line(tmp_path, **PUBLIC) as line:
        yield line


async def captured(server: Running, path: str, call_sid: str) -> ElementTree.Element:
    """The same bytes as Twilio's when it asks how a call goes on."""
    form = {"CallSid": call_sid, "CallStatus": "in-progress", "From": "+12025550143", "To": "+12025550100"}
    signature = RequestValidator(AUTH_TOKEN).compute_signature(PUBLIC_URL + path, MultiDict(form))
    async with ClientSession(server.url) as session:
        headers = {"X-Twilio-Signature": str(signature)}
        async with session.post(path, data=form, headers=headers) as response:
            assert response.status == 200
            return ElementTree.fromstring(await response.text())


@pytest.mark.parametrize("process", [0, 1], ids=["here", "in another process"])
@pytest.mark.parametrize("path", ["/twilio/after", "/twilio/voice"])
async def test_in_mid_call_nothing_that_is_sent_again_displaces_the_callers_stream(
    tmp_path: Path, path: str, process: int
) -> None:
    """While the stream brings sound, also the request for what follows it is not Twilio's."""
    memory = {"AGENT": "tests.flow_agents:Memory"}
    async with running(tmp_path, **memory) as server, running(tmp_path, **memory) as other:
        asked = (server, other)[process]
        calling = asyncio.create_task(server.call(6.0))
        await until(lambda: server.state.registry.sounding(0.4) != set())
        [(socket, call_sid)] = server.state.streams.sockets.items()
        await until_known(other, call_sid)
        for _ in range(2):
            assert token_of(await captured(asked, path, call_sid)) is None
        assert list(server.state.streams.sockets) == [socket] and not socket.closed
        result = await calling
        assert token_of(await captured(asked, path, call_sid)) is None, "nor after its end"
    assert verbs(result) == ["Connect"] and not result.flags


@pytest.mark.parametrize("end", ["closed", "silent"])
async def test_a_stream_that_is_over_is_followed_by_one_in_another_process(tmp_path: Path, end: str) -> None:
    """At once where its socket has closed; soon where only its sound has ended, as behind a broken proxy."""
    async with running(tmp_path) as server, running(tmp_path) as other:
        calling = asyncio.create_task(server.call(20.0))
        await until(lambda: server.state.registry.sounding(0.4) != set())
        [(socket, call_sid)] = server.state.streams.sockets.items()
        await until_known(other, call_sid)
        if end == "closed":
            server.state.host.admission.drain()  # another process must go on with it
            await socket.close()
        else:
            server.state.registry.sounding = lambda within_s: set()  # type: ignore[method-assign]
        started = asyncio.get_running_loop().time()
        assert token_of(await captured(other, "/twilio/after", call_sid)) is not None
        assert asyncio.get_running_loop().time() - started < (0.5 if end == "closed" else 1.5)
        calling.cancel()


async def until_known(other: Running, call_sid: str) -> None:
    """Until another process knows that the call's stream brings sound."""
    await until_so(lambda: other.state.slots.sounds_elsewhere(call_sid))
