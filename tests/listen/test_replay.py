"""What a new connection would have to hear again: never too much, never with a hole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telephony.listen.replay import ReplayBuffer


def chunk(number: int) -> bytes:
    return bytes([number % 256]) * 4


def taken(buffer: ReplayBuffer) -> bytes:
    out = b""
    while (piece := buffer.take()) is not None:
        out += piece
    return out


def test_what_was_sent_is_kept_until_it_is_settled() -> None:
    """A rewind sends again what was not settled, from the chunk in which the settled part ends."""
    buffer = ReplayBuffer(100)
    for n in range(5):
        buffer.append(chunk(n))
    assert taken(buffer) == b"".join(map(chunk, range(5)))
    buffer.settle(9)
    assert buffer.rewind() == 8
    assert taken(buffer) == chunk(2) + chunk(3) + chunk(4)


def test_what_was_never_sent_is_not_settled() -> None:
    """A service cannot have heard it, whatever its clock says."""
    buffer = ReplayBuffer(100)
    buffer.append(chunk(0))
    buffer.settle(50)
    assert taken(buffer) == chunk(0)


def test_the_oldest_goes_when_there_is_too_much() -> None:
    """What goes unsent is counted, and a connection that will miss it is told."""
    buffer = ReplayBuffer(8)
    assert not buffer.append(chunk(0))
    assert not buffer.append(chunk(1))
    assert buffer.take() == chunk(0)
    assert not buffer.append(chunk(2))
    assert buffer.append(chunk(3))
    assert buffer.dropped == 4
    assert taken(buffer) == chunk(2) + chunk(3)


@given(st.lists(st.sampled_from(["give", "take", "settle", "rewind"]), max_size=60))
def test_positions_are_those_of_the_stream(steps: list[str]) -> None:
    """Whatever happens, what is taken lies where its position says, and no more is kept than allowed."""
    buffer, stream = ReplayBuffer(20), b""
    for step in steps:
        if step == "give":
            stream += chunk(len(stream) // 4)
            buffer.append(stream[-4:])
        elif step == "take":
            at = buffer.next
            piece = buffer.take()
            assert piece is None or piece == stream[at : at + 4]
        elif step == "settle":
            buffer.settle(buffer.next - 2)
        else:
            assert buffer.rewind() == buffer.start == buffer.next
        assert buffer.start <= buffer.next <= buffer.end == len(stream)
        assert buffer.end - buffer.start <= 20
