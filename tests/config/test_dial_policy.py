"""Which numbers may be dialled: ordinary phones of allowed countries, nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.config.dial_policy import Forbidden, allowed_number, mask

US, UK = "+14155550100", "+442071838750"

ALLOWED = [
    # number, from, prefixes, E.164
    ("+14155552671", US, (), "+14155552671"),
    ("+1 (415) 555-2671", US, (), "+14155552671"),
    ("  +1.415.555.2671 ", US, (), "+14155552671"),
    ("+12125552671", US, (), "+12125552671"),
    ("+18002255288", US, (), "+18002255288"),
    ("+442071838750", UK, (), "+442071838750"),
    ("+447400123456", UK, (), "+447400123456"),
    ("+448081570192", UK, (), "+448081570192"),
    ("+442071838750", US, ("+44",), "+442071838750"),
    ("+4915123456789", US, ("+49", "+43"), "+4915123456789"),
    ("+436601234567", US, ("+49", "+43"), "+436601234567"),
    ("+33612345678", US, ("+336",), "+33612345678"),
    ("+14165550123", "+16135550100", (), "+14165550123"),
    ("+18765550123", US, ("+1876",), "+18765550123"),
    ("+61412345678", "+61291234567", (), "+61412345678"),
    ("+35312345678", "+35319876543", (), "+35312345678"),
    ("+5511987654321", US, ("+55",), "+5511987654321"),
    ("+81312345678", US, ("+81",), "+81312345678"),
]


@pytest.mark.parametrize(("number", "own", "prefixes", "e164"), ALLOWED)
def test_ordinary_numbers_are_dialled(number: str, own: str, prefixes: tuple[str, ...], e164: str) -> None:
    """Of the own country, or of the prefixes; in E.164 whatever punctuation people write."""
    assert allowed_number(number, own, prefixes) == e164


FORBIDDEN = [
    # number, from, prefixes, what the refusal says
    ("+19005551234", US, (), "premium"),
    ("+19005551234", US, ("+1",), "premium"),
    ("+12129761234", US, (), "not an ordinary number"),
    ("+14159761234", US, ("+1",), "not an ordinary number"),
    ("+18765550123", US, (), "in JM, not in US"),
    ("+18095550123", US, (), "in DO, not in US"),
    ("+12843001234", US, (), "in VG, not in US"),
    ("+12684641234", US, (), "in AG, not in US"),
    ("+14734031234", US, (), "in GD, not in US"),
    ("+16492311234", US, (), "in TC, not in US"),
    ("+14165550123", US, (), "in CA, not in US"),
    ("+442071838750", US, (), "in GB, not in US"),
    ("+447911123456", UK, (), "in GG, not in GB"),
    ("+442071838750", US, ("+49",), "none of DIAL_PREFIXES"),
    ("+449098790123", UK, (), "premium"),
    ("+449098790123", UK, ("+44",), "premium"),
    ("+447012345678", UK, (), "personal number"),
    ("+447012345678", UK, ("+44",), "personal number"),
    ("+448431234567", UK, (), "premium|shared cost"),
    ("+448712345678", UK, ("+44",), "premium|shared cost"),
    ("+447640123456", UK, (), "pager"),
    ("+445612345678", US, (), "not in US"),
    ("+499001234567", US, ("+49",), "premium"),
    ("+491805123456", US, ("+49",), "shared cost"),
    ("+33899123456", US, ("+33",), "premium"),
    ("+61190012345", "+61291234567", (), "not a (valid )?phone number|premium"),
    ("+611900123456", "+61291234567", ("+61",), "premium"),
    ("+881612345678", US, ("+881",), "satellite|not a (valid )?phone number"),
    ("+8816123456789", US, ("+881",), "satellite|not a (valid )?phone number"),
    ("+870773111632", US, ("+870",), "Inmarsat"),
    ("+882161234567", US, ("+882",), "international network|not a (valid )?phone number"),
    ("+88213123456", US, ("+882",), "international network|not a (valid )?phone number"),
    ("+883510012345678", US, ("+883",), "international network|not a (valid )?phone number"),
    ("+979123456789", US, ("+979",), "premium|not a (valid )?phone number"),
    ("+878101234567890", US, ("+878",), "personal numbering|not a (valid )?phone number"),
    ("4155552671", US, (), "international form"),
    ("0014155552671", US, (), "international form"),
    ("011442071838750", US, (), "international form"),
    ("911", US, (), "international form"),
    ("+911", US, ("+91",), "not a (valid )?phone number"),
    ("+1911", US, (), "not a (valid )?phone number"),
    ("112", UK, (), "international form"),
    ("999", UK, (), "international form"),
    ("+44999", UK, (), "not a (valid )?phone number"),
    ("+1", US, (), "not a (valid )?phone number"),
    ("+", US, (), "not a (valid )?phone number"),
    ("", US, (), "international form"),
    ("+1415555", US, (), "not a (valid )?phone number"),
    ("+141555526711", US, (), "not a (valid )?phone number"),
    ("+10005552671", US, (), "not a (valid )?phone number"),
    ("+1415CALLNOW", US, (), "letters"),
    ("+14155552671x123", US, (), "letters"),
    ("+14155552671;ext=123", US, (), "letters"),
    ("+14155552671#123", US, (), "not a (valid )?phone number"),
    ("+14155552671,,9", US, (), "not a (valid )?phone number"),
    ("sip:me@example.com", US, (), "international form"),
    ("+999123456789", US, ("+999",), "not a (valid )?phone number"),
    ("+21012345678", US, ("+210",), "not a (valid )?phone number"),
    ("+1" + "4155552671" * 5, US, (), "international form"),
    ("+٤٤٢٠٧١٨٣٨٧٥٠", US, (), "not in US|not a (valid )?phone number|international"),
    ("+14155552671\n+19005551234", US, (), "not a (valid )?phone number"),
]


@pytest.mark.parametrize(("number", "own", "prefixes", "says"), FORBIDDEN)
def test_everything_else_is_refused(number: str, own: str, prefixes: tuple[str, ...], says: str) -> None:
    """Premium, personal, shared cost, satellite, other countries, emergency, malformed; with the reason."""
    with pytest.raises(Forbidden, match=says) as refused:
        allowed_number(number, own, prefixes)
    assert len(number) < 8 or number not in str(refused.value)


@given(st.text(max_size=50) | st.from_regex(r"\+[0-9]{1,16}", fullmatch=True))
def test_any_text_is_a_number_or_forbidden(text: str) -> None:
    """Nothing else happens, and what is allowed is E.164 of the own country."""
    try:
        assert allowed_number(text, US, ()).startswith("+1")
    except Forbidden:
        pass


def test_numbers_are_masked() -> None:
    """First and last digits tell calls apart."""
    assert mask("+14155552671") == "+14***71"
