"""RECORD=on, over the pretend carrier: what is in the file is what was said and heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from telephony.audio import read_wav
from telephony.record.consent import STOPPED
from tests.real_line import Running, running, said

AGENT = "tests.flow_agents:Memory"


def recordings(folder: Path) -> list[Path]:
    return list((folder / "calls").glob("*/call.wav"))


def channel(path: Path, number: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    wav = read_wav(path.read_bytes())
    return np.frombuffer(wav.linear16, "<i2")[number :: wav.channels]


async def recorded(server: Running, folder: Path) -> tuple[Path, Path]:
    """The server's recording, and the carrier's own of the same call."""
    await server.call(out_dir=folder / "carrier")
    [ours] = recordings(folder)
    return ours, folder / "carrier" / "call.wav"


async def test_the_recording_is_what_the_carrier_heard(tmp_path: Path) -> None:
    """Within a frame: each stretch of the agent's sound begins and ends where the caller heard it."""
    async with running(tmp_path, AGENT=AGENT, RECORD="on") as server:
        ours, carriers = await recorded(server, tmp_path)
        mine, theirs = channel(ours, 1), channel(carriers, 1)
    assert abs(len(mine) - len(theirs)) < 8000
    edges = [np.flatnonzero(np.diff((np.abs(sound) > 50).astype(int))) for sound in (mine, theirs)]
    first, last = [edge[0] for edge in edges], [edge[-1] for edge in edges]
    assert abs(first[0] - first[1]) < 800 and abs(last[0] - last[1]) < 800


async def test_nothing_is_recorded_unless_asked(tmp_path: Path) -> None:
    """Off is the default."""
    async with running(tmp_path, AGENT=AGENT) as server:
        await server.call(3.0)
    assert not recordings(tmp_path)


async def test_the_notice_comes_first(tmp_path: Path) -> None:
    """Before the greeting."""
    async with running(tmp_path, AGENT=AGENT, RECORD="on", RECORD_NOTICE="Calls are recorded.") as server:
        result = await server.call(3.0)
    assert said(result).startswith("Calls are recorded. Hi.")


async def test_a_notice_is_said_without_a_recording_too(tmp_path: Path) -> None:
    """That this is a machine may have to be said in any case."""
    async with running(tmp_path, AGENT=AGENT, RECORD_NOTICE="This is a machine.") as server:
        result = await server.call(3.0)
    assert said(result).startswith("This is a machine. Hi.") and not recordings(tmp_path)


@pytest.mark.parametrize("words", ["hello", "xyz,hello"])
async def test_a_caller_can_have_it_stopped(tmp_path: Path, words: str) -> None:
    """The stand-in's caller says hello: nothing is left of the recording."""
    async with running(tmp_path, AGENT=AGENT, RECORD="on", RECORD_STOP_WORDS=words) as server:
        result = await server.call(6.0)
    assert STOPPED in said(result) and not recordings(tmp_path)
