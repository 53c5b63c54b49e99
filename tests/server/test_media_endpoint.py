"""Who gets a media stream in: a token's first bearer, in time, and nobody else."""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from telephony.carrier.media_stream import ServerStream
from telephony.carrier.pending_streams import CAP, PendingStreams
from telephony.carrier.token import issue
from tests.twilio_side import CALL, PUBLIC, Phone, parameters_of, phone_line, start_message, until

AT_ONCE = 100
"""Handshakes: the test server's backlog is 128, and more of them would wait for TCP's second try."""


@pytest.fixture
async def phone(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone_line(tmp_path) as line:
        yield line


async def close_code(socket: ClientWebSocketResponse) -> int | None:
    message = await socket.receive()
    assert message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED)
    return socket.close_code


async def test_a_call_reaches_its_answer(phone: Phone) -> None:
    """Webhook, TwiML, socket, start: the stream is handed over with all that the TwiML told it."""
    socket = await phone.call()
    await phone.answering.arrival.wait()
    started = phone.answering.answered[0]
    assert started.call_sid == CALL and started.parameters["from"] == "+14155550100"
    await socket.close()
    await until(lambda: not phone.state.streams.sockets)
    assert await phone.state.slots.free() == phone.state.settings.max_calls


async def test_a_signed_call_reaches_its_answer(tmp_path: Path) -> None:
    """The same on a public server, where webhook and handshake are signed."""
    async with phone_line(tmp_path, **PUBLIC) as phone:
        socket = await phone.call()
        await phone.answering.arrival.wait()
        await socket.close()


@pytest.mark.parametrize("jump_s", [-3600.0, 3600.0])
async def test_a_wall_clock_that_is_set_keeps_no_caller_out(phone: Phone, jump_s: float) -> None:
    """Between our answer and the stream the clock of the machine is set: the caller is let in."""
    parameters = parameters_of(await phone.twiml("/twilio/voice"))
    phone.state.clock = lambda: time.time() + jump_s
    async with await phone.start(parameters):
        await asyncio.wait_for(phone.answering.arrival.wait(), 5)


async def test_bad_tokens_are_refused(phone: Phone) -> None:
    """None, junk, another call's, an expired one, another key's: 1008, and nobody answers."""
    now, key = phone.state.host.shared.now(), phone.state.tokens.keys[0]
    bad = [
        "",
        "v1.x",
        issue(key, "CA other", "n" * 22, now),
        issue(key, CALL, "n" * 22, now - 100),
        issue(b"another key", CALL, "n" * 22, now),
    ]
    for token in bad:
        assert await close_code(await phone.start({"token": token})) == 1008
    assert await close_code(await phone.start({})) == 1008
    assert not phone.answering.answered
    assert phone.state.host.admission.counters["stream"] == len(bad) + 1


async def test_of_two_sockets_with_one_token_exactly_one_wins(tmp_path: Path) -> None:
    """A hundred times, at the same moment, on two servers with one DATA_DIR."""
    async with phone_line(tmp_path) as one, phone_line(tmp_path) as two:
        await exactly_one_wins(one, two)


async def exactly_one_wins(one: Phone, two: Phone) -> None:
    for round_number in range(100):
        call_sid = f"CA{round_number}"
        parameters = {"token": one.state.tokens.issue(call_sid)}
        sockets = await asyncio.gather(*(phone.start(parameters, call_sid) for phone in (one, two)))
        loser = asyncio.create_task(close_code(sockets[0])), asyncio.create_task(close_code(sockets[1]))
        done, waiting = await asyncio.wait(loser, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result() for task in done] == [1008] and len(waiting) == 1
        await until(functools.partial(_more_answered_than, round_number, one, two))
        assert _answered(one, two) == round_number + 1
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for socket in sockets:
            await socket.close()
    assert _answered(one, two) == 100


def _more_answered_than(count: int, *phones: Phone) -> bool:
    return _answered(*phones) > count


def _answered(*phones: Phone) -> int:
    return sum(len(phone.answering.answered) for phone in phones)


@pytest.mark.parametrize(
    ("message", "code"),
    [(b"\x00binary", 1003), ("x" * 70_000, 1009)],
    ids=["binary", "too large"],
)
async def test_before_the_start_the_rules_are_the_streams(
    phone: Phone, message: str | bytes, code: int
) -> None:
    """Binary is 1003, over 64 KiB is 1009."""
    socket = await phone.connect()
    await (socket.send_bytes(message) if isinstance(message, bytes) else socket.send_str(message))
    assert await close_code(socket) == code


