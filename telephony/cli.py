"""The command line: finds the command, reads the settings, and turns what can go wrong into one line.

A command is a module with `add_arguments(parser)` and `run(args, settings) -> int`; only the one that was
asked for is imported. Exit status: 0 good, 1 a rule or expectation broken, 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from telephony import __version__, logs
from telephony.base.private_files import UMASK
from telephony.config.settings import Settings
from telephony.errors import BadInput, TelephonyError

BAD_INPUT = 2
INTERRUPTED = 130
BROKEN_PIPE = 141  # as a shell reports SIGPIPE

log = logging.getLogger("telephony")


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the table: where a command lives, and its line in `--help`."""

    name: str
    module: str
    help: str
    quiet: bool = False
    """Logs only warnings unless LOG_LEVEL says otherwise: its own output is what people read."""
    private: bool = True
    """The files it makes are this user's alone, whatever the umask."""


class CommandModule(Protocol):
    """What a command's module offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace, settings: Settings) -> int: ...


COMMANDS = (
    Command("serve", "telephony.commands.serve", "answer calls: the server"),
    Command("call", "telephony.commands.call", "a pretend carrier places a call", quiet=True),
    Command("chat", "telephony.commands.chat", "talk to an agent by text, without audio", quiet=True),
    Command("engine", "telephony.commands.engine", "the local speech engine alone"),
    Command(
        "transcribe", "telephony.commands.transcribe", "live transcription with turn events", True, False
    ),
    Command("dial", "telephony.commands.dial", "place an outbound call", quiet=True),
    Command("number", "telephony.commands.number", "point a Twilio number's webhooks here", quiet=True),
    Command("delete", "telephony.commands.delete", "delete a call's recording, tape and record", quiet=True),
    Command("fake", "telephony.commands.fake", "a stand-in for a service: flux, speak, chat", quiet=True),
    Command("doctor", "telephony.commands.doctor", "check the set-up, and say what to do", quiet=True),
)

DESCRIPTION = "A phone line that listens, answers, and falls silent when it is interrupted."
EXAMPLES = """examples:
  telephony call recording.wav           one recorded call, answered end to end by a server of its own
  telephony call *.wav -n 4 --json       several, four at a time, one JSON object each
  telephony serve --port 8080            the server; settings come from the environment and .env
  telephony engine                       the local speech engine, for any Deepgram client
  telephony transcribe talk.mp3 --srt    subtitles of a file
  telephony doctor                       what is missing here, and what to do about it

exit status: 0 good, 1 a rule or expectation broken, 2 bad input, 130 interrupted
"""


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Runs one command line; returns its exit status. Never raises for what a user can do wrong."""
    argv = list(sys.argv[1:] if argv is None else argv)
    environ = os.environ if environ is None else environ
    try:
        return _run(argv, environ)
    except BadInput as error:
        return _complain(error, BAD_INPUT)
    except TelephonyError as error:
        log.debug("where it came from", exc_info=error)
        return _complain(error, 1)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    except BrokenPipeError:
        # Nobody reads our output any more (`| head`). Not an error, but Python must not try to flush it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    wanted = _wanted(argv)
    module = cast(CommandModule, import_module(wanted.module)) if wanted else None
    args = _parser(wanted, module.add_arguments if module else None).parse_args(argv)
    if wanted is None or module is None:  # argparse has already refused or helped
        return BAD_INPUT
    if wanted.private:
        os.umask(UMASK)
    settings = _settings(args, environ)
    if wanted.quiet and settings.log_level == "INFO":
        settings = replace(settings, log_level="WARNING")
    logs.set_up(settings.log_level, settings.secret_values())
    return module.run(args, settings)


def _settings(args: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    if args.ignore_environment:
        return Settings.load({})
    env_file: Path | None = args.env_file
    if env_file is not None and not env_file.exists():
        raise BadInput(f"{env_file}: no such file to read settings from")
    return Settings.load(environ, env_file or Path(".env"))


def _wanted(argv: Sequence[str]) -> Command | None:
    """The command that `argv` names, found before parsing so that only its module is imported."""
    words = iter(argv)
    for word in words:
        if word == "--env-file":
            next(words, None)
        elif not word.startswith("-"):
            return next((c for c in COMMANDS if c.name == word), None)
    return None


def _parser(
    wanted: Command | None, add_arguments: Callable[[argparse.ArgumentParser], None] | None
) -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "telephony", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=raw
    )
    parser.add_argument("--version", action="version", version=f"telephony {__version__}")
    parser.add_argument(
        "--env-file", type=Path, metavar="FILE", help="read settings from FILE instead of .env"
    )
    parser.add_argument(
        "--ignore-environment",
        action="store_true",
        help="use no setting of the environment or .env, only defaults",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for command in COMMANDS:
        sub = commands.add_parser(
            command.name, help=command.help, description=command.help.capitalize() + ".", formatter_class=raw
        )
        if command is wanted and add_arguments is not None:
            add_arguments(sub)
    return parser


def _complain(error: TelephonyError, status: int) -> int:
    sys.stderr.write(f"telephony: {logs.one_line(str(error))}\n")
    return status
