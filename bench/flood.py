"""What strangers and too many callers do to those who are being served.

1. A thousand webhooks and media sockets at once, against a server with MAX_CALLS=50 that carries 40 calls:
   ten more are admitted, everybody else hears busy or is closed, and the 40 notice nothing.
2. Five hundred idle, slow and malformed sockets beside 20 calls: no frame of theirs is lost.
3. Beside 20 calls of a server with a token and keys: forms of thousands of fields, clients that never read
   what they ask for, carriers that read nothing, wrong keys. The loop is late by under 20 ms (p99), and no
   call has a hole.

The attack comes from a process of its own, so that the callers' own frames are not late because of it.

    python bench/flood.py
    python bench/flood.py --quick     for correctness, not for figures
    python bench/flood.py --tree DIR  the server of another checkout, for a comparison; part 3 only
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.load import attack
from bench.load.figures import percentile, triple
from bench.load.load import Figures, Load
from bench.load.process import ServerProcess, our_server

AGENT = "bench.load.agent:Instant"
MAX_CALLS = 50
WARM_S = 3.0
AUTH_TOKEN, KEY = "0123456789abcdef" * 2, "bench-" + "k" * 26
STRANGERS = {"forms": 8, "deaf": 220, "carriers": 10, "keys": 8}
"""Kinds of the third part, and how many connections of each."""
BUCKET = re.compile(r'voice_event_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)')
LATE_P99_S = 0.020
LATE_S = 0.010  # a generator that is later than this says nothing about the server


async def flood(calls: int, visitors: int, settle_s: float) -> bool:
    """The first part. False: something was wrong."""
    load, server = await started(calls, MAX_CALLS)
    try:
        report = await attacked(server, "flood", visitors, settle_s, load)
        statuses, decided = Counter(report["statuses"]), sorted(report["decided_s"])
        lost = await frames_lost(load, server)
        print(f"webhooks at once           {visitors}, answered {dict(statuses)}")
        print(f"admitted, busy             {report['admitted']}, {report['busy']}")
        print(f"sockets                    {report['sockets']}")
        print(
            f"decision, p50 / p99        {percentile(decided, 0.5) * 1000:.0f} / "
            f"{percentile(decided, 0.99) * 1000:.0f} ms from the first byte of the burst"
        )
        show(load.figures, calls, lost)
        bad = [status for status in (*statuses, *report["sockets"]) if status.startswith("5")]
        return not bad and report["admitted"] <= MAX_CALLS - calls and unharmed(load.figures, lost)
    finally:
        await ended(load, server)


async def noise(calls: int, sockets: int, seconds: float) -> bool:
    """The second part. False: something was wrong."""
    load, server = await started(calls, MAX_CALLS)
    try:
        before = server.memory_mb()
        report = await attacked(server, "noise", sockets, seconds, load)
        lost = await frames_lost(load, server)
        print(f"bad sockets at a time      {sockets}, for {seconds:g} s: {report['opened']}")
        print(f"memory for them            {server.memory_mb('VmHWM') - before:.1f} MB at most")
        show(load.figures, calls, lost)
        return unharmed(load.figures, lost)
    finally:
        await ended(load, server)


async def strangers(kind: str, calls: int, connections: int, seconds: float, tree: str) -> bool:
    """One row of the third part. False: something was wrong."""
    more = {"PYTHONPATH": tree} if tree else {}
    locks = {"TWILIO_AUTH_TOKEN": AUTH_TOKEN, "API_KEYS": KEY, "METRICS_TOKEN": KEY}
    load, server = await started(calls, MAX_CALLS, AUTH_TOKEN, **locks, **more)
    try:
        before, files, lag = server.memory_mb(), server.files(), await lateness(server)
        attack_over = asyncio.create_task(attacked(server, kind, connections, seconds, load))
        await asyncio.sleep(seconds - 0.5)
        held = server.files() - files
        report = await attack_over
        late = late_p99(lag, await lateness(server))
        lost = await frames_lost(load, server)
        figures = load.figures
        print(f"{kind:26} {connections} connections, {seconds:g} s: {report['seen']}")
        print(f"loop late, p99             up to {late * 1000:g} ms")
        held_mb = f"{server.memory_mb('VmHWM') - before:.1f} MB at most, {held} descriptors at the end"
        print(f"held for them              {held_mb}")
        show(figures, calls, lost)
        return bool(tree) or (late <= LATE_P99_S and unharmed(figures, lost) and not figures.underruns)
    finally:
        await ended(load, server)


async def lateness(server: ServerProcess) -> dict[float, float]:
    """The server's own histogram of how late its loop was: upper bounds in seconds, counts."""
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{server.url}/metrics", headers=headers) as answer:
            return {float(bound): float(count) for bound, count in BUCKET.findall(await answer.text())}


