"""Outbound calls are ours to allow: no request decides by its number, key, agent or id, nor a lost answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from telephony.base import boot_clock
from telephony.server.number_routes import Route, Routes
from telephony.testing.fake_twilio_rest import Failure
from tests.rest_account import Account, rest_account
from tests.twilio_side import PUBLIC, Phone, parameters_of, phone_line

US, TO = "+14155550100", "+14155552671"
KEY = {"Authorization": "Bearer key-one"}
NIGHT = Route("night", to=("+1",), agent="scripted:night.yaml")


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    async with rest_account() as account:
        yield account


@pytest.fixture
async def phone(tmp_path: Path, account: Account) -> AsyncIterator[Phone]:
    async with phone_line(tmp_path, **PUBLIC | account.environ() | {"DIAL_FROM": US}) as line:
        line.state.routes = Routes((NIGHT,))
        yield line


async def dial(phone: Phone, **body: Any) -> tuple[int, dict[str, Any]]:
    response = await phone.client.post("/api/calls", json={"to": TO, **body}, headers=KEY)
    return response.status, await response.json()


@pytest.mark.parametrize("own", ["+442071838750", "+14155550199", "nonsense", "client:me"])
async def test_a_request_does_not_choose_the_number_it_is_dialled_from(
    phone: Phone, account: Account, own: str
) -> None:
    """Else it would choose the country: with a British number, Britain."""
    for to in ("+442071838750", TO):
        status, answer = await dial(phone, to=to, **{"from": own})
        assert status == 403 and "DIAL_FROM" in answer["error"]
    assert not account.standin.requests
    assert (await dial(phone, **{"from": "+1 (415) 555-0100"}))[0] == 201, "our own, however it is written"


async def test_without_a_number_of_ours_a_request_cannot_give_one(tmp_path: Path, account: Account) -> None:
    async with phone_line(tmp_path, **PUBLIC | account.environ()) as line:
        status, answer = await dial(line, **{"from": US})
        assert status == 400 and "DIAL_FROM" in answer["error"] and not account.standin.requests


@pytest.mark.parametrize("written", ["(415) 555-2671", "4155552671", "1-415-555-2671", "0014155552671"])
async def test_a_number_is_dialled_as_people_of_our_country_write_it(
    phone: Phone, account: Account, written: str
) -> None:
    _, record = await dial(phone, to=written)
    assert record["to"] == TO and account.standin.calls[record["call_sid"]].parameters["To"] == [TO]


@pytest.mark.parametrize(
    "other", [{"to": "+14155552672"}, {"say": "Something else."}, {"max_seconds": 60}, {"agent": "night"}]
)
async def test_a_key_that_was_given_with_another_request_is_refused(
    phone: Phone, account: Account, other: dict[str, Any]
) -> None:
    """The first call's record would say that this one was dialled, too."""
    _, first = await dial(phone, idempotency_key="order 9")
    status, answer = await dial(phone, idempotency_key="order 9", **other)
    assert status == 409 and "idempotency key" in answer["error"] and first["id"] not in str(answer)
    assert await dial(phone, idempotency_key="order 9", to="+1 415 555 2671") == (200, first)
    assert len(account.standin.calls) == 1


async def test_keys_of_two_askers_are_two_keys(phone: Phone, account: Account) -> None:
    """Whoever has another API key is not told of the first one's call, nor can a body say whose key it is."""
    _, first = await dial(phone, idempotency_key="order 10")
    body = {"to": TO, "idempotency_key": "order 10"}
    answer = await phone.client.post("/api/calls", json=body, headers={"X-API-Key": "key-two"})
    assert answer.status == 201 and (await answer.json())["id"] != first["id"]
    again = await phone.client.post("/api/calls", json=body, headers={"Authorization": "bearer key-two"})
    assert again.status == 200 and (await again.json())["id"] == (await answer.json())["id"]
    assert (await dial(phone, **body, asker="somebody"))[0] == 400
    assert len(account.standin.calls) == 2


async def test_an_unknown_agent_is_refused(phone: Phone, account: Account) -> None:
    """It is named, with those there are; a route is known by its name and by its agent."""
    status, answer = await dial(phone, agent="nigth")
    assert status == 400 and "'nigth'" in answer["error"] and "night, scripted:coffee" in answer["error"]
    assert not account.standin.requests
    for agent, route in (("night", "night"), ("scripted:night.yaml", "night"), ("scripted:coffee", None)):
        _, record = await dial(phone, agent=agent)
        path = f"/twilio/voice?dial={record['id']}"
        assert parameters_of(await phone.twiml(path, CallSid=record["call_sid"])).get("route") == route


@pytest.fixture
async def impatient(tmp_path: Path, account: Account) -> AsyncIterator[Phone]:
    """Twilio's answers are waited for no longer than 0.2 s."""
    environ = PUBLIC | account.environ() | {"DIAL_FROM": US}
    async with phone_line(tmp_path, boot_clock.uptime_s, 0.2, **environ) as line:
        yield line


LATE = Failure(500, 20500, delay_s=0.5, carried_out=True)
LOST = Failure(503, 20503, carried_out=True)


@pytest.mark.parametrize("failure", [LATE, LOST], ids=["late", "lost"])
async def test_the_switch_withdraws_a_call_whose_creation_was_never_answered(
    impatient: Phone, account: Account, failure: Failure
) -> None:
    """Twilio has it in its queue, though we were told nothing; a call of somebody else's stays."""
    phone = impatient
    account.standin.failures.append(failure)
    assert (await dial(phone))[0] == 502
    [call] = account.standin.calls.values()
    assert phone.state.host.rest is not None and call.status == "queued"
    other = await phone.state.host.rest.say_call("+14155552672", US, "<Response/>")
    stopped = await phone.client.post("/api/dialling", json={"allowed": False}, headers=KEY)
    assert (await stopped.json())["withdrawn"] == 1 and call.status == "canceled"
    assert await phone.state.host.rest.queued() == [other]


