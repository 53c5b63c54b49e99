"""What the doctor finds: good, bad (something will not work), or worth knowing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from telephony.base.terminal import GREEN, RED, YELLOW


class Verdict(Enum):
    GOOD = "good"
    NOTE = "note"
    BAD = "BAD "


COLOURS = {Verdict.GOOD: GREEN, Verdict.NOTE: YELLOW, Verdict.BAD: RED}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the output, and the line under it that says what to do."""

    verdict: Verdict
    what: str
    remedy: str = ""


def good(what: str) -> Finding:
    return Finding(Verdict.GOOD, what)


def note(what: str, remedy: str = "") -> Finding:
    return Finding(Verdict.NOTE, what, remedy)


def bad(what: str, remedy: str) -> Finding:
    return Finding(Verdict.BAD, what, remedy)
