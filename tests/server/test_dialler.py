"""Outbound calls through the API: policy, caps, the switch, idempotency, machines. Twilio is a stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from telephony.base.shared_store import SqliteSharedStore
from telephony.config.settings import Settings
from telephony.server.dialler import Dialler, DialRequest, dialled_lately, kept_s, machine_action, note_state
from telephony.server.number_routes import Route, Routes
from telephony.testing.fake_twilio_rest import Failure, FakeTwilioRest
from tests.rest_account import ACCOUNT, TOKEN, Account, rest_account
from tests.twilio_side import PUBLIC, Phone, parameters_of, phone_line, until

US, TO = "+14155550100", "+14155552671"
KEY = {"Authorization": "Bearer key-one"}


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    async with rest_account() as account:
        yield account


@pytest.fixture
async def phone(tmp_path: Path, account: Account) -> AsyncIterator[Phone]:
    environ = {**PUBLIC, **account.environ(), "DIAL_FROM": US, "DIAL_MAX_PER_MINUTE": "7"}
    async with phone_line(tmp_path, **environ) as line:
        yield line


async def dial(phone: Phone, **body: Any) -> tuple[int, dict[str, Any]]:
    response = await phone.client.post("/api/calls", json={"to": TO, **body}, headers=KEY)
    json = response.content_type == "application/json"
    return response.status, await response.json() if json else {"error": await response.text()}


async def test_a_call_is_dialled_answered_and_recorded(phone: Phone, account: Account) -> None:
    """Twilio is told where to ask; the stream knows which call it is; callbacks drive the record."""
    status, record = await dial(phone, say="Hello there.")
    assert status == 201 and record["status"] == "queued" and record["call_sid"] in account.standin.calls
    sent = account.standin.calls[record["call_sid"]].parameters
    path = f"/twilio/voice?dial={record['id']}"
    assert sent["Url"] == ["https://line.example.com" + path] and sent["TimeLimit"] == ["900"]
    sid = {"CallSid": record["call_sid"]}
    told = parameters_of(await phone.twiml(path, sid, Direction="outbound-api", CallStatus="in-progress"))
    assert told["dial"] == record["id"] and told["direction"] == "outbound-api"
    callback = f"/twilio/status?dial={record['id']}"
    for state in ("in-progress", "ringing", "completed", "in-progress", "failed"):
        assert (await phone.post(callback, sid, CallStatus=state, CallDuration="12")).status == 204
    found = await phone.client.get(f"/api/calls/{record['id']}", headers=KEY)
    assert (await found.json()) | {"status": "completed", "duration_s": 12} == await found.json()
    assert (
        await phone.state.slots.free() == phone.state.settings.max_calls
    )  # given back with the first `completed`


async def test_the_record_is_there_before_twilio_answers(phone: Phone, account: Account) -> None:
    """The stream can be here before the answer to the request is."""
    account.standin.failures.append(Failure(500, 20500, delay_s=0.3))
    dialling = asyncio.create_task(dial(phone))
    await until(lambda: bool(account.standin.requests))
    rows = await phone.state.slots.free()
    assert rows == phone.state.settings.max_calls - 1, "its slot is taken"
    status, body = await dialling
    assert status == 502 and "error 20500" in body["error"]
    assert await phone.state.slots.free() == phone.state.settings.max_calls


async def test_five_hundred_at_once_reach_twilio_as_often_as_the_cap_says(
    phone: Phone, account: Account
) -> None:
    """Seven in this minute, whoever asks, in whatever process, also after a restart."""
    statuses = [status for status, _ in await asyncio.gather(*(dial(phone) for _ in range(500)))]
    assert statuses.count(201) == 7 and statuses.count(429) == 493
    assert len(account.standin.calls) == 7
    folder, environ = phone.state.settings.data_dir, {**PUBLIC, **account.environ(), "DIAL_FROM": US}
    async with phone_line(folder, **environ, DIAL_MAX_PER_MINUTE="7") as restarted:
        assert (await dial(restarted))[0] == 429
    async with phone_line(folder, **environ, DIAL_MAX_PER_DAY="7") as restarted:
        status, body = await dial(restarted)
        assert status == 429 and "DIAL_MAX_PER_DAY" in body["error"]


async def test_a_repeated_request_dials_once(phone: Phone, account: Account) -> None:
    """The same key, twenty at once: one call; all get its record."""
    answers = await asyncio.gather(*(dial(phone, idempotency_key="order 7") for _ in range(20)))
    assert sorted(status for status, _ in answers) == [200] * 19 + [201]
    assert len({body["id"] for _, body in answers}) == 1 and len(account.standin.calls) == 1


async def test_a_key_whose_request_was_refused_may_try_again(phone: Phone, account: Account) -> None:
    """Nothing was dialled for it: the day's answer must not be that it was."""
    for _ in range(7):
        await dial(phone)
    assert [(await dial(phone, idempotency_key="order 8"))[0] for _ in range(2)] == [429, 429]
    at_once = await asyncio.gather(*(dial(phone, idempotency_key="order 8") for _ in range(5)))
    assert [status for status, _ in at_once] == [429] * 5
    assert phone.state.host.rest is not None
    roomier = replace(phone.state.settings, dial_max_per_minute=8)
    phone.state.dialler = Dialler(roomier, phone.state.host.shared, phone.state.host.rest)
    status, record = await dial(phone, idempotency_key="order 8")
    assert status == 201 and record["call_sid"] in account.standin.calls


