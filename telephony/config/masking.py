"""What a log may not show: the secrets that are set here, and whatever has the shape of a credential. PURE.

Libraries log what they send and receive: headers in many spellings, addresses with keys in them. A key of
somebody else, such as a browser's, is not among our settings, so what surrounds a credential gives it away.
Every pattern is bounded or anchored: a text costs time in proportion to its length, whatever it holds.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from telephony.config.secret import MASK

# C0, DEL and C1 controls; the separators that str.splitlines takes for line ends; marks that turn the writing
# direction, with which a line can be made to read as another.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def one_line(text: str) -> str:
    """`text` with every control character written as an escape."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


SHORTEST_SECRET = 4  # shorter ones would mask ordinary words

# Headers whose value is a credential, or holds one.
_HEADERS = (
    r"(?:proxy-)?authorization|sec-websocket-protocol|x-api-key|api-key|apikey|x-auth-token|x-access-token|"
    r"x-twilio-signature|cookie|set-cookie|x-csrf-token|x-amz-security-token"
)
# `Name: value`, `'Name': 'value'`, `(b'Name', b'value')`, `name=value`: up to the quote that closes it, else
# to the end of the line, which a library may have escaped.
_HEADER = re.compile(
    rf"(?i)\b({_HEADERS})(\\?['\"]?\s*(?:[:=,]|=>)\s*)"
    r"(?:b?\\?(['\"])(?:(?!\\?\3).)*|[^'\"\s\\][^'\"\\]*)"
)
# The scheme before the credential, wherever it stands, and as a browser lists it among subprotocols.
_SCHEME = re.compile(
    r"(?i)\b(bearer|token|basic|digest)((?:%20|\s){1,8}|\\?['\"]?\s*,\s*b?\\?['\"]?)([A-Za-z0-9._~+/=:-]{8,})"
)
_LISTED = re.compile(r"(?i)(\\?['\"](?:bearer|token)\\?['\"]\s*,\s*b?\\?['\"])[^'\"]*")
# aiohttp, of a handshake none of whose subprotocols it knows.
_PROTOCOLS = re.compile(r"(?i)(client protocols )\[[^\]]*\]?")
_NAMES = (
    r"(?:[a-z0-9_-]{0,40}(?:api[_-]?key|token|secret|password|passwd|signature|credential)s?"
    r"|key|pwd|auth|sig|jwt)"
)
_QUERY = re.compile(rf"(?i)([?&;]{_NAMES}=)[^&\s'\"<>#;]+")
_FIELD = re.compile(rf"(?i)((?<![\w])\\?['\"]{_NAMES}\\?['\"]\s*[:=,]\s*)b?\\?(['\"])((?:(?!\\?\2).){{4,}})")
_USERINFO = re.compile(r"(://)[^/\s@'\"<>]{1,300}@")
_SHAPES = re.compile(
    r"\bsk-[A-Za-z0-9_-]{8,}"  # keys of language models
    r"|\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"  # JSON web tokens
    r"|\bv1\.[0-9]{1,12}\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{43}"  # our stream tokens (carrier/token.py)
    r"|(?<![A-Za-z0-9])[0-9a-f]{40}(?![A-Za-z0-9])"  # Deepgram's keys
)


class Masker:
    """Masks a text, with knowledge of these secrets."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {form for secret in secrets if len(secret) >= SHORTEST_SECRET for form in _forms(secret)}
        longest_first = sorted(known, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, longest_first))) if known else None

    def mask(self, text: str) -> str:
        """The same text without what must not be seen."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        text = _PROTOCOLS.sub(rf"\1[{MASK}]", text)
        text = _HEADER.sub(lambda m: f"{m[1]}{m[2]}{m[3] or ''}{MASK}", text)
        text = _LISTED.sub(rf"\1{MASK}", text)
        text = _SCHEME.sub(lambda m: m[0] if _is_prose(m[3]) else f"{m[1]}{m[2]}{MASK}", text)
        text = _QUERY.sub(rf"\1{MASK}", text)
        text = _FIELD.sub(rf"\1\2{MASK}", text)
        text = _USERINFO.sub(rf"\1{MASK}@", text)
        return _SHAPES.sub(MASK, text)


def _forms(secret: str) -> set[str]:
    """How a secret may be written: as it is, in a URL, as text in quotes, and in base64 by itself."""
    escaped = secret.encode("unicode_escape").decode("ascii")
    coded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return {secret, quote(secret, safe=""), quote_plus(secret), escaped, secret.replace('"', '\\"'), coded}


def _is_prose(word: str) -> bool:
    """Whether a word after `token` is one of a sentence rather than a credential: small letters only."""
    return len(word) < 16 and word.isalpha() and word[1:].islower()
