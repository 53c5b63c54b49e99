"""Server-sent events, cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.errors import RemoteProtocolError
from telephony.llm.sse import BOM, EventReader, ServerSentEvent

STREAM = (
    b": a comment\n\ndata: one\n\ndata:two\nid: 7\nretry: 10\n\nevent: error\ndata: three\ndata:  four\n\n"
    b"\n\ndata\n\nevent: nothing\n\ndata: [DONE]\n\n"
)
EVENTS = [
    ServerSentEvent(b"one"),
    ServerSentEvent(b"two"),
    ServerSentEvent(b"three\n four", "error"),
    ServerSentEvent(b""),
    ServerSentEvent(b"[DONE]"),
]


def read(*pieces: bytes, most: int = 1000) -> list[ServerSentEvent]:
    reader = EventReader(most)
    return [event for piece in pieces for event in reader.feed(piece)] + reader.end()


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("bom", [b"", BOM], ids=["", "BOM"])
def test_every_line_end_gives_the_same_events_in_single_bytes_too(end: bytes, bom: bytes) -> None:
    stream = bom + STREAM.replace(b"\n", end)
    assert read(stream) == EVENTS
    assert read(*(stream[at : at + 1] for at in range(len(stream)))) == EVENTS


@given(
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    st.lists(st.integers(0, len(STREAM) * 2), max_size=12),
)
def test_where_a_stream_is_cut_makes_no_difference(end: bytes, cuts: list[int]) -> None:
    stream = STREAM.replace(b"\n", end)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[a:b] for a, b in zip(places, places[1:], strict=False)]
    assert read(*pieces) == EVENTS


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_any_bytes_are_read_or_refused(pieces: list[bytes]) -> None:
    joined = b"".join(pieces)
    assert read(*pieces, most=10_000) == read(joined, most=10_000)


def test_the_last_event_may_lack_its_empty_line_and_its_line_end() -> None:
    assert read(b"data: a\n\ndata: b\n") == [ServerSentEvent(b"a"), ServerSentEvent(b"b")]
    assert read(b"data: a\n\ndata: b") == [ServerSentEvent(b"a"), ServerSentEvent(b"b")]


@pytest.mark.parametrize(
    "pieces",
    [
        [b"data: " + b"x" * 2000],
        [b"x" * 10] * 200,
        [b"data: xxxxxxxxx\n"] * 200,
        [b"data: " + b"x" * 2000 + b"\n\n"],
    ],
    ids=["one line", "a line in pieces", "many data lines", "a complete event"],
)
def test_an_event_without_end_is_refused(pieces: list[bytes]) -> None:
    with pytest.raises(RemoteProtocolError):
        read(*pieces, most=1000)


def test_comments_and_empty_lines_without_end_are_not_kept() -> None:
    reader = EventReader(1000)
    for _ in range(500):
        assert reader.feed(b": still there\n\n") == []
