"""A carrier that reads nothing is known within ten seconds of speech, one that reads is never given up."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import socket
import sys
from collections.abc import Callable

import pytest

from telephony.carrier.reader_watch import (
    ASK_AGAIN_S,
    LOOKS,
    OVERDUE_S,
    PONG_S,
    SHUT_S,
    AnswerWatch,
    Asking,
    ReaderWatch,
    TcpState,
)
from telephony.carrier.tcp_state import tcp_state
from tests.pacing import loop_turn, passed

LOOK_S = 0.5
SPEECH = b"x" * 5_900
"""Half a second of speech as media messages, with their marks."""

kernel_tells = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a peer takes")


BUFFERS = (4096, 0, 100_000, 400_000)
"""Of the peer's kernel, in bytes; 0: what it gives by itself."""


async def watched(receive_buffer: int, looks: int, read: Callable[[socket.socket], object]) -> float | None:
    """Speak to a peer on a real socket, so many half seconds; when it was given up."""
    here = socket.create_server(("127.0.0.1", 0))
    peer = socket.socket()
    if receive_buffer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    peer.connect(here.getsockname())
    peer.setblocking(False)
    accepted, _ = here.accept()
    transport, _ = await asyncio.get_running_loop().connect_accepted_socket(asyncio.Protocol, accepted)
    watch = ReaderWatch()
    try:
        for look in range(looks):
            for at in range(0, len(SPEECH), 1180):
                transport.write(SPEECH[at : at + 1180])
                await acknowledged(transport)
                read(peer)
            state = tcp_state(transport)
            assert state is not None
            if watch.reads_nothing(state, look * LOOK_S):
                return look * LOOK_S
        return None
    finally:
        transport.abort()
        await loop_turn()
        peer.close()
        here.close()


async def acknowledged(transport: asyncio.BaseTransport) -> None:
    """The peer's kernel has what was written, or does not take it: it may think about that for 40 ms."""
    for _ in range(25):
        state = tcp_state(transport)
        if state is None or not state.waiting:
            return
        await passed(0.002)


def everything(peer: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        peer.recv(1 << 20)


@kernel_tells
async def test_a_peer_that_reads_nothing_is_given_up_within_ten_seconds() -> None:
    """However much its kernel would take for it."""
    when = await asyncio.gather(*(watched(size, 20, lambda peer: None) for size in BUFFERS))
    assert all(at is not None and at <= 6.0 for at in when), when


@kernel_tells
async def test_a_peer_that_reads_is_not_given_up() -> None:
    """At once, or nothing for three seconds and then all of it: a line that stalls."""

    def bursts() -> Callable[[socket.socket], None]:
        calls = itertools.count(1)
        return lambda peer: everything(peer) if next(calls) % 30 == 0 else None  # five calls a look

    reading = (watched(size, 40, read) for size in BUFFERS for read in (everything, bursts()))
    assert set(await asyncio.gather(*reading)) == {None}


def test_a_network_that_stands_still_is_not_a_peer_that_does_not_read() -> None:
    """Nothing is acknowledged, and the window is what it was: for 6 s, retransmissions included."""
    watch = ReaderWatch()
    for look in range(200):
        state = TcpState(taken=10_000 * (look // 12), waiting=True, window=65_536)
        assert not watch.reads_nothing(state, look * LOOK_S)


def test_a_quiet_agent_shows_nothing() -> None:
    """Where nothing is sent, nothing is waited for, however small the window."""
    watch = ReaderWatch()
    watch.reads_nothing(TcpState(0, False, 65_536), 0.0)
    for look in range(1, 200):
        assert not watch.reads_nothing(TcpState(100, False, 0), look * LOOK_S)


def test_an_agent_that_speaks_now_and_then_is_enough() -> None:
    """Two seconds of speech, a pause, and the first of the next: within ten seconds."""
    watch, taken, window = ReaderWatch(), 0, 70_000
    for look in range(20):
        if look % 12 < 4:
            taken, window = taken + 6000, window - 3600
        if watch.reads_nothing(TcpState(taken, False, window), look * LOOK_S):
            break
    assert look * LOOK_S <= 7.0


def test_a_window_that_goes_up_and_down_is_one_of_a_reader() -> None:
    """By chance it falls some times in a row, by what little waits to be read."""
    watch, chance = ReaderWatch(), random.Random(7)
    for look in range(20_000):
        window = 65_536 - chance.randrange(0, 9000)
        assert not watch.reads_nothing(TcpState(6000 * look, False, window), look * LOOK_S)


def test_the_two_signs() -> None:
    """A window that is shut, for two seconds; one that only ever shrinks."""
    shut = ReaderWatch()
    told = [shut.reads_nothing(TcpState(5000, True, 60_000 if now < 1 else 0), now) for now in range(6)]
    assert told.index(True) - 1 == SHUT_S
    shrinking = ReaderWatch()
    told = [
        shrinking.reads_nothing(TcpState(6000 * n, False, 500_000 - 4000 * n), n * LOOK_S) for n in range(30)
    ]
    assert told.index(True) == LOOKS + 1


def asked(
    watch: AnswerWatch, overdue_s: float, pongs: int, start: float, end: float
) -> list[tuple[float, Asking]]:
    """What looks ask for, two a second, with the time of each that asks for anything."""
    times = [start + 0.5 * number for number in range(int(2 * (end - start)))]
    looks = [(at, watch.look(overdue_s, pongs, at)) for at in times]
    return [(at, asking) for at, asking in looks if asking is not Asking.NOTHING]


def test_who_gives_its_marks_back_is_never_asked() -> None:
    assert asked(AnswerWatch(), OVERDUE_S - 0.1, 0, 0.0, 60.0) == []


def test_who_answers_neither_marks_nor_a_ping_is_given_up() -> None:
    found = asked(AnswerWatch(), OVERDUE_S, 0, 0.0, PONG_S + 0.5)
    assert found == [(0.0, Asking.PING), (PONG_S, Asking.GIVE_UP)]


def test_who_answers_a_ping_is_asked_again_later_and_never_given_up() -> None:
    """A carrier that knows no marks, or whose marks were lost, still reads."""
    watch, pongs, pings = AnswerWatch(), 0, []
    for number in range(120):
        at = 0.5 * number
        asking = watch.look(OVERDUE_S, pongs, at)
        assert asking is not Asking.GIVE_UP
        if asking is Asking.PING:
            pings.append(at)
            pongs += 1
    assert 5 <= len(pings) and all(
        later - at >= ASK_AGAIN_S for at, later in zip(pings, pings[1:], strict=False)
    )


def test_a_mark_that_comes_while_an_answer_is_waited_for_is_an_answer() -> None:
    watch = AnswerWatch()
    assert watch.look(OVERDUE_S, 0, 0.0) is Asking.PING
    assert watch.look(0.0, 0, 1.0) is Asking.NOTHING
    assert watch.look(OVERDUE_S, 0, PONG_S) is Asking.PING
