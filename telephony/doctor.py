"""`telephony doctor`: looks at everything a call needs, and says what to do about what is missing.

A check is a function from settings to findings; `CHECKS` lists them in the order of the output. A finding is
good, bad (something will not work: exit status 1), or worth knowing.
"""

from __future__ import annotations

import argparse
import difflib
import importlib.metadata
import importlib.util
import os
import platform
import resource
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from dotenv import dotenv_values

from telephony.config import NAMES, SHORT_ALLOWED, Settings, binding, short_secrets
from telephony.errors import BadInput, MissingModel

OLDEST_GLIBC = (2, 34)  # moonshine-voice's wheel is built for it
FIRST_SAFE_AIOHTTP = (3, 14, 4)  # fixes two ways to stop a server through its websockets
FREE_BYTES = 200_000_000  # about 3 hours of calls, both legs and the two-channel file
FILES_PER_CALL = 6  # carrier, listening, speaking and its spare, tape, recording
AUTH_TOKEN_LENGTH = 32

# What each part of the `local` extra is for, and what is done without it.
LOCAL_PARTS = {
    "onnxruntime": "finds speech and ends of turns",
    "moonshine_voice": "recognizes while the caller speaks",
    "ctranslate2": "recognizes turns carefully",
    "tokenizers": "recognizes turns carefully",
    "piper": "speaks",
}


class Verdict(Enum):
    GOOD = "good"
    NOTE = "note"
    BAD = "BAD "


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the output, and the line under it that says what to do."""

    verdict: Verdict
    what: str
    remedy: str = ""


def good(what: str) -> Finding:
    return Finding(Verdict.GOOD, what)


def note(what: str, remedy: str = "") -> Finding:
    return Finding(Verdict.NOTE, what, remedy)


def bad(what: str, remedy: str) -> Finding:
    return Finding(Verdict.BAD, what, remedy)


Check = Callable[[Settings], Iterable[Finding]]


def python(settings: Settings) -> Iterator[Finding]:
    version = platform.python_version()
    libc, release = platform.libc_ver()
    yield good(f"Python {version}")
    if libc != "glibc":
        yield note(f"C library: {libc or 'unknown'}", "the local engine is tried with glibc on Linux only")
    elif _numbers(release) < OLDEST_GLIBC:
        yield bad(f"glibc {release}", "the local engine needs 2.34: Debian 12, Ubuntu 22.04, or newer")
    else:
        yield good(f"glibc {release}")


def packages(settings: Settings) -> Iterator[Finding]:
    version = importlib.metadata.version("aiohttp")
    if _numbers(version) < FIRST_SAFE_AIOHTTP:
        yield bad(f"aiohttp {version} can be stopped from outside", "pip install 'aiohttp>=3.14.4'")
    else:
        yield good(f"aiohttp {version}")


def environment(settings: Settings) -> Iterator[Finding]:
    """Names that look like ours and are not: a misspelt setting is otherwise silent."""
    filed = dotenv_values(".env") if Path(".env").is_file() else {}
    families = {name.split("_")[0] + "_" for name in NAMES if "_" in name}
    strange = [
        (name, difflib.get_close_matches(name, NAMES, n=1, cutoff=0.8))
        for name in sorted({*os.environ, *filed} - NAMES)
        if any(name.startswith(family) for family in families)
    ]
    misspelt = [(name, close[0]) for name, close in strange if close]
    for name, close in misspelt:
        yield bad(f"{name} is no setting", f"is {close} meant?")
    if not misspelt:
        yield good("settings" + (", with .env" if filed else ", no .env"))


def engine(settings: Settings) -> Iterator[Finding]:
    """The local engine's packages and models, where it is what would be used."""
    if not settings.deepgram().local:
        return
    from telephony.engine import models

    absent = [name for name in LOCAL_PARTS if importlib.util.find_spec(name) is None]
    for name in absent:
        yield bad(f"{name} is not installed: it {LOCAL_PARTS[name]}", "pip install 'telephony[local]'")
    missing = models.missing()
    if missing:
        yield bad(f"models not here: {', '.join(missing)}", models.FETCH_COMMAND)
    damaged = [name for name in models.MODEL_NAMES if name not in missing and not _intact(name)]
    for name in damaged:
        folder = models.cache_dir() / name
        yield bad(f"the model {name} is damaged", f"rm -r {folder} && {models.FETCH_COMMAND}")
    if not absent and not missing and not damaged:
        yield good(f"local speech engine, models in {models.cache_dir()}")
    yield from _voice(settings)


def _voice(settings: Settings) -> Iterator[Finding]:
    """Whether something here speaks, and answers to VOICE."""
    from telephony.engine.voice_list import find_voices, voice_for

    try:
        names = [voice.name for voice in find_voices()]
        yield good(f"VOICE {settings.voice} is spoken by {voice_for(settings.voice, names)}")
    except MissingModel as error:
        yield bad("nothing here can speak", str(error))
    except KeyError:
        yield bad(
            f"VOICE {settings.voice} is no voice of the local engine",
            f"one of {', '.join(names)}, or a cloud voice's name such as flux-haley-en",
        )


