"""Wrong keys are seen, counted and slowed down; the owner's right one is let through at any time."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from telephony.base.throttle import Throttle
from telephony.server import access
from tests.rest_account import rest_account
from tests.twilio_side import CALL, PUBLIC, PUBLIC_URL, Phone, phone_line, start_message

RIGHT = {"X-API-Key": "key-two"}
TOKEN = {"METRICS_TOKEN": "for-prometheus"}
MEASURING = {"Authorization": "Bearer for-prometheus"}


@pytest.fixture
async def phone(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone_line(tmp_path, **PUBLIC, **TOKEN) as line:
        line.client.server.app[access.ACCESS].clock = lambda: 100.0  # type: ignore[attr-defined]
        yield line


async def measured(phone: Phone, kind: str) -> float:
    text = await (await phone.client.get("/metrics", headers=MEASURING)).text()
    found = re.search(rf'voice_wrong_keys_total\{{kind="{kind}"\}} (\S+)', text)
    assert found is not None
    return float(found[1])


async def test_five_hundred_wrong_api_keys_are_noticed(
    phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    """A line at once, a count, and 429 with the time to wait; and the log holds neither key nor flood."""
    with caplog.at_level(logging.INFO):
        answers = await asyncio.gather(
            *(phone.client.get("/api/calls", headers={"X-API-Key": f"guess-{n:032}"}) for n in range(500))
        )
    statuses = [answer.status for answer in answers]
    assert statuses.count(401) == access.KEYS and statuses.count(429) == 500 - access.KEYS
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers if answer.status == 429)
    assert await measured(phone, "api_key") == 500
    lines = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert lines[0] == "refused GET /api/calls from 127.0.0.1: 401, a wrong api key"
    assert 1 <= len(lines) <= access.NOTICES
    assert "guess-" not in caplog.text
    assert caplog.records[0].levelno == logging.WARNING


async def test_what_had_no_line_of_its_own_is_told_later(
    phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    """In one line, by kind."""
    door = phone.client.server.app[access.ACCESS]  # type: ignore[attr-defined]
    for _ in range(access.NOTICES + 7):
        await phone.client.get("/.env")
    with caplog.at_level(logging.WARNING):
        door.clock = lambda: 100.0 + access.SUMMARY_S
        door.sum_up()
    assert "7 404" in caplog.text


async def test_the_owner_is_never_locked_out(phone: Phone) -> None:
    """Not though a stranger behind the same proxy, and so at the same address, has used the brake up."""
    for _ in range(access.KEYS + 1):
        last = await phone.client.get("/api/calls", headers={"Authorization": "Bearer wrong"})
    assert last.status == 429
    assert (await phone.client.get("/api/calls", headers=RIGHT)).status == 200
    assert (await phone.client.get("/metrics", headers=MEASURING)).status == 200
    assert (await phone.client.get("/api/calls")).status == 401  # who brings no key guesses nothing
    form = {"CallSid": CALL}
    signed = phone.signed("/twilio/voice", form)
    assert (await phone.client.post("/twilio/voice", data=form, headers=signed)).status == 200


async def test_every_kind_of_key_is_counted(phone: Phone) -> None:
    """The metrics token, a signature, a stream's token. What was missing is no wrong key."""
    await phone.client.get("/metrics", headers={"Authorization": "Bearer wrong"})
    await phone.client.get("/metrics")
    wrong = {"X-Twilio-Signature": "A" * 27 + "="}
    await phone.client.post("/twilio/voice", data={"CallSid": CALL}, headers=wrong)
    await phone.client.post("/twilio/voice", data={"CallSid": CALL})
    socket = await phone.connect()
    await socket.send_json(start_message({"token": "v1.x"}))
    await socket.receive()
    for kind in ("metrics_token", "signature", "stream_token"):
        assert await measured(phone, kind) == 1, kind
    assert await measured(phone, "api_key") == 0


