"""`python -m telephony.testing flux|speak|both|chat|twilio|proxy`: stand-ins for services, by themselves."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from telephony.deepgram.flux_codec import FluxOptions
from telephony.errors import BadInput
from telephony.testing.fake_chat import FakeChat
from telephony.testing.fake_chat_command import CHAT_EXAMPLES, add_chat_arguments, fake_chat
from telephony.testing.fake_flux import FakeFlux
from telephony.testing.fake_proxy_command import (
    PROXY_EXAMPLES,
    TWILIO_EXAMPLES,
    FakeTwilio,
    add_proxy_arguments,
    add_twilio_arguments,
    fake_proxy,
)
from telephony.testing.fake_scripts import Cycle, FakeScript, RecordedScript
from telephony.testing.fake_server import FakeServer
from telephony.testing.fake_speak import FakeSpeak, length_by_words
from telephony.testing.fault_proxy import FaultProxy

SINGLE: dict[str, Callable[[argparse.Namespace], FakeChat | FakeTwilio | FaultProxy]] = {
    "chat": fake_chat,
    "twilio": FakeTwilio,
    "proxy": fake_proxy,
}
"""Stand-ins that have a port for themselves."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which stand-in, and its options."""
    which = parser.add_subparsers(dest="which", metavar="NAME", required=True)
    flux = which.add_parser("flux", help="/v2/listen: hears by the amount of audio, not by its content")
    flux.add_argument(
        "--capture", type=Path, help="frames of a recorded session; default: an endless conversation"
    )
    speak = which.add_parser("speak", help="/v2/speak: a tone")
    speak.add_argument("--seconds", type=float, help="length of every text; default: by its words")
    speak.add_argument("--pace", type=float, help="times faster than it is heard; default: all at once")
    both = which.add_parser("both", help="flux and speak on one port, as the service has them")
    chat = which.add_parser("chat", help="/v1/chat/completions: a language model", epilog=CHAT_EXAMPLES,
                            formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    add_chat_arguments(chat)
    kept: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    twilio = which.add_parser("twilio", help="Twilio's REST API: one account", epilog=TWILIO_EXAMPLES, **kept)
    add_twilio_arguments(twilio)
    proxy = which.add_parser("proxy", help="spoils what passes through it", epilog=PROXY_EXAMPLES, **kept)
    add_proxy_arguments(proxy)
    for one in (flux, speak, both, chat, twilio, proxy):
        one.add_argument("--port", type=int, default=0, help="default: a free one, which is printed")
    both.set_defaults(capture=None, seconds=None, pace=None)


def standins(options: argparse.Namespace) -> list[FakeServer]:
    """The stand-ins that the command line asks for."""
    wanted: list[FakeServer] = []
    if options.which != "speak":
        frames = [] if options.capture is None else json.loads(options.capture.read_text())["frames"]
        wanted.append(FakeFlux(lambda o: _script(o, frames), keep_audio=False))
    if options.which != "flux":
        seconds: float | None = options.seconds
        length = length_by_words if seconds is None else lambda text: seconds
        wanted.append(FakeSpeak(length, pace=options.pace))
    return wanted


def _script(options: FluxOptions, frames: list[str]) -> FakeScript:
    return RecordedScript.read(frames) if frames else Cycle(eager=options.eager_eot_threshold is not None)


async def serve(options: argparse.Namespace) -> None:
    """Until the process is told to end. Raises BadInput for options that cannot be served."""
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    async with AsyncExitStack() as stack:
        try:
            url = await _started(options, stack)
        except (OSError, OverflowError) as error:
            why = error.strerror if isinstance(error, OSError) else None
            raise BadInput(f"--port {options.port}: {why or 'a port is a number from 0 to 65535'}") from error
        print(url, flush=True)
        await over.wait()


async def _started(options: argparse.Namespace, stack: AsyncExitStack) -> str:
    single = SINGLE.get(options.which)
    if single is not None:
        standin = single(options)
        stack.push_async_callback(standin.close)
        await standin.start(options.port)
        return standin.url
    first, *others = standins(options)
    for one in (first, *others):
        stack.push_async_callback(one.close)
    await first.start(options.port, *others)
    return first.url


def main() -> int:
    """The exit status: 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m telephony.testing", description=__doc__)
    add_arguments(parser)
    try:
        asyncio.run(serve(parser.parse_args()))
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
