"""The one-time stream token: what our TwiML gives to Twilio, and Twilio brings back in `start`.

    v1.<expiry, seconds>.<nonce>.<HMAC-SHA256, base64url>

The HMAC binds the token to one CallSid, one purpose and one expiry. That it is used once is for the shell to
see to: it claims the nonce, until the expiry, where all processes see it (shared.py). The token is a
<Parameter> and never part of a URL, because Twilio drops query strings and everybody logs paths. Its times
are the shared store's, which looks like Unix seconds and is not moved by a wall clock that is set.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

from telephony.errors import RemoteProtocolError

LIFETIME_S = 60  # Twilio opens the stream about half a second after our answer; a minute is plenty
SKEW_S = 5  # for a stream that is on its way when its time is up
TOKEN = re.compile(r"v1\.([0-9]{1,12})\.([A-Za-z0-9_-]{16,64})\.([A-Za-z0-9_-]{43})")


class BadToken(RemoteProtocolError):
    """A stream whose token does not open it; the message says why, and never holds the token."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A token that verified."""

    nonce: str
    """To be claimed once."""
    expires: float
    """By the shared store's time, in seconds."""

    def remaining_s(self, now: float) -> float:
        """For how long the nonce has to be remembered, in seconds."""
        return max(0.0, self.expires + SKEW_S - now)


def derive_keys(stream_secrets: Sequence[str], auth_tokens: Sequence[str], random_key: bytes) -> list[bytes]:
    """The signing keys, the first of which signs.

    STREAM_SECRET where it is set, else made from the auth tokens (which several processes share anyway), else
    `random_key`, for a server on loopback.
    """
    if stream_secrets:
        return [secret.encode() for secret in stream_secrets]
    if auth_tokens:
        return [hmac.digest(token.encode(), b"telephony stream token", "sha256") for token in auth_tokens]
    return [random_key]


def issue(key: bytes, call_sid: str, nonce: str, now: float, lifetime_s: float = LIFETIME_S) -> str:
    """A token for this call that holds until `now + lifetime_s`, signed with this key."""
    expires = int(now + lifetime_s)
    return f"v1.{expires}.{nonce}.{_mac(key, call_sid, expires, nonce)}"


def check(keys: Sequence[bytes], token: str, call_sid: str, now: float) -> Ticket:
    """The ticket of a token that was signed with one of the keys for this call and has not expired.

    Raises BadToken otherwise.
    """
    parts = TOKEN.fullmatch(token)
    if parts is None:
        raise BadToken("no stream token" if not token else "the stream token is malformed")
    expires, nonce = int(parts[1]), parts[2]
    signed = [hmac.compare_digest(_mac(key, call_sid, expires, nonce), parts[3]) for key in keys]
    if not any(signed):
        raise BadToken("the stream token is not ours, or not this call's")
    if now > expires + SKEW_S:
        raise BadToken(f"the stream token expired {now - expires:.0f} s ago")
    return Ticket(nonce, float(expires))


def _mac(key: bytes, call_sid: str, expires: int, nonce: str) -> str:
    message = f"v1|{call_sid}|{expires}|{nonce}|aud=media".encode(errors="surrogatepass")
    return base64.urlsafe_b64encode(hmac.digest(key, message, hashlib.sha256)).rstrip(b"=").decode()