async def test_wrong_signatures_have_a_brake_of_their_own(phone: Phone) -> None:
    """A wrong PUBLIC_URL makes them too, so it is a wide one; a right one passes."""
    wrong = {"X-Twilio-Signature": "A" * 27 + "="}
    statuses = []
    for _ in range(access.SIGNATURES + 1):
        answer = await phone.client.post("/twilio/voice", data={"CallSid": CALL}, headers=wrong)
        statuses.append(answer.status)
    assert set(statuses[:-1]) == {403} and statuses[-1] == 429
    assert (await phone.post("/twilio/voice")).status == 200


async def test_who_did_what_is_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Dialling, stopping it, deleting: with the key's place in API_KEYS, never with the key."""
    async with rest_account() as account:
        given = {**account.environ(), "PUBLIC_URL": PUBLIC_URL, "API_KEYS": "key-one,key-two"}
        async with phone_line(tmp_path, **given, DIAL_FROM="+14155550100") as phone:
            with caplog.at_level(logging.INFO):
                dialled = await phone.client.post("/api/calls", json={"to": "+14155550111"}, headers=RIGHT)
                assert dialled.status == 201, await dialled.text()
                for allowed in (False, True):
                    await phone.client.post("/api/dialling", json={"allowed": allowed}, headers=RIGHT)
                assert (await phone.client.delete("/api/calls/old", headers=RIGHT)).status == 204
    told = [r.getMessage() for r in caplog.records if r.getMessage().startswith("API key 2: ")]
    assert len(told) == 4
    for line, words in zip(told, ("dialled", "stopped dialling", "allowed dialling", "deleted"), strict=True):
        assert words in line
    assert "DELETE /api/calls/old" in told[3] and "key-two" not in caplog.text


async def test_who_asked_for_what_failed_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Dialling is stopped also while Twilio cannot be asked which calls are queued."""
    nobody = {"TWILIO_ACCOUNT_SID": "AC" + "1" * 32, "TWILIO_API_URL": "http://127.0.0.1:1"}
    async with phone_line(tmp_path, **PUBLIC, **nobody, DIAL_FROM="+14155550100") as phone:
        with caplog.at_level(logging.INFO):
            asked = await phone.client.post("/api/dialling", json={"allowed": False}, headers=RIGHT)
            assert asked.status == 502
    told = [r.getMessage() for r in caplog.records if r.getMessage().startswith("API key 2: ")]
    assert len(told) == 1 and "stopped dialling" in told[0] and "502" in told[0]


async def test_who_is_refused_too_often_waits_and_nobody_else_does(phone: Phone) -> None:
    """Whatever it was refused for; the owner at the same address is served at once."""
    door = phone.client.server.app[access.ACCESS]  # type: ignore[attr-defined]
    door.refusals = Throttle(burst=2, per_s=0.01)
    now = asyncio.get_running_loop().time

    async def took(path: str, **headers: str) -> float:
        begun = now()
        await phone.client.get(path, headers=headers)
        return now() - begun

    late = [await took(path) >= access.SLOW_S for path in ("/.env", "/api/calls", "/.env", "/twilio/voice")]
    assert late == [False, False, True, True]
    assert min([await took("/api/calls", **RIGHT) for _ in range(5)]) < access.SLOW_S


async def test_a_refusal_leaves_nothing_for_the_collector(phone: Phone) -> None:
    """Its request and body would wait there; a flood of them is memory, and a pause when they are freed."""
    body = b"x" * 60_000
    wrong = {"X-Twilio-Signature": "A" * 27 + "="}
    await phone.client.post("/twilio/voice", data=body, headers=wrong)
    gc.collect()
    gc.disable()
    try:
        for _ in range(50):
            assert (await phone.client.post("/twilio/voice", data=body, headers=wrong)).status == 413
            assert (await phone.client.get("/api/calls")).status == 401
        left = [one for one in gc.get_objects() if isinstance(one, web.HTTPException)]
        assert len(left) < 5, len(left)
    finally:
        gc.enable()
