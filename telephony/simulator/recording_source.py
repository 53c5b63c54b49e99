"""Where a recording comes from: a file, a pipe, standard input, a URL. `call` and `transcribe` read the same.

What is not a recording is refused with the most specific reason before anything is started. A file whose
table of contents may be at its end (MP4) is taken from a pipe whole, since ffmpeg must seek in it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from telephony.audio.file_kinds import (
    HEAD_BYTES,
    NO_DATA,
    RAW_SUFFIXES,
    complaint,
    needs_seeking,
    other_than_sound,
    plain_line,
)
from telephony.audio.g711 import PHONE_RATE, linear16_to_ulaw
from telephony.audio.resampler import Resampler
from telephony.audio.wav import read_wav, wav_header
from telephony.base.tasks import undone_on_failure
from telephony.errors import BadAudio, BadInput

log = logging.getLogger(__name__)

HOW_TO_INSTALL_FFMPEG = (
    "install it: apt install ffmpeg (Debian, Ubuntu), dnf install ffmpeg, brew install ffmpeg"
)
URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
MAX_BYTES = 500 * 1024 * 1024
"""Of a recording that is read whole, and of what is kept of a pipe."""
SHORTEST_S = 0.02
FFMPEG_S = 600.0
"""For ffmpeg to make sound of a whole file."""
_RAW = ("-f", "mulaw", "-ar", str(PHONE_RATE))
_OURS = re.compile(r"/dev/stdin|/dev/fd/(\d+)|/proc/self/fd/(\d+)")
_STDIN = "file:/dev/fd/0"  # a file that is given as standard input, and opened as one


def ffmpeg() -> str:
    """The path of ffmpeg. Raises BadInput where it is not installed."""
    found = shutil.which("ffmpeg")
    if found is None:
        raise BadInput(f"ffmpeg not found: {HOW_TO_INSTALL_FFMPEG}")
    return found


@dataclass(slots=True)
class Input:
    """A source that was opened, for ffmpeg."""

    name: str
    """For messages."""
    arguments: tuple[str, ...]
    """Of ffmpeg, up to `-i` and its value."""
    stdin: int | IO[bytes] | None = None
    """What ffmpeg gets as its standard input; None: nothing, or what is pumped."""
    head: bytes = b""
    """What was read of a pipe already."""
    pipe: asyncio.StreamReader | None = None
    """The rest of it, to be pumped to ffmpeg."""
    closing: list[object] = field(default_factory=list)
    """Files and transports; closed with the source."""

    def close(self) -> None:
        """Lets go of what is still open."""
        for thing in self.closing:
            thing.close()  # type: ignore[attr-defined]


async def open_input(source: str) -> Input:
    """Opens a path, a URL or `-` (standard input). Raises a one-line BadInput for what is not a recording."""
    if URL.match(source):
        return Input(source, ("-i", source))
    name, descriptor = _open(source)
    mode = os.fstat(descriptor).st_mode
    raw = Path(source).suffix.lower() in RAW_SUFFIXES
    if stat.S_ISREG(mode):
        head = os.pread(descriptor, HEAD_BYTES, 0)
        file = os.fdopen(descriptor, "rb")
        try:
            _check(head, name, raw)
            if len(head) < HEAD_BYTES and head[:4] + head[8:12] == b"RIFFWAVE" and wav_header(head) is None:
                raise BadAudio(f"{name} {NO_DATA}")
        except BadAudio:
            file.close()
            raise
        return Input(name, (*_form(head, raw), "-i", _STDIN), stdin=file, closing=[file])
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):  # an event loop can wait for neither
        with os.fdopen(descriptor, "rb", buffering=0) as device:
            _check(await asyncio.to_thread(device.read, HEAD_BYTES), name, raw)
        raise BadAudio(
            f"{name} is a device: `cat {source} | telephony transcribe -` reads what comes from it"
        )
    return await _open_pipe(name, descriptor, raw)


async def _open_pipe(name: str, descriptor: int, raw: bool) -> Input:
    """A FIFO, a process's output, a device: what comes first says whether it can be passed on as it comes."""
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader(limit=1 << 16)
    file = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    opened = Input(name, (), head=b"", pipe=reader, closing=[transport])
    with undone_on_failure(opened.close):
        while len(opened.head) < 12 and (more := await reader.read(HEAD_BYTES)):
            opened.head += more
        _check(opened.head, name, raw)
        if not raw and needs_seeking(opened.head):
            spool = await _spool(opened)
            opened.closing.append(spool)
            opened.stdin, opened.pipe = spool, None
        opened.arguments = (*_form(opened.head, raw), "-i", _STDIN if opened.pipe is None else "pipe:0")
    return opened


async def _spool(opened: Input) -> IO[bytes]:
    """All of a pipe in a file that has no name any more."""
    assert opened.pipe is not None
    spool = tempfile.TemporaryFile()
    size = spool.write(opened.head)
    while more := await opened.pipe.read(1 << 16):
        size += len(more)
        if size > MAX_BYTES:
            spool.close()
            raise BadAudio(
                f"{opened.name} is larger than 500 MB, and must be read from its end; save it as a file"
            )
        spool.write(more)
    spool.flush()
    return spool


