"""What no call could use is refused by every command, in one line that says where it stands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

RETURNS = "class Wrong:\n    async def reply(self, turn, notes):\n        return 'One.'\n"
ROUTES = "routes:\n- name: night\n  to: '+14155550111'\n  agent: wrong_agent:Wrong\n"


def telephony(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it; speech is somewhere that nobody has to reach."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    root = str(Path(__file__).resolve().parents[1])
    given = {
        "DEEPGRAM_URL": "ws://127.0.0.1:9",
        "PORT": "0",
        "DATA_DIR": str(folder / "data"),
        "PYTHONPATH": root,
    }
    return subprocess.run(
        [sys.executable, "-m", "telephony", *arguments],
        cwd=folder, env={**kept, **given, **environ}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("command", ["serve", "call", "doctor"])
@pytest.mark.parametrize("where", ["AGENT", "ROUTES"])
def test_an_agent_that_cannot_answer_is_refused_by_every_command(
    tmp_path: Path, command: str, where: str
) -> None:
    (tmp_path / "wrong_agent.py").write_text(RETURNS)
    (tmp_path / "routes.yaml").write_text(ROUTES)
    (tmp_path / "caller.ulaw").write_bytes(b"\xff" * 8000)
    environ = {"AGENT": "wrong_agent:Wrong"} if where == "AGENT" else {"ROUTES": "routes.yaml"}
    ended = telephony(tmp_path, command, *(["caller.ulaw"] if command == "call" else []), **environ)
    assert ended.returncode == (1 if command == "doctor" else 2), ended.stderr
    told = ended.stdout + ended.stderr
    assert "reply() must `yield` what it says" in told and "Traceback" not in told
    assert where == "AGENT" or "night" in told


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"ROUTES": "missing.yaml"}, "missing.yaml: the file of ROUTES cannot be read: No such file"),
        ({"ROUTES": "empty.yaml"}, "empty.yaml:1: the file of ROUTES is empty"),
        ({"PRONUNCIATIONS": "missing.yaml"}, "missing.yaml: the file of PRONUNCIATIONS cannot be read"),
        ({"AGENT": "scripted:"}, "write scripted:coffee"),
        (
            {"DEEPGRAM_URL": "wss://api.deepgram.com", "DEEPGRAM_API_KEY": "k" * 40, "VOICE": "flux-"},
            "flux-haley-en",
        ),
        (
            {
                "DEEPGRAM_URL": "wss://api.deepgram.com",
                "DEEPGRAM_API_KEY": "k" * 40,
                "VOICE": "flux-general-en",
            },
            "is not a voice of the cloud",
        ),
        ({"PUBLIC_URL": "https://phone.example/twilio/voice"}, "without /twilio/voice"),
        ({"HUMAN_NUMBER": "sip:front desk@phone.example"}, "a blank cannot stand in a sip: address"),
        ({"FLUX_KEYTERMS": ",".join(f"word{n}" for n in range(101))}, "word8,word9,...' cannot"),
        (
            {"AGENT": "scripted:mine.yaml"},
            "mine.yaml:7: intents.hello.on_yes: then: there is no intent 'nowhere'",
        ),
    ],
)
def test_the_line_and_the_file_are_the_mistake_s_own(
    tmp_path: Path, environ: dict[str, str], told: str
) -> None:
    (tmp_path / "mine.yaml").write_text(
        "intents:\n  hello:\n    match: [hello]\n    say: Shall I?\n    expects: yes_no\n"
        "    on_yes:\n      then: nowhere\n    on_no: Fine.\n"
    )
    (tmp_path / "empty.yaml").touch()
    environ = {"TWILIO_AUTH_TOKEN": "t" * 32} | environ
    ended = telephony(tmp_path, "serve", **environ)
    assert ended.returncode == 2 and told in ended.stderr and "Traceback" not in ended.stderr
    assert "script" not in ended.stderr or "ROUTES" not in environ
