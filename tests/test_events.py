"""The vocabulary of a call: what goes in, what comes out, and the words that reach JSON."""

from __future__ import annotations

import typing
from dataclasses import fields, is_dataclass

import pytest

from telephony import events as ev
from telephony.conversation.conversation import Conversation
from telephony.conversation.policy import Policy
from telephony.conversation.timers import Timer
from telephony.reply.agent import Wording

EVENTS, COMMANDS = typing.get_args(ev.Event), typing.get_args(ev.Command)


def test_every_event_and_every_timer_has_a_handler() -> None:
    """A conversation that met another one would fail in the middle of a call."""
    conversation = Conversation(Wording(), Policy())
    assert set(conversation._on) == set(EVENTS)
    assert set(conversation._on_timer) == set(Timer)


@pytest.mark.parametrize("kind", [*EVENTS, *COMMANDS], ids=lambda kind: kind.__name__)
def test_what_goes_on_the_tape_is_a_plain_value(kind: type) -> None:
    assert is_dataclass(kind) and hasattr(kind, "__slots__") and kind.__doc__
    assert [f.name for f in fields(kind)] == list(kind.__slots__)


def test_no_event_is_a_command() -> None:
    names = [kind.__name__ for kind in (*EVENTS, *COMMANDS)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("reason", ev.HangUpReason)
def test_without_a_voice_somebody_else_says_the_last_words(reason: ev.HangUpReason) -> None:
    assert reason.voice_lost == reason.value.startswith("voice")
