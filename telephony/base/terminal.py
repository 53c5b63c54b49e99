"""Colour on a terminal: where it is wanted, and which. PURE: the environment is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

RED, GREEN, YELLOW, CYAN, DIM = "31", "32", "33", "36", "2"
_RESET = "\x1b[0m"


def may_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether colour may be written: to a terminal that knows it, where NO_COLOR is empty (no-color.org)."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def paint(text: str, colour: str) -> str:
    """The text in a colour of ECMA-48, and what follows as it was."""
    return f"\x1b[{colour}m{text}{_RESET}" if text else text
