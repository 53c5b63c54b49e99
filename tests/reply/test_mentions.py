"""What is ordered is what was meant, or it is asked again: words that are said may not be meant."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from telephony.reply.agent import HangUp
from tests.reply.test_scripted import Talk, talk_of

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


@pytest.mark.parametrize(("said", "answer"), CASES["change"].items())
def test_a_change_is_made_and_read_back(said: str, answer: str) -> None:
    talk = Talk()
    talk.say("A large latte.")
    assert talk.say(said) == answer


@pytest.mark.parametrize("said", CASES["nothing"])
def test_nothing_is_ordered_by_what_is_no_order(said: str) -> None:
    talk = Talk()
    talk.say(said)
    assert not talk.notes.get("items") and not talk.notes.get("asked")


VISITS = """
greeting: "Doctor's office."
slots:
  kind: [checkup, cleaning]
  day: [Monday, Tuesday, Wednesday]
  phone: {type: digits, least: 7, most: 11, confirm: true}
intents:
  book:
    match: ["book", "{day}"]
    asks: {kind: "A checkup or a cleaning?", day: "Which day?", phone: "And your phone number?"}
    item: "a {kind} on {day}"
    say: "{item}. Anything else?"
    expects: yes_no
    on_no: {then: bye}
  cancel:
    match: ["cancel"]
    say: "Do you want me to cancel all of it?"
    expects: yes_no
    on_yes: {say: "It is cancelled.", do: forget}
    on_no: "Then it stays as it is."
  bye: {match: ["\\bbye"], say: "{summary} Goodbye.", do: hang_up}
summary: {say: "That's {items}.", many: "That's {count} visits.", empty: "Nothing booked."}
fallback: ["Sorry?", "Once more, please?"]
"""


@pytest.fixture
def visits(tmp_path: Path) -> Talk:
    return talk_of(tmp_path, VISITS)


def test_another_part_may_be_corrected_while_a_value_is_read_back(visits: Talk) -> None:
    visits.say("book a cleaning on Tuesday")
    visits.say("415 555 0123")
    assert visits.say("No, Wednesday.").startswith("Wednesday. I have 4 1 5")
    assert visits.say("yes") == "A cleaning on Wednesday. Anything else?"


@pytest.mark.parametrize(
    "said",
    [
        "Tuesday doesn't work",
        "No, not Tuesday.",
        "I can't do Tuesday",
        "the day is wrong",
        "change the day",
    ],
)
def test_a_part_that_is_wrong_is_asked_for(visits: Talk, said: str) -> None:
    for line in ("book a cleaning on Tuesday", "415 555 0123", "yes"):
        visits.say(line)
    assert visits.say(said) in ("Which day?", "What should I change?")
    visits.say("Monday")
    items = visits.notes["items"]
    assert isinstance(items, list) and [item["item"] for item in items] == ["a cleaning on Monday"]


def test_a_value_that_is_never_confirmed_does_not_lose_the_rest(visits: Talk) -> None:
    visits.say("book a cleaning on Tuesday")
    for number in ("415 555 0123", "415 555 0124", "415 555 0125"):
        visits.say(number)
        last = visits.say("no")
    assert last == "A cleaning on Tuesday. Anything else?"
    assert visits.say("no") == "That's a cleaning on Tuesday. Goodbye."


@pytest.mark.parametrize(
    "before",
    [
        ["cancel"],
        ["book"],
        ["book a cleaning"],
        ["book a cleaning on Tuesday"],
        ["book a cleaning on Tuesday", "415 555 0123"],
    ],
)
def test_no_question_is_asked_a_fourth_time(visits: Talk, before: list[str]) -> None:
    for line in before:
        asked = visits.say(line)
    question = asked.split(". ")[-1]
    answers = [visits.say("blah blah") for _ in range(6)]
    assert sum(question in answer for answer in answers) <= 2
    assert not any(isinstance(said, HangUp) for said in visits.said)


@pytest.mark.parametrize("said", ["don't cancel", "I don't want to cancel", "never cancel"])
def test_what_is_denied_is_not_asked_for(visits: Talk, said: str) -> None:
    assert "Do you want me to cancel" not in visits.say(said)


@pytest.mark.parametrize(
    ("said", "items"),
    [
        ("no the latte is small", ["a small mocha", "a small latte"]),
        ("make the latte a small one", ["a small mocha", "a small latte"]),
        ("No, I said medium.", ["a large latte", "a medium mocha"]),
        ("No, I said a small latte.", ["a large latte", "a small latte"]),
        ("the small mocha should be large", ["a large latte", "a large mocha"]),
        ("cancel the latte", ["a large latte", "a small mocha"]),
    ],
)
def test_a_correction_is_about_the_thing_it_names(said: str, items: list[str]) -> None:
    talk = Talk()
    talk.say("A large latte.")
    talk.say("A small mocha.")
    talk.say(said)
    ordered_items = talk.notes["items"]
    assert isinstance(ordered_items, list) and [item["item"] for item in ordered_items] == items
