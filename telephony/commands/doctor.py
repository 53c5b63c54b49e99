"""`telephony doctor`: looks at everything a call needs, and says what to do about what is missing.

A check is a function from settings to findings; `CHECKS` lists them in the order of the output. A finding is
good, bad (something will not work: exit status 1), or worth knowing.
"""

from __future__ import annotations

import argparse
import difflib
import importlib.metadata
import importlib.util
import logging
import os
import platform
import resource
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from telephony.base.terminal import may_colour, paint
from telephony.commands.doctor_findings import COLOURS, Finding, Verdict, bad, good, note
from telephony.commands.doctor_peers import look
from telephony.config.binding import binding
from telephony.config.env_file import read_env_file
from telephony.config.secret_rules import SHORT_ALLOWED, short_secrets
from telephony.config.settings import NAMES, Settings
from telephony.errors import BadInput, MissingModel

log = logging.getLogger(__name__)

OLDEST_GLIBC = (2, 34)  # moonshine-voice's wheel is built for it
FIRST_SAFE_AIOHTTP = (3, 14, 4)  # fixes two ways to stop a server through its websockets
FREE_BYTES = 200_000_000  # about 3 hours of calls, both legs and the two-channel file
FILES_PER_CALL = 6  # carrier, listening, speaking and its spare, tape, recording
AUTH_TOKEN_LENGTH = 32
CLOSE = 0.8  # of two names, by difflib's measure: one of them may be the other, misspelt


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
        yield bad(f"aiohttp {version} can be stopped from outside", "pip install 'aiohttp~=3.14.4'")
    else:
        yield good(f"aiohttp {version}")


def environment(settings: Settings) -> Iterator[Finding]:
    """Names that look like ours and are not: a misspelt setting is otherwise silent."""
    filed = read_env_file(Path(".env"))
    misspelt = misspelt_names({**filed, **os.environ})
    for name, close in misspelt.items():
        yield bad(f"{name} is not a setting", f"did you mean {close}?")
    if not misspelt:
        yield good("settings" + (", with .env" if filed else ", no .env"))


def misspelt_names(given: Iterable[str]) -> dict[str, str]:
    """Names that look like a setting and are none, each with the setting that is meant."""
    families = {name.split("_")[0] + "_" for name in NAMES if "_" in name}
    strange = (name for name in sorted({*given} - NAMES) if name.startswith(tuple(families)))
    close = {name: difflib.get_close_matches(name, NAMES, n=1, cutoff=CLOSE) for name in strange}
    return {name: found[0] for name, found in close.items() if found}


def speech(settings: Settings) -> Iterator[Finding]:
    """Whether the speech service can be what the settings say."""
    peer = settings.deepgram()
    if peer.cloud and not settings.deepgram_api_key:
        yield bad(f"DEEPGRAM_URL={peer.url} takes nobody without a key", "set DEEPGRAM_API_KEY")
    elif peer.cloud and not peer.url.startswith("wss://"):
        yield bad(f"DEEPGRAM_URL={peer.url} is not encrypted", "that service is at wss:// only")
    else:
        yield good(f"speech: {peer.url}, because {peer.why}")


def engine(settings: Settings) -> Iterator[Finding]:
    """The local engine's packages and models, where it is what would be used."""
    if not settings.deepgram().local:
        return
    from telephony.engine.models import catalogue
    from telephony.engine.packages import INSTALL, PURPOSES, absent

    for name in absent():
        yield bad(f"{name} is not installed: it {PURPOSES[name]}", INSTALL)
    missing = catalogue.missing()
    if missing:
        yield bad(f"models not here: {', '.join(missing)}", catalogue.FETCH_COMMAND)
    damaged = [name for name in catalogue.MODEL_NAMES if name not in missing and not _intact(name)]
    for name in damaged:
        folder = catalogue.cache_dir() / name
        yield bad(f"the model {name} is damaged", f"rm -r {folder} && {catalogue.FETCH_COMMAND}")
    if not absent() and not missing and not damaged:
        yield good(f"local speech engine, models in {catalogue.cache_dir()}")
    yield from _voice(settings)


def _voice(settings: Settings) -> Iterator[Finding]:
    """Whether something here speaks, and answers to VOICE and each route's voice."""
    from telephony.engine.speak.voice_list import find_voices, voice_for

    try:
        names = [voice.name for voice in find_voices()]
        spoken = _of_routes(settings, settings.voice, "voice")
        for name, route in spoken.items():
            if _spoken_by(name, names, voice_for):
                yield good(f"VOICE {name}{route} is spoken by {voice_for(name, names)}")
            else:
                remedy = f"one of {', '.join(names)}, or a cloud voice's name such as flux-haley-en"
                yield bad(f"VOICE {name}{route} is not a voice of the local engine", remedy)
    except MissingModel as error:
        yield bad("nothing here can speak", str(error))


def _spoken_by(name: str, names: list[str], voice_for: Callable[[str, list[str]], str]) -> bool:
    try:
        return bool(voice_for(name, names))
    except KeyError:
        return False


