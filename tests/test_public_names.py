"""`from telephony import ...` is the door for agents: all of it is there, and it costs a command nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import telephony
from telephony.reply import agent


def test_every_public_name_is_the_agents() -> None:
    assert {"Agent", "Turn", "Say", "Note", "HangUp", "Transfer", "Expect", "Wait"} <= set(telephony.__all__)
    for name in telephony.__all__:
        assert getattr(telephony, name) is getattr(agent, name)


def test_a_name_that_is_not_public_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Turns'"):
        getattr(telephony, "Turns")  # noqa: B009
    with pytest.raises(ImportError, match="Turns"):
        exec("from telephony import Turns")


def test_what_is_public_is_imported_when_it_is_asked_for() -> None:
    """A command does not load agents to print its help."""
    code = (
        "import sys, telephony; assert 'telephony.reply.agent' not in sys.modules;"
        "from telephony import Note; from telephony.reply.agent import Note as same; assert Note is same"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
