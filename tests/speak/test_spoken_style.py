"""What is written for machines is never spoken, however it is cut; everything else is spoken at once."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.reply.agent import Message, Say, Wording
from telephony.speak.spoken_style import SpokenStyle
from telephony.testing.virtual_call import VirtualCall

UNSPEAKABLE = (
    '{"name": "note_order", "arguments": {"drink": "}\\""}}',
    '{ "name" : "x" }',
    '{{"name": "order"}}',
    '[{"name": "a"}, {"name": "b"}]',
    '{"name": "never closed", "arguments"',
    "```json\n{}\n```",
    "```python\nprint('hi')\n",
    "<tool_call>\nbook(1)\n</tool_call>",
    "<tool_call>never closed",
    "<tool",
    "<function=book>{}</function>",
    "<think>The caller wants a latte.</think>",
    "<|python_tag|>book(1)",
    "[TOOL_CALLS] [book]",
    "{'name': 'note', 'arguments': {'what': 'it\\'s }'}}",
    "{name: 'note'}",
    '[note(name="drink", value="a ] latte")]',
    "[diary.book(day='Friday'), note(x=1)]",
    '<invoke name="note"><parameter name="x">latte</parameter></invoke>',
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>note",
)
SPEAKABLE = (
    "A small latte, that's $4.50.",
    "It is < 5 and > 3, (or so) [maybe].",
    "Use `now`, or {soon}.",
    "About ~5 minutes.",
    "<b>Yes</b>, of course.",
    "a [link](https://example.com)",
    "[Order (now)], [note] it, [sizes (small or large)].",
    "{soon} we'll {maybe come}.",
)


def filtered(text: str, cuts: list[int] | None = None) -> str:
    style = SpokenStyle()
    at, spoken = 0, ""
    for cut in [*sorted(cuts or []), len(text)]:
        spoken += style.feed(text[at:cut])
        at = cut
    return spoken + style.finish()


@pytest.mark.parametrize("text", UNSPEAKABLE)
def test_what_is_for_machines_is_not_spoken(text: str) -> None:
    assert filtered(text).strip() == ""


@pytest.mark.parametrize("text", [text for text in UNSPEAKABLE if text[-1] in ">}]`" and "TOOL" not in text])
def test_words_before_and_behind_it_are(text: str) -> None:
    assert filtered(f"One moment. {text} It is done.").split() == "One moment. It is done.".split()


@pytest.mark.parametrize("text", SPEAKABLE)
def test_words_are_spoken_as_they_are(text: str) -> None:
    assert filtered(text) == text


@given(st.sampled_from((*UNSPEAKABLE, *SPEAKABLE)), st.lists(st.integers(0, 60), max_size=8))
def test_it_makes_no_difference_where_the_text_is_cut(text: str, cuts: list[int]) -> None:
    whole = f"So. {text}"
    assert filtered(whole, [min(cut, len(whole)) for cut in cuts]).split() == filtered(whole).split()


@given(st.text(alphabet='ab {}[]"`<>|/~:,\\n', max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_any_text_in_any_pieces_is_filtered_alike(text: str, cuts: list[int]) -> None:
    assert filtered(text, [min(cut, len(text)) for cut in cuts]) == filtered(text)


def test_words_come_out_with_the_piece_that_brings_them() -> None:
    style = SpokenStyle()
    assert [style.feed(piece) for piece in ("Sure", ", a {", "small} ", "one.")] == [
        "Sure",
        ", a ",
        "{small} ",
        "one.",
    ]


def test_a_call_without_end_is_read_in_time_that_grows_with_its_length() -> None:
    style, began = SpokenStyle(), time.process_time()
    for piece in ['{"name": "'] + ["abc "] * 50_000:
        assert style.feed(piece) == ""
    assert time.process_time() - began < 2.0


def spoken_by(*pieces: str) -> VirtualCall:
    talk = VirtualCall(lambda turn, notes: list(pieces), Wording(greeting=Say(""), silence=()))
    talk.caller("a latte please")
    talk.run(8)
    return talk


def test_a_reply_that_is_nothing_but_a_tool_call_is_a_question_to_the_caller() -> None:
    talk = spoken_by('{"name": "note', '_order", "argum', 'ents": {"drink": "latte"}}')
    assert talk.said_by_agent == [Wording().reask[0]]


def test_the_history_has_the_words_that_were_spoken_and_nothing_else() -> None:
    talk = spoken_by("One latte. ", "```json\n", '{"drink": "latte"}', "\n``", "`", " Anything else?")
    (line,) = [line for line in talk.conversation.transcript.history if line.who == "agent"]
    assert line == Message("agent", line.text, line.text)
    assert line.text.split() == "One latte. Anything else?".split()


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        (("It is in the U", ".", "S", ". of A."), "It is in the U.S. of A."),
        (("One latte.", "Anything else?"), "One latte. Anything else?"),
        (("One latte.", "Okay."), "One latte. Okay."),
    ],
)
def test_sentences_get_the_space_between_them_that_a_models_pieces_have(
    pieces: tuple[str, ...], said: str
) -> None:
    assert spoken_by(*pieces).said_by_agent == [said]
