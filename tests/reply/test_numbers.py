"""A number that was said is that number or is asked again; it is never another one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.reply.numbers import spoken_digits
from telephony.reply.understanding import digits, plain
from tests.shared import shared_path

SAID = yaml.safe_load((Path(__file__).parent / "said" / "numbers.yaml").read_text())
ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen".split()
ONES += "fifteen sixteen seventeen eighteen nineteen".split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
LARGEST = 1_000_000


@pytest.mark.parametrize(("said", "meant"), SAID.items())
def test_a_number_is_right_or_asked_again(said: str, meant: str | None) -> None:
    for written in (said, said.upper(), said.rstrip(".")):
        assert spoken_digits(plain(written)) == meant
        assert digits(plain(written)) == (meant or "")


def test_the_shared_cases_hold() -> None:
    cases = yaml.safe_load(shared_path("cases/spoken.yaml").read_text())["numbers"]
    assert {said: spoken_digits(plain(said)) for said in cases} == cases


# ---- how a number is said


def below_hundred(number: int) -> str:
    if number < 20:
        return ONES[number]
    tens, ones = divmod(number, 10)
    return TENS[tens] + (f" {ONES[ones]}" if ones else "")


def cardinal(number: int, link: str = " ") -> str:
    """ "one hundred twenty three thousand four hundred five"; `link` stands before the last two digits."""
    if number < 100:
        return below_hundred(number)
    for size, name in ((1_000_000, "million"), (1_000, "thousand"), (100, "hundred")):
        if number >= size:
            head, rest = divmod(number, size)
            tail = "" if not rest else (link if rest < 100 else " ") + cardinal(rest, link)
            return f"{cardinal(head, link)} {name}{tail}"
    raise AssertionError(number)


def one_by_one(text: str, zero: str) -> str:
    return " ".join(zero if figure == "0" else ONES[int(figure)] for figure in text)


def by_hundreds(number: int, link: str) -> str:
    head, rest = divmod(number, 100)
    return f"{below_hundred(head)} hundred" + (f"{link}{below_hundred(rest)}" if rest else "")


def in_pairs(text: str) -> str:
    """ "nineteen eighty four", "one twenty three", "fifteen oh two"."""
    first = len(text) % 2
    groups = [text[:first]] * bool(first) + [text[at : at + 2] for at in range(first, len(text), 2)]
    return " ".join(one_by_one(each, "oh") if each[0] == "0" else below_hundred(int(each)) for each in groups)


numbers = st.integers(0, LARGEST) | st.integers(0, 9_999) | st.integers(1, 999).map(lambda n: 1000 * n)
sighs = st.lists(st.sampled_from(["", "um ", "uh ", "er ", ""]), min_size=30, max_size=30)


def with_sighs(said: str, sighs: list[str]) -> str:
    return " ".join(f"{sigh}{word}" for sigh, word in zip(sighs, said.split(), strict=False))


@settings(max_examples=400)
@given(
    numbers, st.sampled_from([" ", " and "]), st.sampled_from(["", "it's ", "my number is ", "um "]), sighs
)
def test_a_number_said_as_a_cardinal(number: int, link: str, before: str, sighs: list[str]) -> None:
    assert spoken_digits(plain(before + with_sighs(cardinal(number, link), sighs))) == str(number)


@settings(max_examples=400)
@given(st.from_regex(r"[0-9]{1,12}", fullmatch=True), st.sampled_from(["zero", "oh"]), sighs)
def test_a_number_dictated_one_by_one(figures: str, zero: str, sighs: list[str]) -> None:
    assert spoken_digits(plain(with_sighs(one_by_one(figures, zero), sighs))) == figures


@settings(max_examples=400)
@given(st.integers(11, 99), st.integers(0, 99), st.sampled_from([" ", " and "]))
def test_a_number_said_in_hundreds(head: int, rest: int, link: str) -> None:
    assert spoken_digits(by_hundreds(100 * head + rest, link)) == str(100 * head + rest)


@settings(max_examples=400)
@given(numbers)
def test_a_number_said_in_pairs(number: int) -> None:
    assert spoken_digits(in_pairs(str(number))) == str(number)


@settings(max_examples=400)
@given(numbers, st.sampled_from(["{:,}", "{}", "${:,}", "{:,} dollars"]))
def test_a_number_written_in_figures(number: int, form: str) -> None:
    assert spoken_digits(plain(form.format(number))) == str(number)


@settings(max_examples=400)
@given(
    numbers, numbers, st.sampled_from(["no", "sorry", "wait", "I mean", "or", "actually", "no wait", "not"])
)
def test_a_number_that_was_taken_back_is_asked_again(first: int, then: int, link: str) -> None:
    assert spoken_digits(plain(f"{cardinal(first)}, {link}, {cardinal(then)}")) is None


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from(
            [
                *ONES,
                *TENS[2:],
                "hundred",
                "thousand",
                "million",
                "and",
                "oh",
                "double",
                "a",
                "point",
                "um",
                "5",
                "20",
                "100",
                "to",
                "half",
            ]
        ),
        max_size=9,
    )
)
def test_whatever_is_said_there_are_digits_or_none(words: list[str]) -> None:
    found = spoken_digits(" ".join(words))
    assert found is None or found == "" or found.isdecimal()
