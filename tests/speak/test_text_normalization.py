"""Text is read as a person would read it, and every spoken word can be found in the text again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.engine.speak.clauses import MOST_CHARACTERS, clauses, said
from telephony.speak.number_words import cardinal, ordinal
from telephony.speak.text_normalization import spoken_form

CASES = {
    # plain numbers
    "0": "zero",
    "13 apples": "thirteen apples",
    "I have 42.": "I have forty-two.",
    "100": "one hundred",
    "1,234": "one thousand two hundred thirty-four",
    "1,000,000": "one million",
    "2500 people": "two thousand five hundred people",
    "3.14": "three point one four",
    "0.5": "zero point five",
    ".5": "point five",
    "-5 degrees": "minus five degrees",
    "+3": "plus three",
    "12345678901234567890": "one two three four five six seven eight nine zero "
    "one two three four five six seven eight nine zero",
    "007": "zero zero seven",
    "a 2-bedroom flat": "a two bedroom flat",
    "a 30-year-old": "a thirty year old",
    "10x": "ten times",
    # ordinals, fractions, ranges
    "1st, 2nd, 3rd and 4th": "first, second, third and fourth",
    "the 21st": "the twenty-first",
    "the 112th": "the one hundred twelfth",
    "1/2 cup": "one half cup",
    "3/4 mile": "three quarters mile",
    "2 1/2 cups": "two and one half cups",
    "3/4 oz of rum": "three quarters ounce of rum",
    "2020-2021": "twenty twenty to twenty twenty-one",
    "v2.0.1": "version two point zero point one",
    "1½ cups": "one and one half cups",
    "2-3 days": "two to three days",
    "10–12 people": "ten to twelve people",
    # money
    "$5": "five dollars",
    "$1": "one dollar",
    "$4.50": "four dollars and fifty cents",
    "$0.99": "ninety-nine cents",
    "$0.01": "one cent",
    "$1,250.00": "one thousand two hundred fifty dollars",
    "$3.5 million": "three point five million dollars",
    "$2K": "two thousand dollars",
    "$5/month": "five dollars a month",
    "$12.50/hr or €9/hour": "twelve dollars and fifty cents an hour or nine euros an hour",
    "$20-30": "twenty to thirty dollars",
    "€15": "fifteen euros",
    "£2.50": "two pounds and fifty pence",
    "99¢": "ninety-nine cents",
    # percent and units
    "15% off": "fifteen percent off",
    "3.5%": "three point five percent",
    "10-15%": "ten to fifteen percent",
    "72°F": "seventy-two degrees Fahrenheit",
    "20 °C": "twenty degrees Celsius",
    "5kg": "five kilograms",
    "1 lb": "one pound",
    "3 lbs": "three pounds",
    "60 mph": "sixty miles per hour",
    "16 oz": "sixteen ounces",
    "12oz": "twelve ounces",
    "8 GB": "eight gigabytes",
    "6' 2\"": "six feet two inches",
    "5'10\"": "five feet ten",
    # times
    "10:30": "ten thirty",
    "at 10:05 a.m.": "at ten oh five ay em",
    "9:00": "nine o'clock",
    "9:00 PM": "nine pee em",
    "7pm": "seven pee em",
    "7 p.m.": "seven pee em",
    "10:30am": "ten thirty ay em",
    "14:30": "fourteen thirty",
    "9am-5pm": "nine ay em to five pee em",
    "9-5": "nine to five",
    "I am 5": "I am five",
    "24/7": "twenty-four seven",
    # dates and years
    "May 3": "May third",
    "May 3rd, 2024": "May third, twenty twenty-four",
    "3 May": "third May",
    "Jan. 5": "January fifth",
    "5/3/2024": "May third, twenty twenty-four",
    "12/25": "December twenty-fifth",
    "2024-05-01": "May first, twenty twenty-four",
    "in 1984": "in nineteen eighty-four",
    "in 1905": "in nineteen oh five",
    "in 2005": "in two thousand five",
    "in 1900": "in nineteen hundred",
    "the 1990s": "the nineteen nineties",
    "the '90s": "the nineties",
    # phone numbers and codes
    "555-0123": "five five five, zero one two three",
    "(415) 555-0123": "four one five, five five five, zero one two three",
    "415-555-0123": "four one five, five five five, zero one two three",
    "415.555.0123": "four one five, five five five, zero one two three",
    "1-800-555-0199": "one, eight hundred, five five five, zero one nine nine",
    "+14155550123": "plus one, four one five, five five five, zero one two three",
    "+1 415 555 0123": "plus one four one five, five five five, zero one two three",
    "ext. 42": "extension four two",
    "Your PIN is 4521.": "Your pin is four five two one.",
    "order number 123": "order number one two three",
    "ZIP code 94107": "zip code nine four one zero seven",
    "#5": "number five",
    "#4521": "number four five two one",
    "No. 5": "number five",
    "No.": "no",
    "B12": "bee twelve",
    "X7Q2": "ex seven cue two",
    "3D": "three dee",
    # addresses
    "jane.doe42@example.com": "jane dot doe four two at example dot com",
    "a_b-c@mail.example.org": "ay underscore bee dash see at mail dot example dot org",
    "https://www.example.com/menu": "double-you double-you double-you dot example dot com slash menu",
    "Go to example.com.": "Go to example dot com.",
    "docs.example.io": "docs dot example dot eye oh",
    # abbreviations
    "Dr. Lee": "doctor Lee",
    "Sunset Dr.": "Sunset drive",
    "St. James": "saint James",
    "123 Main St.": "one hundred twenty-three Main street",
    "Mr. and Mrs. Smith": "mister and missus Smith",
    "Ms. Lee": "miz Lee",
    "tea, coffee, etc.": "tea, coffee, et cetera.",
    "e.g. milk": "for example milk",
    "cats vs. dogs": "cats versus dogs",
    "with milk w/o sugar": "with milk without sugar",
    "Apt. 4": "apartment four",
    "fish & chips": "fish and chips",
    # initialisms
    "your ID": "your eye dee",
    "your PIN": "your pin",
    "the FBI": "the eff bee eye",
    "NASA": "nasa",
    "two TVs": "two tee vees",
    "U.S.A.": "you ess ay",
    "OK": "okay",
    "S-M-I-T-H": "ess, em, eye, tee, aitch",
    "PLEASE DO NOT SHOUT": "Please Do Not Shout",
    "Plan B": "Plan bee",
    "COVID-19": "covid nineteen",
    # signs and markup
    "**Bold** and _italic_ `code`": "Bold and italic code",
    "# Heading": "Heading",
    "yes — no": "yes, no",
    "a latte—large": "a latte, large",
    "wait… what": "wait, what",
    "“Hello,” she said": "Hello, she said",
    "😀": "",
    "and/or": "and or",
    "[[h@l]]": "h at l",
    "it’s fine": "it's fine",
    "well-known": "well-known",
}


def aloud(text: str) -> str:
    return said(spoken_form(text))


@pytest.mark.parametrize("text", CASES)
def test_read_as_a_person_would(text: str) -> None:
    """What is said for each way of writing."""
    assert aloud(text).replace("  ", " ") == CASES[text]


def test_words_keep_their_place() -> None:
    """Each token's place is that of the written word, however many words are said for it."""
    text = "  That's $8.40,\n at 10:30 a.m. "
    tokens = spoken_form(text)
    assert [token.text for token in tokens] == ["That's", "$8.40,", "at", "10:30", "a.m."]
    assert all(text[token.start : token.end] == token.text for token in tokens)
    assert tokens[1].spoken == "eight dollars and forty cents"
    assert tokens[1].pause == ","