async def test_twenty_bad_messages_are_enough(phone: Phone) -> None:
    """Media before start, junk, wrong types: counted, and 1008 in the end."""
    socket = await phone.connect()
    for _ in range(20):
        await socket.send_str("{junk")
    assert await close_code(socket) == 1008


async def test_a_second_start_is_not_let_in_by_the_first(phone: Phone) -> None:
    """A stream starts once; what follows goes to the call."""
    socket = await phone.call()
    await phone.answering.arrival.wait()
    await socket.send_str(json.dumps(start_message({"token": "x"})))
    await until(lambda: phone.answering.received == 1)
    assert len(phone.answering.answered) == 1
    await socket.close()


async def test_two_hundred_silent_sockets_are_gone_in_time(phone: Phone) -> None:
    """Only 64 wait at a time; all are closed within the deadline, nobody answers, nothing is left over."""
    phone.state.pending = PendingStreams(start_s=1.5)
    most = [0]
    door = asyncio.Semaphore(AT_ONCE)

    async def one() -> int | None:
        try:
            async with door:
                socket = await phone.connect()
        except WSServerHandshakeError as error:
            return error.status
        most[0] = max(most[0], len(phone.state.pending))
        return await close_code(socket)

    codes = await asyncio.gather(*(one() for _ in range(200)))
    assert codes.count(1008) + codes.count(429) == 200 and codes.count(1008) >= CAP
    assert most[0] == CAP
    assert not phone.answering.answered
    await until(lambda: len(phone.state.pending) == 0)
    await until(lambda: streams_that_live() == 0)


def streams_that_live() -> int:
    """Our ends of media streams that are still in memory."""
    gc.collect()
    return sum(type(found) is ServerStream for found in gc.get_objects())


async def test_who_says_nothing_has_five_seconds(phone: Phone) -> None:
    """As long as Twilio could need, and not shorter: that long a handshake of its may be late."""
    assert phone.state.pending.start_s == 5.0
    phone.state.pending = PendingStreams(start_s=0.3)
    begun = asyncio.get_running_loop().time()
    assert await close_code(await phone.connect()) == 1008
    assert 0.3 <= asyncio.get_running_loop().time() - begun < 0.3 + 2.0


async def test_idle_sockets_do_not_keep_callers_out(phone: Phone) -> None:
    """All places are held by silent sockets: after a moment the oldest of them makes room for a call."""
    idle = [await phone.connect() for _ in range(CAP)]
    socket = await phone.call()
    await phone.answering.arrival.wait()
    assert await close_code(idle[0]) == 1008
    for one in (*idle, socket):
        await one.close()


async def test_a_burst_of_calls_is_let_in(phone: Phone) -> None:
    """A hundred and fifty sockets at the same moment: each has its turn."""
    sids = [f"CA{number}" for number in range(150)]
    door = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> ClientWebSocketResponse:
        async with door:
            return await phone.start({"token": phone.state.tokens.issue(sids[number])}, sids[number])

    sockets = await asyncio.gather(*(one(number) for number in range(150)))
    await until(lambda: len(phone.answering.answered) == 150)
    await asyncio.gather(*(socket.close() for socket in sockets))


async def test_the_newest_stream_of_a_call_wins(phone: Phone) -> None:
    """The older one is closed, and has ended before the newer one is answered; the slot stays."""
    first = await phone.call()
    await until(lambda: len(phone.answering.answered) == 1)
    second = await phone.start({"token": phone.state.tokens.issue(CALL), "resumed": "asked"})
    assert await close_code(first) == 1000
    await until(lambda: len(phone.answering.answered) == 2 and len(phone.state.streams.sockets) == 1)
    assert await phone.state.slots.free() == phone.state.settings.max_calls - 1
    await second.close()


async def test_a_call_that_is_over_leaves_no_stream_behind(phone: Phone) -> None:
    """When the status callback says so and the socket's end was lost on the way, we close it."""
    socket = await phone.call()
    await until(lambda: len(phone.state.streams.sockets) == 1)
    await phone.post("/twilio/status", CallStatus="completed")
    assert await close_code(socket) == 1000
    await until(lambda: not phone.state.streams.sockets)


async def test_one_calls_failure_stays_its_own(phone: Phone, caplog: pytest.LogCaptureFixture) -> None:
    """An exception in a call closes its socket, is logged, and frees its slot; the next call is answered."""
    phone.answering.defect = "a defect"
    assert await close_code(await phone.call()) is not None
    await until(lambda: not phone.state.streams.sockets)
    assert "a defect" in caplog.text
    phone.answering.defect = ""
    socket = await phone.start({"token": phone.state.tokens.issue("CA2")}, "CA2")
    await phone.answering.arrival.wait()
    await socket.close()
