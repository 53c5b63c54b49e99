"""The server's life as its operator sees it: a real process, real signals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from aiohttp import ClientConnectionError, ClientSession

from telephony.carrier.media_messages import Started
from telephony.commands.serve import LISTEN_ON_S, drain
from telephony.engine.server import default_limit
from telephony.simulator.call_options import CallOptions
from telephony.simulator.caller import RecordingCaller
from telephony.simulator.simulator import place_call
from telephony.testing.fake_flux import FakeFlux
from telephony.testing.fake_scripts import Cycle
from telephony.testing.fake_speak import FakeSpeak
from tests.pacing import paced
from tests.speak.voice_server import voice_server
from tests.speech_models import model_path
from tests.twilio_side import CALL, parameters_of, phone_line, start_message, until

pytestmark = pytest.mark.slow

NO_SPEECH = "ws://127.0.0.1:9"  # the discard port: nobody is there


@pytest.fixture
async def speech() -> AsyncIterator[str]:
    """Where stand-ins listen and speak."""
    flux, voice = FakeFlux(lambda options: Cycle()), FakeSpeak()
    await flux.start(0, voice)
    yield flux.url
    await flux.close()


@dataclass
class Server:
    """A running `telephony serve`."""

    process: asyncio.subprocess.Process
    url: str

    async def ended(self) -> int:
        async with asyncio.timeout(10):
            return await self.process.wait()


def command(folder: Path, *arguments: str, **environ: str) -> tuple[list[str], dict[str, str]]:
    line = [sys.executable, "-m", "telephony", "serve", *arguments]
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "PYTHONPATH")}
    root = str(Path(__file__).resolve().parents[2])
    return line, {**kept, "PYTHONPATH": root, "DATA_DIR": str(folder), **environ}


@asynccontextmanager
async def server(folder: Path, speech: str, **environ: str) -> AsyncIterator[Server]:
    line, environment = command(folder, "--port", "0", DEEPGRAM_URL=speech, **environ)
    process = await asyncio.create_subprocess_exec(
        *line, env=environment, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            ready = (await process.stdout.readline()).decode().split()
        assert ready[:4] == ["telephony", "is", "ready", "on"]
        yield Server(process, ready[4])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def refused(folder: Path, *arguments: str, **environ: str) -> str:
    """The one line of a server that cannot start, exit status 2."""
    line, environment = command(folder, *arguments, **{"DEEPGRAM_URL": NO_SPEECH, **environ})
    process = await asyncio.create_subprocess_exec(
        *line, env=environment, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    said = errors.decode().strip().splitlines()
    assert process.returncode == 2 and "Traceback" not in errors.decode()
    assert said[-1].startswith("telephony: ")
    return said[-1]


async def test_it_says_where_it_is_and_stops_when_told(tmp_path: Path, speech: str) -> None:
    """Ready on a free port of this machine; SIGTERM and SIGINT (which Fly sends) end it with status 0."""
    for number in (signal.SIGTERM, signal.SIGINT):
        async with server(tmp_path, speech) as one, ClientSession() as client:
            assert one.url.startswith("http://127.0.0.1:")
            async with client.get(one.url + "/readyz") as response:
                assert response.status == 200
            one.process.send_signal(number)
            assert await one.ended() == 0


async def test_while_a_call_runs_it_goes_on_listening(tmp_path: Path, speech: str) -> None:
    """After SIGTERM it answers, is not ready, and turns new calls away; a second signal ends it at once."""
    async with server(tmp_path, speech, DRAIN_SECONDS="60") as one, ClientSession() as client:
        form = urlencode({"CallSid": "CA1", "CallStatus": "ringing"})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with client.post(one.url + "/twilio/voice", data=form, headers=headers) as response:
            answer = ElementTree.fromstring(await response.text())
        parameters = {p.get("name", ""): p.get("value", "") for p in answer.iter("Parameter")}
        async with client.ws_connect(one.url + "/twilio/media") as socket:
            await socket.send_json(start_message(parameters, "CA1"))
            await socket.send_json({"event": "media"})
            async with client.get(one.url + "/api/calls/CA1") as response:
                assert response.status in (200, 404)
            one.process.terminate()
            status = 200
            for _ in range(200):
                async with client.get(one.url + "/readyz") as response:
                    status = response.status
                if status == 503:
                    break
            assert status == 503
            form = form.replace("CA1", "CA2")
            async with client.post(one.url + "/twilio/voice", data=form, headers=headers) as response:
                assert "Reject" in await response.text()
            one.process.terminate()
            assert await one.ended() == 128 + signal.SIGTERM


@pytest.mark.parametrize("isolation", ["loop", "thread"])
async def test_an_agent_that_exits_in_a_task_of_its_own_ends_no_call(
    tmp_path: Path, speech: str, isolation: str
) -> None:
    """Its own caller is asked again; the server goes on, and ends in order when it is told."""
    agent = {"AGENT": "tests.odd_agents:Exiting", "AGENT_ISOLATION": isolation, "EAGER": "off"}
    async with server(tmp_path, speech, **agent) as one:
        caller = RecordingCaller(b"\xff" * 8000 * 20, hang_up_after_s=0.5)
        result = await place_call(caller, CallOptions(server=one.url))
        assert result.ended_by == "agent" and not result.flags
        turns = [turn["agent"]["text"] for turn in (result.record or {})["turns"] if turn["agent"]]
        assert any("say that again" in text for text in turns) and turns[-1] == "Goodbye."
        one.process.terminate()
        assert await one.ended() == 0


async def started(client: ClientSession, url: str, call_sid: str) -> dict[str, str]:
    """What the stream of a call that was answered is to be told."""
    form = urlencode({"CallSid": call_sid, "CallStatus": "ringing"})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with client.post(url + "/twilio/voice", data=form, headers=headers) as response:
        return parameters_of(ElementTree.fromstring(await response.text()))


async def test_a_stream_that_is_on_its_way_is_waited_for(tmp_path: Path, speech: str) -> None:
    """SIGTERM between our answer and Twilio's stream: the call begins, and goes on to its end."""
    async with server(tmp_path, speech, DRAIN_SECONDS="60") as one, ClientSession() as client:
        parameters = await started(client, one.url, "CA1")
        one.process.terminate()
        await draining(client, one)
        async with client.ws_connect(one.url + "/twilio/media") as socket:
            await socket.send_json(start_message(parameters, "CA1"))
            assert '"media"' in await asyncio.wait_for(socket.receive_str(), 5)
        assert await one.ended() == 0


