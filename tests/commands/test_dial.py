"""`telephony dial` and `telephony number` as they are typed, Twilio being a stand-in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from telephony.cli import main
from tests.rest_account import Account, rest_account

OLD = {"voice_url": "https://old.example.com/v", "voice_method": "GET", "status_callback": ""}


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    async with rest_account() as account:
        account.standin.add_number("+14155550100", **OLD)
        yield account


async def telephony(account: Account, folder: Path, *arguments: str, **environ: str) -> int:
    """The exit status of a command line, run beside the stand-in's event loop."""
    given = {**account.environ(), "DATA_DIR": str(folder), "PUBLIC_URL": "https://h.example.com", **environ}
    empty = folder / "empty.env"
    empty.touch()
    return await asyncio.to_thread(main, ["--env-file", str(empty), *arguments], given)


async def test_a_call_is_dialled(account: Account, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Under the policy; the same key dials once; the number is not shown whole."""
    line = ("dial", "+14155552671", "--from", "+14155550100", "--say", "Hello.", "--key", "7")
    for _ in range(2):
        assert await telephony(account, tmp_path, *line) == 0
    assert len(account.standin.calls) == 1
    said = capfd.readouterr().out
    assert "dialled +14***71: CA" in said and "earlier run" in said and "+14155552671" not in said
    assert await telephony(account, tmp_path, *line, "--json", "--key", "8") == 0
    assert json.loads(capfd.readouterr().out)["call_sid"] in account.standin.calls


async def test_without_an_address_twilio_itself_says_the_words(account: Account, tmp_path: Path) -> None:
    """And without words there is nothing to call for."""
    line = ("dial", "+14155552671", "--from", "+14155550100")
    assert await telephony(account, tmp_path, *line, PUBLIC_URL="") == 2
    assert await telephony(account, tmp_path, *line, "--say", "Your order is ready.", PUBLIC_URL="") == 0
    [call] = account.standin.calls.values()
    assert "Your order is ready." in call.parameters["Twiml"][0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("dial", "+19005551234", "--from", "+14155550100"), "premium"),
        (("dial", "+14155552671"), "DIAL_FROM"),
        (("dial",), "NUMBER"),
        (("dial", "+14155552671", "--machine", "message"), "--message"),
        (("dial", "+14155552671", "--from", "+14155550100", "--agent", "nobody"), "'nobody' is unknown"),
        (("number", "nonsense"), "international form"),
        (("number", "+14155550199"), "not a number of this Twilio account"),
        (("number", "+14155550100", "--restore"), "nothing to restore"),
    ],
)
async def test_what_cannot_be_done_is_one_clear_line(
    account: Account, tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    """Exit status 2."""
    assert await telephony(account, tmp_path, *arguments) == 2
    assert says in capfd.readouterr().err.strip().splitlines()[-1]


async def test_a_number_that_is_set_is_the_only_one_to_dial_from(
    account: Account, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its country is what may be dialled, and its country's numbers are understood."""
    own = {"DIAL_FROM": "+1 (415) 555-0100"}
    line = ("dial", "(415) 555-2671")
    assert await telephony(account, tmp_path, *line, "--from", "+442071838750", **own) == 2
    assert "is not DIAL_FROM" in capfd.readouterr().err and not account.standin.calls
    assert await telephony(account, tmp_path, *line, **own) == 0
    [call] = account.standin.calls.values()
    assert (call.parameters["To"], call.parameters["From"]) == (["+14155552671"], ["+14155550100"])


async def test_the_switch_is_thrown_and_lifted(
    account: Account, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """For every process on this DATA_DIR."""
    line = ("dial", "+14155552671", "--from", "+14155550100")
    assert await telephony(account, tmp_path, *line) == 0
    assert await telephony(account, tmp_path, "dial", "--stop") == 0
    assert "1 queued calls were withdrawn" in capfd.readouterr().out
    assert await telephony(account, tmp_path, *line) == 2
    assert await telephony(account, tmp_path, "dial", "--allow") == 0
    assert await telephony(account, tmp_path, *line) == 0


async def test_a_number_is_pointed_here_and_back(
    account: Account, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Set twice, the first state is restored, to the letter."""
    [number] = account.standin.numbers.values()
    before = dict(number)
    assert await telephony(account, tmp_path, "number", "+14155550100", "--show") == 0
    assert number == before and "GET https://old.example.com/v" in capfd.readouterr().out
    for url in ("https://h.example.com", "https://h2.example.com"):
        assert await telephony(account, tmp_path, "number", "+1 415 555 0100", PUBLIC_URL=url) == 0
    assert number["voice_url"] == "https://h2.example.com/twilio/voice" and number["voice_method"] == "POST"
    assert number["voice_fallback_url"] == "https://h2.example.com/twilio/fallback"
    assert await telephony(account, tmp_path, "number", "+14155550100", "--restore") == 0
    assert {name: number.get(name) or "" for name in OLD} == OLD
    assert await telephony(account, tmp_path, "number", "+14155550100", "--restore") == 2
    national = {"DIAL_FROM": "+14155550100"}
    assert await telephony(account, tmp_path, "number", "(415) 555-0100", "--show", **national) == 0


async def test_what_overrides_the_webhooks_is_told(
    account: Account, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Twilio ignores voice_url while the number has an application or a trunk."""
    account.standin.add_number("+14155550111", voice_application_sid="AP1")
    account.standin.add_number("+14155550112", trunk_sid="TK1")
    for number, says in (("+14155550111", "application AP1"), ("+14155550112", "trunk TK1")):
        assert await telephony(account, tmp_path, "number", number) == 0
        assert says in capfd.readouterr().err
