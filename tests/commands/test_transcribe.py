"""`telephony transcribe` as a program, against a server at the wire and against the local engine."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from telephony.deepgram import flux_codec
from telephony.testing.fake_flux import FakeFlux
from telephony.testing.fake_scripts import FakeScript
from telephony.testing.faults import Faults, RefusalFault

pytestmark = pytest.mark.slow

CALLER = Path(__file__).resolve().parents[2] / "telephony" / "simulator" / "demo" / "caller.wav"
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed here")
ANSI = re.compile(r"\x1b\[[0-9;]*[mK]|\r")


class TwoTurns:
    """One turn ends by itself after 2 s; the other is open until somebody ends it."""

    def __init__(self) -> None:
        self._sent_s = 0.0
        self._turn = 0

    def due(self, audio_s: float) -> Sequence[flux_codec.TurnInfo]:
        if audio_s - self._sent_s < 0.24:
            return []
        self._sent_s = audio_s
        if audio_s < 2.0:
            event = flux_codec.START_OF_TURN if audio_s < 0.4 else flux_codec.UPDATE
            return [self._info(event, "Hello there.", audio_s)]
        if self._turn == 0:
            ended = self._info(flux_codec.END_OF_TURN, "Hello there.", audio_s)
            self._turn = 1
            return [ended]
        return [self._info(flux_codec.UPDATE, "The last words", audio_s)]

    def force(self, audio_s: float) -> flux_codec.TurnInfo | None:
        return self._info(flux_codec.END_OF_TURN, "The last words.", audio_s)

    def _info(self, event: str, text: str, audio_s: float) -> flux_codec.TurnInfo:
        confidence = (0.95, 0.75)[self._turn]
        words = tuple(
            flux_codec.Word(word, confidence, 2.0 * self._turn + i, 2.0 * self._turn + i + 0.5)
            for i, word in enumerate(text.split())
        )
        return flux_codec.TurnInfo(event, self._turn, text, words, 0.8, 2.0 * self._turn, audio_s)


@dataclass(frozen=True, slots=True)
class Done:
    status: int
    out: str
    err: str


async def transcribe(
    *words: str,
    stdin: bytes | None = None,
    path: str | None = None,
    interrupt_after: str = "",
    ctrl_c: int = 1,
) -> Done:
    """Runs the program; `interrupt_after` presses Ctrl-C once that text was printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "telephony", "transcribe", *words),
        stdin=PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, **({"PATH": path} if path is not None else {})},
    )
    assert process.stdout is not None
    seen = b""
    while interrupt_after and interrupt_after.encode() not in seen:
        line = await process.stdout.readline()
        assert line, (await process.communicate())[1]
        seen += line
    for _ in range(ctrl_c if interrupt_after else 0):
        process.send_signal(signal.SIGINT)
    out, err = await process.communicate(stdin)
    return Done(process.returncode or 0, (seen + out).decode(), err.decode())


def script(options: flux_codec.FluxOptions) -> FakeScript:
    return TwoTurns()


@pytest.fixture
async def server() -> AsyncIterator[FakeFlux]:
    async with FakeFlux(script) as running:
        yield running


def turns(lines: str) -> list[str]:
    return [line.split(None, 1)[1] for line in lines.splitlines()]


@needs_ffmpeg
async def test_the_last_turn_ends_and_no_word_is_lost(server: FakeFlux) -> None:
    """ForceEndTurn, then CloseStream: the other way round the turn would stay open."""
    done = await transcribe(str(CALLER), "--fast", "--url", server.url)
    assert (done.status, done.err) == (0, "")
    assert turns(done.out) == ["Hello there.", "The last words."]
    session = server.sessions[0]
    assert session.received == [flux_codec.ForceEndTurn(), flux_codec.CloseStream()]
    assert session.audio_s >= 31.5


