"""Whoever objects to being recorded is understood, and who only speaks of it is recorded on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from telephony import CallInfo, Message, Note, Notes, Said, Turn
from telephony.record.consent import STOPPED, STOPPED_BEFORE, MayStopRecording
from telephony.record.objection import objects
from tests.shared import shared_path

SAID = yaml.safe_load((Path(__file__).parent / "said_of_recording.yaml").read_text())
NOTICE = "This call is recorded."
pick = st.sampled_from


class Echo:
    """Says what was said."""

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        yield turn.text


async def answer(agent: MayStopRecording, said: str, notes: Notes, *history: Message) -> list[Said]:
    turn = Turn(said, 0, history, None, CallInfo("c"))
    return [one async for one in agent.reply(turn, notes)]


def written(said: str) -> list[str]:
    """As recognisers write it."""
    return [said, said.upper(), said.replace("'", "’")]


@pytest.mark.parametrize("said", SAID["stops"])
def test_an_objection_is_understood(said: str) -> None:
    assert all(objects(one) and objects(one, noticed=True) for one in written(said))


@pytest.mark.parametrize("said", SAID["goes_on"])
def test_what_is_none_is_none(said: str) -> None:
    assert not any(objects(one) for one in written(said))


@pytest.mark.parametrize("said", SAID["stops_after_a_notice"])
def test_after_a_notice_an_objection_need_not_name_it(said: str) -> None:
    assert all(objects(one, noticed=True) for one in written(said))


@pytest.mark.parametrize("said", SAID["goes_on_after_a_notice"])
def test_after_a_notice_other_words_are_no_objection(said: str) -> None:
    assert not any(objects(one, noticed=True) for one in written(said))


def test_the_shared_cases_hold() -> None:
    cases = yaml.safe_load(shared_path("cases/spoken.yaml").read_text())["recording"]
    assert all(objects(said) for said in cases["stops"])
    assert not any(objects(said) for said in cases["goes_on"])


BEFORE = ["", "Um, ", "Okay, ", "Hi, ", "Sorry, but ", "Yes, but ", "A large latte, and ", "Listen, ", "No, "]
WHAT = ["be recorded", "be recorded on this call", "have this recorded", "be taped", "have my voice recorded"]
AFTER = ["", ", please", ", thanks", " right now", " at all"]
WANT_NOT = [
    "I don't want to ",
    "I do not wish to ",
    "I'd rather not ",
    "I would prefer not to ",
    "I never agreed to ",
    "I refuse to ",
    "I really don't want to ",
    "I don't consent to ",
    "I'm not willing to ",
    "I won't ",
]
FINE = [
    "I don't mind if you ",
    "I'm happy if you ",
    "You can ",
    "It's fine to ",
    "I don't care if you ",
    "Go ahead and ",
    "I have no problem if you ",
    "I don't object if you ",
    "Please ",
]


@given(pick(BEFORE), pick(WANT_NOT), pick(WHAT), pick(AFTER))
def test_who_does_not_want_it_objects(before: str, want: str, what: str, after: str) -> None:
    assert objects(f"{before}{want}{what}{after}.")


@given(
    pick(BEFORE[:4]),
    pick(FINE),
    pick(["record this", "record me", "record this call", "tape this"]),
    pick(AFTER[:3]),
)
def test_who_does_not_mind_does_not_object(before: str, fine: str, what: str, after: str) -> None:
    assert not objects(f"{before}{fine}{what}{after}.")


@given(st.text(max_size=100), st.booleans())
def test_whatever_is_said_there_is_an_answer(said: str, noticed: bool) -> None:
    assert objects(said, noticed) in (True, False)


async def test_the_call_is_told_and_the_note_is_made() -> None:
    agent = MayStopRecording(Echo(), (), "")
    said = await answer(agent, "I don't want to be recorded.", {})
    notes = [dict(one.values) for one in said if isinstance(one, Note)]
    assert notes == [{"recorded": False}] and STOPPED in said


async def test_who_objects_again_is_told_that_it_is_stopped() -> None:
    agent = MayStopRecording(Echo(), (), "")
    assert await answer(agent, "I don't want to be recorded.", {"recorded": False}) == [STOPPED_BEFORE]


async def test_only_the_turn_after_the_notice_is_about_it() -> None:
    agent = MayStopRecording(Echo(), (), NOTICE)
    greeting = Message("agent", NOTICE, NOTICE)
    assert STOPPED in await answer(agent, "I don't agree to that.", {}, greeting)
    later = (greeting, Message("caller", "a latte", "a latte"), Message("agent", "With milk?", "With milk?"))
    assert await answer(agent, "I don't want that.", {}, *later) == ["I don't want that."]


async def test_own_words_add_to_what_is_understood() -> None:
    agent = MayStopRecording(Echo(), ("silence please",), "")
    assert STOPPED in await answer(agent, "Silence, please.".replace(",", ""), {})
    assert STOPPED in await answer(agent, "no recording", {})