def late_p99(before: Mapping[float, float], after: Mapping[float, float]) -> float:
    """The upper bound of the bucket that the 99th percentile of the time between lies in, seconds."""
    counts = {bound: count - before.get(bound, 0) for bound, count in after.items()}
    total = max(counts.values(), default=0)
    return min((bound for bound, count in counts.items() if count >= 0.99 * total), default=float("nan"))


async def started(
    calls: int, limit: int, auth_token: str = "", **environment: str
) -> tuple[Load, ServerProcess]:
    """A server that carries these calls."""
    load = Load(eager=False, auth_token=auth_token)
    speech = await load.start()
    given = {"AGENT": AGENT, "EAGER": "off", "MAX_CALLS": str(limit), "LOG_LEVEL": "ERROR", **environment}
    server = await ServerProcess.start(our_server(), speech, None, **given)
    try:
        async with aiohttp.ClientSession() as session:
            for _ in range(calls):
                await load.call(session, server.url)
        await asyncio.sleep(WARM_S)
    except BaseException:
        await ended(load, server)
        raise
    load.figures = Figures()
    return load, server


async def ended(load: Load, server: ServerProcess) -> None:
    await load.close()
    await server.stop()


async def attacked(
    server: ServerProcess, kind: str, sockets: int, seconds: float, load: Load
) -> Mapping[str, Any]:
    """Let the attack run, and the calls go on for a while after it; what the attacker saw."""
    program = str(Path(attack.__file__).with_name("strangers.py" if kind in STRANGERS else "attack.py"))
    attacker = await asyncio.create_subprocess_exec(
        *(sys.executable, program, kind, server.url, str(sockets), str(seconds), AUTH_TOKEN),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await attacker.communicate()
    await asyncio.sleep(2.0)
    report: Mapping[str, Any] = json.loads(out)
    return report


async def frames_lost(load: Load, server: ServerProcess) -> int:
    """Frames that our callers sent and the server did not take into their calls."""
    if load._wheel is not None:
        load._wheel.cancel()
    await asyncio.sleep(0.3)
    lost = 0
    async with aiohttp.ClientSession() as session:
        for leg in load.legs:
            url = f"{server.url}/api/calls/CA{leg.caller.number:032x}"
            async with session.get(url, headers={"X-API-Key": KEY}) as answer:
                media = (await answer.json())["media"]
            lost += leg.caller.frames - int(media["frames"]) + int(media["gaps"])
    return lost


def show(figures: Figures, calls: int, lost: int) -> None:
    """The rows about the calls that were there before."""
    late = percentile(figures.late, 0.99)
    void = "  (void: the generator itself was late)" if late > LATE_S else ""
    print(f"calls beside it            {calls}")
    print(f"  frames lost              {lost}")
    print(f"  frame in to Flux         {triple(figures.frame)} ms (p50/p95/p99)")
    print(f"  EndOfTurn to first audio {triple(figures.answer)} ms")
    print(f"  StartOfTurn to clear     {triple(figures.clear)} ms")
    print(f"  stale media, underruns   {figures.stale}, {figures.underruns}")
    print(f"  generator's lateness     {late * 1000:.1f} ms p99{void}\n")


def unharmed(figures: Figures, lost: int) -> bool:
    """Whether the calls were served as if nothing were."""
    return bool(figures.answer) and not lost and not figures.stale and not figures.unanswered


async def main(quick: bool, tree: str) -> int:
    """All parts; the exit status."""
    good = True
    if not tree:
        good &= await flood(10 if quick else 40, 200 if quick else 1000, 1.0)
        good &= await noise(5 if quick else 20, 100 if quick else 500, 3.0 if quick else 20.0)
    for kind, connections in STRANGERS.items():
        seconds = 4.0 if quick else 20.0
        good &= await strangers(kind, 5 if quick else 20, connections, seconds, tree) or quick
    if not good:
        print("the calls were harmed, or an answer was wrong")
    return 0 if good else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small and short: for correctness")
    parser.add_argument("--tree", default="", help="another checkout, whose server is attacked")
    given = parser.parse_args()
    raise SystemExit(uvloop.run(main(given.quick, given.tree)))
