"""`telephony doctor` finds broken set-ups, and says what to do about each."""

from __future__ import annotations

import asyncio
import io
import os
import resource
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from telephony.cli import main
from telephony.commands.doctor import CHECKS
from telephony.config.settings import NAMES, Settings
from telephony.engine.models import catalogue
from telephony.testing.fake_flux import FakeFlux
from telephony.testing.fake_speak import FakeSpeak
from telephony.testing.faults import NONE, Faults, RefusalFault
from tests.rest_account import ACCOUNT, rest_account

TOKEN = "fedcba9876543210fedcba9876543210"


@dataclass(frozen=True, slots=True)
class Said:
    status: int
    lines: list[str]

    def remedy(self, what: str) -> str:
        """The line under the bad finding that contains `what`."""
        for line, below in zip(self.lines, self.lines[1:], strict=False):
            if line.startswith("BAD") and what in line:
                assert self.status == 1
                return below
        raise AssertionError(f"{what!r} is not among {self.lines}")


async def doctor(*words: str, files: int | None = None, **environ: str) -> Said:
    """In this process; in one of its own where more than settings is given, or a limit."""
    given = {**os.environ, "PORT": "0", **environ}
    if files is None and environ.keys() <= NAMES:
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            status = await asyncio.to_thread(main, ["doctor", *words], given)
        return Said(status, (out.getvalue() + err.getvalue()).splitlines())
    return await doctor_process(words, files, given)


async def doctor_process(words: Sequence[str], files: int | None, environ: Mapping[str, str]) -> Said:
    def limit() -> None:
        if files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "telephony", "doctor", *words),
        env=environ,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        preexec_fn=limit,
    )
    out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return Said(process.returncode or 0, (out + err).decode().splitlines())


@pytest.fixture
async def speech() -> AsyncIterator[str]:
    """A speech server that lets anybody in, so that nothing depends on this machine's models."""
    async with speech_server() as url:
        yield url


@asynccontextmanager
async def speech_server(listening: Faults = NONE, speaking: Faults = NONE) -> AsyncIterator[str]:
    server = FakeFlux(faults=[listening])
    await server.start(0, FakeSpeak(faults=[speaking]))
    try:
        yield server.url
    finally:
        await server.close()


async def test_a_good_set_up_is_good_and_every_check_speaks(speech: str) -> None:
    said = await doctor(DEEPGRAM_URL=speech, DEEPGRAM_API_KEY="any")
    assert said.status == 0, said.lines
    assert said.lines[-1] == "all good"
    assert f"good  {speech} listens (DEEPGRAM_URL says so)" in said.lines
    assert len(said.lines) >= len(CHECKS) - 1


async def test_a_bad_value() -> None:
    said = await doctor(FLUX_EOT_THRESHOLD="1.5")
    assert said.status == 2 and "a number from 0.5 to 1" in said.lines[0]


async def test_a_misspelt_name(speech: str) -> None:
    said = await doctor(DEEPGRAM_URL=speech, FLUX_EOT_TRESHOLD="0.8")
    assert "FLUX_EOT_THRESHOLD" in said.remedy("FLUX_EOT_TRESHOLD is not a setting")


async def test_models_that_are_not_here(tmp_path: Path) -> None:
    said = await doctor(XDG_CACHE_HOME=str(tmp_path))
    assert catalogue.FETCH_COMMAND in said.remedy("models not here")


async def test_a_voice_that_the_local_engine_has_not() -> None:
    assert "flux-haley-en" in (await doctor(VOICE="nonsense")).remedy("VOICE nonsense")


async def test_a_machine_on_which_nothing_speaks(tmp_path: Path) -> None:
    """Neither the model of the natural voice, nor a synthesizer of the system."""
    said = await doctor(XDG_CACHE_HOME=str(tmp_path), PATH=str(tmp_path))
    assert catalogue.FETCH_COMMAND in said.remedy("nothing here can speak")


async def test_a_model_that_is_damaged(tmp_path: Path) -> None:
    """Its size is right: only the checksum tells."""
    for file in catalogue.MODELS:
        place = tmp_path / "telephony" / "models" / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
        os.truncate(place, file.size)
    said = await doctor(XDG_CACHE_HOME=str(tmp_path))
    assert catalogue.FETCH_COMMAND in said.remedy("the model silero-vad is damaged")


