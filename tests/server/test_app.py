"""The server as strangers, operators and programs meet it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from telephony.commands.serve import listen
from telephony.errors import BadInput
from tests.real_line import running
from tests.twilio_side import CALL, PUBLIC, Phone, phone_line


@pytest.fixture
async def phone(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone_line(tmp_path) as line:
        yield line


@pytest.fixture
async def public(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone_line(tmp_path, **PUBLIC) as line:
        yield line


async def test_health_and_readiness(phone: Phone) -> None:
    """Alive and ready with all slots free; not ready while stopping."""
    assert (await phone.client.get("/healthz")).status == 200
    ready = await phone.client.get("/readyz")
    assert ready.status == 200 and (await ready.json())["free"] == 50
    phone.state.host.admission.drain()
    assert (await phone.client.get("/readyz")).status == 503
    assert (await phone.client.get("/healthz")).status == 200


async def test_everything_else_is_not_there(phone: Phone) -> None:
    """Reserved routes and other methods: 404 and 405."""
    for path in ("/", "/phone", "/twilio", "/api", "/api/calls/x/say", "/.env"):
        assert (await phone.client.get(path)).status == 404, path
    assert (await phone.client.put("/twilio/voice")).status == 405


async def test_calls_are_found_while_they_run_and_afterwards(phone: Phone) -> None:
    """By our id or the CallSid."""
    assert (await (await phone.client.get(f"/api/calls/{CALL}")).json())["live"] is True
    assert (await (await phone.client.get("/api/calls/old")).json())["live"] is False
    assert (await phone.client.get("/api/calls/never")).status == 404


async def test_calls_are_listed_the_running_ones_first(phone: Phone, tmp_path: Path) -> None:
    """As many as asked for; a bad limit is refused; a public server wants a key."""

    async def listed(query: str) -> list[bool]:
        answer = await phone.client.get("/api/calls" + query)
        return [call["live"] for call in (await answer.json())["calls"]]

    assert await listed("") == [True, False]
    assert await listed("?limit=1") == [True]
    for bad in ("0", "501", "-1", "many", "", "9999999999"):
        answer = await phone.client.get("/api/calls", params={"limit": bad})
        assert answer.status == 400 and "from 1 to 500" in await answer.text()
    async with phone_line(tmp_path / "public", **PUBLIC) as public:
        assert (await public.client.get("/api/calls")).status == 401


async def test_a_calls_tape_can_be_fetched(phone: Phone, tmp_path: Path) -> None:
    """As the file that it is; with the same protection as the call."""
    tape = await phone.client.get("/api/calls/old/tape")
    assert tape.status == 200 and tape.content_type == "application/x-ndjson"
    assert (await phone.client.get("/api/calls/never/tape")).status == 404
    async with phone_line(tmp_path / "public", **PUBLIC) as public:
        assert (await public.client.get("/api/calls/old/tape")).status == 401


async def test_a_public_servers_api_wants_a_key(public: Phone) -> None:
    """Each of the keys, as a bearer or in X-API-Key; everything else is 401."""
    url = f"/api/calls/{CALL}"
    good = [
        {"Authorization": "Bearer key-one"},
        {"Authorization": "bearer key-two"},
        {"X-API-Key": "key-two"},
    ]
    bad = [{}, {"Authorization": "Bearer key"}, {"Authorization": "Basic key-one"}, {"X-API-Key": "ké"}]
    for headers in good:
        assert (await public.client.get(url, headers=headers)).status == 200
    for headers in bad:
        assert (await public.client.get(url, headers=headers)).status == 401


async def test_a_public_server_without_keys_has_no_api(tmp_path: Path) -> None:
    """A tunnel's requests come from this machine too, so being local proves nothing there."""
    async with phone_line(tmp_path, **{**PUBLIC, "API_KEYS": ""}) as phone:
        assert (await phone.client.get(f"/api/calls/{CALL}")).status == 403


@pytest.mark.parametrize("host", ["evil.example:80", "evil.example", "127.0.0.1.evil.example:1", ""])
async def test_a_local_server_answers_to_its_own_name_only(phone: Phone, host: str) -> None:
    """A web page cannot reach it under a name that it controls (DNS rebinding)."""
    for path in ("/healthz", f"/api/calls/{CALL}"):
        assert (await phone.client.get(path, headers={"Host": host})).status == 421
    for good in ("localhost:1", "127.0.0.1", "[::1]:8080"):
        assert (await phone.client.get("/healthz", headers={"Host": good})).status == 200


async def test_forwarded_headers_change_nothing(public: Phone) -> None:
    """Neither the address that is verified, nor who may use the API."""
    spoofed = {
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-For": "127.0.0.1",
    }
    assert (await public.client.get(f"/api/calls/{CALL}", headers=spoofed)).status == 401
    form = {"CallSid": CALL}
    headers = {**spoofed, **public.signed("/twilio/voice", form)}
    response = await public.client.post("/twilio/voice", data=form, headers=headers)
    assert response.status == 200 and "wss://line.example.com/" in await response.text()


async def test_answers_carry_no_server_details_that_browsers_could_misuse(phone: Phone) -> None:
    """nosniff everywhere."""
    for path in ("/healthz", "/nothing"):
        assert (await phone.client.get(path)).headers["X-Content-Type-Options"] == "nosniff"


def test_a_port_in_use_is_one_clear_line() -> None:
    """So are a port and a host that cannot be."""
    taken = listen("127.0.0.1", 0)
    port = taken.getsockname()[1]
    with pytest.raises(BadInput, match=f"cannot listen on 127.0.0.1 port {port}: Address already in use"):
        listen("127.0.0.1", port)
    taken.close()
    with pytest.raises(BadInput, match="port is a number"):
        listen("127.0.0.1", 65_536)
    with pytest.raises(BadInput, match="cannot listen on 203.0.113.1"):
        listen("203.0.113.1", 0)


async def test_a_finished_call_is_deleted(public: Phone, tmp_path: Path) -> None:
    """With a key; a running one is not, nor one that is not there; without keys nothing is."""
    key = {"Authorization": "Bearer key-one"}
    assert (await public.client.delete("/api/calls/old")).status == 401
    assert (await public.client.delete(f"/api/calls/{CALL}", headers=key)).status == 409
    assert (await public.client.delete("/api/calls/never", headers=key)).status == 404
    await public.state.host.calls.save_conversation("CA1", {"history": []})
    assert (await public.client.delete("/api/calls/old", headers=key)).status == 204
    assert await public.state.host.calls.saved_conversation("CA1") is None
    async with phone_line(tmp_path / "local") as local:
        assert (await local.client.delete("/api/calls/old")).status == 403


async def test_an_agent_that_blocks_the_event_loop_is_named_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By the monitor of the loop's lag, whichever call the agent served."""
    async with running(tmp_path, AGENT="tests.odd_agents:Blocker") as server:
        await server.call(10.0)
    warnings = [r.getMessage() for r in caplog.records if "event loop was blocked" in r.getMessage()]
    assert warnings[0].startswith("the event loop was blocked for ")
    assert warnings[0].endswith(" in a step of agent tests.odd_agents.Blocker")