def agent(settings: Settings) -> Iterator[Finding]:
    from telephony.reply.agent import load_agent

    try:
        load_agent(settings.agent, settings)
    except BadInput as error:
        yield bad(f"agent {settings.agent}", str(error))
    else:
        yield good(f"agent {settings.agent}")


def routes(settings: Settings) -> Iterator[Finding]:
    from telephony.phone_numbers import country_of
    from telephony.routes_file import read_routes

    if settings.routes is None:
        return
    try:
        found = read_routes(settings.routes, country_of(settings.dial_from))
    except BadInput as error:
        yield bad(f"routes {settings.routes}", str(error))
    else:
        yield good(f"routes {settings.routes}: {len(found.routes)} and a default")


def phone_line(settings: Settings) -> Iterator[Finding]:
    """Who may call, as far as it can be seen from here."""
    for token in settings.twilio_auth_token:
        if len(token.reveal()) != AUTH_TOKEN_LENGTH:
            yield note(
                "TWILIO_AUTH_TOKEN has an unusual length",
                "the Twilio console shows 32 characters; an API key's secret does not sign webhooks",
            )
    for name in dict.fromkeys(name for name, _ in short_secrets(settings)):
        yield bad(f"{name} is short enough to be guessed: the server will not start", SHORT_ALLOWED)
    where = binding(settings)
    if where.note:
        yield note(where.note, "set PUBLIC_URL to the https address that reaches this server")
    elif not settings.public_url:
        yield note("only this machine can call", "for a real number set TWILIO_AUTH_TOKEN and PUBLIC_URL")
    else:
        yield good(f"Twilio's webhooks are verified for {settings.public_url}")


def port(settings: Settings) -> Iterator[Finding]:
    where = binding(settings).host
    try:
        with socket.create_server((where, settings.port)):
            yield good(f"port {settings.port} is free")
    except OSError as error:
        remedy = "if that is not a server of yours, set PORT to another"
        yield bad(f"port {settings.port} on {where}: {error.strerror}", remedy)


def disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir.absolute()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        yield bad(f"{folder} cannot be written: {error.strerror}", "set DATA_DIR to a folder that can")
        return
    free = shutil.disk_usage(there).free
    if free < FREE_BYTES:
        yield bad(f"{folder}: {free / 1e6:.0f} MB are free", "make room, or set DATA_DIR to another disk")
    else:
        yield good(f"calls are kept in {folder}, {free / 1e9:.0f} GB free")


def open_files(settings: Settings) -> Iterator[Finding]:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 64 + FILES_PER_CALL * settings.max_calls
    if limit != resource.RLIM_INFINITY and limit < needed:
        remedy = f"ulimit -n {needed}, or lower MAX_CALLS"
        yield bad(f"{limit} open files are too few for {settings.max_calls} calls", remedy)
    else:
        yield good(f"open files: enough for {settings.max_calls} calls")


def ffmpeg(settings: Settings) -> Iterator[Finding]:
    from telephony.transcribe.source import HOW_TO_INSTALL_FFMPEG

    if shutil.which("ffmpeg"):
        yield good("ffmpeg")
    else:
        yield note("ffmpeg is not here: `telephony transcribe` needs it, calls do not", HOW_TO_INSTALL_FFMPEG)


def peers(settings: Settings) -> Iterator[Finding]:
    """What lies across a network: the speech service, and ourselves as Twilio sees us."""
    from telephony.doctor_peers import look

    return look(settings)


CHECKS: tuple[Check, ...] = (
    python,
    packages,
    environment,
    engine,
    agent,
    routes,
    phone_line,
    port,
    disk,
    open_files,
    ffmpeg,
    peers,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--offline", action="store_true", help="ask nothing over the network")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Prints every finding as it is made. Exit status 1 if one is bad."""
    broken = 0
    for check in CHECKS:
        if check is peers and args.offline:
            continue
        for finding in check(settings):
            broken += finding.verdict is Verdict.BAD
            print(f"{finding.verdict.value}  {finding.what}", flush=True)
            if finding.remedy:
                print(f"      {finding.remedy}", flush=True)
    print(f"{broken} to repair" if broken else "all good")
    return 1 if broken else 0


def _intact(name: str) -> bool:
    """Whether each file has the checksum of the table: the engine compares sizes only, to start quickly."""
    import hashlib

    from telephony.engine import models

    for file in models.files_of(name):
        try:
            with (models.cache_dir() / file.name).open("rb") as content:
                if hashlib.file_digest(content, "sha256").hexdigest() != file.sha256:
                    return False
        except OSError as error:
            raise MissingModel(f"{file.name} cannot be read: {error.strerror}") from error
    return True


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, to compare by."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())
