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
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard
from urllib.parse import parse_qs, unquote_plus, urlsplit

HEADER = "X-Twilio-Signature"
SHAPE = re.compile(r"[A-Za-z0-9+/]{27}=")
"""20 bytes of SHA-1 in base64: what has another shape is not looked at further."""
MOST_FIELDS = 200
"""Twilio sends about 30, and a few more for each parameter of ours."""
DEFAULT_PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}

Fields = Mapping[str, Sequence[str]]
"""Form fields as received: every name with all its values."""


def webhook_urls(public_url: str, raw_path_qs: str, prefix_kept: bool = False) -> tuple[str, ...]:
    """The URLs Twilio may have signed for a webhook at this raw path and query.

    `prefix_kept`: a proxy in front left the path of `public_url` in the raw path; else it took it off.
    """
    return _with_ports(_origin(public_url, {"http": "http", "https": "https"}, prefix_kept), raw_path_qs)


def handshake_urls(public_url: str, raw_path_qs: str, prefix_kept: bool = False) -> tuple[str, ...]:
    """The URLs Twilio may have signed for the media websocket.

    The scheme is that of the socket, wss, and where the plain URL does not verify, the one with a slash
    appended does (Twilio, "Security").
    """
    origin = _origin(public_url, {"http": "ws", "https": "wss"}, prefix_kept)
    plain = _with_ports(origin, raw_path_qs)
    if raw_path_qs.endswith("/"):
        return plain
    return plain + _with_ports(origin, raw_path_qs + "/")


def form_fields(body: bytes) -> Fields | None:
    """The fields of a urlencoded form, empty values kept; None for what is not such a form, or not Twilio's.

    Stricter than browsers: the signature covers names and values joined together, so `A=b` and `A&b` are
    signed alike; Twilio always writes the `=`, and what does not is refused.
    """
    fields: dict[str, list[str]] = {}
    if body.count(b"&") >= MOST_FIELDS:
        return None
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
    return _signature(token, url, _in_order(fields))


def _in_order(fields: Fields) -> bytes:
    """What is signed behind the URL: made once for a request, whatever URLs and tokens are tried."""
    text = "".join(name + value for name in sorted(fields) for value in sorted(set(fields[name])))
    return text.encode(errors="surrogatepass")


def _signature(token: str, url: str, ordered: bytes) -> str:
    digest = hmac.digest(token.encode(), url.encode(errors="surrogatepass") + ordered, hashlib.sha1)
    return base64.b64encode(digest).decode()


def verify(tokens: Iterable[str], urls: Iterable[str], fields: Fields, given: str | None) -> bool:
    """Whether `given` is the signature of one of the URLs under one of the tokens.

    Every combination is computed and compared in constant time, so that a refusal takes as long as a match
    and says nothing about which token came near.
    """
    if not has_shape(given):
        return False
    ordered = _in_order(fields)
    tokens = [token for token in tokens if token]
    matches = [
        hmac.compare_digest(_signature(token, url, ordered), given) for url in urls for token in tokens
    ]
    return any(matches)


def has_shape(given: str | None) -> TypeGuard[str]:
    """Whether it could be a signature at all: cheap to ask, so it is asked before a body is read."""
    return given is not None and SHAPE.fullmatch(given) is not None


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


def _origin(public_url: str, schemes: Mapping[str, str], prefix_kept: bool) -> _Origin:
    parts = urlsplit(public_url)
    host = parts.netloc.rpartition("@")[2]
    if parts.port is not None:
        host = host.removesuffix(f":{parts.port}")
    path = "" if prefix_kept else parts.path.rstrip("/")
    return _Origin(schemes[parts.scheme.lower()], host, parts.port, path)


def _with_ports(origin: _Origin, raw_path_qs: str) -> tuple[str, ...]:
    """The URL without a port, and with the one that PUBLIC_URL or the scheme implies.

    Twilio drops the port over HTTPS and keeps it over HTTP; its documentation of the handshake says neither.
    """
    scheme, rest = origin.scheme, origin.path + raw_path_qs
    port = origin.port or DEFAULT_PORTS[scheme]
    return (f"{scheme}://{origin.host}{rest}", f"{scheme}://{origin.host}:{port}{rest}")