def agent(settings: Settings) -> Iterator[Finding]:
    """The agent, and each route's, with its prompt."""
    from telephony.llm.after_call import schema_named
    from telephony.llm.loading import check_agent

    for (spec, prompt), route in _agents(settings).items():
        try:
            check_agent(spec, settings, f"agent{route}" if route else "AGENT", prompt)
        except BadInput as error:
            yield bad(f"agent {spec}{route}", str(error))
        else:
            yield good(f"agent {spec}{route}")
    if settings.after_call:
        try:
            schema_named(settings.after_call)
        except BadInput as error:
            yield bad(f"AFTER_CALL {settings.after_call}", str(error))


def pronunciations(settings: Settings) -> Iterator[Finding]:
    from telephony.server.pronunciations_file import pronunciations_of

    if settings.pronunciations is None:
        return
    try:
        known = pronunciations_of(settings)
    except BadInput as error:
        yield bad("pronunciations", str(error))
    else:
        yield good(f"pronunciations {settings.pronunciations}: {len(known.words)}")


def routes(settings: Settings) -> Iterator[Finding]:
    from telephony.config.listening import ENGLISH, primary
    from telephony.server.number_routes_file import routes_of

    if settings.routes is None:
        return
    try:
        found = routes_of(settings)
    except BadInput as error:
        yield bad(f"routes {settings.routes}", str(error))
        return
    yield good(f"routes {settings.routes}: {len(found.routes)} and a default")
    languages = {route.language for route in (*found.routes, found.default) if route.language}
    foreign = sorted(one for one in languages if primary(one) != ENGLISH)
    if settings.deepgram().local and foreign:
        yield note(f"{', '.join(foreign)}: the local engine hears English only", "set DEEPGRAM_API_KEY")


def _agents(settings: Settings) -> dict[tuple[str, str], str]:
    """Every agent with its route's prompt, and where it comes from other than the settings."""
    from telephony.server.number_routes_file import routes_of

    found = {(settings.agent, ""): ""}
    try:
        routes = routes_of(settings)
    except BadInput:
        return found  # told by the check of the routes
    for route in (routes.default, *routes.routes):
        where = f" (ROUTES, {route.name or 'default'})"
        found.setdefault((route.agent or settings.agent, route.prompt), where)
    return found


def _of_routes(settings: Settings, usual: str, field: str) -> dict[str, str]:
    """The settings' own value and those of the routes, each with where else it comes from, for its line."""
    from telephony.server.number_routes_file import routes_of

    found = {usual: ""}
    try:
        routes = routes_of(settings)
    except BadInput:
        return found  # reported by the check of the routes
    for route in (routes.default, *routes.routes):
        found.setdefault(getattr(route, field) or usual, f" (ROUTES, {route.name or 'default'})")
    return found


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
    from telephony.simulator.recording_source import HOW_TO_INSTALL_FFMPEG

    if shutil.which("ffmpeg"):
        yield good("ffmpeg")
    else:
        yield note("ffmpeg not found (needed only by `telephony transcribe`)", HOW_TO_INSTALL_FFMPEG)


def peers(settings: Settings) -> Iterator[Finding]:
    """What lies across a network: the speech service, and ourselves as Twilio sees us."""
    return look(settings)


CHECKS: tuple[Check, ...] = (
    python,
    packages,
    environment,
    speech,
    engine,
    agent,
    routes,
    pronunciations,
    phone_line,
    port,
    disk,
    open_files,
    ffmpeg,
    peers,
)


def at_start(settings: Settings) -> None:
    """What `serve` looks at besides what it opens itself: refuse what cannot work, warn of what may not.

    Raises BadInput. What doctor calls bad and a server can live with (a small disk, few descriptors, a name
    that may be another program's) is a line of the log.
    """
    refused: tuple[Check, ...] = (packages, speech)
    if settings.deepgram().local:
        refused += (python,)
    for finding in (one for check in refused for one in check(settings)):
        if finding.verdict is Verdict.BAD:
            raise BadInput(f"{finding.what}: {finding.remedy}")
    for finding in (one for check in (environment, disk, open_files) for one in check(settings)):
        if finding.verdict is Verdict.BAD:
            log.warning("%s: %s", finding.what, finding.remedy)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--offline", action="store_true", help="ask nothing over the network")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Prints every finding as it is made. Exit status 1 if one is bad."""
    broken, colour = 0, may_colour(sys.stdout, os.environ)
    for check in CHECKS:
        if check is peers and args.offline:
            continue
        for finding in check(settings):
            broken += finding.verdict is Verdict.BAD
            verdict = finding.verdict.value
            verdict = paint(verdict, COLOURS[finding.verdict]) if colour else verdict
            print(f"{verdict}  {finding.what}", flush=True)
            if finding.remedy:
                print(f"      {finding.remedy}", flush=True)
    print(f"{broken} problem{'' if broken == 1 else 's'} found" if broken else "all good")
    return 1 if broken else 0


def _intact(name: str) -> bool:
    """Whether each file has the checksum of the table: the engine compares sizes only, to start quickly."""
    import hashlib

    from telephony.engine.models import catalogue

    for file in catalogue.files_of(name):
        try:
            with (catalogue.cache_dir() / file.name).open("rb") as content:
                if hashlib.file_digest(content, "sha256").hexdigest() != file.sha256:
                    return False
        except OSError as error:
            raise MissingModel(f"{file.name} cannot be read: {error.strerror}") from error
    return True


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, to compare by."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())
