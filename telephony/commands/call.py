"""`telephony call SOURCE...`: a pretend carrier places calls, and shows what was said."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from telephony.base.terminal import may_colour
from telephony.config.kinds import host_is_loopback
from telephony.config.settings import Settings
from telephony.errors import BadInput
from telephony.logs import one_line
from telephony.simulator.call_options import CallOptions
from telephony.simulator.call_report import CallResult, painted, summary
from telephony.simulator.caller import HANG_UP_AFTER_S, Caller
from telephony.simulator.caller_source import make_caller
from telephony.simulator.junit import junit
from telephony.simulator.network import EchoPath, Impairments
from telephony.simulator.server_process import ServerProcess
from telephony.simulator.simulator import place_call


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `telephony call`."""
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="a recording (WAV, raw mu-law: .ulaw, or what ffmpeg reads; a URL, or - for standard input) "
        "or a caller's script (.yaml)",
    )
    parser.add_argument(
        "--server", metavar="URL", help="the server to call (default: one is started for the call)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the recordings of the call")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write a JUnit report of all calls")
    parser.add_argument("--json", action="store_true", help="print one JSON object for each call on stdout")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="also what was decided and why, and the agent's notes"
    )
    parser.add_argument(
        "-n", type=_count, default=1, metavar="N", help="calls at a time; a single SOURCE is played N times"
    )
    parser.add_argument(
        "--hang-up-after",
        type=_seconds,
        default=HANG_UP_AFTER_S,
        metavar="S",
        help="seconds of silence after the recording's end until the caller hangs up (default: %(default)g)",
    )
    parser.add_argument(
        "--from", dest="from_number", default="+12025550143", metavar="NUMBER", help="who calls"
    )
    parser.add_argument(
        "--to", dest="to_number", default="+12025550100", metavar="NUMBER", help="who is called"
    )
    _add_impairments(parser.add_argument_group("a bad line (all drawn from --seed)"))


