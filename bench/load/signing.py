"""Twilio's signature, for callers of a server that has an auth token."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping


def signed(token: str, url: str, form: Mapping[str, str] | None = None) -> dict[str, str]:
    """The header for a request to this URL; none without a token."""
    if not token:
        return {}
    text = url + "".join(name + value for name, value in sorted((form or {}).items()))
    mac = hmac.digest(token.encode(), text.encode(), hashlib.sha1)
    return {"X-Twilio-Signature": base64.b64encode(mac).decode()}
