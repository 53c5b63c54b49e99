"""`confirm: true` on a slot: its value is read back, and used when the caller has said that it is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from telephony import Expect
from telephony.errors import BadScript
from telephony.reply.script_reader import load_script
from tests.reply.test_scripted import Talk, talk_of

ACCOUNT = """
slots: {account: {type: digits, least: 4, most: 10, confirm: true}}
intents:
  balance:
    match: ["balance"]
    asks: {account: "Your account number, please?"}
    say: "The balance of {account} is ten dollars. Anything else?"
    expects: yes_no
  pay: {match: ["pay {account}"], say: "Paying {account}."}
"""
READ = "I have 4 1 5 5. Is that right?"
DONE = "The balance of 4 1 5 5 is ten dollars. Anything else?"


@pytest.fixture
def asked(tmp_path: Path) -> Talk:
    talk = talk_of(tmp_path, ACCOUNT)
    assert talk.say("What's my balance?") == "Your account number, please?"
    return talk


@pytest.mark.parametrize(
    "said", ["Four one five five.", "Four one double five", "41 55", "Forty one fifty five"]
)
@pytest.mark.parametrize(
    "yes", ["Yes.", "That's right.", "Correct.", "Mm-hmm.", "Yep, that's it.", "Four one five five."]
)
def test_a_value_is_used_when_the_caller_has_confirmed_it(asked: Talk, said: str, yes: str) -> None:
    assert asked.say(said) == READ
    assert asked.expects == Expect("yes_no")
    assert asked.say(yes) == DONE


@pytest.mark.parametrize(
    "no", ["No.", "That's wrong.", "No, that's not right.", "Absolutely not.", "Not quite.", "It isn't."]
)
def test_a_value_that_is_wrong_is_asked_for_again(asked: Talk, no: str) -> None:
    asked.say("four one five six")
    assert asked.say(no) == "Your account number, please?"
    assert asked.say("four one five five") == READ
    assert asked.say("yes") == DONE


@pytest.mark.parametrize(
    "said", ["No, four one five five.", "No, it's four one five five.", "four one five five", "Sorry, 4155."]
)
def test_a_correction_is_read_back_in_its_turn(asked: Talk, said: str) -> None:
    asked.say("four one five six")
    assert asked.say(said) == READ
    assert asked.say("yes") == DONE


@pytest.mark.parametrize(
    "said", ["Maybe.", "What?", "Hm.", "I don't know.", "No, yes.", "What does it cost?"]
)
def test_what_is_neither_yes_nor_no_reads_it_back_again(asked: Talk, said: str) -> None:
    asked.say("four one five five")
    assert asked.say(said).endswith(READ)
    assert asked.expects == Expect("yes_no")
    assert asked.say("yes") == DONE


def test_keys_answer_and_correct(asked: Talk) -> None:
    assert asked.press("4156").startswith("I have 4 1 5 6.")
    assert asked.press("2") == "Your account number, please?"
    assert asked.press("4156").startswith("I have 4 1 5 6.")
    assert asked.press("4155") == READ
    assert asked.press("1") == DONE


def test_a_value_said_with_the_wish_is_read_back_too(tmp_path: Path) -> None:
    talk = talk_of(tmp_path, ACCOUNT)
    assert talk.say("Please pay four one five five.") == READ
    assert talk.say("Yes.") == "Paying 4 1 5 5."


def test_who_never_confirms_is_not_held_for_ever(asked: Talk) -> None:
    answers = [asked.say(said) for said in ("4155", "no") * 4]
    assert "Sorry, something went wrong there. Could you say that again?" in answers


@pytest.mark.parametrize(
    "said",
    [
        "four five, no, four six",
        "eight hundred five five",
        "three quarters of a million",
        "one two three thousand",
    ],
)
def test_a_number_that_could_be_another_is_asked_again(asked: Talk, said: str) -> None:
    assert asked.say(said).endswith("Your account number, please?")
    assert asked.say("four one five five") == READ


def test_a_person_is_heard_in_the_middle_of_it(asked: Talk) -> None:
    asked.say("4155")
    assert "nobody else is free" in asked.say("Let me talk to a person.")
    assert asked.say("yes") == DONE


def test_what_is_sensitive_cannot_be_read_back(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(
        ACCOUNT.replace(
            'account: "Your account number, please?"', 'account: {say: "Your number?", sensitive: true}'
        )
    )
    with pytest.raises(
        BadScript, match=r"s\.yaml:6: intents\.balance\.asks\.account: sensitive: it is never spoken"
    ):
        load_script(str(file), {})
    file.write_text(ACCOUNT.replace("confirm: true", "confirm: maybe"))
    with pytest.raises(
        BadScript, match=r"s\.yaml:2: slots\.account\.confirm: 'maybe' is not allowed; true or false is"
    ):
        load_script(str(file), {})
