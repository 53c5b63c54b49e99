"""A speech service that is not there makes no good call: exit status 1, and the reason, everywhere."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from telephony.call.speech_state import SpeechState, problems
from telephony.events import HangUpReason
from telephony.testing.fake_flux import FakeFlux
from telephony.testing.fake_scripts import Cycle
from telephony.testing.fake_speak import FakeSpeak
from telephony.testing.faults import NONE, Faults, RefusalFault
from telephony.testing.place_call import PlaceCall, _exchange, place_call

pytestmark = pytest.mark.slow

__all__ = ["_exchange", "place_call"]

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 4
WRONG_KEY = Faults(refuse=RefusalFault(401, "INVALID_AUTH"))
SILENT = Faults(silent_after_s=0.0)


@asynccontextmanager
async def speech(listening: Faults, speaking: Faults) -> AsyncIterator[str]:
    server = FakeFlux(lambda options: Cycle(), faults=[listening])
    await server.start(0, FakeSpeak(faults=[speaking]))
    try:
        yield server.url
    finally:
        await server.close()


@pytest.fixture
def nobody() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return f"ws://127.0.0.1:{gone.getsockname()[1]}"


async def call(folder: Path, url: str) -> tuple[int, dict[str, Any], str, str]:
    """`telephony call` with a server of its own: the exit status, the JSON, stderr and the JUnit report."""
    recording, report = folder / "hello.ulaw", folder / "report.xml"
    recording.write_bytes(b"\xff" * 8000 * SECONDS)
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telephony", "call", str(recording), "--json", "--junit", str(report)),
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), "DEEPGRAM_URL": url, "DATA_DIR": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None, err
    return process.returncode, json.loads(out), err.decode(), report.read_text()


DEAD = [
    (WRONG_KEY, WRONG_KEY, ["listening is refused", "the voice is refused"], "INVALID_AUTH"),
    (WRONG_KEY, NONE, ["listening is refused"], "INVALID_AUTH"),
    (NONE, WRONG_KEY, ["the voice is refused"], "INVALID_AUTH"),
    (SILENT, NONE, ["listening is down"], "no message for 2 s"),
]


@pytest.mark.parametrize(
    ("listening", "speaking", "what", "why"), DEAD, ids=["both", "ear", "voice", "silent"]
)
async def test_a_call_without_speech_is_not_a_good_one(
    tmp_path: Path, listening: Faults, speaking: Faults, what: list[str], why: str
) -> None:
    """In the exit status, the object's `broken`, the summary and the report; each reason once."""
    async with speech(listening, speaking) as url:
        status, told, err, report = await call(tmp_path, url)
    assert status == 1 and [line.partition(":")[0] for line in told["broken"]] == what
    assert all(why in line for line in told["broken"])
    for line in told["broken"]:
        assert f"not as expected: {line}" in err
    _once(err)
    case = ElementTree.fromstring(report)[0]
    failure = case.find("failure")
    assert failure is not None and failure.get("message") == told["broken"][0]


async def test_a_port_where_nobody_is_listened_to(tmp_path: Path, nobody: str) -> None:
    """In words: no certificate is spoken of, and what is tried again and again is said once."""
    status, told, err, _ = await call(tmp_path, nobody)
    port = nobody.rpartition(":")[2]
    why = f"no connection to 127.0.0.1 port {port}: Connection refused"
    assert status == 1 and told["broken"] == [f"listening is down: {why}", f"the voice is down: {why}"]
    assert "ssl:" not in err
    _once(err)


def _once(err: str) -> None:
    """No line of the log stands there twice, but for its time."""
    logged = [line.split(" ", 2)[2] for line in err.splitlines() if line[:4].isdigit()]
    assert len(logged) == len(set(logged)), logged


async def test_a_call_with_speech_is_good(tmp_path: Path) -> None:
    """A service that is only slow, or was away for a moment, breaks nothing."""
    async with speech(NONE, NONE) as url:
        status, told, err, _ = await call(tmp_path, url)
    assert (status, told["broken"]) == (0, []), err


def test_place_call_tells_of_it_too(place_call: PlaceCall, tmp_path: Path, nobody: str) -> None:
    """A test of an agent fails for what it is: not an agent that said nothing."""
    recording = tmp_path / "hello.ulaw"
    recording.write_bytes(b"\xff" * 8000)
    told = place_call(recording, settings={"DEEPGRAM_URL": nobody})
    assert any("listening is down" in line for line in told["broken"])


def test_what_came_back_is_no_problem() -> None:
    """Nor a voice that is away while nothing has to be said; each reason is news once."""
    listening, voice = SpeechState(), SpeechState()
    assert listening.down("reset") and not listening.down("reset")
    assert problems(listening, voice, HangUpReason.GOODBYE) == {"listening": "reset", "voice": None}
    assert listening.works() and not listening.works()
    assert not listening.down("reset") and not listening.works() and listening.down("another")
    assert listening.works() is False
    assert voice.works() is False and voice.down("closed")
    assert problems(listening, voice, HangUpReason.GOODBYE) == {"listening": None, "voice": None}
    voice.missed = True
    assert problems(listening, voice, HangUpReason.GOODBYE)["voice"] == "closed"
    assert voice.works() and not voice.missed


def test_a_voice_that_never_was_or_ended_the_call_is_a_problem() -> None:
    never, lost = SpeechState(), SpeechState(worked=True)
    never.down("refused")
    lost.down("reset")
    assert problems(SpeechState(), never, HangUpReason.GOODBYE)["voice"] == "refused"
    assert problems(SpeechState(), lost, HangUpReason.VOICE_FAILED)["voice"] == "reset"
