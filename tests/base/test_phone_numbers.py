"""Numbers as people write them, callers as Twilio tells of them; what is unsure stays as it was."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.base.phone_numbers import address, country_of, exists, international, international_prefix

US, UK = "+14155552671", "+442071838750"

WRITTEN = [
    # as it is written, the country whose habits are known, E.164
    ("+1 (415) 555-2671", "", US),
    ("+1.415.555.2671", "", US),
    ("\u00a0+1\u2011415\u2013555 2671 ", "", US),
    ("tel:+1-415-555-2671", "", US),
    ("0014155552671", "", US),
    ("00 1 415 555 2671", "GB", US),
    ("011 44 20 7183 8750", "US", UK),
    ("011442071838750", "", UK),
    ("(415) 555-2671", "US", US),
    ("4155552671", "US", US),
    ("1-415-555-2671", "US", US),
    ("14155552671", "US", US),
    ("020 7183 8750", "GB", UK),
    ("20 7183 8750", "GB", UK),
    ("442071838750", "GB", UK),
    ("+44 (0)20 7183 8750", "", UK),
    ("+44 020 7183 8750", "US", UK),
    ("0044 (0)20 7183 8750", "DE", UK),
    ("0011 44 20 7183 8750", "AU", UK),
    ("0151 23456789", "DE", "+4915123456789"),
    ("4915123456789", "DE", "+4915123456789"),
    ("06 1234 5678", "IT", "+390612345678"),
    ("0114 272 6444", "GB", "+441142726444"),
]


@pytest.mark.parametrize(("text", "country", "number"), WRITTEN)
def test_a_number_as_people_write_it(text: str, country: str, number: str) -> None:
    assert international(text, country) == number and exists(number)


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("4155552671", ""),
        ("14155552671", ""),
        ("(415) 555-2671", "GB"),
        ("5552671", "US"),
        ("911", "US"),
        ("+1415555267", ""),
        ("+1415CALLNOW", ""),
        ("+14155552671x12", ""),
        ("+14155552671,,9", ""),
        ("+14155552671\n+19005551234", ""),
        ("+٤٤٢٠٧١٨٣٨٧٥٠", ""),
        ("sip:a@b", "US"),
        ("0", "GB"),
        ("", "US"),
    ],
)
def test_what_is_no_number_for_sure_stays_as_it_was(text: str, country: str) -> None:
    """A guess would be another person's number."""
    assert international(text, country) == text.strip()


COUNTRIES = sorted(phonenumbers.SUPPORTED_REGIONS)


@given(st.sampled_from(COUNTRIES), st.sampled_from(["NATIONAL", "INTERNATIONAL", "RFC3966", "E164"]))
def test_every_countrys_own_way_to_write_is_understood(country: str, form: str) -> None:
    """Its example number, nationally and from abroad."""
    example = phonenumbers.example_number(country)
    if example is None:
        return
    written = phonenumbers.format_number(example, getattr(phonenumbers.PhoneNumberFormat, form))
    e164 = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    assert international(written, country) == e164
    assert international(phonenumbers.format_out_of_country_calling_number(example, "DE"), "DE") == e164


CALLERS = [
    ("+266696687", "anonymous"),
    ("Anonymous", "anonymous"),
    ("anonymous", "anonymous"),
    ("+7378742833", "restricted"),
    ("RESTRICTED", "restricted"),
    ("Restricted", "restricted"),
    ("+2562533", "blocked"),
    ("+8656696", "unknown"),
    ("unknown", "unknown"),
    ("+86282452253", "unavailable"),
    ("+464", "+464"),
    ("12345", "12345"),
    ("client:Alice", "client:alice"),
    ("whatsapp:+14155552671", "whatsapp:+14155552671"),
    ("sip:Bob@Example.COM", "sip:bob@example.com"),
    ("sip:bob@example.com:5060;transport=tls", "sip:bob@example.com"),
    ("sip:bob@example.com:5080;lr?X-A=1", "sip:bob@example.com:5080"),
    ("<sip:bob@example.com;user=phone>", "sip:bob@example.com"),
    ("SIPS:bob@example.com:5061", "sips:bob@example.com"),
    ("sip:+14155552671;phone-context=+1@10.0.0.1", "sip:+14155552671@10.0.0.1"),
    ("", ""),
]


@pytest.mark.parametrize(("told", "compared"), CALLERS)
def test_a_caller_as_twilio_tells_of_it(told: str, compared: str) -> None:
    """The keys of a word are the word: +266696687 is how `anonymous` is spelled on a keypad."""
    assert address(told) == compared and address(compared) == compared


PREFIXES = [
    ("+1 (415)", "", "+1415"),
    ("001 415", "", "+1415"),
    ("011 44", "", "+44"),
    ("+44 (0)20", "", "+4420"),
    ("+44020", "", "+4420"),
    ("415", "US", "+1415"),
    ("1415", "US", "+1415"),
    ("020", "GB", "+4420"),
    ("0114", "GB", "+44114"),
    ("06", "IT", "+3906"),
    ("415", "", ""),
    ("+0", "", ""),
    ("00", "US", ""),
    ("+", "", ""),
    ("abc", "US", ""),
]


@pytest.mark.parametrize(("text", "country", "prefix"), PREFIXES)
def test_the_beginning_of_numbers(text: str, country: str, prefix: str) -> None:
    assert international_prefix(text, country) == prefix


@given(st.text(max_size=60), st.sampled_from(["", "US", "GB", "DE", "IT", "XX"]))
def test_any_text_is_taken(text: str, country: str) -> None:
    """Nothing is raised, and what was compared once is compared alike again."""
    international(text, country), international_prefix(text, country), country_of(text)
    assert address(address(text, country), country) == address(text, country)
