"""What an agent yields is usable everywhere behind, or refused where it was yielded."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import Expect, HangUp, Note, Said, Say, Transfer, Wait, hold, press_keys
from telephony.carrier.call_flow import NextStep, Step, answer_after
from telephony.carrier.twiml import render
from telephony.reply.agent import EXPECT_KINDS
from telephony.reply.yielded import MOST_NESTED, NotAllowed, checked


class Size(StrEnum):
    SMALL = "small"


class Colour(str, Enum):  # noqa: UP042 - its str() is not its value
    RED = "red"


class Count(IntEnum):
    TWO = 2


def circle() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = {"in": [value]} if depth % 2 else [value]
    return value


UNFIT: list[tuple[object, str]] = [
    (datetime(2026, 11, 28, tzinfo=UTC), "datetime"),
    ({1, 2}, "set"),
    (b"bytes", "bytes"),
    (Decimal("1.5"), "Decimal"),
    (1j, "complex"),
    (object(), "object"),
    (HangUp(), "HangUp"),
    (Note, "type"),
    (2**70, "int of more than 64 bits"),
    (-(2**63) - 1, "int of more than 64 bits"),
    (math.nan, "float"),
    (math.inf, "float"),
    ({1: "a"}, "int; in JSON names are text"),
    ({"a": {None: 1}}, "NoneType"),
    (circle(), "holds itself"),
    (nested(MOST_NESTED + 1), "nested"),
    ("x" * 70_000, "characters"),
    ([0] * 10_000, "characters"),
]


@pytest.mark.parametrize(("value", "reason"), UNFIT, ids=[reason for _, reason in UNFIT])
@pytest.mark.parametrize(
    "wrap", [lambda v: v, lambda v: [v], lambda v: {"a": (v,)}], ids=["bare", "list", "dict"]
)
def test_a_note_that_json_cannot_hold_is_refused_by_name_and_type(
    value: object, reason: str, wrap: Any
) -> None:
    with pytest.raises(NotAllowed) as caught:
        checked(Note(order=wrap(value)))
    assert "order" in str(caught.value) and reason in str(caught.value) and "\n" not in str(caught.value)


def test_an_error_does_not_show_what_was_noted() -> None:
    with pytest.raises(NotAllowed) as caught:
        checked(Note(card=b"4111111111111111"))
    assert "4111" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (Size.SMALL, "small"),
        (Colour.RED, "red"),
        (Count.TWO, 2),
        (("a", "b"), ["a", "b"]),
        (OrderedDict(a=1), {"a": 1}),
        ("\ud800", "?"),
        (2**63 - 1, 2**63 - 1),
        (True, True),
        (None, None),
    ],
)
def test_what_is_nearly_json_is_made_json(value: object, kept: object) -> None:
    note = checked(Note(it=value))
    assert isinstance(note, Note) and note.values["it"] == kept and type(note.values["it"]) is type(kept)


def test_what_the_agent_does_to_its_value_later_changes_no_note() -> None:
    order: list[object] = ["latte"]
    note = checked(Note(order=order))
    order.append(b"never checked")
    assert isinstance(note, Note) and note.values["order"] == ["latte"]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary()
    | st.datetimes() | st.complex_numbers() | st.decimals() | st.uuids(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text() | st.integers(), inner)
    | st.frozensets(st.integers()),
    max_leaves=12,
)  # fmt: skip


@given(ANYTHING)
def test_whatever_is_noted_is_refused_or_comes_back_from_json_exactly(value: object) -> None:
    try:
        note = checked(Note(it=value))
    except NotAllowed:
        return
    assert isinstance(note, Note)
    values = dict(note.values)
    assert json.loads(json.dumps(values)) == values == orjson.loads(orjson.dumps(values))
    again = checked(note)
    assert again == note


# ---- transfers

TARGETS = [
    ("+14155550132", "+14155550132"),
    (" +1 (415) 555-0132 ", "+14155550132"),
    ("415.555.0132", "4155550132"),
    ("911", "911"),
    ("sip:anna@example.com", "sip:anna@example.com"),
    ("sips:anna@example.com;transport=tls", "sips:anna@example.com;transport=tls"),
    ("SIP:anna@example.com", "SIP:anna@example.com"),
    ("client:anna", "client:anna"),
    (press_keys("12w#").to, "digits:12w#"),
    (hold(30, "Please: hold.").to, "hold:30:Please: hold."),
    (hold(0.5).to, "hold:0.5:"),
]


@pytest.mark.parametrize(("to", "plain"), TARGETS)
def test_a_transfer_that_can_be_made_is_made(to: str, plain: str) -> None:
    """And it fills a template of TwiML."""
    said = checked(Transfer(to))
    assert said == Transfer(plain)
    answer = answer_after(NextStep.from_dict(NextStep.transfer(plain).as_dict()), {})
    values = {"stream_url": "b", "stream_status_url": "c", "token": "t", "music_url": "m", "language": "en"}
    assert "<Response>" in render(answer.template, after_url="a", **(values | dict(answer.values)))


def test_a_client_is_dialled_by_its_name() -> None:
    answer = answer_after(NextStep(Step.TRANSFER, to="client:anna"), {})
    assert "<Client>anna</Client>" in render(answer.template, after_url="a", **answer.values)


@pytest.mark.parametrize("to", [
    "", " ", "nobody", "+", "1", "+1415555013212345678", "tel:+14155550132", "+1415555O132",
    "sip:", "sip:a b", "client:", "sip:" + "x" * 300, "hold:a minute:please",
    "hold:", "hold:nan:", "hold:inf:", "hold:-1:",
    "hold:1e9:", "digits:", "digits:hello", "digits:" + "1" * 40, "hang_up:", "\u0664\u0661\u0665",
    "hold:5:" + "x" * 5000, "client:a\x00b", "sip:a@b\x07",
    "<Number>1</Number>", None, 14155550132, b"+14155550132", ["+14155550132"],
])  # fmt: skip
def test_a_transfer_that_cannot_be_made_is_refused(to: Any) -> None:
    with pytest.raises(NotAllowed, match=r"Transfer\.to"):
        checked(Transfer(to))


@given(st.text(max_size=60) | st.text("+0123456789 ()-.:/adghilopst", max_size=20))
def test_whatever_passes_as_a_transfer_leaves_a_word_that_twiml_can_say(to: str) -> None:
    try:
        said = checked(Transfer(to))
    except NotAllowed:
        return
    assert isinstance(said, Transfer)
    assert NextStep.from_dict(json.loads(json.dumps(NextStep.transfer(said.to).as_dict()))).loops >= 1


# ---- everything else


class Failing(Mapping[str, object]):
    """Cannot be read."""

    def __getitem__(self, name: str) -> object:
        raise ZeroDivisionError

    def __iter__(self) -> Iterator[str]:
        raise ZeroDivisionError

    def __len__(self) -> int:
        return 1


class Keys(IntEnum):
    TWO = 2


def test_numbers_of_a_question_are_plain() -> None:
    """What NumPy computes is a float, which not every JSON library can write."""
    said = checked(Expect("digits", pause_s=np.float64(2), length=Keys.TWO))
    assert isinstance(said, Expect) and (type(said.pause_s), type(said.length)) == (float, int)


@pytest.mark.parametrize("said", [
    "text", "", Say("text"), Say("text", interruptible=False), Note(), HangUp(), Wait(),
    *(Expect(kind) for kind in EXPECT_KINDS), Expect("choice", ("a", "b"), sensitive=True),
    Expect("digits", pause_s=9, length=4),
])  # fmt: skip
def test_what_is_right_stays_as_it_is(said: Said) -> None:
    assert checked(said) == said


@pytest.mark.parametrize(("said", "reason"), [
    (None, "yielded NoneType; text, Say, Note"), (1, "yielded int"), (b"text", "yielded bytes"),
    ({"say": "text"}, "yielded dict"), (HangUp, "the class HangUp: write HangUp("),
    (Say(None), "Say.text is NoneType"), (Say("x", interruptible="no"), "Say.interruptible is str"),  # type: ignore[arg-type]
    (Expect("number"), "Expect.kind"), (Expect(["digits"]), "Expect.kind"),  # type: ignore[arg-type]
    (Expect("choice", "small"), "Expect.options is str"), (Expect("choice", (1,)), "Expect.options is int"),  # type: ignore[arg-type]
    (Expect("digits", sensitive="yes"), "Expect.sensitive is str"),  # type: ignore[arg-type]
    (Expect("digits", pause_s="9"), "Expect.pause_s is str"),  # type: ignore[arg-type]
    (Expect("digits", pause_s=float("nan")), "Expect.pause_s is nan"),
    (Expect("digits", pause_s=0), "0.5 to 60 s"), (Expect("digits", pause_s=10**400), "0.5 to 60 s"),
    (Expect("choice", ("x",) * 5000), "more than 4096 characters"),
    (Note(a=Failing()), "yielded Note; reading it failed with ZeroDivisionError"),
    (Expect("digits", length=2.0), "Expect.length is float"), (Expect("digits", length=0), "1 to 64 keys"),  # type: ignore[arg-type]
])  # fmt: skip
def test_what_is_wrong_is_refused_with_its_place_and_type(said: object, reason: str) -> None:
    with pytest.raises(NotAllowed) as caught:
        checked(said)
    assert reason in str(caught.value)


def test_a_class_made_out_of_one_of_ours_becomes_ours() -> None:
    class Louder(Say):
        pass

    class Later(HangUp):
        pass

    assert type(checked(Louder("x"))) is Say and type(checked(Later())) is HangUp
