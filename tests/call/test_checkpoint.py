"""Conversations are saved when they stand otherwise, together with others', and never twice at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from telephony.call.checkpoint import CheckpointWriter
from tests.twilio_side import until


class Disk:
    """Writes when it is told to."""

    def __init__(self) -> None:
        self.written: list[dict[str, Any]] = []
        self.ready = asyncio.Event()
        self.fails = False

    async def write(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        self.written.append(dict(states))
        await self.ready.wait()
        if self.fails:
            raise OSError("full")


async def test_what_is_wanted_meanwhile_is_saved_together_and_newest() -> None:
    """The first at once; all others when it is done, each once, as it stands then."""
    disk = Disk()
    saver, turns = CheckpointWriter(disk.write), {"n": 0}
    saver.want("CA1", lambda: {"n": turns["n"]})
    await until(lambda: len(disk.written) == 1)
    for call in ("CA1", "CA2", "CA1", "CA3"):
        saver.want(call, lambda: {"n": turns["n"]})
    saver.drop("CA3")
    turns["n"] = 7
    assert disk.written == [{"CA1": {"n": 0}}], "one at a time"
    disk.ready.set()
    await until(lambda: len(disk.written) == 2)
    assert disk.written[1] == {"CA1": {"n": 7}, "CA2": {"n": 7}}


async def test_a_save_that_fails_is_not_the_last() -> None:
    disk = Disk()
    disk.fails = True
    disk.ready.set()
    saver = CheckpointWriter(disk.write)
    saver.want("CA1", lambda: {})
    await until(lambda: len(disk.written) == 1)
    disk.fails = False
    saver.want("CA1", lambda: {"again": True})
    await until(lambda: disk.written[-1] == {"CA1": {"again": True}})
