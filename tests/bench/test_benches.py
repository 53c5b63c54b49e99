"""The load benches work: their quick forms run to the end, and what they watch is in order. No figures."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


async def run(name: str, *arguments: str) -> tuple[int, str]:
    """A bench's exit status and output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(BENCH / name),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    output = (await process.stdout.read()).decode()
    return await process.wait(), output


@pytest.mark.slow
async def test_the_cost_of_a_call_is_measured() -> None:
    """Calls are answered and interrupted, nothing stale is heard, and the figures are printed."""
    status, output = await run("call_cost.py", "--quick")
    assert status == 0, output
    for figure in ("CPU of a second of a call", "CPU of a call's set-up", "memory, highest"):
        assert figure in output


@pytest.mark.slow
async def test_the_capacity_bench_climbs_a_rung() -> None:
    """Our server and the floor under the same calls, and the ratio between them."""
    status, output = await run("capacity.py", "--quick")
    assert status == 0, output
    assert "the floor" in output


@pytest.mark.slow
async def test_a_process_that_dies_takes_no_call_with_it() -> None:
    """Four deaths in mid call: the agent goes on with its memory, and no record stays open."""
    status, output = await run("crash.py", "--quick")
    assert status == 0, output
    assert "broken                       0" in output


@pytest.mark.slow
async def test_strangers_harm_no_call() -> None:
    """No 5xx, no more admitted than there are lines, no frame of a running call lost."""
    status, output = await run("flood.py", "--quick")
    assert status == 0, output
    assert "frames lost              0" in output
    assert output.count("loop late, p99") == 4


@pytest.mark.slow
async def test_the_client_of_language_models_is_measured() -> None:
    """50 calls stream from the stand-in, and every hang-up is seen by the model."""
    status, output = await run("mind.py", "--quick")
    assert status == 0, output
    for figure in ("CPU of a reply of 50 tokens", "from leaving to the model's socket closed"):
        assert figure in output


@pytest.mark.slow
async def test_calls_that_a_model_answers_are_measured() -> None:
    """Every turn is answered, and every interruption closes the model's connection."""
    status, output = await run("mind.py", "calls", "--quick")
    assert status == 0, output
    rows = [
        line.split() for line in output.splitlines() if " ms" in line and (" on " in line or " off " in line)
    ]
    assert len(rows) == 2, output
