"""Figures, codes and signs are read so that a caller can write them down: digits read are digits written."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import phonenumbers
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from telephony.engine.speak.clauses import said
from telephony.speak.number_words import MONTHS, cardinal, ordinal, year
from telephony.speak.spoken_units import CURRENCIES
from telephony.speak.spoken_words import LETTERS
from telephony.speak.text_normalization import spoken_form
from tests.shared import shared_path

HERE = Path(__file__).parent
CASES = yaml.safe_load((HERE / "read_aloud.yaml").read_text(encoding="utf-8"))
DIGITS = {cardinal(digit): str(digit) for digit in range(10)}
NUMBERS = {cardinal(number): number for number in range(100)}
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
FORMS = ("INTERNATIONAL", "NATIONAL", "E164")
KINDS = ("FIXED_LINE", "MOBILE", "TOLL_FREE")


def aloud(text: str) -> str:
    return said(spoken_form(text))


def plain(text: str) -> str:
    """What is said without its punctuation, in small letters."""
    return " ".join(re.findall(r"[\w'-]+", text.lower()))


def digits_in(words: str) -> str:
    """The digits said one by one in a text."""
    return "".join(
        DIGITS.get(word, "") for word in plain(words.replace("eight hundred", "eight zero zero")).split()
    )


def amount_in(words: str) -> float:
    """The number that is said, understood word by word and without our own code's help."""
    whole, _, part = plain(words).partition(" point ")
    total = current = 0
    for word in whole.split():
        if word in SCALES:
            if word == "hundred":
                current *= 100
            else:
                total, current = total + current * SCALES[word], 0
        else:
            current += NUMBERS[word]
    return float(f"{total + current}.{digits_in(part) or 0}")


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in CASES.items() for text in texts])
def test_each_kind_is_read_as_a_person_would(kind: str, text: str) -> None:
    assert aloud(text) == CASES[kind][text]


def test_what_callers_could_not_use() -> None:
    cases = yaml.safe_load(shared_path("cases/spoken.yaml").read_text(encoding="utf-8"))["read_aloud"]
    wrong = {text: aloud(text) for text, form in cases.items() if not re.search(form, plain(aloud(text)))}
    assert wrong == {}


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_every_countrys_telephone_numbers_are_read_digit_by_digit(region: str) -> None:
    """In the forms that the country itself, its neighbours, and machines write."""
    for kind in KINDS:
        number = phonenumbers.example_number_for_type(region, getattr(phonenumbers.PhoneNumberType, kind))
        for form in FORMS:
            if number is None:
                continue
            written = phonenumbers.format_number(number, getattr(phonenumbers.PhoneNumberFormat, form))
            heard = aloud(f"Call {written}, please.")
            assert digits_in(heard) == re.sub(r"\D", "", written), (written, heard)
            assert ("plus" in heard) == ("+" in written)


@given(
    st.integers(0, 999_999_999), st.integers(0, 99), st.sampled_from(sorted(CURRENCIES)), st.integers(0, 5)
)
def test_any_amount_of_any_money(units: int, cents: int, sign: str, form: int) -> None:
    """Before or behind, grouped in the American, the continental or the French way."""
    american = f"{units:,}.{cents:02d}"
    continental = american.translate(str.maketrans(",.", ".,"))
    french = american.translate(str.maketrans(",.", " ,"))
    written = (
        *(f"{sign}{american}", f"{sign} {american}", f"{american} {sign}", f"{american}{sign}"),
        *(f"{continental} {sign}", f"{french} {sign}"),
    )[form]
    heard = plain(aloud(f"It is {written} today")).removeprefix("it is ").removesuffix(" today")
    unit, cent = CURRENCIES[sign]
    if not cent:
        assert amount_in(heard.rsplit(f" {unit.lower()[:2]}", 1)[0]) == pytest.approx(units + cents / 100)
        return
    whole, _, rest = heard.partition(f" {unit.lower()[:3]}")
    if units or not cents:
        assert amount_in(whole) == units
    if cents:
        part = (rest if units else heard).rpartition("and ")[2].rsplit(" ", 1)[0]
        assert amount_in(part) == cents, (written, heard)


