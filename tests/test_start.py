"""What can never work is refused at the start, by `serve` and `call` as by `doctor`, not in each call."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from telephony.cli import main
from telephony.testing.fake_flux import FakeFlux
from telephony.testing.fake_speak import FakeSpeak
from telephony.testing.faults import Faults, RefusalFault

Told = Callable[..., tuple[int, str]]
ROOT = Path(__file__).resolve().parents[1]
MULTI = {"FLUX_MODEL": "flux-general-multi"}
CLOUD = {"DEEPGRAM_URL": "", "DEEPGRAM_API_KEY": "a-key"}
WORDS = " ".join(f"word{number}" for number in range(600))

# Settings, the text of ROUTES, and what the one line says.
NEVER = [
    ({"FLUX_LANGUAGE_HINTS": "sv", **MULTI}, "", "FLUX_LANGUAGE_HINTS='sv'"),
    ({"FLUX_LANGUAGE_HINTS": "de,en-US", **MULTI}, "", "'en-US' is not one of en, es"),
    ({"FLUX_LANGUAGE_HINTS": "de"}, "", "only flux-general-multi takes hints"),
    ({"FLUX_KEYTERMS": WORDS}, "", "600 words, 500 tokens are allowed"),
    ({"FLUX_KEYTERMS": ",".join(f"{WORDS[:70]} {n}" for n in range(60))}, "", "500 tokens are allowed"),
    ({"FLUX_EOT_THRESHOLD": "0.5", "FLUX_EAGER_EOT_THRESHOLD": "0.6"}, "", "at most FLUX_EOT_THRESHOLD"),
    ({"FLUX_EAGER_EOT_THRESHOLD": "0.8"}, "", "at most FLUX_EOT_THRESHOLD"),
    ({"FLUX_ENCODING": "mulaw", "FLUX_SAMPLE_RATE": "16000"}, "", "8000 with mulaw"),
    ({"DEEPGRAM_URL": "ws://h/v2/listen"}, "", "without a path"),
    ({"DEEPGRAM_URL": "wss://api.deepgram.com"}, "", "DEEPGRAM_API_KEY"),
    ({"DEEPGRAM_URL": "ws://api.deepgram.com", "DEEPGRAM_API_KEY": "a-key"}, "", "wss:// only"),
    ({**CLOUD, "VOICE": "lessac"}, "", "names look like flux-"),
    ({"VOICE": "flux haley"}, "", "not a voice name"),
    ({"DIAL_FROM": "5550100"}, "", "international form"),
    ({"HUMAN_NUMBER": "the desk"}, "", "international form"),
    ({}, "routes:\n- {to: '+1*', language: sv}\n", "routes.yaml:2: .*not a language that Flux knows"),
    ({}, "routes:\n- {to: '+1*', language: xx-US}\n", "routes.yaml:2: .*not a language that Flux knows"),
    ({}, "default:\n  language: sv\n", "routes.yaml:2: .*not a language that Flux knows"),
    (CLOUD, "routes:\n- {to: '+1*', voice: lessac}\n", "routes.yaml:2: .*names look like flux-"),
    ({}, "routes:\n- {to: '+1*', voice: flux haley}\n", "routes.yaml:2: .*not a voice name"),
    ({}, "routes:\n- {to: '+1*', agent: 'no.such:Agent'}\n", "no.such"),
    ({}, "blocked: ['555 2671']\n", "routes.yaml:1: .*not a number"),
]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Told:
    """What a command line tells, run in this process: its exit status, and all that it wrote."""
    monkeypatch.chdir(tmp_path)

    def tell(*words: str, **environ: str) -> tuple[int, str]:
        given = {"DEEPGRAM_URL": "ws://127.0.0.1:9", "PORT": "0", "DATA_DIR": str(tmp_path), **environ}
        status = main(words, given)
        said = "".join(capfd.readouterr())
        assert "Traceback" not in said
        return status, said

    return tell


async def telephony(folder: Path, *words: str, **environ: str) -> tuple[int, str]:
    """The same of a process of its own: `call` has a server below it, and services run in this one."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
    given = {"DEEPGRAM_URL": "ws://127.0.0.1:9", "PORT": "0", "DATA_DIR": str(folder), **environ}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telephony", *words),
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), **given},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None and b"Traceback" not in said
    return process.returncode, said.decode()


@pytest.mark.parametrize(("environ", "routes", "says"), NEVER, ids=[str(n) for n in range(len(NEVER))])
def test_what_doctor_calls_bad_serve_refuses(
    tmp_path: Path, told: Told, environ: dict[str, str], routes: str, says: str
) -> None:
    """With the same words, in one line, before anybody can call."""
    if routes:
        (tmp_path / "routes.yaml").write_text(routes)
        environ = {**environ, "ROUTES": "routes.yaml"}
    for words, bad in ((["doctor", "--offline"], (1, 2)), (["serve"], (2,))):
        status, said = told(*words, **environ)
        assert status in bad and "telephony is ready" not in said
        lines = [line for line in said.splitlines() if line.startswith(("telephony: ", "BAD", "      "))]
        assert any(_fits(says, line) for line in lines), said


def _fits(says: str, line: str) -> bool:
    return re.search(says if says.startswith("routes") else re.escape(says), line) is not None


@pytest.mark.parametrize("row", [0, 3, 15])
async def test_call_refuses_it_too(tmp_path: Path, row: int) -> None:
    """Its own server does not start; exit status 2."""
    environ, routes, says = NEVER[row]
    (tmp_path / "routes.yaml").write_text(routes or "default: {}\n")
    (tmp_path / "hello.ulaw").write_bytes(b"\xff" * 8000)
    given = {**environ, **({"ROUTES": "routes.yaml"} if routes else {})}
    status, said = await telephony(tmp_path, "call", "hello.ulaw", **given)
    assert status == 2 and _fits(says, said)


@pytest.mark.parametrize("language", ["en", "de", "pt-BR"])
async def test_what_the_service_refuses_is_refused_at_the_start(tmp_path: Path, language: str) -> None:
    """Its own rules may be stricter than ours: it is asked once for each way to listen, routes' included."""
    refusal = Faults(refuse=RefusalFault(400, "Keyterm limit exceeded"))
    (tmp_path / "routes.yaml").write_text(f"routes:\n- {{name: it, to: '+1*', language: {language}}}\n")
    flux = FakeFlux(faults=[refusal])
    await flux.start(0, FakeSpeak())
    environ = {"DEEPGRAM_URL": flux.url, "ROUTES": "routes.yaml"}
    status, said = await telephony(tmp_path, "serve", **environ)
    assert status == 2 and "Keyterm limit exceeded" in said.splitlines()[-1]
    status, said = await telephony(tmp_path, "doctor", **environ)
    assert status == 1 and "refuses: 400 Keyterm limit exceeded" in said
    assert language == "en" or "refuses (ROUTES, it): 400" in said
    await flux.close()


async def test_a_misspelt_setting_is_told_at_the_start(tmp_path: Path) -> None:
    """It may be another program's: the server starts."""
    (tmp_path / "routes.yaml").write_text("nonsense: 1\n")  # ends it, when its settings were looked at
    _, said = await telephony(tmp_path, "serve", FLUX_EOT_TRESHOLD="0.8", ROUTES="routes.yaml")
    assert "FLUX_EOT_TRESHOLD is not a setting: did you mean FLUX_EOT_THRESHOLD?" in said
