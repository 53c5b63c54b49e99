"""`telephony engine`: the local speech engine alone, for any Deepgram client."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys

from telephony.config.settings import Settings
from telephony.engine.models import fetch
from telephony.engine.serving import EngineOptions, serve
from telephony.engine.speak.voice_list import find_voices
from telephony.errors import MissingModel

DEFAULT_PORT = 9090
INTERRUPTED = 130


EPILOG = """the end of a stream:
  CloseStream ends no turn, here as on Flux: what was still being said comes as an Update. A client that wants
  its last turn sends ForceEndTurn, then CloseStream (send_force_end_turn(), send_close_stream() of the SDK).
  Audio that cannot be what the query promised gets an Error, at the latest at CloseStream.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.epilog = EPILOG
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: %(default)s); another one lets other machines use the engine,"
        " though no web page of another site",
    )
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="port, 0 for any free one (default: %(default)s)"
    )
    parser.add_argument(
        "--limit", type=int, help="streams listened to at once (default: 2 for each core)", metavar="N"
    )
    parser.add_argument("--fetch", action="store_true", help="fetch the models, and do nothing else")
    parser.add_argument("--voices", action="store_true", help="list the voices of this machine")
    parser.add_argument("--no-fetch", action="store_true", help="never fetch models: do with what is here")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Serves until SIGTERM, exit status 0, or Ctrl-C, 130."""
    if args.fetch:
        return fetch.main([])
    if args.voices:
        return _list_voices()
    os.environ["LOG_LEVEL"] = settings.log_level  # the recognition worker's, too
    return asyncio.run(_serve(EngineOptions(args.host, args.port, args.limit, not args.no_fetch)))


def _list_voices() -> int:
    """Each voice, and which the cloud's names are mapped onto. Exit status 2 where nothing can speak."""
    try:
        voices = find_voices()
    except MissingModel as error:
        print(error, file=sys.stderr)
        return 2
    for voice in voices:
        print(f"{voice.name:10} {voice.description}")
    print(
        f"flux-... and aura-2-... names are spoken by {voices[0].name} or {voices[1].name}, always the same"
    )
    return 0


async def _serve(options: EngineOptions) -> int:
    stop, status = asyncio.Event(), 0
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        nonlocal status
        status = INTERRUPTED
        stop.set()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, interrupted)
    await serve(options, stop, _announce)
    return status


def _announce(url: str) -> None:
    http = url.replace("ws", "http", 1)
    print(f"listening at {url}/v2/listen, speaking at {url}/v2/speak and {http}/v1/speak", flush=True)
    print(f"with our own server: DEEPGRAM_URL={url} telephony serve", file=sys.stderr)