async def draining(client: ClientSession, one: Server) -> None:
    """Wait until /readyz tells of it."""
    for _ in range(200):
        async with client.get(one.url + "/readyz") as response:
            if (await response.json())["draining"]:
                return
    raise AssertionError("/readyz does not tell that the server stops")


async def test_a_second_signal_leaves_a_record(tmp_path: Path, speech: str) -> None:
    """What is known of the calls that run, at once; the process ends all the same."""
    async with server(tmp_path, speech, DRAIN_SECONDS="60") as one, ClientSession() as client:
        parameters = await started(client, one.url, "CA1")
        async with client.ws_connect(one.url + "/twilio/media") as socket:
            await socket.send_json(start_message(parameters, "CA1"))
            assert '"media"' in await asyncio.wait_for(socket.receive_str(), 5)
            one.process.terminate()
            await draining(client, one)
            one.process.terminate()
            assert await one.ended() == 128 + signal.SIGTERM
    [file] = (tmp_path / "calls").glob("*/call.json")
    record = json.loads(file.read_bytes())
    assert record["call_sid"] == "CA1" and record["ended_by"] == "stopped" and not record["live"]
    assert record["turns"][0]["agent"]["text"]


async def test_with_a_public_address_it_listens_on_until_others_know(tmp_path: Path, speech: str) -> None:
    """A load balancer that asks /readyz every two seconds sees that the server stops, though nobody calls."""
    public = {"PUBLIC_URL": "https://line.example.com", "TWILIO_AUTH_TOKEN": "0123456789abcdef" * 2}
    async with server(tmp_path, speech, **public) as one, ClientSession() as client:
        one.process.terminate()
        loop = asyncio.get_running_loop()
        begun, seen = loop.time(), 0.0
        try:
            async for _ in paced(0.05):
                async with client.get(one.url + "/readyz") as response:
                    assert response.status == 503 or loop.time() - begun < 1
                seen = loop.time() - begun
        except ClientConnectionError:
            pass
        assert LISTEN_ON_S - 1 < seen < LISTEN_ON_S + 2
        assert await one.ended() == 0


