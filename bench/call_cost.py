"""What a call costs the server: CPU for each second of it, memory, set-up. Without the speech engine.

The server is a process of its own with stand-ins for Flux and the voice; the calls live a cycle of 6 s with
two turns, two replies of 2 s and one interruption.

    python bench/call_cost.py
    python bench/call_cost.py --quick     for correctness, not for figures
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import aiohttp
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.load.figures import triple
from bench.load.load import Figures, Load
from bench.load.process import ServerProcess, our_server

AGENT = "bench.load.agent:Instant"
WARM_S = 6.0


async def measure(calls: int, seconds: float, warm_s: float) -> bool:
    """Print one server's costs. False: something was wrong with its calls."""
    load, loop = Load(eager=False), asyncio.get_running_loop()
    speech = await load.start()
    server = await ServerProcess.start(our_server(), speech, None, AGENT=AGENT, EAGER="off")
    try:
        base_mb = server.memory_mb()
        used, began = server.cpu_s(), loop.time()
        await asyncio.sleep(1.0)
        idle_ms = (server.cpu_s() - used) * 1000 / (loop.time() - began)
        used, began = server.cpu_s(), loop.time()
        async with aiohttp.ClientSession() as session:
            for _ in range(calls):
                await load.call(session, server.url)
        setup_ms = ((server.cpu_s() - used) * 1000 - idle_ms * (loop.time() - began)) / calls
        await asyncio.sleep(warm_s)
        load.figures = figures = Figures()
        used, began = server.cpu_s(), loop.time()
        await asyncio.sleep(seconds)
        call_ms = ((server.cpu_s() - used) * 1000 / (loop.time() - began) - idle_ms) / calls
        print(f"calls at once              {calls}")
        print(f"CPU of a second of a call  {call_ms:.2f} ms")
        print(f"CPU of a call's set-up     {setup_ms:.1f} ms")
        print(f"CPU of the idle server     {idle_ms:.1f} ms a second")
        print(f"memory, idle               {base_mb:.1f} MB")
        print(f"memory, highest            {server.memory_mb('VmHWM'):.1f} MB")
        print(f"memory of a call           {(server.memory_mb() - base_mb) / calls:.2f} MB")
        print(f"EndOfTurn to first audio   {triple(figures.answer)} ms (p50/p95/p99)")
        print(f"StartOfTurn to clear       {triple(figures.clear)} ms")
        return bool(figures.answer and figures.clear) and not figures.stale and not figures.underruns
    finally:
        await load.close()
        await server.stop()


async def main() -> int:
    """Exit status 1: a call went wrong (nothing heard, stale media, holes)."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=10, help="how many at once (10)")
    parser.add_argument("--seconds", type=float, default=24.0, help="how long they are watched (24)")
    parser.add_argument("--quick", action="store_true", help="2 calls for 7 s: for correctness")
    options = parser.parse_args()
    if options.quick:
        return 0 if await measure(2, 7.0, 1.0) else 1
    return 0 if await measure(options.calls, options.seconds, WARM_S) else 1


if __name__ == "__main__":
    raise SystemExit(uvloop.run(main()))
