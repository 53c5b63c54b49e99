"""`telephony number +1...`: points a Twilio number's webhooks here, and back again."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from telephony.base.phone_numbers import country_of, international
from telephony.carrier.rest import WEBHOOK_FIELDS, Number, TwilioRest
from telephony.config.dial_policy import parse_number
from telephony.config.settings import Settings
from telephony.errors import BadInput


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `telephony number`."""
    parser.add_argument("number", metavar="NUMBER", help="a number of the account, as +14155550111")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--show", action="store_true", help="only show where it points")
    what.add_argument("--restore", action="store_true", help="point it to where it pointed before")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Show, set or restore. Raises BadInput and TwilioRefused."""
    args.number = international(args.number, country_of(settings.dial_from))
    parse_number(args.number)
    if not args.show and not args.restore and not settings.public_url:
        raise BadInput("PUBLIC_URL is not set: Twilio needs an address to call. --show only looks")
    return asyncio.run(_run(args, settings))


async def _run(args: argparse.Namespace, settings: Settings) -> int:
    rest = await TwilioRest.open(settings)
    try:
        number = await rest.find_number(args.number)
        kept = Kept(settings.data_dir / "numbers" / f"{number.phone_number.lstrip('+')}.json")
        _show("now", number.webhooks)
        if number.overridden_by:
            _warn(number)
        if args.show:
            return 0
        wanted = await asyncio.to_thread(kept.read) if args.restore else ours(settings)
        if not args.restore and number.webhooks != wanted:
            await asyncio.to_thread(kept.keep, number.webhooks)
        await rest.point_number(number.sid, wanted)
        _show("restored" if args.restore else "set", (await rest.find_number(number.phone_number)).webhooks)
        if args.restore:
            await asyncio.to_thread(kept.forget)
        return 0
    finally:
        await rest.close()


def ours(settings: Settings) -> dict[str, str]:
    """A number's webhooks when it is answered here."""
    base = settings.public_url
    return {
        "voice_url": f"{base}/twilio/voice",
        "voice_method": "POST",
        "voice_fallback_url": f"{base}/twilio/fallback",
        "voice_fallback_method": "POST",
        "status_callback": f"{base}/twilio/status",
        "status_callback_method": "POST",
    }


class Kept:
    """Where a number pointed before it pointed here. Reads and writes a file: not for the event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self, webhooks: Mapping[str, str]) -> None:
        """Remember, unless there is something already: set twice, the first state is the one to restore."""
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(dict(webhooks), indent=2) + "\n")

    def read(self) -> dict[str, str]:
        """What was kept. Raises BadInput when nothing was, or it is damaged."""
        try:
            found = json.loads(self._path.read_text())
            return {field: str(found[field]) for field in WEBHOOK_FIELDS}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{self._path}: nothing to restore is kept there") from error

    def forget(self) -> None:
        """It was restored."""
        self._path.unlink(missing_ok=True)


def _show(title: str, webhooks: Mapping[str, str]) -> None:
    sys.stdout.write(f"{title}:\n")
    for field in WEBHOOK_FIELDS:
        if not field.endswith("_method"):
            method = webhooks[field.removesuffix("_url") + "_method"]
            sys.stdout.write(f"  {field:<20} {method if webhooks[field] else ''} {webhooks[field] or '-'}\n")


def _warn(number: Number) -> None:
    kind = "trunk" if number.overridden_by.startswith("TK") else "application"
    sys.stderr.write(
        f"telephony: Twilio ignores voice_url while the number belongs to {kind} {number.overridden_by}: "
        "take it off the number in the console\n"
    )
