"""`call` and `transcribe` read the same sources, and give the same reason for what is none."""

from __future__ import annotations

import asyncio
import audioop
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from telephony.audio.file_kinds import RAW_SUFFIXES, is_text, other_than_sound
from telephony.audio.wav import read_wav, write_wav
from telephony.errors import BadInput
from telephony.simulator.recording_source import read_recording
from telephony.testing.fake_flux import FakeFlux

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
CALLER = ROOT / "telephony" / "simulator" / "demo" / "caller.wav"
FFMPEG = shutil.which("ffmpeg")
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="ffmpeg is not installed here")
FROM_S, SECONDS = 3, 3  # of the caller's first sentence
PAGE = b"<!DOCTYPE html>\n<html><body><h1>404 Not Found</h1></body></html>\n"

SOUNDS = {
    "voice.mp3": (),
    "voice.m4a": (),
    "fast.m4a": ("-movflags", "faststart"),
    "voice.ogg": (),
    "voice.flac": (),
    "voice.opus": (),
    "adpcm.wav": ("-c:a", "adpcm_ima_wav"),
    "alaw.wav": ("-c:a", "pcm_alaw"),
    "voice.aiff": (),
    "film.mkv": (),
    "long.m4a": ("-af", "aloop=loop=-1:size=24000", "-t", "90", "-b:a", "96k"),
}
NO_SOUNDS: dict[str, tuple[bytes, str]] = {
    "page.wav": (PAGE, "is a web page"),
    "page.mp3": (b"\xef\xbb\xbf\n<html lang=en>", "is a web page"),
    "radio.m3u": (
        b"#EXTM3U\n#EXTINF:-1,Radio\nhttp://radio.example/live.mp3\n",
        "http://radio.example/live.mp3",
    ),
    "radio.pls": (
        b"[playlist]\nFile1=http://radio.example/a.ogg\nNumberOfEntries=1\n",
        "http://radio.example/a.ogg",
    ),
    "saved.m3u8": (b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:4,\nsegment0.ts\n", "it is a playlist (M3U)"),
    "list.xspf": (
        b"<?xml version='1.0'?><playlist xmlns='http://xspf.org/ns/0/'><location>http://a.example/b.mp3</location>",
        "http://a.example/b.mp3",
    ),
    "error.wav": (b'{"error": "not found", "code": 404}', "is JSON"),
    "denied.mp3": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "is XML"),
    "lfs.wav": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n", "Git LFS"),
    "words.wav": (b"certainly not a recording\n" * 100, "plain text"),
    "book.wav": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(500), "PDF"),
    "all.wav": (b"PK\x03\x04" + bytes(500), "ZIP"),
    "empty.wav": (b"", "is empty"),
    "nothing.ulaw": (b"", "is empty"),
    "addresses.m3u": (
        b"http://radio.example/a.mp3\r\nhttps://radio.example/b.mp3\r\n",
        "it is a playlist (M3U)",
    ),
    "no_data.wav": (CALLER.read_bytes()[:36], "is a damaged WAV file: it has no data chunk"),
    "no_form.wav": (CALLER.read_bytes()[:30], "is a damaged WAV file: it has no data chunk"),
    "header.wav": (CALLER.read_bytes()[:58], "has no sound in it"),
    "random.mp3": (bytes((n * n * 37 + n // 7) % 251 for n in range(5000)), "not audio or video"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One recording in every form, and what is none."""
    folder = tmp_path_factory.mktemp("sounds")
    for name, (content, _) in NO_SOUNDS.items():
        (folder / name).write_bytes(content)
    wav = read_wav(CALLER.read_bytes())
    ulaw = audioop.lin2ulaw(wav.linear16[wav.rate * 2 * FROM_S :][: wav.rate * 2 * SECONDS], 2)
    assert wav.rate == 8000
    for suffix in RAW_SUFFIXES:
        (folder / f"raw{suffix}").write_bytes(ulaw)
    (folder / "named.raw").write_bytes(write_wav(ulaw, mulaw=True))  # a header is believed, whatever the name
    if FFMPEG:
        for name, options in SOUNDS.items():
            _ffmpeg("-ss", str(FROM_S), "-i", str(CALLER), "-t", str(SECONDS), *options, str(folder / name))
        _ffmpeg("-f", "lavfi", "-i", "color=c=red:s=64x64:d=1", "-an", str(folder / "silent.mp4"))
        whole = (folder / "long.m4a").read_bytes()
        (folder / "broken.m4a").write_bytes(whole[: len(whole) // 2])
    return folder


def _ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", *arguments], check=True)


@pytest.fixture
async def server() -> AsyncIterator[FakeFlux]:
    async with FakeFlux() as running:
        yield running


async def run(words: str) -> tuple[int, str]:
    """A command line as one types it, in bash: (exit status, what stood on stderr)."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", words.replace("telephony", f"{sys.executable} -m telephony", 1)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    _, err = await process.communicate()
    return process.returncode or 0, err.decode()


@pytest.mark.parametrize("suffix", RAW_SUFFIXES)
def test_raw_mulaw_is_a_call(folder: Path, suffix: str) -> None:
    assert read_recording(folder / f"raw{suffix}") == (folder / "raw.ulaw").read_bytes()


def test_a_header_is_believed_whatever_the_name(folder: Path) -> None:
    assert read_recording(folder / "named.raw") == (folder / "raw.ulaw").read_bytes()


@needs_ffmpeg
@pytest.mark.parametrize("name", [name for name in SOUNDS if name != "long.m4a"])
def test_what_ffmpeg_reads_is_a_call(folder: Path, name: str) -> None:
    assert abs(len(read_recording(folder / name)) - 8000 * SECONDS) < 1200


@pytest.mark.parametrize("name", NO_SOUNDS)
def test_what_is_no_recording_is_refused_by_call_with_the_reason(folder: Path, name: str) -> None:
    if name == "random.mp3" and not FFMPEG:
        pytest.skip("ffmpeg is not installed here")
    with pytest.raises(BadInput) as caught:
        read_recording(folder / name)
    assert NO_SOUNDS[name][1] in str(caught.value)
    assert str(caught.value).startswith(str(folder / name)) and "\n" not in str(caught.value)


@needs_ffmpeg
@pytest.mark.parametrize("name", NO_SOUNDS)
async def test_transcribe_gives_the_same_reason(folder: Path, name: str, server: FakeFlux) -> None:
    status, err = await run(f"telephony transcribe --fast --url {server.url} {folder / name}")
    assert (status, err.count("\n")) == (2, 1), err
    assert NO_SOUNDS[name][1] in err and f"telephony: {folder / name}" in err


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "said"), [("broken.m4a", "moov atom not found"), ("silent.mp4", "no sound")]
)
async def test_both_say_what_ffmpeg_said(folder: Path, name: str, said: str, server: FakeFlux) -> None:
    with pytest.raises(BadInput, match=said):
        read_recording(folder / name)
    for source in (str(folder / name), f"- < {folder / name}", f"<(cat {folder / name})"):
        status, err = await run(f"telephony transcribe --fast --url {server.url} {source}")
        assert (status, err.count("\n")) == (2, 1) and said in err, (source, err)


@needs_ffmpeg
@pytest.mark.parametrize("name", ["long.m4a", "voice.mp3", "raw.ulaw"])
async def test_every_way_to_a_recording_brings_the_same_sound(
    folder: Path, name: str, server: FakeFlux, tmp_path: Path
) -> None:
    """A path, standard input from a file and from a pipe, a process's output, and a FIFO."""
    file, fifo = folder / name, tmp_path / f"fifo{Path(name).suffix}"
    os.mkfifo(fifo)
    line = f"telephony transcribe --fast --url {server.url} "
    ways = [f"{line}{file}", f"cat {file} > {fifo} & {line}{fifo}"]
    if not name.startswith("raw"):  # the other ways bring no name, and so no form
        ways += [
            f"{line}- < {file}",
            f"{line}/dev/stdin < {file}",
            f"cat {file} | {line}-",
            f"{line}<(cat {file})",
        ]
    for way in ways:
        assert await run(way) == (0, ""), way
    heard = [bytes(session.audio) for session in server.sessions]
    assert len(heard) == len(ways)
    least = min(map(len, heard))  # an MP3 says its exact end in a header that a pipe cannot go back to
    assert max(map(len, heard)) - least < 0.2 * 32_000
    sound = heard[0][: least - 40_000]
    assert all(other.startswith(sound) for other in heard)
    assert abs(len(heard[0]) / 32_000 - (90 if name == "long.m4a" else SECONDS)) < 1.3
    assert audioop.rms(sound, 2) > 300


@needs_ffmpeg
async def test_a_live_pipe_is_heard_while_it_runs(folder: Path, server: FakeFlux) -> None:
    """What comes through a pipe is not kept until its end: the end comes once something was heard."""
    ours, theirs = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telephony", "transcribe", "-", "--json", "--url", server.url),
        stdin=ours,
        stdout=asyncio.subprocess.PIPE,
    )
    os.close(ours)
    assert process.stdout is not None
    try:
        os.write(theirs, CALLER.read_bytes()[:60_000])
        while json.loads(await process.stdout.readline()).get("audio_window_end", 0) < 1:
            pass
    finally:
        os.close(theirs)
        process.kill()
        await process.communicate()


@contextmanager
def not_root() -> Iterator[None]:
    """Who runs this may not read everything."""
    if before := os.geteuid():
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_file_that_nobody_may_read_says_so() -> None:
    with tempfile.TemporaryDirectory() as folder:  # not pytest's, which is its user's alone
        os.chmod(folder, 0o755)
        file = Path(folder, "secret.wav")
        file.write_bytes(CALLER.read_bytes())
        file.chmod(0)
        with not_root(), pytest.raises(BadInput, match="Permission denied"):
            read_recording(file)


def test_silence_in_alaw_is_no_text() -> None:
    assert not is_text(b"\x55" * 1000)
    assert other_than_sound(b"\x55" * 1000) is None
    assert is_text(b"The quick brown fox jumps over it.")


@needs_ffmpeg
async def test_the_terminal_is_no_recording() -> None:
    status, err = await run("script -qec 'telephony call -' /dev/null < /dev/null 1>&2")
    assert "is the terminal" in err


@needs_ffmpeg
@pytest.mark.parametrize("command", ["call", "transcribe"])
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("/dev/null", "/dev/null is empty"),
        ("- < /dev/null", "standard input is empty"),
        ("- <&-", "standard input is closed"),
        ("/dev/zero", "/dev/zero "),
    ],
)
async def test_what_gives_nothing_is_refused_at_once(command: str, source: str, reason: str) -> None:
    async with asyncio.timeout(30):
        status, err = await run(f"telephony {command} {source}")
    assert status == 2 and reason in err and len(err.splitlines()) == 1, err