@needs_ffmpeg
async def test_json_is_the_servers_own_messages_one_a_line(server: FakeFlux) -> None:
    done = await transcribe(str(CALLER), "--fast", "--json", "--url", server.url)
    messages = [json.loads(line) for line in done.out.splitlines()]
    assert [m["sequence_id"] for m in messages] == list(range(len(messages)))
    assert messages[0]["type"] == "Connected"
    assert [m["transcript"] for m in messages if m.get("event") == "EndOfTurn"] == [
        "Hello there.",
        "The last words.",
    ]


@needs_ffmpeg
@pytest.mark.parametrize("form", ["srt", "vtt"])
async def test_subtitles_agree_with_json(server: FakeFlux, form: str) -> None:
    done = await transcribe(str(CALLER), "--fast", f"--{form}", "--url", server.url)
    point = "," if form == "srt" else "."
    assert f"00:00:00{point}000 --> 00:00:01{point}500\nHello there.\n" in done.out
    assert f"00:00:02{point}000 --> 00:00:04{point}500\nThe last words.\n" in done.out


@needs_ffmpeg
@pytest.mark.parametrize(
    ("environ", "last"),
    [
        ({"NO_COLOR": ""}, "\x1b[2m    2.00\x1b[0m  \x1b[38;5;208mThe last words.\x1b[0m"),
        ({"NO_COLOR": "1"}, "    2.00  The last words."),
    ],
    ids=["colour", "NO_COLOR"],
)
async def test_a_terminal_shows_how_sure_each_word_is(
    server: FakeFlux, environ: dict[str, str], last: str
) -> None:
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telephony", "transcribe", str(CALLER), "--fast", "--url", server.url),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=theirs,
        env={**os.environ, "TERM": "xterm", **environ},
    )
    os.close(theirs)
    seen = await asyncio.to_thread(read_terminal, ours)
    os.close(ours)
    assert await process.wait() == 0
    lines = [line.rsplit("\r\x1b[K", 1)[-1] for line in seen.split("\r\n") if line]
    assert lines[-1] == last
    assert [ANSI.sub("", line).split(None, 1)[1] for line in lines] == ["Hello there.", "The last words."]


def read_terminal(file: int) -> str:
    """All that was written to a terminal, until nobody has it open any more."""
    seen = b""
    while True:
        try:
            block = os.read(file, 4096)
        except OSError:  # Linux's word for the end of a terminal
            block = b""
        if not block:
            return seen.decode()
        seen += block


@needs_ffmpeg
@pytest.mark.parametrize("ctrl_c", [1, 2])
async def test_ctrl_c_still_prints_the_last_turn(server: FakeFlux, ctrl_c: int) -> None:
    """Also where a wrapper passes on the signal that the terminal has sent already."""
    done = await transcribe(str(CALLER), "--url", server.url, interrupt_after="Hello there.\n", ctrl_c=ctrl_c)
    assert done.status == 130
    assert turns(done.out) == ["Hello there.", "The last words."]
    assert server.sessions[0].audio_s < 10.0
    assert "Traceback" not in done.err


@needs_ffmpeg
async def test_standard_input_and_a_url_are_sources_too(server: FakeFlux) -> None:
    async def wav(request: web.Request) -> web.FileResponse:
        return web.FileResponse(CALLER)

    app = web.Application()
    app.router.add_get("/caller.wav", wav)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        await transcribe("-", "--fast", "--url", server.url, stdin=CALLER.read_bytes())
        await transcribe(f"http://127.0.0.1:{port}/caller.wav", "--fast", "--url", server.url)
        absent = await transcribe(f"http://127.0.0.1:{port}/nothing", "--fast", "--url", server.url)
    finally:
        await runner.cleanup()
    await transcribe(str(CALLER), "--fast", "--url", server.url)
    piped, fetched, _, read = [bytes(session.audio) for session in server.sessions]
    assert piped == fetched == read
    assert absent.status == 2 and "is not there (404 Not Found)" in absent.err


