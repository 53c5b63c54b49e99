"""Yes and no are understood over the whole utterance, and the opposite of what was meant never is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from telephony.reply.polarity import answered
from tests.shared import shared_path

SAID = Path(__file__).parent / "said" / "yes_no.yaml"
CANCEL = "Do you want me to cancel your subscription now?"
MUST: dict[str, tuple[bool | None, ...]] = {"agrees": (True,), "refuses": (False,), "unclear": (None,)}
MUST |= {"never_yes": (False, None), "never_no": (True, None)}


def table() -> Iterator[Any]:
    for group in yaml.safe_load(SAID.read_text()):
        for kind, allowed in MUST.items():
            for said in group.get(kind, ()):
                yield pytest.param(group["question"], said, allowed, id=f"{group['question'][:12]}: {said}")


@pytest.mark.parametrize(("question", "said", "allowed"), list(table()))
def test_an_answer_means_what_was_meant_or_is_asked_again(
    question: str, said: str, allowed: tuple[bool | None, ...]
) -> None:
    for written in (said, said.upper(), said.replace("'", "’"), f"  {said} "):
        assert answered(written, question).yes in allowed


def test_the_shared_cases_hold() -> None:
    cases = yaml.safe_load(shared_path("cases/spoken.yaml").read_text())["yes_no"]
    assert [said for said in cases["never_yes"] if answered(said, CANCEL).yes is True] == []
    assert [said for said in cases["never_no"] if answered(said, CANCEL).yes is False] == []


BEFORE = [
    "",
    "Um, ",
    "Oh, ",
    "Well, ",
    "Hmm, ",
    "Okay, ",
    "So, ",
    "Honestly, ",
    "Thanks, ",
    "Uh ",
    "Actually, ",
    "Listen, ",
]
AFTER = [
    "",
    ", please",
    ", thanks",
    ", thank you very much",
    ", sir",
    " at the moment",
    ", to be honest",
    " really",
    " for now",
]
SUBJECTS = ["I ", "We "]
VERBS = [
    "want that",
    "want to",
    "want you to",
    "want you to do that",
    "like that",
    "need that",
    "want to cancel",
    "want to cancel it",
    "want my subscription cancelled",
    "agree",
    "agree to that",
    "consent to that",
    "accept that",
    "need you to cancel it",
    "want it cancelled",
    "feel like doing that",
    "wish to do that",
]
NEGATIONS = [
    "don't ",
    "do not ",
    "really don't ",
    "don't really ",
    "do not at all ",
    "never ",
    "certainly don't ",
    "most definitely do not ",
    "wouldn't ",
    "would not ",
    "won't ",
    "can't ",
    "cannot ",
]
AUXILIARIES = ["", "do ", "really do ", "would ", "certainly ", "definitely ", "would really "]
ADVERBS = [
    "Absolutely",
    "Definitely",
    "Certainly",
    "Of course",
    "Obviously",
    "Totally",
    "Clearly",
    "Most certainly",
    "Surely",
    "Positively",
    "Naturally",
]
pick = st.sampled_from


@given(pick(BEFORE), pick(SUBJECTS), pick(NEGATIONS), pick(VERBS), pick(AFTER), pick([".", "", "!"]))
def test_a_negated_sentence_is_never_a_yes(
    before: str, who: str, negation: str, verb: str, after: str, stop: str
) -> None:
    assert answered(f"{before}{who}{negation}{verb}{after}{stop}", CANCEL).yes is not True


@given(pick(BEFORE), pick(SUBJECTS), pick(AUXILIARIES), pick(VERBS), pick(AFTER), pick([".", "", "!"]))
def test_an_affirmed_sentence_is_never_a_no(
    before: str, who: str, auxiliary: str, verb: str, after: str, stop: str
) -> None:
    assert answered(f"{before}{who}{auxiliary}{verb}{after}{stop}", CANCEL).yes is not False


@given(
    pick(BEFORE),
    pick(ADVERBS),
    pick([" ", ", "]),
    pick(["not", "no", "I don't", "I do not", "never"]),
    pick(AFTER),
)
def test_an_adverb_that_is_negated_is_never_a_yes(
    before: str, adverb: str, link: str, negation: str, after: str
) -> None:
    assert answered(f"{before}{adverb}{link}{negation}{after}.", CANCEL).yes is not True


@given(
    pick(["yes", "yeah", "yep", "sure", "okay", "absolutely", "of course", "go ahead"]),
    pick([", ", " ", ". ", "... "]),
    pick(
        [
            "wait, no",
            "actually no",
            "but no",
            "no wait, no",
            "I mean no",
            "but not now",
            "but please don't",
            "but I'd rather not",
            "no, don't",
            "scratch that, no",
        ]
    ),
    pick(AFTER),
)
def test_a_yes_that_is_taken_back_is_never_a_yes(yes: str, link: str, back: str, after: str) -> None:
    assert answered(f"{yes}{link}{back}{after}", CANCEL).yes is not True


@given(
    pick(["no", "nope", "nah", "no thanks"]),
    pick([", ", " ", ". "]),
    pick(
        ["wait, yes", "actually yes", "I mean yes", "actually, go ahead", "sorry, yes", "scratch that, yes"]
    ),
)
def test_a_no_that_is_taken_back_is_never_a_no(no: str, link: str, back: str) -> None:
    assert answered(f"{no}{link}{back}", CANCEL).yes is not False


@given(
    pick(["yes", "no", "okay", "nope", "sure"]),
    pick([", ", " ", ". ", ""]),
    pick(
        [
            "what does it cost?",
            "why?",
            "how long does that take?",
            "is that free?",
            "do I get my money back?",
            "can I think about it?",
            "what happens to my data?",
            "when does it end",
        ]
    ),
)
def test_an_answer_that_goes_on_to_ask_is_asked_again(answer: str, link: str, question: str) -> None:
    if link or not question:
        assert answered(f"{answer}{link}{question}", CANCEL).yes is None


@given(st.text(max_size=80), st.text(max_size=40))
def test_whatever_is_said_there_is_an_answer(said: str, question: str) -> None:
    assert answered(said, question).yes in (True, False, None)


def test_a_word_like_no_is_a_no_only_after_a_yes_or_no_question() -> None:
    assert answered("know").yes is False
    assert answered("know", expected=False).yes is None


@pytest.mark.parametrize(
    "said", ["No.", "No, thank you.", "Nope, that's it.", "No, that'll be all, bye.", "That's all."]
)
def test_a_whole_no_says_nothing_else(said: str) -> None:
    assert answered(said, "Anything else?").whole


@pytest.mark.parametrize(
    "said",
    [
        "No, I said small.",
        "No, that's wrong.",
        "No, I meant a mocha.",
        "No, make it two.",
        "No, the other one.",
        "Not yet.",
        "No, no, no!",
        "No, you misheard me.",
        "No, with milk.",
        "No, don't hang up.",
    ],
)
def test_a_no_that_goes_on_is_not_whole(said: str) -> None:
    assert not answered(said, "Anything else?").whole