async def test_a_call_that_was_being_placed_when_the_switch_was_thrown_is_withdrawn(tmp_path: Path) -> None:
    """It was not in Twilio's queue yet when the switch looked there."""
    standin, lines = FakeTwilioRest(ACCOUNT, {ACCOUNT: TOKEN}), list[Phone]()
    app = standin.app()

    @web.middleware
    async def thrown(request: web.Request, handler: Any) -> web.StreamResponse:
        response: web.StreamResponse = await handler(request)
        if request.method == "POST" and request.path.endswith("/Calls.json"):
            await lines[0].state.host.shared.put("dialling", {"stopped": True}, 60.0)
        return response

    app.middlewares.append(thrown)
    async with TestServer(app, host="127.0.0.1") as server:
        environ = Account(standin, str(server.make_url("/")).rstrip("/")).environ()
        async with phone_line(tmp_path, **{**PUBLIC, **environ, "DIAL_FROM": US}) as line:
            lines.append(line)
            status, answer = await dial(line)
            (call,) = standin.calls.values()
            assert status == 429 and "stopped" in answer["error"] and call.status == "completed"
            assert await line.state.slots.free() == line.state.settings.max_calls


async def test_calls_that_were_never_answered_are_listed_and_can_be_deleted(phone: Phone) -> None:
    """With how they ended; an answered one is listed once, as the call that it became."""
    made = [(await dial(phone))[1] for _ in range(3)]
    for record, state in zip(made, ("no-answer", "ringing", "completed"), strict=True):
        form = {"CallSid": record["call_sid"], "CallStatus": state}
        await phone.post(f"/twilio/status?dial={record['id']}", form)

    async def listed() -> dict[str, Any]:
        answer = await (await phone.client.get("/api/calls", headers=KEY)).json()
        return {call["id"]: (call["status"], call["live"]) for call in answer["calls"] if "id" in call}

    first, second, third = [record["id"] for record in made]
    expected = {first: ("no-answer", False), second: ("ringing", True), third: ("completed", False)}
    assert await listed() == expected
    assert (await phone.client.delete(f"/api/calls/{first}", headers=KEY)).status == 204
    assert (await phone.client.get(f"/api/calls/{first}", headers=KEY)).status == 404
    assert first not in await listed()