@needs_ffmpeg
@pytest.mark.parametrize(
    ("status", "reason", "remedy"),
    [
        (400, "eot_threshold out of range", "FLUX_..."),
        (401, "Invalid credentials.", "key is wrong"),
        (402, "", "no credit"),
        (403, "", "may not use this model"),
        (429, "", "Too many streams"),
        (503, "", "try again later"),
    ],
)
async def test_a_refusal_is_one_plain_line_with_what_to_do(status: int, reason: str, remedy: str) -> None:
    async with FakeFlux(script, [Faults(refuse=RefusalFault(status, reason or None))]) as server:
        done = await transcribe(str(CALLER), "--url", server.url)
    assert done.status == 2
    assert done.err.count("\n") == 1
    assert str(status) in done.err and reason in done.err and remedy in done.err


@needs_ffmpeg
async def test_a_server_that_does_not_answer_is_given_up_in_time() -> None:
    async with FakeFlux(script, [Faults(handshake_delay_s=30.0)]) as server:
        done = await transcribe(str(CALLER), "--url", server.url, "--timeout", "0.5")
    assert done.status == 2
    assert "did not answer within 0.5 s" in done.err


@needs_ffmpeg
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Faults(error_after_s=1.0), "INTERNAL_SERVER_ERROR"),
        (Faults(reset_after_s=1.0), "the connection to the speech server broke"),
        (Faults(close_after_s=1.0), "closed the stream before its end"),
    ],
    ids=["error", "reset", "close"],
)
async def test_a_stream_that_breaks_is_said_and_what_was_heard_is_kept(fault: Faults, said: str) -> None:
    async with FakeFlux(script, [fault]) as server:
        done = await transcribe(str(CALLER), "--fast", "--url", server.url)
    assert done.status == 1
    assert said in done.err and "Traceback" not in done.err
    # A reset also throws away what had come and was not read yet.
    assert "Hello there." in done.out or fault.reset_after_s


async def test_without_ffmpeg_it_says_how_to_install_it(tmp_path: Path) -> None:
    done = await transcribe(str(CALLER), path=str(tmp_path))
    assert done.status == 2
    assert done.err.count("\n") == 1 and "apt install ffmpeg" in done.err


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.wav", None, "no such file"),
        ("empty.wav", b"", "the file is empty"),
        ("junk.mp3", b"\xff\xfb\x90\x00" + bytes(range(256)) * 8, ""),
        ("text.wav", b"certainly not a recording\n" * 100, "not audio or video"),
        ("header.wav", CALLER.read_bytes()[:58], "has no sound in it"),
    ],
)
async def test_what_is_no_audio_is_one_plain_line(
    tmp_path: Path, server: FakeFlux, name: str, content: bytes | None, said: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    done = await transcribe(str(file), "--fast", "--url", server.url)
    assert done.status == 2
    assert said in done.err and done.err.count("\n") == 1


@needs_ffmpeg
async def test_a_folder_and_an_order_to_ffmpeg_are_no_sources(tmp_path: Path, server: FakeFlux) -> None:
    assert "this is a folder" in (await transcribe(str(tmp_path), "--url", server.url)).err
    assert "no such file" in (await transcribe("concat:a.wav|b.wav", "--url", server.url)).err


@needs_ffmpeg
@pytest.mark.slow
async def test_a_file_an_mp3_a_stream_and_a_pipe_give_the_same_words(tmp_path: Path, engine: str) -> None:
    """Through the local engine: what it hears depends on the sound and not on how it came."""
    mp3 = tmp_path / "caller.mp3"
    command = ["ffmpeg", "-loglevel", "error", "-i", str(CALLER), "-ar", "16000", "-b:a", "128k", str(mp3)]
    made = await asyncio.to_thread(subprocess.run, command, stdin=subprocess.DEVNULL)
    if made.returncode:
        pytest.skip("this ffmpeg cannot write MP3")
    file = await transcribe(str(CALLER), "--fast", "--url", engine)
    compressed = await transcribe(str(mp3), "--fast", "--url", engine)
    piped = await transcribe("-", "--fast", "--url", engine, stdin=CALLER.read_bytes())
    words = [re.findall(r"[a-z']+", done.out.lower()) for done in (file, compressed, piped)]
    assert words[0] == words[1] == words[2]
    assert {"latte", "small", "coffee", "goodbye"} <= set(words[0])
