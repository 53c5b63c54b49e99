"""What cannot be undone needs an utterance that as a whole means it; what corrects is not a goodbye."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from telephony import HangUp, Transfer
from telephony.reply.builtin_intents import BuiltinIntent, wish_of
from telephony.reply.script_reader import load_script
from telephony.reply.scripted import ScriptedAgent
from tests.reply.test_scripted import COFFEE, DESIGN, NUMBER, Talk, talk_of
from tests.shared import shared_path

SAID = yaml.safe_load((Path(__file__).parent / "said" / "acts.yaml").read_text())
PERSON = yaml.safe_load((Path(__file__).parent / "said" / "person.yaml").read_text())
ORDER = "A large latte, please."


@pytest.fixture(params=["coffee", "design"])
def ordered(request: pytest.FixtureRequest, tmp_path: Path) -> Talk:
    """A caller who has ordered a large latte, and was asked for anything else."""
    talk = Talk() if request.param == "coffee" else talk_of(tmp_path, DESIGN)
    talk.say(ORDER)
    return talk


@pytest.mark.parametrize("said", SAID["hangs_up"])
def test_a_goodbye_ends_the_call(ordered: Talk, said: str) -> None:
    assert ordered.say(said) == "That's a large latte. Thank you, goodbye."
    assert HangUp() in ordered.said


@pytest.mark.parametrize("said", SAID["never_hangs_up"])
def test_what_is_no_goodbye_never_ends_the_call(ordered: Talk, said: str) -> None:
    for written in (said, said.lower().replace(",", "").replace(".", ""), said.upper()):
        talk = Talk(ordered.agent)
        talk.say(ORDER)
        talk.say(written)
        assert HangUp() not in talk.said, written
        assert not any(isinstance(one, Transfer) for one in talk.said), written


@pytest.mark.parametrize("said", SAID["small"])
def test_a_correction_changes_what_it_names_and_reads_it_back(ordered: Talk, said: str) -> None:
    assert "small latte" in ordered.say(said)
    assert [item["size"] for item in ordered.notes["items"]] == ["small"]  # type: ignore[attr-defined]
    assert ordered.say("No, that's all.") == "That's a small latte. Thank you, goodbye."


@pytest.mark.parametrize("said", SAID["mocha"])
def test_a_correction_may_name_another_thing(ordered: Talk, said: str) -> None:
    assert "large mocha" in ordered.say(said)
    assert ordered.say("No, that's all.") == "That's a large mocha. Thank you, goodbye."


@pytest.mark.parametrize("said", SAID["asks_what"])
def test_a_correction_that_names_nothing_gets_a_question(ordered: Talk, said: str) -> None:
    assert ordered.say(said) == "What should I change?"
    assert "small latte" in ordered.say("A small one.")
    assert HangUp() not in ordered.said


def test_what_is_to_change_may_be_named_by_its_part(ordered: Talk) -> None:
    ordered.say("No, that's wrong.")
    assert ordered.say("The size.") in ("Which size?", "Small, medium or large?")
    assert "medium latte" in ordered.say("Medium.")
    ordered.say("No.")
    assert HangUp() in ordered.said


@pytest.mark.parametrize("said", ["Nothing.", "No.", "Never mind, it's fine."])
def test_nothing_to_change_after_all_goes_back_to_the_question(ordered: Talk, said: str) -> None:
    ordered.say("No, that's wrong.")
    answer = ordered.say(said)
    assert "large latte" in answer and answer.endswith("Anything else?")
    assert HangUp() not in ordered.said


@pytest.mark.parametrize("said", SAID["two_items"])
def test_what_comes_on_top_is_no_correction(ordered: Talk, said: str) -> None:
    assert "small mocha" in ordered.say(said)
    assert ordered.say("No.") == "That's a large latte and a small mocha. Thank you, goodbye."


@pytest.mark.parametrize("said", SAID["no_order"])
def test_what_no_intent_knows_is_not_forced_into_an_order(said: str) -> None:
    for talk in (Talk(), Talk()):
        if talk.agent is COFFEE:
            assert "drink" not in talk.say(said)
        assert not talk.notes.get("items") and not talk.notes.get("asked")
    talk.say(ORDER)
    talk.say(said)
    assert len(talk.notes["items"]) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("said", SAID["forgets"])
def test_an_order_is_dropped_on_demand(said: str) -> None:
    talk = Talk()
    talk.say(ORDER)
    assert talk.say(said) == "Okay, let's start again. What can I get you?"


@pytest.mark.parametrize("said", SAID["never_forgets"])
def test_an_order_is_kept_when_dropping_it_is_only_talked_of(said: str) -> None:
    talk = Talk()
    talk.say(ORDER)
    talk.say(said)
    assert talk.notes["items"]


# ---- a person


@pytest.mark.parametrize("said", PERSON["transfer"])
def test_a_person_is_put_through_to(ordered: Talk, said: str) -> None:
    assert ordered.say(said) == "One moment."
    assert Transfer(NUMBER) in ordered.said


@pytest.mark.parametrize("said", PERSON["stay"])
def test_who_does_not_ask_for_a_person_stays(ordered: Talk, said: str) -> None:
    for written in (said, said.lower().replace(",", ""), said.upper()):
        ordered.say(written)
        assert not any(isinstance(one, (Transfer, HangUp)) for one in ordered.said), written


@pytest.mark.parametrize("said", PERSON["about"])
def test_are_you_a_robot_has_an_answer(said: str) -> None:
    talk = Talk()
    assert talk.say(said) == "I'm an automated assistant, not a person. What can I get you?"
    assert not any(isinstance(one, Transfer) for one in talk.said)


@pytest.mark.parametrize("said", PERSON["not_about"])
def test_other_questions_are_not_about_robots(said: str) -> None:
    assert wish_of(said) is not BuiltinIntent.ABOUT


def test_a_script_has_its_own_answer_and_its_own_question(tmp_path: Path) -> None:
    talk = talk_of(tmp_path, DESIGN + 'about: "I am Marvin, a robot."\ncorrect: "What is wrong?"\n')
    assert talk.say("Are you a robot?").startswith("I am Marvin, a robot.")
    talk.say(ORDER)
    assert talk.say("No, that's wrong.") == "What is wrong?"


def test_without_a_number_a_caller_who_wants_a_person_is_told(tmp_path: Path) -> None:
    agent = ScriptedAgent(load_script("coffee", {}))
    for said in ("I'd like to speak to customer support.", "Get me a representative."):
        talk = Talk(agent)
        assert talk.say(said) == "Sorry, nobody else is free right now. What can I get you?"
        assert not talk.notes.get("items")


def test_the_shared_cases_hold(ordered: Talk) -> None:
    cases = yaml.safe_load(shared_path("cases/spoken.yaml").read_text())
    for said in cases["corrections"]["hang_up"]:
        talk = Talk(ordered.agent)
        talk.say(ORDER)
        talk.say(said)
        assert HangUp() in talk.said, said
    for said in (*cases["corrections"]["never_hang_up"], *cases["person"]["never_transfer"]):
        talk = Talk(ordered.agent)
        talk.say(ORDER)
        talk.say(said)
        assert not any(isinstance(one, (HangUp, Transfer)) for one in talk.said), said
    for said in cases["person"]["transfer"]:
        talk = Talk(ordered.agent)
        talk.say(said)
        assert Transfer(NUMBER) in talk.said, said


# ---- scripts of other people

CALL_CENTRE = """
slots: {day: [monday, tuesday]}
intents:
  billing: {match: ["billing", "invoice"], say: "One moment.", do: {transfer: "+14155550132"}}
  cancel: {match: ["cancel"], say: "Do you want me to cancel your subscription now?", expects: yes_no, on_yes: {then: gone}, on_no: "It stays."}
  gone: {say: "It is cancelled. Goodbye.", do: hang_up}
  visit: {match: ["{day}"], say: "On {day}. Shall I end the call?", expects: yes_no, on_yes: {say: "Bye.", do: hang_up}, on_no: "Go on."}
  bye: {match: ["bye"], say: "Goodbye.", do: hang_up}
