"""`telephony dial +1...`: an outbound call, under the same policy and caps as the server's API."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace

from telephony.base.phone_numbers import international
from telephony.base.shared_store import SqliteSharedStore
from telephony.carrier.rest import TwilioRest
from telephony.config.dial_policy import mask, parse_number
from telephony.config.settings import Settings
from telephony.errors import BadInput
from telephony.server.dialler import LONGEST_CALL_S, MACHINE, Dialler, DialRequest, route_named
from telephony.server.number_routes_file import routes_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `telephony dial`."""
    parser.add_argument("number", nargs="?", metavar="NUMBER", help="whom to call, as +14155550111")
    parser.add_argument(
        "--from",
        dest="from_number",
        default="",
        metavar="NUMBER",
        help="where DIAL_FROM is not set: in its place",
    )
    parser.add_argument(
        "--agent", default="", metavar="ROUTE", help="name of a route in ROUTES (default: AGENT)"
    )
    parser.add_argument("--say", default="", metavar="TEXT", help="the first words, in place of the greeting")
    parser.add_argument("--machine", choices=MACHINE, help="what becomes of an answering machine")
    parser.add_argument("--unknown", choices=MACHINE, default="go_on", help="and where nobody can tell")
    parser.add_argument("--message", default="", metavar="TEXT", help="what is left after the beep")
    parser.add_argument(
        "--max-seconds", type=int, default=LONGEST_CALL_S, help="longest call (default: %(default)s)"
    )
    parser.add_argument(
        "--key", default="", help="dial once however often this is run with the same key in a day"
    )
    parser.add_argument("--json", action="store_true", help="print the call's record")
    switch = parser.add_mutually_exclusive_group()
    switch.add_argument("--stop", action="store_true", help="stop all dialling, and withdraw queued calls")
    switch.add_argument("--allow", action="store_true", help="allow dialling again")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Dial, stop or allow. Raises BadInput and TwilioRefused."""
    if bool(args.number) == bool(args.stop or args.allow):
        raise BadInput("telephony dial NUMBER, or --stop, or --allow")
    if args.machine == "message" and not args.message:
        raise BadInput("--machine message needs --message TEXT")
    if args.from_number and not settings.dial_from:  # a user at this machine could have set it
        own = international(args.from_number)
        parse_number(own)
        settings = replace(settings, dial_from=own)
    if args.agent:
        args.agent = route_named(args.agent, routes_of(settings), settings)
    work = _stop if args.stop else _allow if args.allow else lambda dialler: _dial(dialler, args)
    return asyncio.run(_with_dialler(settings, work))


async def _with_dialler(settings: Settings, work: Callable[[Dialler], Awaitable[int]]) -> int:
    rest = await TwilioRest.open(settings)
    shared = SqliteSharedStore(settings.data_dir / "shared.db")
    try:
        return await work(Dialler(settings, shared, rest))
    finally:
        await shared.close()
        await rest.close()


async def _dial(dialler: Dialler, args: argparse.Namespace) -> int:
    request = DialRequest(
        to=args.number,
        from_number=args.from_number,
        agent=args.agent,
        say=args.say,
        machine=args.machine,
        unknown=args.unknown,
        message=args.message,
        max_seconds=args.max_seconds,
        idempotency_key=args.key,
    )
    record, new = await dialler.dial(request)
    if args.json:
        sys.stdout.write(json.dumps(record) + "\n")
    else:
        already = "" if new else " (by an earlier run with this key)"
        said = f"dialled {mask(str(record.get('to', args.number)))}: {record.get('call_sid')}{already}"
        sys.stdout.write(said + "\n")
    return 0


async def _stop(dialler: Dialler) -> int:
    withdrawn = await dialler.stop()
    sys.stdout.write(f"dialling is stopped, {withdrawn} queued calls were withdrawn; --allow lifts it\n")
    return 0


async def _allow(dialler: Dialler) -> int:
    await dialler.allow()
    sys.stdout.write("dialling is allowed\n")
    return 0