def _add_impairments(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--seed", type=int, default=1, metavar="N", help="another seed is another bad line")
    add(
        "--frame",
        type=_seconds,
        default=20.0,
        metavar="MS",
        help="sound in each media message (default: %(default)g, Twilio's; other carriers: up to 1000)",
    )
    add("--loss", type=_share, default=0.0, metavar="PERCENT", help="of the caller's frames that get lost")
    add("--jitter", type=_seconds, default=0.0, metavar="MS", help="each frame is late by up to this")
    add(
        "--stall",
        type=_stall,
        action="append",
        default=[],
        metavar="AT:S",
        help="at AT nothing for S seconds",
    )
    add("--marks-lost", type=_share, default=0.0, metavar="PERCENT", help="of the marks that never come back")
    add("--marks-late", type=_seconds, default=0.0, metavar="MS", help="each mark is late by up to this")
    add(
        "--marks-twice", type=_share, default=0.0, metavar="PERCENT", help="of the marks that come back twice"
    )
    add("--drift", type=float, default=0.0, metavar="PPM", help="the line's clock runs slower than ours")
    add("--echo", type=_echo, metavar="MS:DB", help="the agent's voice comes back, e.g. 120:-20")
    add("--drop-at", type=_seconds, metavar="S", help="the connection is cut, without a word")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Place the calls; 0 all good, 1 a rule broken. Raises BadInput."""
    jobs = _jobs(args, settings)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_place_all(jobs, args, settings))


@dataclass(frozen=True, slots=True)
class CallJob:
    """One call to be placed."""

    source: Path
    make_caller: Callable[[], Caller]
    impairments: Impairments
    folder: Path


def _jobs(args: argparse.Namespace, settings: Settings) -> list[CallJob]:
    """Every call, with its source read: what cannot be played is refused before anything starts."""
    sources = [Path("stdin" if name == "-" else name) for name in args.sources]
    given = dict(zip(sources, args.sources, strict=True))
    if len(sources) == 1:
        sources *= args.n
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    out = (args.out or settings.data_dir / "placed" / f"{stamp}-{sources[0].stem}").absolute()
    _check_outputs(args)
    line = _impairments(args)
    callers = {
        source: make_caller(name, line, args.hang_up_after, settings.voice) for source, name in given.items()
    }
    names: dict[str, int] = {}
    jobs = []
    for source in sources:
        names[source.stem] = names.get(source.stem, 0) + 1
        again = "" if names[source.stem] == 1 else f"-{names[source.stem]}"
        folder = out if len(sources) == 1 else out / f"{source.stem}{again}"
        jobs.append(CallJob(source, *callers[source], folder))
    return jobs


def _check_outputs(args: argparse.Namespace) -> None:
    """Refuse what cannot be written to before the calls, not after them."""
    try:
        if args.out is not None:
            args.out.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise BadInput(f"--out {args.out}: is a file, not a folder") from None
    except OSError as error:
        raise BadInput(f"--out {args.out}: cannot be written to: {error.strerror}") from None
    if args.junit is not None and (args.junit.is_dir() or not args.junit.parent.is_dir()):
        raise BadInput(f"--junit {args.junit}: a file in a folder that exists is needed")


async def _place_all(jobs: Sequence[CallJob], args: argparse.Namespace, settings: Settings) -> int:
    async with AsyncExitStack() as stack:
        server = args.server
        if server is None:
            own = ServerProcess(
                ignore_environment=args.ignore_environment,
                env_file=args.env_file,
                max_calls=min(args.n, len(jobs)),
            )
            server = await stack.enter_async_context(own)
        else:
            server = _server_url(server)
        slots = asyncio.Semaphore(args.n)
        placing = [asyncio.create_task(_place(job, server, slots, args, settings, len(jobs))) for job in jobs]
        try:
            results = await asyncio.gather(*placing)
        finally:
            for task in placing:
                task.cancel()
            await asyncio.gather(*placing, return_exceptions=True)
    if args.junit is not None:
        args.junit.write_bytes(junit(results))
    return 0 if all(result.good for result in results) else 1


async def _place(
    job: CallJob,
    server: str,
    slots: asyncio.Semaphore,
    args: argparse.Namespace,
    settings: Settings,
    calls: int,
) -> CallResult:
    label = f"{job.folder.name}: " if calls > 1 else ""

    def report(line: str) -> None:
        shown = one_line(line)
        shown = painted(shown) if may_colour(sys.stderr, os.environ) else shown
        print(f"{label}{shown}", file=sys.stderr, flush=True)

    async with slots:
        report(f"calling, as {job.source.name}")
        result = await place_call(job.make_caller(), _options(job, server, args, settings, report))
    for line in summary(result):
        report(line)
    if args.json:
        print(json.dumps(result.as_json()), flush=True)  # ASCII: whatever the terminal can show
    return result


def _options(
    job: CallJob, server: str, args: argparse.Namespace, settings: Settings, report: Callable[[str], None]
) -> CallOptions:
    here = host_is_loopback(urlsplit(server).hostname or "")
    tokens, keys = settings.twilio_auth_token, settings.api_keys
    return CallOptions(
        server=server,
        source=job.source.name,
        out_dir=job.folder,
        impairments=job.impairments,
        auth_token=tokens[0].reveal() if tokens else None,
        # A server on this machine that Twilio reaches by another name: its URLs still lead here.
        public_url=settings.public_url or None if here and args.server is not None else None,
        api_key=keys[0].reveal() if keys else None,
        data_dir=settings.data_dir if here else None,
        from_number=args.from_number,
        to_number=args.to_number,
        report=report,
        verbose=args.verbose,
    )


def _server_url(text: str) -> str:
    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise BadInput(f"--server {text!r}: a URL like http://127.0.0.1:8080")
    return parts.geturl()


def _impairments(args: argparse.Namespace) -> Impairments:
    return Impairments(
        seed=args.seed,
        frame_ms=args.frame,
        loss=args.loss,
        jitter_ms=args.jitter,
        stalls=tuple(args.stall),
        marks_lost=args.marks_lost,
        marks_late_ms=args.marks_late,
        marks_twice=args.marks_twice,
        drift_ppm=args.drift,
        echo=args.echo,
        drop_at_s=args.drop_at,
    )


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 0 or more")
    return value


def _share(text: str) -> float:
    value = _seconds(text.removesuffix("%"))
    if value > 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage")
    return value / 100


def _stall(text: str) -> tuple[float, float]:
    at, colon, seconds = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"{text!r} is not AT:SECONDS, e.g. 12.5:2")
    return _seconds(at), _seconds(seconds)


def _echo(text: str) -> EchoPath:
    delay, colon, db = text.partition(":")
    try:
        return EchoPath(_seconds(delay), float(db))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not MILLISECONDS:DECIBELS, e.g. 120:-20") from None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