async def test_a_port_that_is_taken(speech: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = await doctor(DEEPGRAM_URL=speech, PORT=str(port))
    assert "set PORT to another" in said.remedy(f"port {port}")


async def test_a_folder_that_cannot_be_written(speech: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = await doctor(DEEPGRAM_URL=speech, DATA_DIR=str(tmp_path / "file" / "calls"))
    assert "set DATA_DIR" in said.remedy("cannot be written")


@pytest.mark.parametrize("agent", ["nobody.here:Agent", "scripted:absent.yaml", "barista"])
async def test_an_agent_that_cannot_be_had(speech: str, agent: str) -> None:
    said = await doctor(DEEPGRAM_URL=speech, AGENT=agent)
    assert said.remedy(f"agent {agent}").strip()


@pytest.mark.parametrize(
    ("status", "reason", "remedy"),
    [
        (401, "Invalid credentials.", "key is wrong"),
        (402, "", "credit"),
        (403, "", "misspelt"),
        (429, "", "streams"),
    ],
)
async def test_a_speech_service_that_refuses(status: int, reason: str, remedy: str) -> None:
    async with speech_server(Faults(refuse=RefusalFault(status, reason or None))) as url:
        said = await doctor(DEEPGRAM_URL=url, DEEPGRAM_API_KEY="some-key")
    assert remedy in said.remedy(f"/v2/listen refuses: {status} {reason}".rstrip())
    assert not any("some-key" in line for line in said.lines)


async def test_a_voice_that_the_service_has_not() -> None:
    async with speech_server(speaking=Faults(refuse=RefusalFault(403))) as url:
        said = await doctor(DEEPGRAM_URL=url, VOICE="flux-nobody-en")
    assert "VOICE" in said.remedy("/v2/speak refuses: 403")


async def test_an_account_that_cannot_be_signed_in_to(speech: str) -> None:
    async with rest_account() as account:
        right = await doctor(files=None, DEEPGRAM_URL=speech, **account.environ())
        changed = {**account.environ(), "TWILIO_AUTH_TOKEN": TOKEN}
        wrong = await doctor(files=None, DEEPGRAM_URL=speech, **changed)
    assert "20003" in wrong.remedy(f"account {ACCOUNT}")
    assert f"good  account {ACCOUNT}" in right.lines


async def test_a_routes_file_with_a_mistake(speech: str, tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text("routes:\n  - {nonsense: 1}\n", encoding="utf-8")
    assert "routes.yaml:2" in (await doctor(DEEPGRAM_URL=speech, ROUTES=str(file))).remedy("routes ")


async def test_a_speech_service_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"ws://127.0.0.1:{gone.getsockname()[1]}"
    assert "firewall" in (await doctor(DEEPGRAM_URL=url)).remedy(url)


async def test_offline_asks_nobody() -> None:
    async with FakeFlux() as server:
        said = await doctor("--offline", DEEPGRAM_URL=server.url)
        assert server.sessions == []
    assert said.status == 0


async def test_a_public_url_without_a_token() -> None:
    said = await doctor(PUBLIC_URL="https://phone.example")
    assert said.status == 2 and "TWILIO_AUTH_TOKEN" in said.lines[0]


async def test_a_token_without_a_public_url(speech: str) -> None:
    said = await doctor(DEEPGRAM_URL=speech, TWILIO_AUTH_TOKEN=TOKEN)
    line = next(line for line in said.lines if "PUBLIC_URL" in line)
    assert line.startswith("note")


async def test_a_token_that_is_something_else(speech: str) -> None:
    said = await doctor(DEEPGRAM_URL=speech, TWILIO_AUTH_TOKEN="SKtooshort")
    assert any("unusual length" in line for line in said.lines)
    assert not any("SKtooshort" in line for line in said.lines)


async def test_a_key_that_could_be_guessed(speech: str) -> None:
    """On a public server, where the whole internet may try; it is not shown."""
    url, keys = "https://phone.example", "hunter2,hunter3"
    said = await doctor("--offline", TWILIO_AUTH_TOKEN=TOKEN, PUBLIC_URL=url, API_KEYS=keys)
    assert said.status == 1 and "16 characters" in said.remedy("API_KEYS is short")
    assert not any("hunter" in line for line in said.lines)
    assert (await doctor("--offline", DEEPGRAM_URL=speech, API_KEYS="hunter2")).status == 0


@pytest.mark.parametrize(("status", "verdict"), [(200, "good"), (502, "note"), (404, "BAD")])
async def test_where_the_public_url_leads(speech: str, status: int, verdict: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status)

    app = web.Application()
    app.router.add_get("/healthz", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        said = await doctor(DEEPGRAM_URL=speech, TWILIO_AUTH_TOKEN=TOKEN, PUBLIC_URL=url)
    finally:
        await runner.cleanup()
    line = next(line for line in said.lines if "/healthz" in line)
    assert line.startswith(verdict)


async def test_a_public_url_that_leads_nowhere(speech: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    said = await doctor(DEEPGRAM_URL=speech, TWILIO_AUTH_TOKEN=TOKEN, PUBLIC_URL=url)
    assert "tunnel" in said.remedy(url)


async def test_too_few_open_files(speech: str) -> None:
    said = await doctor(DEEPGRAM_URL=speech, files=256, MAX_CALLS="1000")
    assert "ulimit -n" in said.remedy("open files")


async def test_no_ffmpeg(speech: str, tmp_path: Path) -> None:
    said = await doctor(DEEPGRAM_URL=speech, PATH=str(tmp_path))
    assert any("ffmpeg" in line and line.startswith("note") for line in said.lines)
    assert said.status == 0, "only transcribe needs it"


async def test_the_local_extra_is_looked_for_only_where_it_is_used(speech: str, tmp_path: Path) -> None:
    said = await doctor(DEEPGRAM_URL=speech, XDG_CACHE_HOME=str(tmp_path))
    assert said.status == 0


@pytest.mark.skipif(bool(catalogue.missing()), reason="the models are not here")
async def test_the_local_engine_is_good_where_its_models_are() -> None:
    said = await doctor()
    assert any(line.startswith("good  local speech engine") for line in said.lines)


def test_every_check_can_be_asked_alone(tmp_path: Path) -> None:
    """Each is a function of the settings; none depends on another."""
    settings = Settings.load({"DATA_DIR": str(tmp_path), "PORT": "0"})
    for check in reversed(CHECKS[:-1]):
        assert list(check(settings)) or check.__name__ in ("engine", "routes", "pronunciations")
