"""`telephony transcribe SOURCE`: live transcription with turn events, on the cloud and locally alike."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TextIO, TypeVar

from telephony.base.terminal import may_colour
from telephony.commands.subtitles import Writer
from telephony.commands.transcribe_options import flux_options, speech_peer
from telephony.commands.transcribe_screen import Screen
from telephony.commands.transcribe_source import TranscribeSource, paced
from telephony.commands.transcribe_stream import CLOSING_S, TranscriptionStream
from telephony.config.settings import Settings
from telephony.deepgram.flux_messages import END_OF_TURN, NO_ACTIVE_TURN, ServerMessage, TurnInfo, Warning
from telephony.errors import BadInput

Opened = TypeVar("Opened")

INTERRUPTED = 130
SAME_CTRL_C_S = 0.5
"""A shell's tools (timeout, uv run) may pass on a Ctrl-C that the terminal has sent already."""

EPILOG = """examples:
  telephony transcribe talk.mp3
  telephony transcribe --fast --srt talk.mp4 > talk.srt
  telephony transcribe https://example.org/radio.m3u8 --events
  arecord -f S16_LE -r 16000 | telephony transcribe -
  telephony transcribe call.wav --json | jq 'select(.event == "EndOfTurn").transcript'

Words are green from a confidence of 0.90, yellow from 0.80, orange from 0.70, red below; without colour when
the output is not a terminal or NO_COLOR is set.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `telephony transcribe`."""
    parser.epilog = EPILOG
    parser.add_argument("source", metavar="SOURCE", help="a file, a URL, or - for standard input")
    parser.add_argument("--fast", action="store_true", help="as fast as the server listens, not in real time")
    parser.add_argument("--events", action="store_true", help="show the turn events too")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print the server's messages, one a line")
    output.add_argument(
        "--srt", action="store_const", const="srt", dest="subtitles", help="print SRT subtitles"
    )
    output.add_argument(
        "--vtt", action="store_const", const="vtt", dest="subtitles", help="print WebVTT subtitles"
    )
    parser.add_argument("--url", help="the speech server, instead of DEEPGRAM_URL")
    parser.add_argument("--model", help="the listening model, instead of FLUX_MODEL")
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="any other parameter of /v2/listen"
    )
    for mistake in ("--language", "--encoding", "--sample-rate"):  # usual ones: answered, not shown
        parser.add_argument(mistake, help=argparse.SUPPRESS)
    parser.add_argument(
        "--timeout", type=_seconds, default=60.0, metavar="SECONDS", help="for the connection (default: 60)"
    )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: some seconds are needed")
    return seconds


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Transcribes; 130 when interrupted, after the last turn was printed."""
    return asyncio.run(_transcribe(args, settings))


async def _transcribe(args: argparse.Namespace, settings: Settings) -> int:
    options = flux_options(args, settings)
    peer = speech_peer(args, settings)
    stop = asyncio.Event()
    _stop_at_interrupt(stop)
    source = await _unless(stop, TranscribeSource.open(args.source))
    if source is None:
        return INTERRUPTED
    try:
        async with _server(settings) if peer.local else _there(peer.url) as url:
            stream = await _unless(stop, TranscriptionStream.open(peer, url, options, args.timeout))
            if stream is None:
                return INTERRUPTED
            try:
                await _run(args, source, stream, stop)
            finally:
                await stream.close()
    finally:
        await source.close()
    return INTERRUPTED if stop.is_set() else 0


async def _run(
    args: argparse.Namespace, source: TranscribeSource, stream: TranscriptionStream, stop: asyncio.Event
) -> None:
    """Sends and prints at once; what the source or the server had to complain of comes last."""
    chunks = source.chunks() if args.fast else paced(source.chunks())
    printing = asyncio.create_task(_print(args, stream))
    sending = asyncio.create_task(stream.send(chunks, stop, fast=args.fast))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((sending, printing, stopping), return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set() and not sending.done():
            # A source that is silent at the moment (a live one, a pipe) would keep us waiting: end it.
            await source.close()
        if not printing.done() and (fault := await _fault(sending)) is not None:
            await stream.finish()
            await _closing(printing, stream)
            if not stop.is_set():
                raise fault
        await _closing(printing, stream)
        if source.warning:
            sys.stderr.write(f"telephony: {source.warning}\n")
    finally:
        for task in (sending, printing, stopping):
            task.cancel()
        await asyncio.gather(sending, printing, stopping, return_exceptions=True)


async def _fault(sending: asyncio.Task[None]) -> BadInput | None:
    """What the source had to complain of. A server that takes no more audio is not waited for."""
    done, _ = await asyncio.wait((sending,), timeout=CLOSING_S)
    error = sending.exception() if done else None
    if error is None or isinstance(error, BadInput):
        return error
    raise error


async def _closing(printing: asyncio.Task[None], stream: TranscriptionStream) -> None:
    """Waits for the server's last words, until it closes or has said nothing for `CLOSING_S`."""
    while not printing.done() and stream.silent_s() < CLOSING_S:
        await asyncio.wait((printing,), timeout=CLOSING_S - stream.silent_s())
    if printing.done():
        await printing


