"""`telephony call` as a person types it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from telephony import cli
from telephony.audio.wav import write_wav
from telephony.carrier.media_messages import Media
from tests.carrier.twiml_server import Talk, TwimlServer

QUICK = ("--hang-up-after", "0.1")


async def listen(talk: Talk) -> None:
    await talk.rest()


async def telephony(*words: object) -> int:
    """Run a command line beside the test's server, with no setting from outside."""
    return await asyncio.to_thread(cli.main, ["call", *map(str, words)], {})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def wav(path: Path, seconds: float = 0.2, channels: int = 1) -> Path:
    path.write_bytes(write_wav(bytes(range(1, 251)) * 2 * int(32 * seconds) * channels, channels=channels))
    return path


async def test_one_json_object_per_call_and_the_conversation_on_stderr(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with TwimlServer(listen) as server:
        status = await telephony(
            wav(folder / "a.wav"),
            wav(folder / "b.wav"),
            "--server",
            server.url,
            "--json",
            "--out",
            "o",
            *QUICK,
        )
    out, err = capsys.readouterr()
    calls = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert [call["source"] for call in calls] == ["a.wav", "b.wav"]
    assert calls[0]["files"]["stereo"] == str(folder / "o" / "a" / "call.wav")
    assert "a: calling" in err and "b: " in err and "ended by the caller" in err
    assert len(server.talks) == 2


async def test_without_out_the_recordings_lie_in_the_data_folder(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with TwimlServer(listen) as server:
        await telephony(wav(folder / "a.wav"), "--server", server.url + "/twilio/voice", *QUICK)
    (recording,) = (folder / "calls").rglob("*-a/call.wav")
    assert f"files: {recording.parent}: call.wav (both)" in capsys.readouterr().err


async def test_n_plays_one_source_n_times_at_once(folder: Path) -> None:
    together = most = 0

    async def agent(talk: Talk) -> None:
        nonlocal together, most
        together += 1
        most = max(most, together)
        await talk.rest()
        together -= 1

    async with TwimlServer(agent) as server:
        status = await telephony(wav(folder / "a.wav"), "-n", 3, "--server", server.url, *QUICK, "--out", "o")
    assert (status, most, len(server.talks)) == (0, 3, 3)
    assert sorted(path.name for path in (folder / "o").iterdir()) == ["a", "a-2", "a-3"]


async def test_raw_mu_law_is_played(folder: Path) -> None:
    (folder / "a.ulaw").write_bytes(bytes(range(256)) * 5)
    async with TwimlServer(listen) as server:
        assert await telephony(folder / "a.ulaw", "--server", server.url, *QUICK) == 0
    heard = b"".join(media.payload for media in server.talks[0].media)
    assert heard.startswith(bytes(range(256)) * 5)


async def test_a_broken_rule_is_status_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def agent(talk: Talk) -> None:
        await talk.until(Media)
        await talk.socket.send_str("hello")
        await talk.rest()

    async with TwimlServer(agent) as server:
        assert await telephony(wav(folder / "a.wav"), "--server", server.url, *QUICK) == 1
    assert "Twilio would flag 31951" in capsys.readouterr().err


async def test_a_server_given_without_a_scheme_is_called(folder: Path) -> None:
    async with TwimlServer(listen) as server:
        address = server.url.removeprefix("http://")
        assert await telephony(wav(folder / "a.wav"), "--server", address, *QUICK) == 0


async def test_a_bad_line_by_flags(folder: Path) -> None:
    async with TwimlServer(listen) as server:
        await telephony(
            wav(folder / "a.wav", 1.0), "--server", server.url, *QUICK,
            "--loss", "20%", "--jitter", "30", "--stall", "0.2:0.3", "--drift", "300", "--echo", "100:-20",
            "--marks-lost", "5", "--marks-late", "10", "--marks-twice", "5", "--seed", "7",
        )  # fmt: skip
    stamps = [media.timestamp_ms for media in server.talks[0].media]
    assert len(stamps) < 1100 / 20 * 0.95
    assert stamps == sorted(stamps)


BAD = [
    (["nope.wav"], "telephony: nope.wav: no such file"),
    (["empty.wav"], "telephony: empty.wav is empty"),
    (["text.wav"], "telephony: text.wav is not a WAV file"),
    (["stereo.wav"], "telephony: stereo.wav is stereo"),
    (["."], "telephony: . cannot be read: Is a directory"),
    (["good.wav", "nope.wav"], "telephony: nope.wav: no such file"),
    (["good.wav", "--out", "text.wav"], "is a file, not a folder"),
    (["good.wav", "--out", "/proc/no"], "--out /proc/no: cannot be written to"),
    (["good.wav", "--junit", "no/j.xml"], "a file in a folder that exists is needed"),
    (["good.wav", "--server", "ftp://h"], "--server 'ftp://h'"),
    (["good.wav", "--server", "http://127.0.0.1:99999"], "--server 'http://127.0.0.1:99999'"),
    (["good.wav", "--server", "http://127.0.0.1:1"], "/twilio/voice does not answer: Connection refused"),
]


@pytest.mark.parametrize(("words", "says"), BAD)
async def test_bad_input_is_one_clear_line_and_status_2(
    words: list[str], says: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wav(folder / "good.wav")
    wav(folder / "stereo.wav", channels=2)
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("hello, I am not a recording\n")
    assert await telephony(*words) == 2
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err
    assert len([line for line in err.splitlines() if "calling, as" not in line]) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["-n", "0"],
        ["-n", "x"],
        ["--loss", "101"],
        ["--stall", "3"],
        ["--echo", "1"],
        ["--hang-up-after", "-1"],
    ],
)
def test_a_bad_option_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["call", "a.wav", *words], {})
    assert caught.value.code == 2
    assert words[0] in capsys.readouterr().err


async def test_a_server_that_cannot_start_says_why_in_one_line(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own reason, once."""
    monkeypatch.setenv("AGENT", "nowhere.to:BeFound")
    monkeypatch.setenv("DEEPGRAM_URL", "ws://127.0.0.1:9")  # so that no engine is started first
    assert await telephony(wav(folder / "a.wav")) == 2
    err = capfd.readouterr().err
    assert "nowhere" in err and "Traceback" not in err
    assert len(err.splitlines()) == 1
