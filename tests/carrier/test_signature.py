"""Only Twilio's own requests verify. twilio's RequestValidator is the signer here."""

from __future__ import annotations

import hashlib
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from telephony.carrier.signature import (
    body_hash_matches,
    form_fields,
    handshake_urls,
    signature,
    verify,
    webhook_urls,
)

TOKEN = "0123456789abcdef0123456789abcdef"
PUBLIC = "https://line.example.com"
FORM = {
    "CallSid": ["CA1234567890ABCDE"],
    "From": ["+14158675310"],
    "CallerName": [""],
    "City": ["São Paulo & co 🎉"],
}


def sign(url: str, form: dict[str, list[str]] | None = None, token: str = TOKEN) -> str:
    """As twilio's own library signs."""
    params = MultiDict((name, value) for name, values in (form or {}).items() for value in values)
    return str(RequestValidator(token).compute_signature(url, params))


def test_the_documented_vector() -> None:
    """Twilio's page "Security" gives this URL, token and form, and this signature."""
    fields = {
        "CallSid": ["CA1234567890ABCDE"],
        "Caller": ["+14158675310"],
        "Digits": ["1234"],
        "From": ["+14158675310"],
        "To": ["+18005551212"],
    }
    urls = webhook_urls("https://example.com", "/myapp.php?foo=1&bar=2")
    assert verify(["12345"], urls, fields, "L/OH5YylLD5NRKLltdqwSvS0BnU=")


WEBHOOK_FORMS = [
    ("https://line.example.com", "https://line.example.com/twilio/voice"),
    ("https://line.example.com/", "https://line.example.com/twilio/voice"),
    ("https://line.example.com", "https://line.example.com:443/twilio/voice"),
    ("https://line.example.com:8443", "https://line.example.com/twilio/voice"),
    ("https://line.example.com:8443", "https://line.example.com:8443/twilio/voice"),
    ("http://line.example.com:8080", "http://line.example.com:8080/twilio/voice"),
    ("https://line.example.com/base/", "https://line.example.com/base/twilio/voice"),
    ("https://user:secret@line.example.com:8443", "https://line.example.com/twilio/voice"),
]


@pytest.mark.parametrize(("public_url", "signed"), WEBHOOK_FORMS)
def test_every_way_twilio_writes_a_webhooks_url(public_url: str, signed: str) -> None:
    """Ports dropped over HTTPS and kept over HTTP, userinfo dropped."""
    assert verify([TOKEN], webhook_urls(public_url, "/twilio/voice"), FORM, sign(signed, FORM))


@pytest.mark.parametrize(
    "path", ["/twilio/voice?a=1&b=%20x", "/twilio/voice/", "/twilio/voice?", "/t%2Fv?x=%C3%A9"]
)
def test_path_and_query_are_signed_as_they_were_sent(path: str) -> None:
    """Nothing is decoded, reordered or normalised: the raw target verifies, and a decoded one does not."""
    assert verify([TOKEN], webhook_urls(PUBLIC, path), FORM, sign(PUBLIC + path, FORM))
    assert not verify([TOKEN], webhook_urls(PUBLIC, "/twilio/voice"), FORM, sign(PUBLIC + path, FORM))


@pytest.mark.parametrize(
    "signed",
    [
        "wss://line.example.com/twilio/media",
        "wss://line.example.com/twilio/media/",
        "wss://line.example.com:443/twilio/media",
        "wss://line.example.com:443/twilio/media/",
    ],
)
def test_every_way_twilio_writes_the_handshakes_url(signed: str) -> None:
    """The scheme is wss; a slash may have been appended."""
    assert verify([TOKEN], handshake_urls(PUBLIC, "/twilio/media"), {}, sign(signed))


def test_a_webhooks_signature_opens_no_socket() -> None:
    """https and wss are different URLs."""
    assert not verify([TOKEN], handshake_urls(PUBLIC, "/twilio/media"), {}, sign(f"{PUBLIC}/twilio/media"))


