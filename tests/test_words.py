"""The words of the project: phrases that read as translated stay out of the pages and of the code.

The pages, the settings and the error codes must have none. In the code their number may only become smaller.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from telephony.carrier.error_codes import ERRORS
from telephony.config.settings import SETTINGS
from tests.markdown import PAGES, ROOT, name_of

# What stays out, as a regular expression, and what to write instead.
STAY_OUT = {
    r"(?<!there )is no (?!longer|more\b)": "is not a",
    r"(?<!there )are no (?!longer|more\b)": "are not",
    r"anew\b": "again",
    r"beforehand": "before, in advance",
    r"whoever": "the one who, anyone who",
    r"whatever else": "everything else",
    r"all the same\b": "nevertheless",
    r"(?:is|are) to be\b": "must be",
    r"what there was\b": "what was recorded so far",
    r"of (?:its|their|our) own accord": "by itself",
    r"a matter of law": "depends on the law",
    r"told so\b": "said so",
    r"no more than an\b": "only a",
    r"in the way that": "as",
    r"it is (?:he|she|they|Twilio) who": "who calls",
}
IN_CODE = 48
"""How often they stand in telephony/ and tests/. It may only become smaller: lower it with the code."""

_PHRASES = re.compile("|".join(rf"\b{phrase}" for phrase in STAY_OUT), re.IGNORECASE)
BAD = "The phone is no telephone. A call is to be ended beforehand, whoever it is, all the same."


def found(text: str) -> list[str]:
    """Each phrase that stands in a text, with the words around it."""
    flat = re.sub(r"[\s#]+", " ", text)
    return [flat[max(0, match.start() - 30) : match.end() + 30] for match in _PHRASES.finditer(flat)]


def test_the_phrases_are_found_and_natural_english_is_not() -> None:
    assert len(found(BAD)) == 5
    assert found("There is no such call. It is no longer open. What is said today is to the point.") == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_pages_have_none(page: Path) -> None:
    assert found(page.read_text(encoding="utf-8")) == []


def test_settings_and_error_codes_have_none() -> None:
    """They are on the pages too, and what commands print of them."""
    texts = [f"{s.help} {s.kind.allowed}" for s in SETTINGS] + [f"{e.meaning} {e.remedy}" for e in ERRORS]
    assert [one for text in texts for one in found(text)] == []


def test_the_code_has_no_more_than_before() -> None:
    files = [*(ROOT / "telephony").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    counts = {f: len(found(f.read_text(encoding="utf-8"))) for f in files if f != Path(__file__)}
    worst = sorted(((n, f.relative_to(ROOT).as_posix()) for f, n in counts.items() if n), reverse=True)
    total = sum(counts.values())
    assert total <= IN_CODE, f"{total} phrases; STAY_OUT says what to write instead. Most are in {worst[:10]}"
