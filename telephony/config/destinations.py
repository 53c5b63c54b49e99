"""Where callers may be transferred, as the operator wrote it down: HUMAN_NUMBER and TRANSFER_TO."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from telephony.base.phone_numbers import country_of
from telephony.config.dial_policy import Forbidden, check_named, named_target
from telephony.errors import BadSetting

PERSON = "person"
"""HUMAN_NUMBER, among the names of TRANSFER_TO."""


def destination(setting: str, text: str, own: str, prefixes: Sequence[str], name: str = "") -> str:
    """The target as the carrier needs it, whatever punctuation it has; "" for "".

    A number without a country is of that of `own`. Raises BadSetting for one that may not be called.
    """
    if not text:
        return ""
    to = named_target(text, country_of(own))
    try:
        check_named(to, prefixes)
    except Forbidden as error:
        raise BadSetting(setting, f"{name}={text}" if name else text, str(error)) from error
    return to


def destinations(named: Iterable[tuple[str, str]], own: str, prefixes: Sequence[str]) -> dict[str, str]:
    """TRANSFER_TO: each name and its target. Raises BadSetting."""
    return {name: destination("TRANSFER_TO", text, own, prefixes, name) for name, text in named}
