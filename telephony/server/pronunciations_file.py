"""The file of PRONUNCIATIONS: `written: as spoken`, one word a line."""

from __future__ import annotations

from telephony.config.settings import Settings
from telephony.config.yaml_file import read_yaml
from telephony.speak.pronunciations import NONE, Pronunciations, fault_of


def pronunciations_of(settings: Settings) -> Pronunciations:
    """How words are said. Raises BadScript, with file and line, for a file that cannot be used."""
    if settings.pronunciations is None:
        return NONE
    words: dict[str, str] = {}
    file = read_yaml(settings.pronunciations, what="the file of PRONUNCIATIONS")
    for written, value in file.items():
        spoken = value.text()
        if fault := fault_of(written, spoken):
            value.wrong(fault)
        if written.casefold() in words:
            value.wrong(f"{written!r} stands here twice: capitals make no difference")
        words[written.casefold()] = spoken
    return Pronunciations(words)