"""  # noqa: E501


@pytest.mark.parametrize(
    ("said", "acts"),
    [
        ("Yes.", True),
        ("Yes, please do.", True),
        ("Yes, go ahead.", True),
        ("Yes, what does it cost?", False),
        ("Yes, but not today.", False),
        ("Absolutely not.", False),
        ("Yes, I have a pet.", False),
        ("Yeah, no.", False),
        ("Maybe.", False),
    ],
)
def test_a_yes_to_what_cannot_be_undone_must_be_a_whole_yes(tmp_path: Path, said: str, acts: bool) -> None:
    talk = talk_of(tmp_path, CALL_CENTRE)
    talk.say("I want to cancel.")
    talk.say(said)
    assert (HangUp() in talk.said) is acts


@pytest.mark.parametrize(
    ("said", "acts"),
    [
        ("Billing, please.", True),
        ("I have a question about my invoice.", True),
        ("Can I talk to billing?", True),
        ("Don't send me to billing.", False),
        ("Is this billing?", False),
        ("I'm not calling about my invoice.", False),
        ("My friend said billing is great.", False),
        ("What is billing?", False),
    ],
)
def test_a_script_s_own_words_transfer_when_they_are_meant(tmp_path: Path, said: str, acts: bool) -> None:
    talk = talk_of(tmp_path, CALL_CENTRE)
    talk.say(said)
    assert any(isinstance(one, Transfer) for one in talk.said) is acts


GREETED = """
greeting: "Hello. Do you want me to cancel your subscription now?"
intents:
  yes: {say: "Cancelled. Goodbye.", do: hang_up}
  no: {say: "It stays."}
