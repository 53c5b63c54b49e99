"""Twilio's signature: whether a webhook or a media handshake really comes from Twilio.

base64(HMAC-SHA1(auth token, URL + form fields sorted, each name followed by its value)), in the header
X-Twilio-Signature (Twilio, "Security", "Validating requests"). What is signed is the URL as Twilio was
given it, so ours is made from PUBLIC_URL and the raw path and query, never from Host or X-Forwarded-*, which
anybody can send. Where Twilio's own rules leave several forms open (a port, the handshake's trailing slash),
each is tried: every candidate names the same resource.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote_plus, urlsplit

HEADER = "X-Twilio-Signature"
DEFAULT_PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}

Fields = Mapping[str, Sequence[str]]
"""Form fields as received: every name with all its values."""


def webhook_urls(public_url: str, raw_path_qs: str) -> tuple[str, ...]:
    """The URLs Twilio may have signed for a webhook at this raw path and query."""
    return _with_ports(_origin(public_url, {"http": "http", "https": "https"}), raw_path_qs)


def handshake_urls(public_url: str, raw_path_qs: str) -> tuple[str, ...]:
    """The URLs Twilio may have signed for the media websocket.

    The scheme is that of the socket, wss, and where the plain URL does not verify, the one with a slash
    appended does (Twilio, "Security").
    """
    origin = _origin(public_url, {"http": "ws", "https": "wss"})
    plain = _with_ports(origin, raw_path_qs)
    if raw_path_qs.endswith("/"):
        return plain
    return plain + _with_ports(origin, raw_path_qs + "/")


def form_fields(body: bytes) -> Fields | None:
    """The fields of a urlencoded form, empty values kept; None for what is no such form.

    Stricter than browsers: the signature covers names and values joined together, so `A=b` and `A&b` are
    signed alike; Twilio always writes the `=`, and what does not is refused.
    """
    fields: dict[str, list[str]] = {}
    try:
        for pair in body.decode("ascii").split("&") if body else ():
            name, equals, value = pair.partition("=")
            if not equals:
                return None
            decoded = unquote_plus(value, errors="strict")
            fields.setdefault(unquote_plus(name, errors="strict"), []).append(decoded)
    except UnicodeDecodeError:
        return None
    return fields


def signature(token: str, url: str, fields: Fields) -> str:
    """Twilio's signature of this URL and these form fields.

    A name given several times is signed with each of its distinct values, sorted, as Twilio's libraries do.
    """
    signed = url + "".join(name + value for name in sorted(fields) for value in sorted(set(fields[name])))
    digest = hmac.digest(token.encode(), signed.encode(errors="surrogatepass"), hashlib.sha1)
    return base64.b64encode(digest).decode()


def verify(tokens: Iterable[str], urls: Iterable[str], fields: Fields, given: str | None) -> bool:
    """Whether `given` is the signature of one of the URLs under one of the tokens.

    Every combination is computed and compared in constant time, so that a refusal takes as long as a match
    and says nothing about which token came near.
    """
    if not given or not given.isascii():
        return False
    tokens = [token for token in tokens if token]
    matches = [hmac.compare_digest(signature(token, url, fields), given) for url in urls for token in tokens]
    return any(matches)


def body_hash_matches(raw_path_qs: str, body: bytes) -> bool:
    """Whether the body of a JSON webhook is the one whose SHA-256 the signed URL names (`bodySHA256`)."""
    named = parse_qs(urlsplit(raw_path_qs).query).get("bodySHA256", [])
    if len(named) != 1 or not named[0].isascii():
        return False
    return hmac.compare_digest(hashlib.sha256(body).hexdigest(), named[0].lower())


@dataclass(frozen=True, slots=True)
class _Origin:
    scheme: str
    host: str
    """Without userinfo, as Twilio drops it, and without the port."""
    port: int | None
    path: str
    """What a proxy in front of us takes off the path, or nothing."""


def _origin(public_url: str, schemes: Mapping[str, str]) -> _Origin:
    parts = urlsplit(public_url)
    host = parts.netloc.rpartition("@")[2]
    if parts.port is not None:
        host = host.removesuffix(f":{parts.port}")
    return _Origin(schemes[parts.scheme.lower()], host, parts.port, parts.path.rstrip("/"))


def _with_ports(origin: _Origin, raw_path_qs: str) -> tuple[str, ...]:
    """The URL without a port, and with the one that PUBLIC_URL or the scheme implies.

    Twilio drops the port over HTTPS and keeps it over HTTP; its documentation of the handshake says neither.
    """
    scheme, rest = origin.scheme, origin.path + raw_path_qs
    port = origin.port or DEFAULT_PORTS[scheme]
    return (f"{scheme}://{origin.host}{rest}", f"{scheme}://{origin.host}:{port}{rest}")
