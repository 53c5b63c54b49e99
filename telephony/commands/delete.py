"""`telephony delete CALL`: a call's recording, tape and record, deleted everywhere."""

from __future__ import annotations

import argparse
import asyncio
import sys

from telephony.base.shared_store import SqliteSharedStore
from telephony.base.shared_store_memory import FailOpen
from telephony.config.settings import Settings
from telephony.errors import BadInput
from telephony.record.call_files import CallFiles
from telephony.server.dialler import forget_dialled
from telephony.server.shared_calls import SharedCalls


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `telephony delete`."""
    parser.add_argument(
        "call",
        metavar="CALL",
        help="our id, of a dialled call too, or the CallSid, which stands for all its streams",
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Delete. Raises BadInput when there is no such call, or it is running."""
    deleted = CallFiles(settings.data_dir).delete(args.call)
    deleted += asyncio.run(_forget(args.call, deleted, settings))
    if not deleted:
        raise BadInput(f"call {args.call} not found in {settings.data_dir}")
    sys.stdout.write(f"deleted {', '.join(deleted)}\n")
    return 0


async def _forget(call: str, call_sids: list[str], settings: Settings) -> list[str]:
    """Delete what the processes share of these calls; the call, if it was dialled and is only there."""
    shared = SqliteSharedStore(settings.data_dir / "shared.db")
    try:
        calls = SharedCalls(shared, FailOpen(shared))
        for call_sid in call_sids:
            await calls.delete(call_sid)
        by_sid = await shared.get(f"dialled:{call}")
        dialled = await forget_dialled(shared, str(by_sid["dial"]) if by_sid else call)
        return [call] if dialled else []
    finally:
        await shared.close()