TEXTS = st.text(st.sampled_from("aBc019 .,:;!?$%/-—…()[]'\"@#&\n\tÀé日😀½°"), max_size=80) | st.text(
    max_size=80
)


@given(TEXTS)
def test_any_text_is_read(text: str) -> None:
    """No text fails; tokens cover all that is not white space, in order; no digit and no bracket is left."""
    tokens = spoken_form(text)
    assert all(text[token.start : token.end] == token.text for token in tokens)
    covered = "".join(token.text for token in tokens)
    assert covered.split() == "".join(text.split()).split()
    spoken = said(tokens)
    assert not any(digit in spoken for digit in "0123456789[]<>{}")


@given(TEXTS)
def test_clauses_are_the_whole_text(text: str) -> None:
    """Every token is in exactly one clause, and no clause is longer than its longest word or the bound."""
    tokens = spoken_form(text)
    parts = list(clauses(tokens))
    assert tuple(token for part in parts for token in part) == tokens
    assert all(
        len(part) == 1 or sum(len(token.spoken) + 1 for token in part) <= MOST_CHARACTERS for part in parts
    )


def test_the_first_clause_is_short() -> None:
    """A long first sentence is cut at its first comma, and a short one is left whole."""
    long = "Sure, I can certainly do that for you right now if you like. Then we are done, I think."
    assert [said(part) for part in clauses(spoken_form(long))] == [
        "Sure,",
        "I can certainly do that for you right now if you like.",
        "Then we are done, I think.",
    ]
    assert len(list(clauses(spoken_form("Sure, two lattes.")))) == 1


def test_a_sentence_without_end_is_cut_where_one_breathes() -> None:
    """A very long sentence is cut at a comma, or else before a joining word."""
    text = "we have coffee from many lands " * 4 + "and also tea which is grown in the far hills " * 4
    parts = [said(part) for part in clauses(spoken_form(text))]
    assert len(parts) > 2
    assert all(part.split()[0] in ("and", "which", "we") for part in parts)


@given(st.integers(0, 10**16))
def test_every_number_has_words(number: int) -> None:
    """Cardinals and ordinals are letters only."""
    assert cardinal(number).replace(" ", "").replace("-", "").isalpha()
    assert ordinal(number % 10**6).replace(" ", "").replace("-", "").isalpha()