def _open(source: str) -> tuple[str, int]:
    """(name, descriptor) of a path or `-`; never waits, not even for the writer of a FIFO."""
    ours = _OURS.fullmatch(source)
    try:
        if source == "-" or ours:
            number = int((ours and (ours[1] or ours[2])) or 0)
            if number == 0 and sys.stdin is None:  # closed (`<&-`), and by now perhaps a file of ours
                raise BadAudio("standard input is closed: lead a recording into it, or name a file")
            descriptor = os.dup(number)
        else:
            descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise BadAudio(
            f"{source}: no such file. Give a recording: WAV, raw mu-law, or what ffmpeg reads"
        ) from None
    except OSError as error:
        raise BadAudio(f"{source} cannot be read: {error.strerror}") from None
    name = "standard input" if source == "-" else source
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        os.close(descriptor)
        raise BadAudio(f"{source} cannot be read: Is a directory; this is a folder: name a file in it")
    if os.isatty(descriptor):
        os.close(descriptor)
        raise BadAudio(
            f"{name} is the terminal: lead a recording into it, as in `telephony transcribe - < call.wav`"
        )
    return name, descriptor


def _check(head: bytes, name: str, raw: bool) -> None:
    if not head:
        raise BadAudio(f"{name} is empty: the file is empty, nothing was written to it")
    reason = other_than_sound(head) if not raw or head.isascii() else None  # mu-law is any bytes
    if reason is not None:
        raise BadAudio(f"{name} {reason}")


def _form(head: bytes, raw: bool) -> tuple[str, ...]:
    return _RAW if raw and not head.startswith(b"RIFF") else ()


def read_recording(source: Path | str) -> bytes:
    """A recording as mu-law at 8,000 Hz. Raises BadAudio, in one line."""
    text = str(source)
    if URL.match(text):
        return _phone(_by_ffmpeg(text, ("-i", text), None), text)
    name, descriptor = _open(text)
    os.set_blocking(descriptor, True)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise BadAudio(f"{name} is larger than 500 MB; cut it shorter")
    return recording(data, name, raw=Path(text).suffix.lower() in RAW_SUFFIXES)


def recording(data: bytes, name: str, *, raw: bool = False) -> bytes:
    """The bytes of a recording as mu-law at 8,000 Hz. Raises BadAudio, naming the recording."""
    _check(data[:HEAD_BYTES], name, raw)
    if raw and not data.startswith(b"RIFF"):
        return _long_enough(data, name)
    return _phone(data, name)


def _phone(data: bytes, name: str) -> bytes:
    """A WAV as mu-law at 8,000 Hz; what is not one, or coded otherwise, by way of ffmpeg."""
    try:
        wav = read_wav(data)
    except BadAudio as error:
        made = _by_ffmpeg(name, ("-i", _STDIN), data, error)
        try:
            wav = read_wav(made)
        except BadAudio as silent:
            raise BadAudio(f"{name} {error if data.startswith(b'RIFF') else silent}") from None
    if wav.channels != 1:
        channels = "stereo" if wav.channels == 2 else f"{wav.channels} channels"
        raise BadAudio(f"{name} is {channels}; a caller has one channel. Save one of them as a mono file")
    resampler = Resampler(wav.rate, PHONE_RATE)
    return _long_enough(linear16_to_ulaw(resampler.feed(wav.linear16) + resampler.flush()), name)


def _long_enough(ulaw: bytes, name: str) -> bytes:
    if len(ulaw) < SHORTEST_S * PHONE_RATE:
        raise BadAudio(f"{name} has no sound in it")
    return ulaw


def _by_ffmpeg(
    name: str, arguments: tuple[str, ...], data: bytes | None, why: BadAudio | None = None
) -> bytes:
    """What ffmpeg makes of a recording: a WAV with the same channels. `why`: the reason why we could not."""
    is_wav = data is not None and data.startswith(b"RIFF")
    try:
        program = ffmpeg()
    except BadInput as missing:
        raise BadAudio(f"{name} {why}, and {missing}" if why else str(missing)) from None
    with tempfile.TemporaryFile() as given:
        given.write(data or b"")
        given.seek(0)
        try:
            made = subprocess.run(
                [program, "-hide_banner", "-loglevel", "error", *arguments]
                + ["-vn", "-c:a", "pcm_s16le", "-f", "wav", "pipe:1"],
                stdin=given if data is not None else subprocess.DEVNULL,
                capture_output=True,
                timeout=FFMPEG_S,
            )
        except subprocess.TimeoutExpired:
            raise BadAudio(f"{name} takes ffmpeg longer than {FFMPEG_S:.0f} s; cut it shorter") from None
    if made.returncode or not made.stdout:
        said = complaint(made.stderr.decode("utf-8", "replace"), made.returncode)
        raise BadAudio(f"{name} {why if is_wav and why else said}")
    if made.stderr.strip():
        last = plain_line(made.stderr.decode("utf-8", "replace").strip().splitlines()[-1])
        log.warning("%s is perhaps not whole; ffmpeg says: %s", name, last)
    return made.stdout