@given(st.integers(0, 23), st.integers(1, 59), st.sampled_from(("{}:{:02d}", "{:02d}:{:02d}", "{}h{:02d}")))
def test_any_hour_of_the_day(hour: int, minute: int, form: str) -> None:
    heard = plain(aloud(f"at {form.format(hour, minute)} sharp"))
    said_minute = f"oh {cardinal(minute)}" if minute < 10 else cardinal(minute)
    expected = f"twelve {said_minute} ay em" if hour == 0 else f"{cardinal(hour)} {said_minute}"
    assert heard == f"at {expected} sharp"


@given(
    st.integers(1, 12), st.integers(0, 59), st.sampled_from("ap"), st.sampled_from(("{}m", " {}m", " {}.m."))
)
def test_any_hour_with_its_half(hour: int, minute: int, half: str, form: str) -> None:
    clock = f"{hour}:{minute:02d}" if minute else f"{hour}"
    for written in (form, form.upper()):
        heard = plain(aloud(f"at {clock}{written.format(half)} sharp"))
        assert heard.startswith(f"at {cardinal(hour)} ")
        assert heard.endswith(f"{'ay' if half == 'a' else 'pee'} em sharp")


@given(st.dates(date(1500, 1, 1), date(2099, 12, 31)))
def test_any_date(day: date) -> None:
    """However it is written, it is the same day."""
    iso, number, month, of_year = day.isoformat(), day.day, day.month, day.year
    name = MONTHS[month - 1]
    expected = plain(f"{name} {ordinal(number)} {year(of_year)}")
    forms = (
        iso,
        f"{name} {number}, {of_year}",
        f"{name[:3]} {number}, {of_year}",
        f"{month}/{number}/{of_year}",
    )
    for written in (*forms, f"{number:02d}.{month:02d}.{of_year}", f"{iso}T09:05:00Z"):
        assert plain(aloud(f"on {written}")).startswith(f"on {expected}"), written


CODE = st.from_regex(r"\A(?:[A-Z][0-9]){2,4}\Z|\A[A-Z][0-9]{3,5}[A-Z]{2}[0-9]\Z", fullmatch=True)


@given(st.lists(CODE, min_size=1, max_size=3), st.sampled_from("-/."))
def test_any_code_is_spelled(parts: list[str], sign: str) -> None:
    expected = [LETTERS.get(letter.lower()) or cardinal(int(letter)) for part in parts for letter in part]
    assert plain(aloud(f"Your code is {sign.join(parts)}.")) == plain(f"your code is {' '.join(expected)}")


@given(st.integers(-60, 140), st.sampled_from(("°C", " °C", "°F", " °F", "ºC")))
def test_any_temperature(degrees: int, form: str) -> None:
    scale = "celsius" if form.endswith("C") else "fahrenheit"
    unit = "degree" if abs(degrees) == 1 else "degrees"
    heard = plain(aloud(f"It is {degrees}{form} now"))
    assert heard == plain(f"it is {cardinal(degrees)} {unit} {scale} now")


@given(st.integers(0, 10**9), st.sampled_from(("{:,} users", "about {:,}", "{:,} km")))
def test_any_amount_of_anything(number: int, form: str) -> None:
    heard = plain(aloud(form.format(number)))
    kept = [word for word in heard.split() if all(part in NUMBERS | SCALES for part in [word])]
    assert amount_in(" ".join(kept)) == number


@given(
    st.integers(10_000, 10**12).map(str), st.sampled_from(("account number", "PIN", "order number", "ticket"))
)
def test_what_is_noted_down_is_read_digit_by_digit(number: str, name: str) -> None:
    assert digits_in(aloud(f"Your {name} is {number}.")) == number


@pytest.mark.parametrize(
    "form", ("{}", "{}%", "${}", "{}th", "{}kg", "{}.5", "{}-{}", "v{}", "{} kg", "1/{}", "+{}")
)
def test_a_number_without_end_is_read_digit_by_digit(form: str) -> None:
    """No length of digits stops the voice."""
    number = "9" * 5000
    assert (
        digits_in("".join(token.spoken + " " for token in spoken_form(form.format(number, number)))).count(
            "9"
        )
        >= 5000
    )