async def test_a_dialled_call_is_remembered_as_long_as_any_call(tmp_path: Path, account: Account) -> None:
    now = [1_000_000.0]
    shared = SqliteSharedStore(tmp_path / "shared.db", uptime=lambda: now[0])
    rest = await account.client(DIAL_FROM=US)
    settings = Settings.load({**PUBLIC, **account.environ(), "DIAL_FROM": US, "RETENTION_DAYS": "2"})
    dialler = Dialler(settings, shared, rest)
    record, _ = await dialler.dial(DialRequest(to=TO))
    await note_state(shared, record["id"], "busy", {}, kept_s(settings))
    now[0] += 2 * 86_400 - 60
    found = await dialler.record(record["id"])
    assert found is not None and found["status"] == "busy"
    now[0] += 120
    assert await dialler.record(record["id"]) is None and await dialled_lately(shared, 5) == []
    await shared.close()


async def test_a_notice_is_said_before_words_that_need_no_server(tmp_path: Path, account: Account) -> None:
    """Without PUBLIC_URL the words are Twilio's to say, and the notice is among them."""
    environ = {**account.environ(), "DIAL_FROM": US, "RECORD_NOTICE": "I am a machine."}
    settings = Settings.load(environ)
    shared = SqliteSharedStore(tmp_path / "shared.db")
    record, _ = await Dialler(settings, shared, await account.client(DIAL_FROM=US)).dial(
        DialRequest(to=TO, say="Your table is ready.")
    )
    (twiml,) = account.standin.calls[record["call_sid"]].parameters["Twiml"]
    assert "I am a machine. Your table is ready." in twiml
    await shared.close()


async def test_the_switch_stops_everything(phone: Phone, account: Account) -> None:
    """New calls are refused at once; ours in Twilio's queue are withdrawn, and nobody else's."""
    await dial(phone)
    rest = phone.state.host.rest
    assert rest is not None
    other = await rest.say_call(TO, US, "<Response/>")
    stopped = await phone.client.post("/api/dialling", json={"allowed": False}, headers=KEY)
    assert (await stopped.json()) == {"allowed": False, "withdrawn": 1}
    assert await rest.queued() == [other]
    assert (await dial(phone))[0] == 429
    await phone.client.post("/api/dialling", json={"allowed": True}, headers=KEY)
    assert (await dial(phone))[0] == 201


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"to": "+19005551234"}, 403, "premium"),
        ({"to": "+442071838750"}, 403, "DIAL_PREFIXES"),
        ({"to": "5552671"}, 403, "international form"),
        ({"to": 14155552671}, 400, "to"),
        ({"agnet": "x"}, 400, "agnet"),
        ({"machine": "sing"}, 400, "machine"),
        ({"machine": "message"}, 400, "message"),
        ({"machine": "hang_up", "unknown": "message"}, 400, "message"),
        ({"max_seconds": 0}, 400, "max_seconds"),
        ({"max_seconds": 100_000}, 400, "MAX_CALL_SECONDS"),
        ({"say": "x" * 1001}, 400, "1000 characters"),
    ],
)
async def test_what_may_not_be_dialled_never_reaches_twilio(
    phone: Phone, account: Account, body: dict[str, Any], status: int, says: str
) -> None:
    """And the answer says why."""
    answered, answer = await dial(phone, **body)
    assert answered == status and says in answer["error"]
    assert not account.standin.requests


async def test_dialling_needs_a_key_and_json(phone: Phone, account: Account, tmp_path: Path) -> None:
    """No key, no keys set at all, or a form that a web page could send: refused."""
    assert (await phone.client.post("/api/calls", json={"to": TO})).status == 401
    assert (await phone.client.post("/api/calls", data={"to": TO}, headers=KEY)).status == 415
    for junk in (b"{", b"[]", b"\xff"):
        headers = {**KEY, "Content-Type": "application/json"}
        assert (await phone.client.post("/api/calls", data=junk, headers=headers)).status == 400
    async with phone_line(tmp_path / "local", **account.environ()) as local:
        assert (await local.client.post("/api/calls", json={"to": TO})).status == 403
    async with phone_line(tmp_path / "none", **PUBLIC) as without:
        assert (await without.client.post("/api/calls", json={"to": TO}, headers=KEY)).status == 503
    assert not account.standin.requests