async def test_a_call_whose_creation_failed_for_us_is_hung_up_on_when_it_is_picked_up(
    impatient: Phone, account: Account
) -> None:
    """The API said that it failed: no agent may speak in it, nor is a slot or speech taken for it."""
    phone = impatient
    account.standin.failures.append(LATE)
    await dial(phone)
    [call] = account.standin.calls.values()
    path = call.parameters["Url"][0].removeprefix("https://line.example.com")
    for verbs in (["Hangup"], []):  # the second time the call is known to be over
        answer = await phone.twiml(path, CallSid=call.sid, CallStatus="in-progress")
        assert [verb.tag for verb in answer] == verbs
        assert await phone.state.slots.free() == phone.state.settings.max_calls


async def test_a_call_that_is_picked_up_while_the_switch_is_thrown_is_hung_up_on(phone: Phone) -> None:
    """It was no more in the queue when the switch looked there; a call that was answered before goes on."""
    (_, rings), (_, runs) = await dial(phone), await dial(phone)
    path = f"/twilio/voice?dial={runs['id']}"
    assert parameters_of(await phone.twiml(path, CallSid=runs["call_sid"], CallStatus="in-progress"))
    await phone.client.post("/api/dialling", json={"allowed": False}, headers=KEY)
    assert len(await phone.twiml(path, CallSid=runs["call_sid"], CallStatus="in-progress")) == 2
    path = f"/twilio/voice?dial={rings['id']}"
    answer = await phone.twiml(path, CallSid=rings["call_sid"], CallStatus="in-progress")
    assert [verb.tag for verb in answer] == ["Hangup"]


@pytest.mark.parametrize("suffix", [":sid", ":end", "", "x", "\x00", "/../x", "é", "%"])
async def test_a_dial_id_that_is_none_is_answered_by_nobody(phone: Phone, suffix: str) -> None:
    """Not by the agent of an incoming call, and it is no error."""
    _, record = await dial(phone)
    odd = quote((record["id"] if suffix else "") + suffix, safe=":/")
    for path in (f"/twilio/voice?dial={odd}", f"/twilio/status?dial={odd}", f"/twilio/amd?dial={odd}"):
        answer = await phone.post(path, CallSid="CA5", CallStatus="in-progress", AnsweredBy="human")
        assert answer.status in (200, 204) and "Connect" not in await answer.text()


ODD = [
    ".",
    "..",
    "by-sid",
    "%2e%2e",
    "a/b",
    "a\x00b",
    "a" * 300,
    "CA1:sid",
    "-",
    "nul\n",
    "\udcff",
    "🙂" * 30,
]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd=st.lists(st.text(max_size=80), max_size=20))
def test_an_odd_id_is_told_so_on_every_route(odd: list[str], tmp_path: Path) -> None:
    """400 or 404, never 500, and nothing of another call comes out."""

    async def ask() -> None:
        async with rest_account() as account:
            environ = PUBLIC | account.environ() | {"DIAL_FROM": US, "DIAL_MAX_PER_MINUTE": "9999"}
            async with phone_line(tmp_path, **environ, DIAL_MAX_PER_DAY="9999") as line:
                _, record = await dial(line)
                parts = [record["id"] + part for part in (":sid", ":now", ":end", ":amd", "x", "/", "%00")]
                for call_id in (*odd, *ODD, *parts):
                    await asked(line, call_id)

    asyncio.run(ask())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=20),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=8), inside, max_size=3),
    max_leaves=6,
)
NAMES = ["to", "from", "agent", "say", "machine", "unknown", "message", "max_seconds", "idempotency_key"]
ODD_TEXTS = ["\ud800", "\x00", "🙂" * 400, "", "+1" * 30, "on", "dial:1"]
BODIES = st.dictionaries(
    st.sampled_from([*NAMES, "asker", "allowed", "id"]), JSON | st.sampled_from(ODD_TEXTS), max_size=5
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(BODIES | JSON, max_size=15))
def test_no_body_is_an_error_of_ours(bodies: list[Any], tmp_path: Path) -> None:
    """Whatever JSON a program sends, it is a call, or told what is wrong with it."""

    async def ask() -> None:
        async with rest_account() as account, AsyncExitStack() as stack:
            environ = PUBLIC | account.environ() | {"DIAL_FROM": US}
            line = await stack.enter_async_context(phone_line(tmp_path, **environ))
            texts = [json.dumps(body) for body in bodies]
            texts += [json.dumps({"to": TO, name: odd}) for name in NAMES for odd in ODD_TEXTS]
            texts += ["[" * 60_000, '{"to":' * 10_000, '{"max_seconds": 1' + "0" * 5000 + "}"]
            headers = {**KEY, "Content-Type": "application/json", "Idempotency-Key": "\udcff é"}
            for text in texts:
                for path in ("/api/calls", "/api/dialling"):
                    answer = await line.client.post(path, data=text.encode(), headers=headers)
                    assert answer.status < 500, (path, text[:200], await answer.text())

    asyncio.run(ask())


async def asked(phone: Phone, call_id: str) -> None:
    url = quote(call_id, safe="", errors="surrogatepass")
    for method, tail in (("GET", ""), ("DELETE", ""), ("GET", "/tape")):
        path = URL(f"/api/calls/{url}{tail}", encoded=True)
        answer = await phone.client.request(method, path, headers=KEY)
        listing = answer.url.raw_path in ("/api/calls", "/api/calls/") or not call_id.strip("./")
        assert listing or answer.status in (400, 404, 405), (call_id, answer.status)
