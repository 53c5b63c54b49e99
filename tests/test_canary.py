"""A card's number, keyed in or said in all that can happen to a call, is afterwards in no file and no log."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from telephony.commands.serve import drain
from telephony.simulator.call_options import CallOptions
from telephony.simulator.call_report import CallResult
from telephony.simulator.simulator import place_call
from tests.real_line import KeyingCaller, Lines, Running, running, until_turns
from tests.secretive_agents import HEARD
from tests.twilio_side import AUTH_TOKEN, PUBLIC_URL, until

pytestmark = pytest.mark.slow

WORDS = "zero one two three four five six seven eight nine".split()
GIVES_IT_AWAY = 8
"""So many digits in a row of the number, however they are written, must be nowhere."""
ASKED_S, GIVEN_S, LATER_S = 1.0, 3.5, 7.0
"""When, in the caller's first stream, they say hello, give the number, and say more."""


def aloud(number: str) -> str:
    return " ".join(WORDS[int(digit)] for digit in number)


@dataclass
class Situation:
    """What happens to a call in which the number is given."""

    agent: str
    seconds: float = 9.0
    before: tuple[tuple[float, str], ...] = ()
    """What is said before the number is given."""
    again_s: float = 0.0
    """When it is given once more, and differently."""
    eager: str = "off"
    dial_status: str = "completed"
    meanwhile: Callable[[Running], Awaitable[None]] | None = None


async def lose_the_stream(server: Running) -> None:
    await until_turns(server, 3)
    [socket] = server.state.streams.sockets
    await socket.close()


async def stop(server: Running) -> None:
    await until_turns(server, 3)
    await drain(server.state, 5.5)


SITUATIONS = {
    "hang up": Situation("Till", GIVEN_S + 0.9),
    "crash": Situation("Crashing"),
    "exception": Situation("Stumbling"),
    "filler": Situation("Patient", before=((2.0, "okay one second"),)),
    "repeat": Situation("Patient", before=((2.0, "say that again"),)),
    "resume": Situation("Till", 14.0, meanwhile=lose_the_stream),
    "transfer": Situation("HandingOver", 16.0, dial_status="busy"),
    "drain": Situation("Till", 12.0, meanwhile=stop),
    "draft": Situation("Till", eager="voice"),
    "correction": Situation("Till", 12.0, again_s=LATER_S),
}


async def one_call(folder: Path, name: str, keyed: bool, number: str, again: str) -> CallResult:
    """The call, and all that it left looked through, while the server runs and when it has ended."""
    situation = SITUATIONS[name]
    given = [(GIVEN_S, number)] + ([(situation.again_s, again)] if situation.again_s else [])
    said = [(ASKED_S, "hello there"), *situation.before]
    if not keyed:
        said += [(at, f"it is {aloud(one)}") for at, one in given]
    said.append((LATER_S + 2.5, "that is all"))
    streams = [said, [(1.0, "are you there"), (4.0, "please go on then")]]
    environ = {"AGENT": f"tests.secretive_agents:{situation.agent}", "EAGER": situation.eager}
    async with running(folder, LOG_LEVEL="DEBUG", RECORD="on", **environ) as server:
        server.flux.plays(lambda options: Lines(streams.pop(0) if streams else []))
        caller = KeyingCaller(situation.seconds, given if keyed else [])
        options = CallOptions(server=server.url, auth_token=AUTH_TOKEN, public_url=PUBLIC_URL)
        options = replace(options, api_key="key-one", dial_status=situation.dial_status)
        calling = asyncio.create_task(place_call(caller, options))
        if situation.meanwhile is not None:
            await situation.meanwhile(server)
        while not calling.done():  # what is saved while it runs is looked through, too
            await asyncio.wait((calling,), timeout=0.5)
            for number_given in (number, again):
                assert_nowhere(name, number_given, await asyncio.to_thread(files, folder))
        result = await calling
        await until(lambda: not server.state.streams.sockets)
        answers = await asked(server, result)
        for number_given in (number, again):
            assert_nowhere(name, number_given, {**files(folder), **answers})
    assert_nowhere(name, number, files(folder))
    return result


async def asked(server: Running, result: CallResult) -> dict[str, bytes]:
    """What the API says of the call."""
    answers = {}
    headers = {"Authorization": "Bearer key-one"}
    sid = result.call_sid
    async with ClientSession(server.url, headers=headers) as session:
        for path in ("/api/calls", f"/api/calls/{sid}", f"/api/calls/{sid}/tape"):
            async with session.get(path) as response:
                assert response.status == 200, path
                answers[path] = await response.read()
    assert len(answers[f"/api/calls/{sid}/tape"]) > 1000, "there is something to look through"
    return answers


def files(folder: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for file in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a temporary one
            if file.is_file():
                found[str(file.relative_to(folder))] = file.read_bytes()
    return found


def assert_nowhere(name: str, number: str, written: dict[str, bytes]) -> None:
    for place, content in written.items():
        assert not re.search(rb'"digit":"[0-9]"', content), f"{name}: a key is in {place}"
        text = content.decode("latin-1").lower()
        for digit, word in enumerate(WORDS):
            text = text.replace(word, str(digit))
        text = re.sub(r"[^0-9a-z]+", "", text)
        for at in range(len(number) - GIVES_IT_AWAY + 1):
            part = number[at : at + GIVES_IT_AWAY]
            assert part not in text, f"{name}: {part} is in {place}: {text[: text.index(part)][-300:]}"


@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "spoken"])
async def test_a_card_number_is_nowhere(
    tmp_path: Path, keyed: bool, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Ten situations at once, each with a number of its own, through the real server."""
    caplog.set_level(logging.DEBUG)
    numbers = {
        name: (f"41{at}7283649150{at}52", f"53{at}8620471936{at}81") for at, name in enumerate(SITUATIONS)
    }
    calls: dict[str, Any] = {
        name: one_call(tmp_path / name.replace(" ", "_"), name, keyed, *numbers[name]) for name in SITUATIONS
    }
    results = await asyncio.gather(*calls.values(), return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    assert not failures, failures
    for name, (number, again) in numbers.items():
        for one in [number, *([again] if SITUATIONS[name].again_s else [])]:
            assert any((one if keyed else aloud(one)) in heard for heard in HEARD), (
                f"{name}: it was not given"
            )
    out, err = capfd.readouterr()
    formatted = "".join(logging.Formatter("%(message)s").format(record) + "\n" for record in caplog.records)
    for name, pair in numbers.items():
        for number in pair:
            assert_nowhere(name, number, {"the log": (formatted + out + err).encode()})
    assert "LookupError at" in formatted and "secretive_agents.py:" in formatted, "it is logged where"
