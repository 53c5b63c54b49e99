"""Only what Twilio signed is taken, within bounds; everything else is 4xx and opens nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from aiohttp import WSServerHandshakeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from telephony.carrier.signature import form_fields, verify
from telephony.server import twilio_request
from tests.twilio_side import AUTH_TOKEN, CALL, PUBLIC, PUBLIC_URL, Phone, phone_line

FORM = b"CallSid=" + CALL.encode() + b"&CallStatus=ringing&CallerName="
TYPE = "application/x-www-form-urlencoded"


@pytest.fixture
async def phone(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone_line(tmp_path, **PUBLIC) as line:
        yield line


def sign(url: str, pairs: list[tuple[str, str]], token: str = AUTH_TOKEN) -> str:
    return str(RequestValidator(token).compute_signature(url, MultiDict(pairs)))


GOOD = [("CallSid", CALL), ("CallStatus", "ringing"), ("CallerName", "")]
VOICE = f"{PUBLIC_URL}/twilio/voice"


async def status_of(phone: Phone, path: str, body: bytes, signature: str | None, kind: str = TYPE) -> int:
    headers = {"Content-Type": kind} | ({"X-Twilio-Signature": signature} if signature is not None else {})
    return (await phone.client.post(path, data=body, headers=headers)).status


@pytest.mark.parametrize("path", ["/twilio/voice", "/twilio/after", "/twilio/status", "/twilio/fallback"])
async def test_every_webhook_wants_a_signature(phone: Phone, path: str) -> None:
    """None, an empty one, one by another token or for another path: 403, and no slot is taken."""
    url = PUBLIC_URL + path
    for bad in (None, "", "x", sign(url, GOOD, "another token"), sign(url + "x", GOOD), sign(url, GOOD[:1])):
        assert await status_of(phone, path, FORM, bad) == 403
    assert await phone.state.slots.free() == phone.state.settings.max_calls
    assert await status_of(phone, path, FORM, sign(url, GOOD)) in (200, 204)


async def test_the_log_says_which_url_was_tried_and_no_secret(
    phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong PUBLIC_URL is the usual mistake; a query may hold a secret and is left out."""
    with caplog.at_level(logging.WARNING):
        assert await status_of(phone, "/twilio/voice?key=hidden", FORM, "wrong") == 403
    assert "https://line.example.com/twilio/voice" in caplog.text and "PUBLIC_URL" in caplog.text
    assert "hidden" not in caplog.text and AUTH_TOKEN not in caplog.text


async def test_repeated_and_unicode_fields_verify(phone: Phone) -> None:
    """Signed over all values; of a repeated field we use the last."""
    pairs = [*GOOD, ("A", "2"), ("A", "1"), ("City", "São Paulo 🎉 & co")]
    body = FORM + b"&A=2&A=1&City=S%C3%A3o+Paulo+%F0%9F%8E%89+%26+co"
    assert await status_of(phone, "/twilio/voice", body, sign(VOICE, pairs)) == 200


async def test_a_json_body_is_bound_by_its_hash(phone: Phone) -> None:
    """A body that differs from bodySHA256 of the signed URL is refused."""
    body = json.dumps({"CallSid": CALL}).encode()
    path = f"/twilio/stream-status?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = sign(PUBLIC_URL + path, [])
    assert await status_of(phone, path, body + b" ", signature, "application/json") == 403
    assert await status_of(phone, path, body, signature, "application/json") == 400  # verified; has no form


async def test_a_form_that_claims_to_be_json_is_not_let_in(phone: Phone) -> None:
    """The signature of a URL without fields does not cover a body."""
    assert await status_of(phone, "/twilio/voice", FORM, sign(VOICE, []), "application/json") == 403


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
async def test_any_changed_byte_of_the_body_is_refused(phone: Phone, data: st.DataObject) -> None:
    """Over the wire, at a random place."""
    at = data.draw(st.integers(0, len(FORM) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != FORM[at]))
    changed = FORM[:at] + bytes([byte]) + FORM[at + 1 :]
    assert await status_of(phone, "/twilio/voice", changed, sign(VOICE, GOOD)) in (400, 403)


