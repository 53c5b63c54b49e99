"""Credentials in every spelling in which libraries write them, and ordinary words, which stay."""

from __future__ import annotations

import base64
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.config.masking import Masker

KEY = "Canary-7f3k9/q+Z2.x_1"
BASIC = base64.b64encode(f"AC123:{KEY}".encode()).decode()

# Each as a library writes it: aiohttp, httpx, httpcore, websockets, urllib3, http.client, twilio, deepgram.
WRITTEN = [
    f"> Authorization: Token {KEY}",
    f"> authorization: token {KEY}",
    f"> Sec-WebSocket-Protocol: token, {KEY}",
    f"> Sec-WebSocket-Protocol: bearer,{KEY}",
    f"127.0.0.1: Client protocols ['token', '{KEY}'] don't overlap server-known ones ()",
    f"127.0.0.1: Client protocols ['{KEY}'] don't overlap server-known ones ('token',)",
    f"headers={{'Authorization': 'Token {KEY}', 'User-Agent': 'x'}}",
    f"headers=<CIMultiDict('Host': 'h', 'Authorization': 'Bearer {KEY}')>",
    f"headers=Headers({{'x-api-key': '{KEY}'}})",
    f"headers=[(b'Host', b'h'), (b'Authorization', b'Token {KEY}'), (b'Accept', b'*/*')]",
    f"send: b'GET / HTTP/1.1\\r\\nAuthorization: Basic {BASIC}\\r\\nHost: h\\r\\n\\r\\n'",
    f"Authorization : Basic {BASIC}",
    f"X-API-Key: {KEY}",
    f"x_request: X-API-Key={KEY}",
    f"{{'protocols': ['token', '{KEY}']}}",
    f"curl -H 'Authorization: Token {KEY}'",
    f"GET /v2/listen?model=x&token={KEY} HTTP/1.1",
    f"GET /v1/listen?access_token={KEY}&model=x",
    f"GET /v1/listen?api_key={quote(KEY, safe='')}",
    f"wss://user:{quote(KEY, safe='')}@host/path",
    f'{{"api_key": "{KEY}", "model": "x"}}',
    f"DeepgramClient(api_key='{KEY}')".replace("api_key=", "'api_key': "),
    f"Set-Cookie: session={KEY}; Path=/",
    f"Cookie: session={KEY}",
    f"the header was Bearer {KEY}",
]


@pytest.mark.parametrize("text", WRITTEN)
def test_a_credential_is_known_by_what_surrounds_it(text: str) -> None:
    """Nobody has told the masker of the key: it is somebody else's."""
    masked = Masker().mask(text)
    assert KEY not in masked and BASIC not in masked and quote(KEY, safe="") not in masked
    assert "****" in masked and Masker().mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj-0123456789abcdefABCDEF",
        "eyJhbGciOi.eyJzdWIiOi.SflKxwRJSM",
        "a" * 40,
        f"v1.1796000000.{'n' * 22}.{'m' * 43}",
    ],
)
def test_a_credential_is_known_by_its_shape(text: str) -> None:
    assert Masker().mask(f"it said {text!r} and left") == "it said '****' and left"


@pytest.mark.parametrize(
    "text",
    [
        "media stream refused: the stream token is not ours, or not this call's",
        "media stream refused: the stream token expired 60 s ago",
        "refused POST /twilio/voice from 127.0.0.1: 403, X-Twilio-Signature is missing. If this was Twilio,",
        "PUBLIC_URL or TWILIO_AUTH_TOKEN differ. Tried as signed: https://h.example/twilio/voice",
        "refused GET /metrics from 127.0.0.1: 401, METRICS_TOKEN is needed",
        "API key 2: POST /api/calls: dialled 1f3a9c",
        "call CA0123456789abcdef0123456789abcdef: begins as 4cf54cc61f4043eb",
        "speech: wss://api.deepgram.com, because DEEPGRAM_API_KEY is set",
        "listen 2b1f6a4e-6c1c-4a8e-9d43-0a7b3f1f2e11: refused with 429",
        "basic understanding of token authentication",
        "GET /v2/listen?model=flux-general-en&encoding=linear16&eot_threshold=0.7",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert Masker(["a-secret-that-is-set"]).mask(text) == text


@given(st.text(min_size=4, max_size=40), st.text(), st.text())
def test_a_secret_that_is_set_is_nowhere(secret: str, before: str, after: str) -> None:
    """As it is, in an address, in base64."""
    masker = Masker([secret])
    for form in (secret, quote(secret, safe="", errors="replace")):
        if form not in before + after and "*" not in secret:
            assert form not in masker.mask(f"{before} {form} {after}")


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "'",
        "token ",
        "&key",
        "://",
        "Authorization: ",
        "['token', '",
        "eyJ",
        "v1.",
        "f",
        "\\",
        "%20",
        " ",
    ],
)
def test_no_text_costs_more_than_its_length(piece: str) -> None:
    """What a peer sends may stand in an exception: 100 kB of whatever it likes."""
    begun = time.thread_time()
    Masker(["a-secret-that-is-set"]).mask(piece * (100_000 // len(piece)))
    assert time.thread_time() - begun < 1.0
