"""What a model thinks is never said, wherever its marks are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.llm.thoughts import MARKS, ThoughtFilter


def said(*pieces: str) -> str:
    thoughts = ThoughtFilter()
    return "".join([*(thoughts.feed(piece) for piece in pieces), thoughts.end()])


@pytest.mark.parametrize(("begin", "end"), MARKS.items())
def test_a_thought_is_left_out_in_single_characters_too(begin: str, end: str) -> None:
    text = f"{begin}They want a latte. a < b [1]{end}\n\nOne latte."
    assert said(text) == "One latte."
    assert said(*text) == "One latte."


@given(st.data(), st.sampled_from(sorted(MARKS)))
def test_it_makes_no_difference_where_an_answer_is_cut(data: st.DataObject, begin: str) -> None:
    text = f"Well, {begin}secret{MARKS[begin]} that is 3 < 4 and [so on]. {begin}secret{MARKS[begin]}Bye <3"
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=20)) | {0, len(text)})
    pieces = [text[a:b] for a, b in zip(cuts, cuts[1:], strict=False)]
    assert said(*pieces) == said(text) == "Well,  that is 3 < 4 and [so on]. Bye <3"


def test_words_stay_apart_around_a_thought() -> None:
    assert said("Hello", " <think>hm</think>", "\n\nworld") == "Hello \n\nworld"


def test_a_thought_without_end_is_lost() -> None:
    assert said("<think>I could go on", " for ever") == ""


def test_an_end_without_a_beginning_is_left_out() -> None:
    assert said("</think>\n\nOne latte.") == "One latte."


def test_what_only_looks_like_a_mark_is_said() -> None:
    assert said("a <thin", "g> and <", "th") == "a <thing> and <th"
    assert said("five < six") == "five < six"


def test_ordinary_text_is_given_on_at_once() -> None:
    thoughts = ThoughtFilter()
    assert [thoughts.feed(piece) for piece in ("One ", "latte", ".")] == ["One ", "latte", "."]
