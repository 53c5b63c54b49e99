"""Few sockets wait for their start at a time; others queue up, and those that only wait make room."""

from __future__ import annotations

import asyncio

from telephony.carrier.pending_streams import IDLE_S, PATIENCE_S, PendingStreams
from tests.pacing import loop_turn


class Socket:
    """Remembers that it was told to go."""

    gone = False

    def cancel(self) -> None:
        self.gone = True


async def test_a_newcomer_waits_for_its_turn() -> None:
    """First come, first in, as soon as somebody leaves."""
    room, sockets = PendingStreams(cap=1), [Socket() for _ in range(3)]
    assert await room.enter(sockets[0])
    order: list[int] = []

    async def one(number: int) -> None:
        assert await room.enter(sockets[number])
        order.append(number)
        room.leave(sockets[number])

    tasks = [asyncio.create_task(one(number)) for number in (1, 2)]
    await loop_turn()
    assert len(room) == 1 and not order
    room.leave(sockets[0])
    await asyncio.gather(*tasks)
    assert order == [1, 2] and len(room) == 0


async def test_the_oldest_idler_makes_room() -> None:
    """It is told to go after a second, and only as many as are needed."""
    room, sockets = PendingStreams(cap=2), [Socket() for _ in range(3)]
    for socket in sockets[:2]:
        assert await room.enter(socket)
    begun = asyncio.get_running_loop().time()
    assert await room.enter(sockets[2])
    assert IDLE_S - 0.1 <= asyncio.get_running_loop().time() - begun < PATIENCE_S
    assert [socket.gone for socket in sockets] == [True, False, False]
    assert len(room) == 2


async def test_the_queue_is_bounded() -> None:
    """Who finds it full is turned away at once; who is cancelled leaves it."""
    room = PendingStreams(cap=1, queue=1)
    assert await room.enter(Socket())
    queued = asyncio.create_task(room.enter(Socket()))
    await loop_turn()
    assert not await room.enter(Socket())
    queued.cancel()
    await asyncio.gather(queued, return_exceptions=True)
    again = asyncio.create_task(room.enter(Socket()))
    await loop_turn()
    assert not again.done()
    again.cancel()
    await asyncio.gather(again, return_exceptions=True)