async def _print(args: argparse.Namespace, stream: TranscriptionStream) -> None:
    """Prints messages until the server closes, and then the turn that it left open."""
    printer = _Printer(args, sys.stdout)
    try:
        async for raw, message in stream.messages():
            printer.receive(raw, message)
    finally:
        printer.finish()


class _Printer:
    """Chooses between the three outputs, and writes them."""

    def __init__(self, args: argparse.Namespace, out: TextIO) -> None:
        self._out = out
        self._json = args.json
        terminal = out.isatty()
        colour = may_colour(out, os.environ)
        columns = shutil.get_terminal_size().columns
        live = terminal and os.environ.get("TERM") != "dumb"
        self._screen = Screen(colour=colour, live=live, events=args.events, width=columns)
        self._writer = Writer(args.subtitles) if args.subtitles else None
        self._open: TurnInfo | None = None
        if self._writer:
            self._write(self._writer.head())

    def receive(self, raw: str, message: ServerMessage) -> None:
        if self._json:
            self._write(raw + "\n")
        elif isinstance(message, TurnInfo):
            self._turn(message)
        elif isinstance(message, Warning) and message.code != NO_ACTIVE_TURN:  # the end's ForceEndTurn
            sys.stderr.write(f"telephony: the server warns: {message.code} {message.description}\n")

    def _turn(self, info: TurnInfo) -> None:
        if self._writer is None:
            self._write(self._screen.receive(info))
            return
        if info.event == END_OF_TURN:
            self._write(self._writer.turn(info if info.transcript else self._open or info))
            self._open = None
        elif info.transcript:
            self._open = info

    def finish(self) -> None:
        if self._writer is None:
            self._write("" if self._json else self._screen.finish())
        elif self._open is not None:
            self._write(self._writer.turn(self._open))

    def _write(self, text: str) -> None:
        if text:
            self._out.write(text)
            self._out.flush()


@asynccontextmanager
async def _server(settings: Settings) -> AsyncIterator[str]:
    """The local engine, for as long as it is needed."""
    from telephony.engine.process import EngineProcess

    engine = await EngineProcess.start(settings)
    try:
        yield engine.url
    finally:
        await engine.stop()


@asynccontextmanager
async def _there(url: str) -> AsyncIterator[str]:
    """A server that somebody else runs."""
    yield url


async def _unless(stop: asyncio.Event, opening: Coroutine[object, object, Opened]) -> Opened | None:
    """What is being opened, or None when the user gave up meanwhile."""
    task = asyncio.create_task(opening)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if stop.is_set() and not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return None
    return await task


def _stop_at_interrupt(stop: asyncio.Event) -> None:
    """The first Ctrl-C ends the source, the second the program."""

    loop = asyncio.get_running_loop()
    first_s: float | None = None

    def received() -> None:
        nonlocal first_s
        if first_s is None:
            first_s = loop.time()
        elif loop.time() - first_s > SAME_CTRL_C_S:
            os._exit(INTERRUPTED)
        stop.set()

    loop.add_signal_handler(signal.SIGINT, received)