async def test_what_cannot_be_served_is_one_clear_line(tmp_path: Path, speech: str) -> None:
    """A port in use, a public address without a token, PUBLIC_URL without one, a bad agent: status 2."""
    async with server(tmp_path, speech) as one:
        port = one.url.rpartition(":")[2]
        assert "Address already in use" in await refused(tmp_path, "--port", port)
    assert "TWILIO_AUTH_TOKEN" in await refused(tmp_path, "--host", "0.0.0.0")
    assert "TWILIO_AUTH_TOKEN" in await refused(tmp_path, PUBLIC_URL="https://line.example.com")
    public = {"PUBLIC_URL": "https://line.example.com", "TWILIO_AUTH_TOKEN": "f" * 32}
    for name in ("TWILIO_AUTH_TOKEN", "API_KEYS", "METRICS_TOKEN", "STREAM_SECRET"):
        said = await refused(tmp_path, "--port", "0", **{**public, name: "short-hunter2"})
        assert name in said and "at least 16 characters" in said and "hunter2" not in said
    assert "no.such" in await refused(tmp_path, "--port", "0", AGENT="no.such.module:Agent")
    assert "none.yaml" in await refused(tmp_path, "--port", "0", ROUTES="none.yaml")
    file = tmp_path / "a-file"
    file.touch()
    assert "DATA_DIR" in await refused(tmp_path, "--port", "0", DATA_DIR=str(file))


async def test_a_voice_that_the_speech_service_does_not_have_is_one_clear_line(tmp_path: Path) -> None:
    async with voice_server(refuse=(400, "no such model")) as speech:
        said = await refused(tmp_path, "--port", "0", DEEPGRAM_URL=speech.url, VOICE="flux-nobody-en")
    assert "VOICE='flux-nobody-en'" in said and "no such model" in said


async def test_an_address_that_serves_no_speech_is_one_clear_line(tmp_path: Path) -> None:
    async with voice_server(refuse=(404, "not found")) as speech:
        assert "DEEPGRAM_URL" in await refused(tmp_path, "--port", "0", DEEPGRAM_URL=speech.url)


class Talking:
    """A running call, as a drain sees it."""

    call_id, goodbyes = "one", 0
    started = Started("MZ1", "AC1", CALL, ("inbound",), {})

    def silent_s(self) -> float | None:
        return None

    def say_goodbye(self) -> None:
        self.goodbyes += 1


async def test_a_drain_waits_for_the_calls_that_run(tmp_path: Path) -> None:
    """It ends with the last of them, long before the deadline; nobody is told goodbye."""
    async with phone_line(tmp_path) as phone:
        talking = Talking()
        phone.state.registry.add(talking)  # type: ignore[arg-type]
        socket = await phone.call()
        await phone.answering.arrival.wait()
        draining = asyncio.create_task(drain(phone.state, 30))
        await until(lambda: phone.state.host.admission.draining)
        await socket.close()
        await asyncio.wait_for(draining, 5)
        assert not talking.goodbyes


async def test_at_the_deadline_calls_are_told_goodbye_and_then_cut(tmp_path: Path) -> None:
    """Once; the socket closes with 1012, after which Twilio asks how the call goes on."""
    async with phone_line(tmp_path) as phone:
        talking = Talking()
        phone.state.registry.add(talking)  # type: ignore[arg-type]
        socket = await phone.call()
        await phone.answering.arrival.wait()
        draining = asyncio.create_task(drain(phone.state, 0.3))
        await socket.receive()
        assert socket.close_code == 1012
        await draining
        assert talking.goodbyes == 1


@pytest.mark.parametrize("token", ["", "0123456789abcdef"])
async def test_without_a_public_url_only_this_machine_is_listened_on(
    tmp_path: Path, speech: str, token: str
) -> None:
    """With an auth token, too: nothing could be verified."""
    async with server(tmp_path, speech, TWILIO_AUTH_TOKEN=token) as one:
        assert one.url.startswith("http://127.0.0.1:")


async def test_with_local_speech_no_caller_is_answered_whom_the_engine_cannot_hear(tmp_path: Path) -> None:
    """MAX_CALLS is what the engine carries; /readyz says so, and one caller more hears busy at once."""
    for name in ("silero-vad", "moonshine-tiny-en"):
        model_path(name)
    async with server(tmp_path, "local") as one, ClientSession() as client:
        async with client.get(one.url + "/readyz") as response:
            assert (await response.json())["free"] == default_limit()
        answers = [await started(client, one.url, f"CA{n}") for n in range(default_limit() + 1)]
        assert all(answers[:-1]) and not answers[-1], "busy: no stream"
        async with client.get(one.url + "/readyz") as response:
            assert response.status == 503 and (await response.json())["free"] == 0
