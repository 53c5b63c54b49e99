"""Which numbers may be dialled. PURE.

Toll fraud dials what earns money for whoever owns the number, so everything is forbidden that is not an
ordinary phone in a country that was allowed. The numbering plans are those of `phonenumbers`.
"""

from __future__ import annotations

from collections.abc import Sequence

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from telephony.errors import BadInput

ORDINARY = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.VOIP,
    }
    | {PhoneNumberType.TOLL_FREE}
)
KINDS = {
    PhoneNumberType.PREMIUM_RATE: "a premium rate number",
    PhoneNumberType.SHARED_COST: "a shared cost number",
    PhoneNumberType.PERSONAL_NUMBER: "a personal number, which is billed like a premium one",
    PhoneNumberType.PAGER: "a pager",
    PhoneNumberType.UAN: "a company access number",
    PhoneNumberType.VOICEMAIL: "a voicemail access number",
}
SATELLITE = {870: "Inmarsat", 881: "a satellite network", 882: "an international network"}
SATELLITE |= {883: "an international network", 878: "a personal numbering network", 979: "premium rate"}
NO_COUNTRY = "001"  # phonenumbers' region of codes that belong to no country
LONGEST = 40


class Forbidden(BadInput):
    """A number that may not be dialled; the message says why, and never shows the whole number."""


def parse_number(text: str) -> phonenumbers.PhoneNumber:
    """A number in international form. Raises Forbidden."""
    shown = mask(text)
    if not text.strip().startswith("+") or len(text) > LONGEST:
        raise Forbidden(f"{shown} is not in international form: +14155550111")
    if any(character.isalpha() for character in text):
        raise Forbidden(f"{shown} has letters: +14155550111 is the form")
    try:
        number = phonenumbers.parse(text, None)
    except NumberParseException as error:
        raise Forbidden(f"{shown} is no phone number") from error
    if number.extension or not phonenumbers.is_valid_number(number):
        raise Forbidden(f"{shown} is no phone number that exists")
    return number


def allowed_number(text: str, own: str, prefixes: Sequence[str]) -> str:
    """The number in E.164 if it may be dialled from `own`. Raises Forbidden, saying why not.

    With `prefixes` (DIAL_PREFIXES) only numbers that begin with one of them; without, only those of the
    country of `own`, which of the numbers in +1 leaves out the islands that share it.
    """
    number = parse_number(text)
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    shown = mask(e164)
    network = SATELLITE.get(number.country_code or 0)
    if network is not None:
        raise Forbidden(f"{shown} belongs to {network}: never dialled")
    kind = phonenumbers.number_type(number)
    if kind not in ORDINARY or _information_line(number):
        raise Forbidden(f"{shown} is {KINDS.get(kind, 'not an ordinary number')}: never dialled")
    _check_country(number, e164, own, prefixes)
    return e164


def mask(number: str) -> str:
    """A number as logs and errors may show it."""
    kept = number.strip()[:LONGEST]
    return kept if len(kept) < 7 else f"{kept[:3]}***{kept[-2:]}"


def _check_country(number: phonenumbers.PhoneNumber, e164: str, own: str, prefixes: Sequence[str]) -> None:
    if prefixes:
        if not any(e164.startswith(prefix) for prefix in prefixes):
            raise Forbidden(f"{mask(e164)} begins with none of DIAL_PREFIXES ({', '.join(prefixes)})")
        return
    country, ours = _region(number), _region(parse_number(own))
    if country != ours or country == NO_COUNTRY:
        raise Forbidden(f"{mask(e164)} is in {country}, not in {ours}: DIAL_PREFIXES would have to allow it")


def _region(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.region_code_for_number(number) or NO_COUNTRY


def _information_line(number: phonenumbers.PhoneNumber) -> bool:
    """North America's 976 exchanges: premium, but not marked as such in the numbering plan's data."""
    digits = str(number.national_number)
    return number.country_code == 1 and len(digits) == 10 and digits[3:6] == "976"
