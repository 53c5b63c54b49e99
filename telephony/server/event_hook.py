"""Posts events to WEBHOOK_URL, signed as Standard Webhooks 1.0 says (standardwebhooks.com).

`webhook-id`, `webhook-timestamp` and `webhook-signature` are its headers; the signature is HMAC-SHA256 over
`id.timestamp.body`, in base64 behind `v1,`, one for each secret. An address of a private network is refused
when it is connected to, whatever the name in front of it, unless WEBHOOK_PRIVATE_HOSTS names the host.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from telephony.config.secret import Secret

POST_S = 10.0
"""How long one delivery may take."""
LONGEST_WAIT_S = 3600.0
"""The longest Retry-After that is followed."""
PREFIX = "whsec_"
"""Begins a secret that is base64, in the specification's form; any other is taken as it is."""
AGAIN = frozenset({408, 409, 425, 429})
"""Statuses of 4xx that say "later"."""


class PrivateAddress(OSError):
    """The host is in a private network, and is not allowed by name."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of one attempt."""

    delivered: bool
    again: bool = False
    """Worth another attempt."""
    after_s: float | None = None
    """The receiver's own wish."""
    why: str = ""


class EventHook:
    """The receiver of events."""

    def __init__(self, url: str, secrets: Sequence[Secret], private_hosts: Sequence[str] = ()) -> None:
        self._url, self._secrets = url, tuple(secrets)
        self._host = (urlsplit(url).hostname or "").lower()
        self._allowed = {host.lower() for host in private_hosts}
        resolver = _PublicOnly(ThreadedResolver(), self._allowed)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=resolver, limit=16, ttl_dns_cache=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=POST_S),
            trust_env=False,
        )

    async def post(self, event_id: str, body: bytes, unix_s: float) -> Delivery:
        """Deliver one event once. Raises nothing but CancelledError."""
        stamp = str(int(unix_s))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "telephony",
            "webhook-id": event_id,
            "webhook-timestamp": stamp,
            "webhook-signature": " ".join(signature(one, event_id, stamp, body) for one in self._secrets),
        }
        try:
            if _is_private(self._host) and self._host not in self._allowed:
                raise PrivateAddress(f"{self._host} is a private address")
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return _delivery(answer.status, answer.headers.get("Retry-After", ""), unix_s)
        except PrivateAddress as error:
            return Delivery(False, why=str(error))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            cause = error.__cause__ if isinstance(error.__cause__, PrivateAddress) else None
            if cause is not None or isinstance(getattr(error, "os_error", None), PrivateAddress):
                return Delivery(False, why=str(cause or error))
            why = "no answer within 10 s" if isinstance(error, TimeoutError) else type(error).__name__
            return Delivery(False, again=True, why=why)

    async def close(self) -> None:
        """Close its connections."""
        await self._session.close()


def signature(secret: Secret, event_id: str, stamp: str, body: bytes) -> str:
    """`v1,` and the signature of one event."""
    key = secret.reveal()
    raw = base64.b64decode(key[len(PREFIX) :]) if key.startswith(PREFIX) else key.encode()
    mac = hmac.new(raw, f"{event_id}.{stamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(mac.digest()).decode()


def _delivery(status: int, retry_after: str, unix_s: float) -> Delivery:
    if 200 <= status < 300:
        return Delivery(True)
    again = status >= 500 or status in AGAIN
    return Delivery(False, again, _seconds(retry_after, unix_s) if again else None, f"status {status}")


def _seconds(retry_after: str, unix_s: float) -> float | None:
    """Retry-After: seconds, or a date (RFC 9110, 10.2.3)."""
    try:
        if retry_after.strip().isdigit():
            wait = float(retry_after)
        else:
            wait = parsedate_to_datetime(retry_after).timestamp() - unix_s
    except (TypeError, ValueError):
        return None
    return min(max(0.0, wait), LONGEST_WAIT_S)


def _is_private(address: str) -> bool:
    """Whether text is an address that the internet does not route; a name is not."""
    try:
        found = ipaddress.ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return not (mapped or found).is_global or found.is_multicast


class _PublicOnly(AbstractResolver):
    """Resolves names, and refuses those that lead into a private network: checked where it is connected."""

    def __init__(self, resolver: AbstractResolver, allowed: set[str]) -> None:
        self._resolver, self._allowed = resolver, allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if host.lower() not in self._allowed and any(_is_private(one["host"]) for one in found):
            raise PrivateAddress(f"{host} leads to a private address")
        return found

    async def close(self) -> None:
        await self._resolver.close()
