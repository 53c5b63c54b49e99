"""One row of the settings table: a name, a kind of value, a default, a meaning."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from telephony.config.kinds import SettingKind
from telephony.config.secret import MASK, mask
from telephony.errors import BadSetting

PASSWORD = re.compile(r"(?<=://)[^/\s]*@")
QUERY = re.compile(r"(?<=\w)\?\S*=\S*")
SHOWN = 60  # characters of a long value in an error


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. `default` is text, as it would stand in the environment; "" is unset."""

    name: str
    kind: SettingKind
    default: str
    help: str

    @property
    def secret(self) -> bool:
        return self.kind.secret


def setting(kind: SettingKind, default: str, help: str) -> Any:
    """A field of `Settings`. Any, as `dataclasses.field` says it: the annotation is the type."""
    return field(metadata={"kind": kind, "default": default, "help": help})


def parse(setting: Setting, given: str) -> object:
    """The value of a text. Raises BadSetting, without showing a secret."""
    try:
        return setting.kind.parse(given or setting.default)
    except ValueError as error:
        shown = mask(given) if setting.secret else short(given)
        raise BadSetting(setting.name, shown, f"must be {error}") from error


def short(value: str) -> str:
    """A value as an error shows it: not too long, and without what may be secret in an address."""
    value = PASSWORD.sub(MASK + "@", QUERY.sub("?" + MASK, value))
    return value if len(value) <= SHOWN else f"{value[:SHOWN]}..."