async def test_a_route_answers_what_it_dialled(phone: Phone) -> None:
    """`agent` names it."""
    phone.state.routes = Routes((Route("night", to=("+1",)),))
    _, record = await dial(phone, agent="night")
    path = f"/twilio/voice?dial={record['id']}"
    assert parameters_of(await phone.twiml(path, CallSid=record["call_sid"]))["route"] == "night"


ANSWERS = [
    # AnsweredBy, machine, unknown, what happens
    ("human", "hang_up", "hang_up", "go_on"),
    ("machine_start", "hang_up", "go_on", "hang_up"),
    ("machine_end_beep", "message", "go_on", "message"),
    ("machine_end_silence", "message", "go_on", "message"),
    ("machine_end_other", "go_on", "hang_up", "go_on"),
    ("unknown", "hang_up", "go_on", "go_on"),
    ("unknown", "hang_up", "message", "message"),
    ("fax", "go_on", "go_on", "hang_up"),
    ("machine_start", None, "hang_up", "go_on"),
]


@pytest.mark.parametrize(("answered_by", "machine", "unknown", "action"), ANSWERS)
def test_the_policy_for_answers(answered_by: str, machine: Any, unknown: Any, action: str) -> None:
    """People, machines, faxes, and what nobody can tell."""
    assert machine_action(answered_by, machine, unknown) == action


async def test_a_message_for_those_of_whom_nobody_can_tell_waits_for_the_beep_too(
    phone: Phone, account: Account
) -> None:
    _, record = await dial(phone, machine="hang_up", unknown="message", message="Call us.")
    sent = account.standin.calls[record["call_sid"]].parameters
    assert sent["MachineDetection"] == ["DetectMessageEnd"]


@pytest.mark.parametrize(
    ("answered_by", "update"),
    [
        ("human", None),
        ("machine_start", "Twiml"),
        ("machine_end_beep", "Twiml"),
        ("machine_end_silence", "Twiml"),
        ("machine_end_other", "Twiml"),
        ("fax", "Status"),
        ("unknown", None),
    ],
)
async def test_each_answer_is_dealt_with_once(
    phone: Phone, account: Account, answered_by: str, update: str | None
) -> None:
    """The message is left after the beep in Twilio's voice; a repeated callback does nothing."""
    _, record = await dial(phone, machine="message", message="Please call <us> back & soon.")
    call = account.standin.calls[record["call_sid"]]
    assert call.parameters["MachineDetection"] == ["DetectMessageEnd"]
    assert call.parameters["AsyncAmd"] == ["true"]
    call.status = "in-progress"
    path = f"/twilio/amd?dial={record['id']}"
    for _ in range(2):
        response = await phone.post(path, CallSid=call.sid, AnsweredBy=answered_by)
        assert response.status == 204
    assert [name for sent in call.updates for name in sent] == ([update] if update else [])
    if update == "Twiml":
        assert "Please call &lt;us&gt; back &amp; soon." in call.updates[0]["Twiml"]
    found = await phone.client.get(f"/api/calls/{record['id']}", headers=KEY)
    assert (await found.json())["answered_by"] == answered_by


async def test_states_only_move_forward(phone: Phone) -> None:
    """Whatever the order of the callbacks; the first end stays."""
    shared = phone.state.host.shared
    _, record = await dial(phone)
    for state in ("ringing", "initiated", "nonsense"):
        await note_state(shared, record["id"], state, {})
    found = await phone.client.get(f"/api/calls/{record['id']}", headers=KEY)
    assert (await found.json())["status"] == "ringing"
    await note_state(shared, record["id"], "busy", {})
    await note_state(shared, record["id"], "completed", {})
    found = await phone.client.get(f"/api/calls/{record['id']}", headers=KEY)
    assert (await found.json())["status"] == "busy"
    assert await phone.state.slots.free() == phone.state.settings.max_calls
