"""What is ordered is what was meant, or it is asked again: words that are said may not be meant."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.reply.test_scripted import Talk

CASES = yaml.safe_load((Path(__file__).parent / "said" / "meant.yaml").read_text(encoding="utf-8"))


def ordered(talk: Talk) -> str:
    items = talk.notes.get("items", [])
    assert isinstance(items, list)
    return str(items[-1]["item"]) if items else ""


@pytest.mark.parametrize(("said", "wanted"), CASES["order"].items())
def test_what_is_ordered_is_what_was_meant(said: str, wanted: str) -> None:
    talk = Talk()
    talk.say(said)
    assert ordered(talk) == wanted


@pytest.mark.parametrize(("said", "wanted"), CASES["size"].items())
def test_an_answer_to_a_question_is_what_was_meant(said: str, wanted: str) -> None:
    talk = Talk()
    talk.say("A latte.")
    talk.say(said)
    assert ordered(talk) == wanted
