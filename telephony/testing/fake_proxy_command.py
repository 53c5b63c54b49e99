"""The proxy and the stand-in for Twilio's REST API on the command line."""

from __future__ import annotations

import argparse

from aiohttp import web

from telephony.errors import BadInput
from telephony.testing.fake_twilio_rest import Failure, FakeTwilioRest
from telephony.testing.fault_proxy import FaultProxy
from telephony.testing.proxy_faults import KINDS, ProxyFault, read_fault

PROXY_EXAMPLES = """examples:
  telephony fake proxy --to ws://127.0.0.1:9090 --port 9091 --fault "stall at 8s for 5s"
  telephony fake proxy --to 127.0.0.1:9090 --fault "flux: reset at 8s" --fault "speak: latency 2s"
  telephony fake proxy --to http://127.0.0.1:11434 --fault "chat: status 429 retry-after 2 for 10s"
faults, [SERVICE:] KIND [AMOUNT] [at SECONDS] [for SECONDS]:
""" + "".join(f"  {kind:13} {what}\n" for kind, (_, _, what) in KINDS.items())
TWILIO_EXAMPLES = """examples:
  telephony fake twilio --port 9292      then TWILIO_API_URL=http://127.0.0.1:9292
  telephony fake twilio --fail 429 --fail 503    the first two requests fail
"""
ACCOUNT = "AC" + "0" * 32
TOKEN = "0" * 32
ENGINE = "ws://127.0.0.1:9090"
CODES = {401: 20003, 404: 20404, 429: 20429}
"""Twilio's own code beside a status; others have 20500. https://www.twilio.com/docs/api/errors"""


def add_proxy_arguments(parser: argparse.ArgumentParser) -> None:
    """The options, without the port."""
    parser.add_argument(
        "--to",
        default=ENGINE,
        metavar="URL",
        help="the server behind it (default: %(default)s, the engine's)",
    )
    parser.add_argument(
        "--fault", action="append", default=[], metavar="TEXT", help="see below; several: again"
    )
    parser.add_argument("--seed", type=int, default=1, help="of jitter and garbage (default: %(default)s)")


def fake_proxy(options: argparse.Namespace) -> FaultProxy:
    """The proxy that the command line asks for. Raises BadInput."""
    try:
        return FaultProxy(options.to, [_fault(text) for text in options.fault], seed=options.seed)
    except ValueError as error:
        raise BadInput(f"--to {options.to}: {error}") from error


def _fault(text: str) -> ProxyFault:
    try:
        return read_fault(text)
    except ValueError as error:
        raise BadInput(f"--fault {text!r}: {error}") from error


def add_twilio_arguments(parser: argparse.ArgumentParser) -> None:
    """The options, without the port."""
    parser.add_argument("--account", default=ACCOUNT, metavar="SID", help="default: %(default)s")
    parser.add_argument("--token", default=TOKEN, help="its auth token (default: %(default)s)")
    parser.add_argument(
        "--number",
        action="append",
        default=[],
        metavar="NUMBER",
        help="a number of the account; several: again",
    )
    parser.add_argument(
        "--fail",
        action="append",
        type=int,
        default=[],
        metavar="STATUS",
        help="of one request each, in order",
    )


class FakeTwilio:
    """The stand-in, served: its life on a port."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Raises BadInput."""
        self.rest = FakeTwilioRest(options.account, {options.account: options.token})
        for number in options.number:
            self.rest.add_number(number)
        for status in options.fail:
            if not 400 <= status <= 599:
                raise BadInput(f"--fail {status}: it must be a status from 400 to 599")
            self.rest.failures.append(Failure(status, CODES.get(status, 20500)))
        self._runner = web.AppRunner(self.rest.app(), access_log=None, shutdown_timeout=0.1)
        self.url = ""

    async def start(self, port: int) -> None:
        """Listen on this machine. Raises OSError."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()