def test_repeated_parameters() -> None:
    """Each distinct value is signed, sorted, as twilio's library does it."""
    form = {"A": ["2", "1", "2"], "B": ["x"]}
    assert verify([TOKEN], webhook_urls(PUBLIC, "/x"), form, sign(f"{PUBLIC}/x", form))
    assert not verify(
        [TOKEN], webhook_urls(PUBLIC, "/x"), {"A": ["2"], "B": ["x"]}, sign(f"{PUBLIC}/x", form)
    )


def test_tokens_rotate() -> None:
    """All configured tokens verify; one that is not configured does not."""
    given_signature = sign(f"{PUBLIC}/x", FORM, "old")
    assert verify([TOKEN, "old"], webhook_urls(PUBLIC, "/x"), FORM, given_signature)
    assert not verify([TOKEN], webhook_urls(PUBLIC, "/x"), FORM, given_signature)


@pytest.mark.parametrize("given_signature", [None, "", "=", "naïve", "\x00", "x" * 5000])
def test_no_signature_and_junk_are_refused(given_signature: str | None) -> None:
    """Nor does an empty token verify an empty key's signature."""
    assert not verify([TOKEN], webhook_urls(PUBLIC, "/x"), FORM, given_signature)
    assert not verify([""], webhook_urls(PUBLIC, "/x"), FORM, sign(f"{PUBLIC}/x", FORM, ""))


def test_a_json_body_is_held_by_its_hash_in_the_signed_url() -> None:
    """bodySHA256 is part of the URL, and the body must have it."""
    body = b'{"a": 1}'
    path = f"/twilio/status?bodySHA256={hashlib.sha256(body).hexdigest()}"
    assert verify([TOKEN], webhook_urls(PUBLIC, path), {}, sign(PUBLIC + path))
    assert RequestValidator(TOKEN).validate(PUBLIC + path, body.decode(), sign(PUBLIC + path))
    assert body_hash_matches(path, body)
    assert not body_hash_matches(path, body + b" ")
    assert not body_hash_matches("/twilio/status", body)
    assert not body_hash_matches(path + "&bodySHA256=0", body)


def test_a_form_is_read_as_twilio_writes_it() -> None:
    """Empty values stay; a pair without `=` would verify as another form does, so it is refused."""
    form = {"A": ["b", ""], "Name": ["Ünï & =+"]}
    assert form_fields(urlencode(form, doseq=True).encode()) == form
    assert form_fields(b"") == {}
    assert form_fields(b"A&b") is None
    assert form_fields(b"A=%ff") is None
    assert form_fields(b"A=\xff") is None


def outcome(path: str, body: bytes, given_signature: str) -> bool:
    fields = form_fields(body)
    return fields is not None and verify([TOKEN], webhook_urls(PUBLIC, path), fields, given_signature)


@given(st.data())
def test_any_one_byte_change_is_refused(data: st.DataObject) -> None:
    """In the path, the query, body or signature, unless the form still says the same (%2b for %2B)."""
    parts = [b"/twilio/voice?x=1", urlencode(FORM, doseq=True).encode()]
    parts.append(sign(PUBLIC + parts[0].decode(), FORM).encode())
    assert outcome(parts[0].decode(), parts[1], parts[2].decode())
    which = data.draw(st.integers(0, 2))
    at = data.draw(st.integers(0, len(parts[which]) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != parts[which][at]))
    original = parts[1]
    parts[which] = parts[which][:at] + bytes([byte]) + parts[which][at + 1 :]
    if form_fields(parts[1]) == form_fields(original) and which == 1:
        return
    assert not outcome(parts[0].decode("latin-1"), parts[1], parts[2].decode("latin-1"))


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8), st.lists(st.text(max_size=8), min_size=1, max_size=3), max_size=5
    ),
    st.text(min_size=1, max_size=20),
)
def test_ours_is_twilios_signature_for_any_form(form: dict[str, list[str]], token: str) -> None:
    """Byte for byte what twilio's library computes."""
    try:
        expected = sign(f"{PUBLIC}/x", form, token)
    except UnicodeEncodeError:  # twilio's library cannot sign lone surrogates; nor does Twilio send them
        return
    assert signature(token, f"{PUBLIC}/x", form) == expected
