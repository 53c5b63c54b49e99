"""How long a secret must be, and which secrets an environment holds: rules over the settings table."""

from __future__ import annotations

from collections.abc import Mapping

from telephony.config.secret import mask
from telephony.config.settings import SETTINGS, Settings, each_secret
from telephony.errors import BadSetting

THEIR_DOORS = frozenset({"DEEPGRAM_API_KEY", "LLM_API_KEY", "LLM_FALLBACK_API_KEY", "TWILIO_API_SECRET"})
"""Secrets that we bring to others, who made them."""
LEAST_SECRET = 16
"""Characters; a random one of 16 letters and digits has 95 bits."""
SHORT_ALLOWED = f"a public server needs at least {LEAST_SECRET} characters (openssl rand -hex 16)"

OUR_DOORS = tuple(s.name for s in SETTINGS if s.secret and s.name not in THEIR_DOORS)
"""Secrets that others bring to us."""


def refuse_short_secrets(settings: Settings) -> None:
    """Raise BadSetting for what could be guessed, where the whole internet may try. See `short_secrets`."""
    for name, value in short_secrets(settings):
        raise BadSetting(name, mask(value), SHORT_ALLOWED)


def short_secrets(settings: Settings) -> list[tuple[str, str]]:
    """The settings that open a door of ours and are too short for a public server, with their values."""
    if not settings.public_url:
        return []
    doors = {name: getattr(settings, name.lower()) for name in OUR_DOORS}
    flat = ((name, one.reveal()) for name, value in doors.items() for one in each_secret(value))
    return [(name, value) for name, value in flat if len(value) < LEAST_SECRET]


def secrets_in(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values of secrets in an environment, unchecked: for the log of a process without settings."""
    given = (environ.get(s.name, "") for s in SETTINGS if s.secret)
    return tuple(one for value in given for part in value.split(",") if (one := part.strip()))
