"""`telephony fake NAME`: a stand-in for a service, as a server of its own, with faults on demand."""

from __future__ import annotations

import argparse
import asyncio

from telephony.config.settings import Settings
from telephony.testing.__main__ import add_arguments, serve

__all__ = ["add_arguments", "run"]


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT. Raises BadInput."""
    asyncio.run(serve(args))
    return 0
