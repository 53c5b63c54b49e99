"""Every mistake in a script is found when it is read, and reported as one line with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from telephony import Expect, Say, SilenceStep
from telephony.errors import BadScript
from telephony.reply.agent import EXPECT_KINDS, wording_of
from telephony.reply.loading import load_agent
from telephony.reply.script import Do
from telephony.reply.script_reader import _ASK, _INTENT, _SLOT, _TOP, load_script
from tests.markdown import read


class Settings:
    """Settings with one plain value, one that is unset and one that is not plain."""

    human_number = "+14155550132"
    other_number = ""
    secret_key = object()


def problem(tmp_path: Path, text: str) -> str:
    file = tmp_path / "s.yaml"
    file.write_text(text)
    with pytest.raises(BadScript) as caught:
        load_script(str(file), Settings())
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"{file}:")


OK = 'intents: {hi: {match: ["hi"], say: "Hello."}}\n'


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("", "1: the script is empty"),
        ("- a\n", "1: `name: value` lines are needed here"),
        ("name: x\n", "1: `intents` is missing"),
        (OK + "nam: x\n", "2: nam: unknown; name, greeting, slots, intents, fallback,"),
        (OK + "name: [\n", "3: no valid YAML:"),
        (OK + "name: a\nname: b\n", "3: name: stands here twice"),
        (OK + "name:\n", "2: name: is empty"),
        (
            OK + "greeting: {say: Hi, interruptable: true}\n",
            "2: greeting.interruptable: unknown; say or interruptible",
        ),
        (
            OK + "greeting: {say: Hi, interruptible: maybe}\n",
            "2: greeting.interruptible: 'maybe' is not allowed; true",
        ),
        (OK + "silence: [{after_s: 6}]\n", "2: silence: `say` is missing"),
        (
            OK + "silence: [{after_s: soon, say: Hi}]\n",
            "2: silence.after_s: 'soon' is not a number from 0.5 to 600",
        ),
        (OK + "silence: [{after_s: -1, say: Hi}]\n", "2: silence.after_s: -1 is not allowed; 0.5 to 600 is"),
        (
            OK + "silence: [{after_s: 6, say: Hi, do: wait}]\n",
            "2: silence.do: 'wait' is not allowed; hang_up is",
        ),
        (OK + "fallback: []\n", "2: fallback: is empty; at least one is needed"),
        (OK + "slots: {size: [small]}\n", "2: slots.size: this slot is never used"),
        (OK + "slots: {items: [small]}\n", "2: slots.items: 'items' is not a name for a slot"),
        (
            OK + "slots: {n: {type: numbers}}\n",
            "2: slots.n.type: 'numbers' is not allowed; words, digits, spelling, text or",
        ),
        (OK + "slots: {n: {type: digits, least: 0}}\n", "2: slots.n.least: 0 is not allowed; 1 to 64 is"),
        ("intents:\n  a: {match: ['a']}\n", "2: intents.a: `say` is missing: the caller would hear nothing"),
        ("intents:\n  a: {say: hi}\n", "2: intents.a: never reached: it has no `match`"),
        (
            "intents:\n  a: {match: ['(a'], say: hi}\n",
            "2: intents.a.match: '(a' is not a regular expression: missing )",
        ),
        ("intents:\n  a: {match: ['a*'], say: hi}\n", "2: intents.a.match: 'a*' matches everything"),
        (
            "intents:\n  a:\n    match: ['{size}']\n    say: hi\n",
            "3: intents.a.match: there is no slot 'size'; there",
        ),
        (
            "intents:\n  a:\n    match: a\n    say: '{size}'\n",
            "4: intents.a.say: there is no slot 'size'; there are",
        ),
        ("intents:\n  a:\n    match: a\n    say: 'x {1 y'\n", "4: intents.a.say: `{` begins a slot"),
        (
            "intents:\n  a: {match: a, say: b, do: dance}\n",
            "2: intents.a.do: 'dance' is not allowed; repeat, wait,",
        ),
        ("intents:\n  a: {match: a, say: b, do: transfer}\n", "2: intents.a.do: write {transfer:"),
        ("intents:\n  a: {match: a, say: b, do: {transfer: '${NOBODY}'}}\n", "there is no setting NOBODY"),
        (
            "intents:\n  a: {match: a, say: b, expects: maybe}\n",
            "2: intents.a.expects: 'maybe' is not allowed; yes_no,",
        ),
        ("intents:\n  a: {match: a, say: b, expects: choice}\n", "a choice needs its `options`"),
        ("intents:\n  a: {match: a, say: b, on_yes: c}\n", "on_yes and on_no need `expects: yes_no`"),
        ("intents:\n  a: {match: a, then: b}\n", "2: intents.a: then: there is no intent 'b'; there are: a"),
        ("intents:\n  a: {match: a, say: b, then: a}\n", "2: intents.a.then: stands alone"),
        (
            "intents:\n  a: {match: a, say: b, sensitive: true}\n",
            "belongs to a question: `expects` is missing",
        ),
        (
            "intents:\n  a: {match: a, say: b, length: 4}\n",
            "belongs to a question: `expects` is missing",
        ),
        (
            "intents:\n  a: {match: a, say: b, expects: yes_no, pause_s: 4}\n",
            "2: intents.a.pause_s: is of keys: `expects: digits` is missing",
        ),
        ("intents:\n  a: {match: a, say: b, expects: digits, pause_s: 90}\n", "2: intents.a.pause_s: "),
    ],
)
def test_a_mistake_is_reported_with_its_line_and_what_is_allowed(
    tmp_path: Path, text: str, reported: str
) -> None:
    assert reported in problem(tmp_path, text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadScript, match="no such script; give the path of a YAML file, or one of: .*coffee"):
        load_script("nowhere.yaml", {})
    with pytest.raises(BadScript, match="cannot be read: Is a directory"):
        load_script(str(tmp_path), {})
    (tmp_path / "latin.yaml").write_bytes(b"name: x\nfallback: caf\xe9\n")
    with pytest.raises(BadScript, match=r"latin\.yaml:2: not UTF-8 text"):
        load_script(str(tmp_path / "latin.yaml"), {})


def test_settings_fill_a_transfer_and_secrets_do_not(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    for name, expected in (("HUMAN_NUMBER", "+14155550132"), ("OTHER_NUMBER", ""), ("SECRET_KEY", "")):
        file.write_text("intents: {a: {match: a, say: b, do: {transfer: '$" + f"{{{name}}}" + "'}}}")
        assert load_script(str(file), Settings()).intents["a"].step.to == expected


def test_a_script_gives_its_wording(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(
        OK + "greeting: {say: Hi., interruptible: no}\nsilence: [{after_s: 3, say: Well, do: hang_up}]\n"
    )
    wording = wording_of(load_agent(f"scripted:{file}", {}))
    assert wording.greeting == Say("Hi.", interruptible=False)
    assert wording.silence == (SilenceStep(3.0, "Well", hang_up=True),)


def test_a_question_for_keys_says_when_their_entry_ends(tmp_path: Path) -> None:
    """By its own word, or by its slot's greatest length."""
    file = tmp_path / "s.yaml"
    file.write_text(
        """
slots: {zip: {type: digits, least: 5, most: 5}, account: {type: digits}}
intents:
  zip: {match: zip, say: "{zip}.", asks: {zip: "Your zip code?"}}
  account: {match: account, say: "{account}.", asks: {account: {say: "Which?", pause_s: 9, length: 12}}}
  plain: {match: plain, say: "{account} {zip}."}
"""
    )
    intents = load_script(str(file), Settings()).intents
    assert [ask.expect for ask in intents["zip"].asks] == [Expect("digits", length=5)]
    assert [ask.expect for ask in intents["account"].asks] == [Expect("digits", pause_s=9.0, length=12)]
    assert [ask.expect for ask in intents["plain"].asks] == [Expect("digits"), Expect("digits", length=5)]


def test_the_ready_script_is_sound_and_named_by_a_word() -> None:
    script = load_script("coffee", Settings())
    assert script.name == "coffee" and script.wording.greeting.text
    assert script.intents["human"].step.to == Settings.human_number


def test_the_example_that_explains_the_format_is_a_sound_script(tmp_path: Path) -> None:
    text = read("docs/scripts.md")
    file = tmp_path / "flowers.yaml"
    file.write_text(text.split("```yaml\n")[1].split("```")[0])
    script = load_script(str(file), Settings())
    assert script.name == "flowers" and list(script.intents) == ["order", "hours", "human", "bye"]


def test_every_key_of_a_script_is_explained() -> None:
    text = read("docs/scripts.md")
    for key in (*_TOP, *_INTENT, *_ASK, *_SLOT, *(do.value for do in Do), *EXPECT_KINDS):
        assert re.search(rf"\b{key}\b", text), key
