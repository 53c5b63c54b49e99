"""The settings of event webhooks."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from telephony.config.kinds import hook_url, host_is_loopback, secrets, texts
from telephony.config.secret import Secret
from telephony.config.setting import setting, short
from telephony.errors import BadSetting

BASE64_PREFIX = "whsec_"


@dataclass(frozen=True, kw_only=True)
class EventSettings:
    """Where events of calls are posted."""

    webhook_url: str = setting(
        hook_url(),
        "",
        "where events of calls are posted: started, turn, tool, transferred, ended (with the record)",
    )
    webhook_secret: tuple[Secret, ...] = setting(
        secrets(),
        "",
        "signs these events (Standard Webhooks); several, comma separated, while you rotate it",
    )
    webhook_private_hosts: tuple[str, ...] = setting(
        texts(), "", "hosts of private networks that WEBHOOK_URL may lead to, comma separated"
    )


def check_events(settings: EventSettings, given: Mapping[str, str]) -> None:
    """Events carry what callers say: they are signed, and go over plain HTTP to named hosts only."""
    url = settings.webhook_url
    if not url:
        return
    shown = short(given.get("WEBHOOK_URL", url))
    if not settings.webhook_secret:
        raise BadSetting("WEBHOOK_URL", shown, "it needs WEBHOOK_SECRET (openssl rand -hex 32)")
    for secret in settings.webhook_secret:
        text = secret.reveal()
        if text.startswith(BASE64_PREFIX):
            try:
                base64.b64decode(text.removeprefix(BASE64_PREFIX), validate=True)
            except binascii.Error:
                fault = "must be base64 behind whsec_, or a secret without that prefix"
                raise BadSetting("WEBHOOK_SECRET", "****", fault) from None
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    named = {one.lower() for one in settings.webhook_private_hosts}
    if host_is_loopback(host) and host not in named:
        raise BadSetting(
            "WEBHOOK_URL", shown, f"must be a public host, or name {host} in WEBHOOK_PRIVATE_HOSTS"
        )
    if parts.scheme == "http" and host not in named:
        raise BadSetting("WEBHOOK_URL", shown, "must be https://, or a host that WEBHOOK_PRIVATE_HOSTS names")