"""


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("Absolutely not.", "It stays."),
        ("Keep it.", "It stays."),
        ("I would rather not.", "It stays."),
        ("Yeah, no.", "It stays."),
        ("No problem.", "Cancelled. Goodbye."),
        ("Cancel it.", "Cancelled. Goodbye."),
        ("Why not?", "Cancelled. Goodbye."),
    ],
)
def test_a_question_in_the_greeting_is_answered_too(tmp_path: Path, said: str, answer: str) -> None:
    assert talk_of(tmp_path, GREETED).say(said) == answer


@pytest.mark.parametrize("said", ["Maybe.", "Not yet.", "Yes, but not now.", "What does it cost?"])
def test_what_is_no_answer_to_it_is_asked_again(tmp_path: Path, said: str) -> None:
    talk = talk_of(tmp_path, GREETED)
    talk.say(said)
    assert HangUp() not in talk.said


def test_a_correction_in_the_middle_of_the_questions_is_read_back(tmp_path: Path) -> None:
    talk = Talk()
    assert talk.say("A latte.") == "Small, medium or large?"
    assert talk.say("No, I said a mocha.") == "Mocha. Small, medium or large?"
    assert talk.say("Small.").lower().endswith("a small mocha. anything else?")
    assert talk.say("Just the mocha.").lower().endswith("a small mocha. anything else?")


BEFORE = ["", "Um, ", "Oh, ", "Well, ", "Please ", "Hey, ", "Look, ", "Sorry, ", "Okay, "]
REQUESTS = [
    "talk to a person",
    "speak to a human",
    "speak with a representative",
    "talk to an agent",
    "be transferred to an operator",
    "talk to customer service",
    "speak to your manager",
    "be connected to somebody",
    "talk to someone",
]
WANT = [
    "I want to ",
    "I'd like to ",
    "I would like to ",
    "I need to ",
    "Can I ",
    "Could I please ",
    "May I ",
    "Let me ",
]
NOT = [
    "I don't want to ",
    "I do not want to ",
    "I'd rather not ",
    "I never want to ",
    "I don't need to ",
    "I would prefer not to ",
    "Please don't make me ",
    "There's no need for me to ",
    "I wouldn't like to ",
    "I refuse to ",
    "Do I have to ",
]
AFTER = ["", ", please", " now", " about my order", ", thanks"]
pick = st.sampled_from


@given(pick(BEFORE), pick(WANT), pick(REQUESTS), pick(AFTER))
def test_a_wish_for_a_person_is_heard_in_any_words(before: str, want: str, wish: str, after: str) -> None:
    assert wish_of(f"{before}{want}{wish}{after}.") is BuiltinIntent.PERSON


@given(pick(BEFORE), pick(NOT), pick(REQUESTS), pick(AFTER))
def test_a_wish_that_is_denied_is_none(before: str, denied: str, wish: str, after: str) -> None:
    assert wish_of(f"{before}{denied}{wish}{after}.") is not BuiltinIntent.PERSON


@given(
    pick(["No, ", "Nope, ", "No. ", "no ", "Sorry, ", "Actually, ", "Wait, "]),
    pick(["I said ", "I meant ", "I wanted ", "make it ", "it should be ", ""]),
    pick(["a small one", "small", "a small latte", "a mocha", "a small mocha", "a tea", "an espresso"]),
    pick(AFTER[:2]),
)
def test_a_correction_in_any_words_never_ends_the_call(no: str, said: str, what: str, after: str) -> None:
    talk = Talk()
    talk.say(ORDER)
    answer = talk.say(f"{no}{said}{what}{after}")
    assert HangUp() not in talk.said
    assert len(talk.notes["items"]) == 1  # type: ignore[arg-type]
    words = set(what.split()) & {"small", "mocha", "tea", "espresso"}
    assert all(word in answer for word in words), answer


@pytest.mark.parametrize("said", ["No, that's all, thank you, good-bye.", "That's all. Goodbye.", "Bye."])
def test_a_goodbye_that_answers_no_question_is_one(said: str) -> None:
    """Where only the intent called no would take it: after "what else would you like?" and a menu."""
    talk = Talk()
    for words in (ORDER, "Yes, please.", "What do you have?", "A smock offal, please."):
        talk.say(words)
    assert talk.say(said) == "That's a large latte. Thank you, goodbye."
    assert HangUp() in talk.said
