"""`python -m telephony.standins flux|speak --port N`: a stand-in of the speech service, by itself."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from pathlib import Path

from telephony.standins.flux import FluxStandIn
from telephony.standins.scripts import Cycle, Recorded
from telephony.standins.speak import SpeakStandIn, length_by_words


def parser() -> argparse.ArgumentParser:
    """The command line."""
    arguments = argparse.ArgumentParser(prog="python -m telephony.standins", description=__doc__)
    which = arguments.add_subparsers(dest="which", required=True)
    flux = which.add_parser("flux", help="/v2/listen: hears by the amount of audio, not by its content")
    flux.add_argument(
        "--capture", type=Path, help="frames of a recorded session; default: an endless conversation"
    )
    speak = which.add_parser("speak", help="/v2/speak: a tone")
    speak.add_argument("--seconds", type=float, help="length of every text; default: by its words")
    speak.add_argument("--pace", type=float, help="times faster than it is heard; default: all at once")
    for one in (flux, speak):
        one.add_argument("--port", type=int, default=0)
    return arguments


def standin(options: argparse.Namespace) -> FluxStandIn | SpeakStandIn:
    """The stand-in that the command line asks for."""
    if options.which == "speak":
        seconds: float | None = options.seconds
        return SpeakStandIn(length_by_words if seconds is None else lambda text: seconds, pace=options.pace)
    if options.capture is None:
        return FluxStandIn(lambda o: Cycle(eager=o.eager_eot_threshold is not None), keep_audio=False)
    frames: list[str] = json.loads(options.capture.read_text())["frames"]
    return FluxStandIn(lambda o: Recorded.read(frames), keep_audio=False)


async def serve(options: argparse.Namespace) -> None:
    """Until the process is told to end."""
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    server = standin(options)
    await server.start(options.port)
    print(server.url, flush=True)
    await over.wait()
    await server.close()


if __name__ == "__main__":
    asyncio.run(serve(parser().parse_args()))
