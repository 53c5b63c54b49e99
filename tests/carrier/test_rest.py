"""Twilio's REST API through twilio's own client, against the stand-in: what is sent, what errors say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from telephony.carrier.error_codes import ERRORS, explain
from telephony.carrier.rest import TwilioRefused, TwilioRest, credentials, has_credentials
from telephony.config.settings import Settings
from telephony.errors import BadInput
from telephony.testing.fake_twilio_rest import Failure
from tests.rest_account import ACCOUNT, TOKEN, Account, rest_account


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    async with rest_account() as account:
        yield account


async def test_a_call_is_placed_with_all_that_was_asked(account: Account) -> None:
    """Lists go out as repeated fields; the CallSid comes back."""
    rest = await account.client()
    events = ["initiated", "answered", "completed"]
    sid = await rest.create_call(
        "+14155550111", "+14155550100", "https://h/v", status_callback_event=events, time_limit=900
    )
    sent = account.standin.calls[sid].parameters
    assert (
        sent["To"] == ["+14155550111"] and sent["From"] == ["+14155550100"] and sent["Url"] == ["https://h/v"]
    )
    assert sent["StatusCallbackEvent"] == events and sent["TimeLimit"] == ["900"]


async def test_a_running_call_is_redirected_and_ended(account: Account) -> None:
    """Ending one that is over, or that nobody knows any more, is as good; redirecting it is not."""
    rest = await account.client()
    sid = await rest.say_call("+14155550111", "+14155550100", "<Response/>")
    account.standin.calls[sid].status = "in-progress"
    await rest.redirect(sid, "<Response><Hangup/></Response>")
    await rest.hang_up(sid)
    assert [list(update) for update in account.standin.calls[sid].updates] == [["Twiml"], ["Status"]]
    await rest.hang_up(sid)
    await rest.hang_up("CA" + "0" * 32)
    with pytest.raises(TwilioRefused, match="error 21220: the call is not in progress any more"):
        await rest.redirect(sid, "<Response/>")
    with pytest.raises(TwilioRefused, match="4100 characters"):
        await rest.redirect(sid, "x" * 4100)


async def test_queued_calls_can_be_withdrawn(account: Account) -> None:
    """The queue can hold a day's worth of calls."""
    rest = await account.client()
    sids = {await rest.say_call("+14155550111", "+14155550100", "<Response/>") for _ in range(3)}
    assert set(await rest.queued()) == sids
    for sid in sids:
        await rest.cancel(sid)
    assert await rest.queued() == []


async def test_a_numbers_webhooks_are_read_and_set(account: Account) -> None:
    """And what would override them is seen."""
    account.standin.add_number("+14155550100", voice_url="https://old/v", voice_application_sid="AP1")
    rest = await account.client()
    number = await rest.find_number("+14155550100")
    assert number.webhooks["voice_url"] == "https://old/v" and number.overridden_by == "AP1"
    await rest.point_number(number.sid, {"voice_url": "https://new/v", "status_callback": "https://new/s"})
    assert (await rest.find_number("+14155550100")).webhooks["voice_url"] == "https://new/v"
    with pytest.raises(BadInput, match="not a number of this Twilio account"):
        await rest.find_number("+14155550199")


async def test_an_api_key_signs_in_where_there_is_one(account: Account) -> None:
    """For its account."""
    rest = await account.client(TWILIO_API_KEY="SK1", TWILIO_API_SECRET="secret", TWILIO_AUTH_TOKEN="other")
    assert await rest.queued() == []


async def test_a_wrong_token_is_explained(account: Account) -> None:
    """Twilio's code, what it means, what to do; never the token."""
    rest = await account.client(TWILIO_AUTH_TOKEN="wrong-token")
    with pytest.raises(TwilioRefused, match="error 20003.*TWILIO_ACCOUNT_SID") as refused:
        await rest.queued()
    assert refused.value.status == 401 and "wrong-token" not in str(refused.value)


@pytest.mark.parametrize(("code", "says"), [(21219, "verified numbers"), (21215, "Geo permissions")])
async def test_refusals_of_an_account_are_explained(account: Account, code: int, says: str) -> None:
    """Trial accounts and switched-off countries are the usual ones."""
    rest = await account.client()
    account.standin.failures.append(Failure(400, code))
    with pytest.raises(TwilioRefused, match=says):
        await rest.say_call("+14155550111", "+14155550100", "<Response/>")


async def test_an_unknown_code_keeps_twilios_words(account: Account) -> None:
    """Better than nothing."""
    rest = await account.client()
    account.standin.failures.append(Failure(500, 99999, "Their own words"))
    with pytest.raises(TwilioRefused, match="error 99999: .*Their own words"):
        await rest.queued()


async def test_nobody_there_is_one_clear_error() -> None:
    """Not a traceback of the HTTP client's."""
    environ: dict[str, Any] = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN}
    rest = await TwilioRest.open(Settings.load({**environ, "TWILIO_API_URL": "http://127.0.0.1:9"}))
    with pytest.raises(TwilioRefused, match="Twilio refused: no connection"):
        await rest.queued()
    await rest.close()


async def test_an_answer_that_never_comes_is_given_up(account: Account) -> None:
    """The deadline is ours, since the client ignores its own."""
    rest = await account.client()
    account.standin.failures.append(Failure(200, 0, delay_s=60))
    with pytest.raises(TwilioRefused, match="no answer within 4 s"):
        await rest.hang_up("CA1")


async def test_region_and_edge_make_the_address() -> None:
    """As Twilio's regions are reached: edge and region in the host name."""
    environ = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN}
    rest = await TwilioRest.open(Settings.load({**environ, "TWILIO_REGION": "ie1", "TWILIO_EDGE": "dublin"}))
    assert rest._client.get_hostname("https://api.twilio.com/x") == "https://api.dublin.ie1.twilio.com/x"
    await rest.close()


def test_missing_credentials_are_named() -> None:
    """One line, before anything is asked."""
    with pytest.raises(BadInput, match="TWILIO_ACCOUNT_SID"):
        credentials(Settings.load({}))
    with pytest.raises(BadInput, match="TWILIO_AUTH_TOKEN, or TWILIO_API_KEY"):
        credentials(Settings.load({"TWILIO_ACCOUNT_SID": ACCOUNT}))
    assert not has_credentials(Settings.load({"TWILIO_AUTH_TOKEN": "x"}))


def test_each_code_says_what_to_do() -> None:
    """Once each, in order, without a full stop, since it stands inside a line."""
    codes = [error.code for error in ERRORS]
    assert codes == sorted(set(codes))
    assert (
        explain("31920").startswith("the media socket was not upgraded")
        and explain(1) == explain("x") == explain(None) == ""
    )
