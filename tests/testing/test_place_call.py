"""The fixture that users' own tests call their agents with."""

from __future__ import annotations

from pathlib import Path

import pytest

from telephony.audio.wav import write_wav
from telephony.errors import BadInput
from telephony.testing.place_call import PlaceCall, _exchange, place_call
from tests.carrier.twiml_server import Talk, TwimlServer

__all__ = ["_exchange", "place_call"]

PARROT = """
from telephony.reply.agent import HangUp

class Parrot:
    async def reply(self, turn, notes):
        yield "Goodbye."
        yield HangUp()
"""


async def test_a_call_from_an_async_test(place_call: PlaceCall, tmp_path: Path) -> None:
    """To a server of the test's own, which runs meanwhile in another thread's loop."""
    import asyncio

    async def listen(talk: Talk) -> None:
        await talk.rest()

    recording = tmp_path / "a.wav"
    recording.write_bytes(write_wav(bytes(range(1, 201)) * 16))
    async with TwimlServer(listen) as server:
        call = await asyncio.to_thread(place_call, recording, server=server.url, hang_up_after_s=0.1)
    assert (call["ended_by"], call["broken"], call["violations"]) == ("caller", [], [])
    assert call["files"]["stereo"].endswith("call.wav")


def test_a_source_that_is_not_there_is_said(place_call: PlaceCall) -> None:
    with pytest.raises(BadInput, match="no such file"):
        place_call("nowhere.wav")


@pytest.mark.slow
def test_an_agent_of_ones_own_is_called_with_a_script(
    place_call: PlaceCall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole path: a server with this agent, the local engine, a voice that is not the agent's."""
    script = tmp_path / "order.yaml"
    script.write_text(
        "steps:\n"
        "  - wait_for: agent_silent\n"
        "  - say: Goodbye, thank you.\n"
        "  - expect: {says: goodbye}\n"
        "  - expect: {ended_by: agent}\n"
    )
    (tmp_path / "parrot.py").write_text(PARROT)
    monkeypatch.syspath_prepend(tmp_path)
    call = place_call(script, settings={"AGENT": "parrot:Parrot"})
    assert call["broken"] == []
    assert call["violations"] == []


@pytest.mark.parametrize(
    ("fault", "why"),
    [("flux: explode", "the kinds are"), ("stall at 8s", "whose fault it is"), ("chat: stall", "LLM_URL")],
)
def test_a_fault_that_cannot_be_had_is_said(
    place_call: PlaceCall, tmp_path: Path, fault: str, why: str
) -> None:
    recording = tmp_path / "a.wav"
    recording.write_bytes(write_wav(bytes(range(1, 201)) * 16))
    with pytest.raises(BadInput, match=why):
        place_call(recording, faults=[fault])


def test_faults_need_a_server_of_the_fixture(place_call: PlaceCall, tmp_path: Path) -> None:
    recording = tmp_path / "a.wav"
    recording.write_bytes(write_wav(bytes(range(1, 201)) * 16))
    with pytest.raises(BadInput, match="leave `server` out"):
        place_call(recording, server="http://127.0.0.1:1", faults=["flux: stall"])


def test_a_call_with_faults_of_its_services(place_call: PlaceCall, tmp_path: Path) -> None:
    """The stand-ins behind proxies: the fault befalls its own call, and no other."""
    import asyncio

    from telephony.testing.fake_flux import FakeFlux
    from telephony.testing.fake_scripts import Cycle
    from telephony.testing.fake_speak import FakeSpeak

    recording = tmp_path / "a.wav"
    recording.write_bytes(write_wav(bytes(range(1, 201)) * 40 * 6))
    flux, speak = FakeFlux(lambda options: Cycle(eager=False)), FakeSpeak()

    async def calls() -> list[int]:
        """How many connections to Flux each call took: without a fault, with one, without one again."""
        await flux.start(0, speak)
        settings = {"DEEPGRAM_URL": flux.url, "DEEPGRAM_API_KEY": "x"}
        counts = []
        try:
            for faults in (
                ["flux: latency 1ms"],
                ["flux: reset at 1s", "speak: latency 50ms"],
                ["flux: slice"],
            ):
                before = len(flux.sessions)
                call = await asyncio.to_thread(
                    place_call, recording, settings=settings, faults=faults, hang_up_after_s=1
                )
                assert (call["violations"], call["ended_by"]) == ([], "caller")
                counts.append(len(flux.sessions) - before)
        finally:
            await flux.close()
        return counts

    _, spoilt, again = asyncio.run(calls())  # a server that starts tries its services, too
    assert (spoilt, again) == (2, 1)
