"""How many calls on one core, and how near the floor.

The server under test is alone on one core; callers and stand-ins (Flux, a voice) share the other; its agent
answers at once. Each call sends a frame every 20 ms and lives the stand-in's cycle of 6 s of received audio.

    python bench/capacity.py                     our server without and with eager replies, and the floor
    python bench/capacity.py --floor             the floor alone
    python bench/capacity.py --server-cmd CMD    another server; it gets PORT and DEEPGRAM_URL
    python bench/capacity.py --calls 50,120      these rungs only
    python bench/capacity.py --quick             a few calls: for correctness, not for figures

Times are p50/p95/p99 in ms. answer: EndOfTurn to first audio; clear: StartOfTurn to `clear`; frame: a frame
to Flux (of each group of four the last one is timed); loop: what /healthz waits; late: the callers' own
lateness. A row whose callers were late by more than 10 ms (p99) is void. holes: underruns
inside a reply; mute: EndOfTurns that nothing answered.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.load.figures import percentile, triple
from bench.load.load import Figures, Load
from bench.load.process import ServerProcess, floor_server, our_server

LADDER = (10, 50, 120, 180, 240)
WARM_S = 7.0  # every call has been through its cycle once
MEASURE_S = 12.0
QUICK = (5,)
SLOW_S = 0.2
FULL = 0.97
HONEST_S = 0.010
FLOOR = "the floor"
HEAD = (
    f"{'N':>4} {'ms/call-s':>9} {'core':>5} {'MB/call':>7} {'setup ms':>8} {'answer':>17} {'clear':>15} "
    f"{'frame':>14} {'stale':>5} {'holes':>5} {'mute':>4} {'lost':>4} {'loop':>15} {'late':>12}"
)


@dataclass
class Row:
    """One rung of the ladder."""

    calls: int
    cpu_ms: float
    """CPU milliseconds for each second of a call."""
    core: float
    memory_mb: float
    setup_ms: float
    figures: Figures
    lost: int
    """Calls that ended of themselves, or whose Flux connection was opened again."""

    @property
    def void(self) -> bool:
        """The callers were not honest."""
        return not percentile(self.figures.late, 0.99) <= HONEST_S

    @property
    def full(self) -> bool:
        """There is no point in more calls."""
        slow = max(
            percentile(values, 0.99) for values in (self.figures.answer or [0], self.figures.clear or [0])
        )
        return self.core >= FULL or slow > SLOW_S or self.lost > 0

    def __str__(self) -> str:
        f = self.figures
        return (
            f"{self.calls:>4} {self.cpu_ms:>9.2f} {self.core:>5.0%} {self.memory_mb:>7.2f} "
            f"{self.setup_ms:>8.1f} {triple(f.answer):>17} {triple(f.clear):>15} {triple(f.frame):>14} "
            f"{f.stale:>5} {f.underruns:>5} {f.unanswered:>4} {self.lost:>4} {triple(f.health):>15} "
            f"{triple(f.late):>12}{'  void' if self.void else ''}"
        )


class Bench:
    """One server on the ladder."""

    def __init__(
        self,
        name: str,
        command: str,
        eager: bool,
        quick: bool,
        rungs: tuple[int, ...],
        environment: dict[str, str],
    ) -> None:
        self.name = name
        self.command = command
        self.load = Load(eager)
        self.rungs = rungs
        self.quick = quick
        self.warm_s, self.measure_s = (1.0, 7.0) if quick else (WARM_S, MEASURE_S)
        self.environment = environment

    async def run(self) -> list[Row]:
        """Climb until it is full; print a row for each rung."""
        print(f"\n{self.name}\n{HEAD}", flush=True)
        rows: list[Row] = []
        server_core = None if (os.cpu_count() or 1) < 2 else 0
        speech = await self.load.start()
        server = await ServerProcess.start(self.command, speech, server_core, **self.environment)
        try:
            async with aiohttp.ClientSession() as session:
                base_mb = server.memory_mb()
                self.load.flux.sessions.clear()  # a server asks listening once, before it is ready
                for calls in self.rungs:
                    rows.append(await self.rung(session, server, calls, base_mb))
                    print(rows[-1], flush=True)
                    if rows[-1].full:
                        break
        finally:
            await self.load.close()
            await server.stop()
        return rows

    async def rung(
        self, session: aiohttp.ClientSession, server: ServerProcess, calls: int, base_mb: float
    ) -> Row:
        """Add calls up to `calls`, let them settle, and measure."""
        loop = asyncio.get_running_loop()
        running = len(self.load.legs)
        settled_ms = self.last_cpu_ms if running else 0.0
        began, used = loop.time(), server.cpu_s()
        for _ in range(calls - running):
            await self.load.call(session, server.url)
        spent_ms = (server.cpu_s() - used) * 1000 - settled_ms * running * (loop.time() - began)
        setup_ms = max(0.0, spent_ms) / max(1, calls - running)
        await asyncio.sleep(self.warm_s)
        self.load.figures = figures = Figures()
        began, used = loop.time(), server.cpu_s()
        while loop.time() - began < self.measure_s:
            asked = time.monotonic()
            async with session.get(f"{server.url}/healthz"):
                figures.health.append(time.monotonic() - asked)
            await asyncio.sleep(0.1)
        seconds, cpu = loop.time() - began, server.cpu_s() - used
        self.last_cpu_ms = cpu * 1000 / seconds / calls
        lost = sum(leg.caller.lost for leg in self.load.legs) + len(self.load.flux.sessions) - calls
        memory = (server.memory_mb() - base_mb) / calls
        return Row(calls, self.last_cpu_ms, cpu / seconds, memory, setup_ms, figures, lost)

    last_cpu_ms = 0.0


def best(rows: list[Row]) -> Row | None:
    """The highest rung that counts."""
    return next((row for row in reversed(rows) if not row.void and not row.full), None)


async def main() -> int:
    """Run what was asked for. Exit status 1: a rule was broken (stale media, holes, nothing heard)."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--floor", action="store_true", help="the bare forwarding loop only")
    parser.add_argument("--server-cmd", help="another server's command")
    parser.add_argument("--quick", action="store_true", help="for correctness, not for figures")
    parser.add_argument("--calls", help="rungs, comma separated (default: a ladder up to 240)")
    options = parser.parse_args()
    quick: bool = options.quick
    rungs: tuple[int, ...] = QUICK if quick else LADDER
    if options.calls:
        rungs = tuple(int(rung) for rung in options.calls.split(","))
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, set(range(1, os.cpu_count() or 2)))
    else:
        print("one core only: the server and its callers share it, no figure is honest")
    ours = {"AGENT": "bench.load.agent:Instant", "FLUX_ENCODING": "linear16"}
    benches: list[Bench] = []
    if options.server_cmd:
        benches.append(Bench(options.server_cmd, options.server_cmd, False, quick, rungs, {}))
    elif not options.floor:
        for eager in ("voice",) if quick else ("off", "voice"):
            name = f"our server, eager replies {eager}"
            environment = {**ours, "EAGER": eager}
            benches.append(Bench(name, our_server(), eager != "off", quick, rungs, environment))
    if not options.server_cmd:
        benches.append(Bench(FLOOR, floor_server(), False, quick, rungs, {}))
    results = [await bench.run() for bench in benches]
    return summary(benches, results)


def summary(benches: list[Bench], results: list[list[Row]]) -> int:
    """The ratio that counts, and whether all was in order."""
    floor = {
        row.calls: row.cpu_ms
        for b, rows in zip(benches, results, strict=True)
        for row in rows
        if b.name == FLOOR
    }
    broken = 0
    print()
    for bench, rows in zip(benches, results, strict=True):
        top = best(rows) or (rows[-1] if bench.quick else None)
        if top is None:
            print(f"{bench.name}: no rung counts")
            continue
        near = min(floor, key=lambda n: abs(n - top.calls)) if floor else None
        ratio = (
            f", {top.cpu_ms / floor[near]:.2f} times the floor's CPU at N={near}"
            if near and floor[near]
            else ""
        )
        print(f"{bench.name}: {top.calls} calls on one core{ratio}")
        good = (
            top.figures.answer and top.figures.clear and not top.figures.stale and not top.figures.underruns
        )
        broken += not good
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(uvloop.run(main()))