async def test_the_media_handshake_wants_a_signature_too(phone: Phone) -> None:
    """Of the wss URL; a webhook's does not do. Refused before the upgrade."""
    wss = "wss://line.example.com/twilio/media"
    for bad in ("", "x", sign(f"{PUBLIC_URL}/twilio/media", []), sign(wss, [], "another token")):
        with pytest.raises(WSServerHandshakeError) as refused:
            await phone.client.ws_connect("/twilio/media", headers={"X-Twilio-Signature": bad})
        assert refused.value.status == 403
    for good in (wss, wss + "/", "wss://line.example.com:443/twilio/media"):
        socket = await phone.client.ws_connect(
            "/twilio/media", headers={"X-Twilio-Signature": sign(good, [])}
        )
        await socket.close()


SHAPED = "A" * 27 + "="
"""It could be a signature, so that the body has to be read to know."""


async def test_large_compressed_and_broken_bodies_are_refused(phone: Phone) -> None:
    """413, 415 and 400; none is read further than needed."""
    large = b"A=" + b"x" * twilio_request.BODY_BYTES
    assert await status_of(phone, "/twilio/voice", large, SHAPED) == 413
    gzip = {"Content-Encoding": "gzip", "Content-Type": TYPE}
    assert (await phone.client.post("/twilio/voice", data=b"\x1f\x8b", headers=gzip)).status in (400, 415)
    assert await status_of(phone, "/twilio/voice", b"no form at all", SHAPED) == 400


async def test_a_body_in_chunks_is_read_no_further_than_the_limit(phone: Phone) -> None:
    """Its headers do not say how long it is."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"A=" + b"x" * 1022

    headers = {"X-Twilio-Signature": SHAPED, "Content-Type": TYPE}
    answer = await phone.client.post("/twilio/voice", data=endless(), headers=headers)
    assert answer.status == 413


async def test_more_fields_than_twilio_sends_are_no_form(phone: Phone) -> None:
    """200 at most, in the body or in the query; a genuine form of so many is taken."""
    few = [("CallSid", CALL), *((f"P{number}", "") for number in range(199))]
    body = urlencode(few).encode()
    assert await status_of(phone, "/twilio/voice", body, sign(VOICE, few)) == 200
    assert await status_of(phone, "/twilio/voice", body + b"&Q=", sign(VOICE, [*few, ("Q", "")])) == 400
    get = f"/twilio/voice?{urlencode(few)}&Q="
    assert (
        await phone.client.get(get, headers={"X-Twilio-Signature": sign(PUBLIC_URL + get, [])})
    ).status == 400


@pytest.mark.parametrize("given", [None, "", "x", "A" * 28, "A" * 27 + "-", "A" * 40, "Ü" * 28])
async def test_without_a_signatures_shape_no_body_is_waited_for(phone: Phone, given: str | None) -> None:
    """The answer comes at once, though the body never does."""
    line = b"" if given is None else b"X-Twilio-Signature: " + given.encode() + b"\r\n"
    assert b"403" in await first_line(phone, line)


async def test_a_body_that_never_comes_is_given_up(phone: Phone) -> None:
    """408 within the deadline, so that a thousand of these are gone soon."""
    begun = asyncio.get_running_loop().time()
    assert b"408" in await first_line(phone, f"X-Twilio-Signature: {SHAPED}\r\n".encode())
    assert asyncio.get_running_loop().time() - begun < twilio_request.BODY_DEADLINE_S + 0.5


async def first_line(phone: Phone, headers: bytes) -> bytes:
    """What is answered to a request whose body does not come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", phone.client.port)
    try:
        writer.write(b"POST /twilio/voice HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n")
        writer.write(headers + b"\r\nCall")
        return await reader.readline()
    finally:
        writer.close()
        await writer.wait_closed()


def test_a_form_at_the_limits_costs_the_loop_two_milliseconds_at_most() -> None:
    """Whatever the names, and with four URLs and three tokens to try: it is sorted once."""
    body = b"&".join(b"%d=%s" % (number, b"x" * 70) for number in range(200))
    assert len(body) < twilio_request.BODY_BYTES
    urls = [f"https://h{number}.example/twilio/voice" for number in range(4)]
    begun = time.thread_time()
    for _ in range(20):
        fields = form_fields(body)
        assert fields is not None and not verify(["a" * 32, "b" * 32, "c" * 32], urls, fields, SHAPED)
    assert (time.thread_time() - begun) / 20 < 0.002
    assert form_fields(body + b"&a=b") is None
