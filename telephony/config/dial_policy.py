"""Which numbers may be dialled. PURE.

Toll fraud dials what earns money for the owner of the number, so everything is forbidden that is not an
ordinary phone in a country that was allowed. The numbering plans are those of `phonenumbers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from telephony.base.phone_numbers import IDENTITY, address, country_of, international
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
NAMED_DIGITS = 3


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
        raise Forbidden(f"{shown} is not a phone number") from error
    if number.extension or not phonenumbers.is_valid_number(number):
        raise Forbidden(f"{shown} is not a valid phone number")
    return number


def allowed_number(text: str, own: str, prefixes: Sequence[str]) -> str:
    """The number in E.164 if it may be dialled from `own`. Raises Forbidden, saying why not.

    With `prefixes` (DIAL_PREFIXES) only numbers that begin with one of them; without, only those of the
    country of `own`, which of the numbers in +1 leaves out the islands that share it.
    """
    number = parse_number(text)
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    _check_kind(number, e164)
    _check_country(number, e164, own, prefixes)
    return e164


@dataclass(frozen=True, slots=True)
class TransferPolicy:
    """Where a caller may be sent: the numbers that the operator wrote down, and what may be dialled."""

    own: str = ""
    """Our number (DIAL_FROM). Empty: the number that was called is ours."""
    prefixes: Sequence[str] = ()
    """DIAL_PREFIXES."""
    named: frozenset[str] = field(default_factory=frozenset)
    """As `named_targets` gives them: addresses of HUMAN_NUMBER and of the scripts, of any country."""

    def target(self, text: str, called: str = "") -> str:
        """Whom to connect a caller of the number `called` with. Raises Forbidden, saying why not."""
        own = self.own or called
        to = named_target(text, country_of(own))
        if IDENTITY.fullmatch(to):
            if address(to) not in self.named:
                kind = to.partition(":")[0]
                raise Forbidden(
                    f"a {kind}: address is transferred to only where HUMAN_NUMBER or a script names it"
                )
            return to
        if to in self.named:
            check_named(to, self.prefixes)
            return to
        return allowed_number(to, own, self.prefixes)


def named_target(text: str, country: str) -> str:
    """A transfer's target as Twilio needs it: E.164, or a `sip:` or `client:` address as it was written."""
    text = text.strip()
    return text if IDENTITY.fullmatch(text) else international(text, country)


def check_named(text: str, prefixes: Sequence[str]) -> None:
    """Check a target that the operator wrote down. Raises Forbidden.

    Any country will do; what costs more than a call only where DIAL_PREFIXES name it, with three digits or
    more after the country's code: `+1` allows no premium number.
    """
    if IDENTITY.fullmatch(text):
        if text.lower().startswith(("sim:", "whatsapp:")):
            raise Forbidden(
                f"{text.partition(':')[0]}: cannot be transferred to; a number, sip: or client: can"
            )
        if text.lower().startswith(("sip:", "sips:")) and len(text.split()) > 1:
            raise Forbidden("a blank cannot stand in a sip: address")
        return
    number = parse_number(text)
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    shortest = len(f"+{number.country_code}") + NAMED_DIGITS
    if not any(e164.startswith(prefix) for prefix in prefixes if len(prefix) >= shortest):
        _check_kind(number, e164)


def named_targets(targets: Iterable[str], country: str) -> frozenset[str]:
    """Targets as TransferPolicy compares them."""
    return frozenset(address(named_target(one, country)) for one in targets if one)


def mask(number: str) -> str:
    """A number as logs and errors may show it."""
    kept = number.strip()[:LONGEST]
    return kept if len(kept) < 7 else f"{kept[:3]}***{kept[-2:]}"


def _check_kind(number: phonenumbers.PhoneNumber, e164: str) -> None:
    shown = mask(e164)
    network = SATELLITE.get(number.country_code or 0)
    if network is not None:
        raise Forbidden(f"{shown} belongs to {network}: never dialled")
    kind = phonenumbers.number_type(number)
    if kind not in ORDINARY or _information_line(number):
        raise Forbidden(f"{shown} is {KINDS.get(kind, 'not an ordinary number')}: never dialled")


def _check_country(number: phonenumbers.PhoneNumber, e164: str, own: str, prefixes: Sequence[str]) -> None:
    if prefixes:
        if not any(e164.startswith(prefix) for prefix in prefixes):
            raise Forbidden(f"{mask(e164)} begins with none of DIAL_PREFIXES ({', '.join(prefixes)})")
        return
    if not own.strip().startswith("+"):
        raise Forbidden(f"{mask(e164)}: set DIAL_FROM or DIAL_PREFIXES, which say where may be dialled")
    country, ours = _region(number), _region(parse_number(own))
    if country != ours or country == NO_COUNTRY:
        raise Forbidden(f"{mask(e164)} is in {country}, not in {ours}: DIAL_PREFIXES would have to allow it")


def _region(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.region_code_for_number(number) or NO_COUNTRY


def _information_line(number: phonenumbers.PhoneNumber) -> bool:
    """North America's 976 exchanges: premium, but not marked as such in the numbering plan's data."""
    digits = str(number.national_number)
    return number.country_code == 1 and len(digits) == 10 and digits[3:6] == "976"
