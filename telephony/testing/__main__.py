"""`python -m telephony.testing flux|speak|both|chat --port N`: stand-ins for services, by themselves."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from pathlib import Path

from telephony.deepgram.flux_codec import FluxOptions
from telephony.testing.fake_chat_command import add_chat_arguments, fake_chat
from telephony.testing.fake_flux import FakeFlux
from telephony.testing.fake_scripts import Cycle, FakeScript, RecordedScript
from telephony.testing.fake_server import FakeServer
from telephony.testing.fake_speak import FakeSpeak, length_by_words


def parser() -> argparse.ArgumentParser:
    """The command line."""
    arguments = argparse.ArgumentParser(prog="python -m telephony.testing", description=__doc__)
    which = arguments.add_subparsers(dest="which", required=True)
    flux = which.add_parser("flux", help="/v2/listen: hears by the amount of audio, not by its content")
    flux.add_argument(
        "--capture", type=Path, help="frames of a recorded session; default: an endless conversation"
    )
    speak = which.add_parser("speak", help="/v2/speak: a tone")
    speak.add_argument("--seconds", type=float, help="length of every text; default: by its words")
    speak.add_argument("--pace", type=float, help="times faster than it is heard; default: all at once")
    both = which.add_parser("both", help="both on one port, as the service has them")
    chat = which.add_parser("chat", help="/v1/chat/completions: a language model")
    add_chat_arguments(chat)
    for one in (flux, speak, both, chat):
        one.add_argument("--port", type=int, default=0)
    both.set_defaults(capture=None, seconds=None, pace=None)
    return arguments


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
    """Until the process is told to end."""
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    if options.which == "chat":
        model = fake_chat(options)
        await model.start(options.port)
        print(model.url, flush=True)
        await over.wait()
        await model.close()
        return
    first, *others = standins(options)
    await first.start(options.port, *others)
    print(first.url, flush=True)
    await over.wait()
    for one in (first, *others):
        await one.close()


if __name__ == "__main__":
    asyncio.run(serve(parser().parse_args()))
