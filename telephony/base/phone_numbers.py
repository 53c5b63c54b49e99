"""Telephone numbers and other addresses of callers, as people write them and as they are compared. PURE.

The numbering plans are those of `phonenumbers`. What is not certain is left as it was written:
the caller then refuses it, since a guess would be another person's number.
"""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberFormat

LONGEST = 40
MOST_DIGITS = 15  # ITU-T E.164
WRITTEN = re.compile(r"(?:tel:)?\+?[0-9\s().\-/\u00a0\u2010-\u2015\u2212]+", re.ASCII | re.IGNORECASE)
"""A number with the punctuation that people use. Letters, keys and other scripts' digits are none of it."""
NO_DIGIT = re.compile(r"[^0-9]")
ABROAD = ("00", "011")  # how a number of another country is dialled: ITU-T E.164, and North America
SHORT_CODE = re.compile(r"[0-9]{3,6}")
IDENTITY = re.compile(r"(client|sim|whatsapp|sips?):(.+)", re.IGNORECASE)
"""What Twilio's From and To are where they are not numbers."""
KEYPAD = str.maketrans("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999")
WITHHELD = ("anonymous", "restricted", "blocked", "unknown", "unavailable", "private")
"""What Twilio says in place of a caller who is withheld, as a word or as the word's keys: +266696687."""
_SPELLED = {"+" + word.translate(KEYPAD): word for word in WITHHELD}


def international(text: str, country: str = "") -> str:
    """The E.164 form of a number that exists; the text without blanks around it where it is none.

    `country` (as `US`) is the one whose national numbers, and whose way to dial abroad, are understood.
    """
    text = text.strip()
    if len(text) > LONGEST or WRITTEN.fullmatch(text) is None:
        return text
    plain = text[4:] if text[:4].lower() == "tel:" else text
    for attempt, region in _readings(plain, country):
        try:
            number = phonenumbers.parse(attempt, region)
        except NumberParseException:
            continue
        if not number.extension and phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return text


def country_of(number: str) -> str:
    """The country of a number in international form, as `US`; empty where it has none."""
    try:
        found = phonenumbers.region_code_for_number(phonenumbers.parse(number, None))
    except NumberParseException:
        return ""
    return found or ""


def international_prefix(text: str, country: str = "") -> str:
    """The beginning of numbers, `+1415`, from `+1 (415)`, `001 415` or, with a country, `415`. Else empty."""
    text = text.strip()
    if len(text) > LONGEST or WRITTEN.fullmatch(text) is None:
        return ""
    digits = NO_DIGIT.sub("", text.replace("(0)", ""))
    if not text.startswith("+"):
        abroad = re.match(_abroad(country), digits)
        if abroad is None:
            return _of_country(digits, country)
        digits = digits[abroad.end() :]
    return "+" + _without_trunk(digits) if digits and digits[0] != "0" and len(digits) <= MOST_DIGITS else ""


def exists(number: str) -> bool:
    """Whether a number in international form is one that its country's plan allows."""
    try:
        return number.startswith("+") and phonenumbers.is_valid_number(phonenumbers.parse(number, None))
    except NumberParseException:
        return False


def possible(number: str) -> bool:
    """Whether a number in international form has the length of one that its country gives out."""
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number, None))
    except NumberParseException:
        return False


def address(text: str, country: str = "") -> str:
    """A caller, or who was called, as it is compared: whatever Twilio says, and whatever people write for it.

    Numbers in E.164, the words of WITHHELD in small letters, SIP addresses without the parameters, all else
    in small letters. Empty where nothing was given.
    """
    text = text.strip().removeprefix("<").removesuffix(">")
    identity = IDENTITY.fullmatch(text)
    if identity is not None:
        scheme, rest = identity[1].lower(), identity[2]
        if scheme == "whatsapp":
            return f"{scheme}:{address(rest, country)}"
        return _sip(scheme, rest) if scheme.startswith("sip") else f"{scheme}:{rest.lower()}"
    number = international(text, country)
    if WRITTEN.fullmatch(number) is None:
        return text.lower()
    plain = ("+" if number.startswith("+") else "") + NO_DIGIT.sub("", number)
    return _SPELLED.get(plain, plain)


def _readings(text: str, country: str) -> list[tuple[str, str | None]]:
    """What a number may mean, the likeliest first: a text, and the country whose habits it follows."""
    if text.startswith("+"):
        return [(text, None)]
    digits = NO_DIGIT.sub("", text)
    abroad = [("+" + digits.removeprefix(way), None) for way in ABROAD if digits.startswith(way)]
    if not country:
        return [*abroad]
    trunk = _trunk(country)
    code = str(phonenumbers.country_code_for_region(country))
    if trunk and not digits.startswith(trunk) and digits.startswith(code):
        # Without the trunk's digit nobody writes a national number: only the plus is missing.
        return [("+" + digits, None), (text, country)]
    return [(text, country), *abroad]


def _abroad(country: str) -> str:
    """A pattern of the digits that are dialled before another country's code."""
    plan = PhoneMetadata.metadata_for_region(country) if country else None
    own = plan.international_prefix if plan else None
    return f"{own}|00" if own else "|".join(ABROAD)


def _trunk(country: str) -> str:
    """The digit that is dialled before a national number, where there is one."""
    plan = PhoneMetadata.metadata_for_region(country)
    return str((plan.national_prefix if plan else None) or "")


def _without_trunk(digits: str) -> str:
    """`44020` as `4420`: the trunk's digit is not dialled from abroad."""
    for length in (1, 2, 3):
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:length]))
        if regions and _trunk(regions[0]) == "0":
            return digits[:length] + digits[length:].removeprefix("0")
    return digits


def _of_country(digits: str, country: str) -> str:
    if not country:
        return ""
    trunk, code = _trunk(country), str(phonenumbers.country_code_for_region(country))
    if trunk and not digits.startswith(trunk) and digits.startswith(code):
        return "+" + digits  # as in _readings
    national = digits.removeprefix(trunk)
    return f"+{code}{national}" if national else ""


def _sip(scheme: str, rest: str) -> str:
    """`sip:user@host:port` without parameters, headers, and the port that goes without saying (RFC 3261)."""
    bare = re.split(r"[;?]", rest, maxsplit=1)[0] if "@" not in rest else _before_parameters(rest)
    return f"{scheme}:{bare.lower().removesuffix(':5060' if scheme == 'sip' else ':5061')}"


def _before_parameters(rest: str) -> str:
    """The user may have parameters of its own (`+14155550111;phone-context=...@host`): no part of it."""
    user, _, host = rest.rpartition("@")
    name = user.partition(";")[0].partition(":")[0]  # a password stands behind the colon
    return f"{name}@{re.split(r'[;?>]', host, maxsplit=1)[0]}"
