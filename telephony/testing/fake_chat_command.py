"""The stand-in for chat completions on the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from telephony.errors import BadInput
from telephony.testing.fake_chat import FakeChat
from telephony.testing.fake_chat_faults import NAMED, NONE, ChatFaults, named_fault
from telephony.testing.fake_chat_script import Script, always, in_turn, obedient, read_script, recorded

CHAT_EXAMPLES = """examples:
  telephony fake chat --port 9191          then LLM_URL=http://127.0.0.1:9191/v1 LLM_MODEL=any
  telephony fake chat --script talk.yaml   answers by rules, such as: - {caller: latte, say: One latte.}
  telephony fake chat --fault none --fault stall:10    the first answer is good, later ones stop
  telephony fake chat --obey               the worst model there can be, to try your guard rails
"""
SAID = "Certainly. Is there anything else that I can do for you?"


def add_chat_arguments(parser: argparse.ArgumentParser) -> None:
    """The options, without the port."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--script", type=Path, metavar="FILE", help="a YAML list of rules: caller, say, call")
    what.add_argument("--say", metavar="TEXT", default=SAID, help="the same answer to everything")
    what.add_argument("--recorded", type=Path, metavar="FILE", help="a stream as `curl -N` saved it")
    what.add_argument("--obey", action="store_true", help="the worst model: it calls whatever tool is named")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME",
        help=f"one a request, the last one stays; `none`, {', '.join(NAMED)}; some take a number: stall:10",
    )
    parser.add_argument("--first-token", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--pace", type=float, default=0.02, metavar="SECONDS", help="between tokens")
    parser.add_argument("--key", default="", help="refuse everybody who does not bring this key")
    parser.add_argument(
        "--model", action="append", default=[], help="refuse other models; several: give it several times"
    )


def fake_chat(options: argparse.Namespace) -> FakeChat:
    """The stand-in that the command line asks for. Raises BadInput."""
    return FakeChat(
        _script(options),
        faults=[_fault(name) for name in options.fault] or [NONE],
        first_token_s=options.first_token,
        pace_s=options.pace,
        api_key=options.key,
        models=options.model,
    )


def _script(options: argparse.Namespace) -> Script:
    if options.obey:
        return obedient
    if options.script is not None:
        return read_script(options.script)
    if options.recorded is not None:
        try:
            return in_turn(recorded(options.recorded))
        except OSError as error:
            raise BadInput(f"--recorded {options.recorded}: {error.strerror or error}") from error
    return always(options.say)


def _fault(name: str) -> ChatFaults:
    try:
        return NONE if name == "none" else named_fault(name)
    except ValueError as error:
        raise BadInput(f"--fault {name}: {error}") from error
