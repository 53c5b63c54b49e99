"""A reply is heard in the order it was written, whatever order its phrases come in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telephony.speak.phrase_order import OrderedAudio, PhraseOrder


def test_a_phrase_that_is_there_at_once_waits_for_the_one_before_it() -> None:
    order = PhraseOrder()
    order.expect(0)
    order.expect(1)
    assert order.add(1, b"second") == []
    assert order.add(1, OrderedAudio()) == []
    assert order.add(0, b"fir") == [(0, b"fir")]
    assert order.add(0, b"st") == [(0, b"st")]
    assert order.add(0, OrderedAudio()) == [(0, OrderedAudio()), (1, b"second"), (1, OrderedAudio())]


def test_a_failed_phrase_lets_the_next_one_through() -> None:
    order = PhraseOrder()
    order.expect(0)
    order.expect(1)
    order.add(1, b"x")
    assert order.add(0, OrderedAudio(problem="no audio")) == [
        (0, OrderedAudio(problem="no audio")),
        (1, b"x"),
    ]


def test_what_was_never_asked_for_is_dropped() -> None:
    assert PhraseOrder().add(3, b"late") == []


@given(st.permutations(range(5)))
def test_any_order_of_arrival_gives_the_order_of_asking(arrival: list[int]) -> None:
    order = PhraseOrder()
    for phrase in range(5):
        order.expect(phrase)
    out = []
    for phrase in arrival:
        out += order.add(phrase, bytes([phrase]))
        out += order.add(phrase, OrderedAudio())
    assert [part for _, part in out if isinstance(part, bytes)] == [bytes([p]) for p in range(5)]
