"""Which address the server listens on."""

from __future__ import annotations

from dataclasses import dataclass

from telephony.config.kinds import host_is_loopback
from telephony.config.settings import Settings
from telephony.errors import BadSetting


@dataclass(frozen=True, slots=True)
class Binding:
    """Where the server listens, and a line to log if that is less than one might expect."""

    host: str
    note: str = ""


def binding(settings: Settings, host: str | None = None) -> Binding:
    """The address to listen on: this machine only, unless webhooks can be verified.

    A verified webhook needs both the token that signs and the URL that was signed. Raises BadSetting for a
    public `host` without them.
    """
    verified = bool(settings.twilio_auth_token and settings.public_url)
    if verified:
        return Binding(host or "0.0.0.0")
    missing = "PUBLIC_URL" if settings.twilio_auth_token else "TWILIO_AUTH_TOKEN and PUBLIC_URL"
    if host is not None and not host_is_loopback(host):
        raise BadSetting("--host", host, f"a public address needs {missing}; 127.0.0.1 does not")
    note = "listening on this machine only: PUBLIC_URL is not set" if settings.twilio_auth_token else ""
    return Binding(host or "127.0.0.1", note)
