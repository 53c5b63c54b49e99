"""From the caller's last sound to the agent's first, on recorded calls with the local engine.

    python bench/response.py            eight minutes
    python bench/response.py --all      all recorded calls instead of four
    python bench/response.py --quick    without the local engine: what eager replies save on virtual time

Mouth to ear is measured on the two recorded channels, against the recordings' ground truth. The agent's words
are new every time, so no phrase is remembered. What a draft saved is the server's own account (see
telephony/conversation/drafts.py): how much earlier the answer sounded, no more than it took to make.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import local_calls
from bench.load.figures import percentile
from bench.local_calls import Placed
from telephony.conversation.policy import Policy
from telephony.reply.agent import Say, Wording
from telephony.testing.virtual_call import VirtualCall

SOME = ("open_01_clean_bargein", "open_02_midturn_pauses", "open_04_noise_snr10", "open_06_hold_music")
ANSWER_WITHIN_S = 6.0
EAGER = {"EAGER": "voice", "FLUX_EAGER_EOT_THRESHOLD": "0.5"}


@dataclass
class Row:
    """One way of answering."""

    name: str
    goal: str
    mouth_to_ear: list[float] = field(default_factory=list)
    greeting: list[float] = field(default_factory=list)
    saved: list[float] = field(default_factory=list)
    drafts: int = 0
    characters: int = 0

    def __str__(self) -> str:
        return (
            f"{self.name:<34}{_p(self.mouth_to_ear, 0.5):>9}{_p(self.mouth_to_ear, 0.95):>9}"
            f"{len(self.mouth_to_ear):>7}{_p(self.greeting, 0.5):>10}{_p(self.saved, 0.5):>9}"
            f"{len(self.saved):>7}{self.drafts:>8}{self.characters:>8}   {self.goal}"
        )


HEAD = (
    f"{'':<34}{'p50 s':>9}{'p95 s':>9}{'turns':>7}{'greeting':>10}{'saved s':>9}{'drafts':>7}"
    f"{'wasted':>8}{'chars':>8}"
)


def measure(row: Row, call: Placed, truth: dict[str, Any]) -> None:
    """Add one call's figures."""
    heard = call.heard()
    if heard:
        row.greeting.append(heard[0][0])
    turns = [turn for turn in truth["turns"] if not turn["backchannel"]]
    for turn, following in zip(turns, [*turns[1:], None], strict=True):
        until = min(turn["end_s"] + ANSWER_WITHIN_S, following["start_s"] if following else float("inf"))
        starts = [begin for begin, _ in heard if turn["end_s"] - 0.3 < begin < until]
        if starts:
            row.mouth_to_ear.append(starts[0] - turn["end_s"])
    for told in call.record.get("turns", ()):
        eager = told.get("eager") or {}
        if eager.get("saved_ms") is not None:
            row.saved.append(eager["saved_ms"] / 1000)
        row.drafts += eager.get("wasted", {}).get("drafts", 0)
        row.characters += eager.get("wasted", {}).get("characters", 0)


async def with_the_local_engine(names: Sequence[str] | None, at_once: int) -> None:
    recordings = [path for path in local_calls.open_calls() if names is None or path.stem in names]
    if not recordings:
        print("no recorded calls here (../shared/calls/open)")
        return
    plans = (
        (Row("answers at once, no drafts", "p50 <= 1.2 s"), "Instant", {"EAGER": "off"}),
        (Row("answers at once, drafts", "p50 <= 0.9 s"), "Instant", EAGER),
        (Row("first word after 350 ms, no drafts", ""), "Thinking", {"EAGER": "off"}),
        (Row("first word after 350 ms, drafts", "saved p50 >= 0.15 s"), "Thinking", EAGER),
    )
    print(f"{len(recordings)} recorded calls, {at_once} at a time\n\n{HEAD}", flush=True)
    for row, agent, settings in plans:
        environ = {"AGENT": f"bench.agents:{agent}", **settings}
        calls = await local_calls.place_calls(recordings, environ, at_once=at_once)
        for recording, call in zip(recordings, calls, strict=True):
            measure(row, call, local_calls.truth_of(recording))
        print(row, flush=True)
    print("\ngreeting: from the stream's first frame until it sounds, to reach: 0.6 s")


def on_virtual_time(count: int) -> None:
    """What drafts save when Flux says EagerEndOfTurn so much earlier than EndOfTurn."""
    print(f"{count} turns each, an agent that needs 350 ms and a voice that needs 250 ms\n")
    print(f"{'Flux is early by':>18}{'no drafts':>12}{'drafts':>10}{'saved':>8}")
    for early in (0.2, 0.4, 0.8):
        times = []
        for eager in ("off", "voice"):
            dice, waits = random.Random(5), []
            for _ in range(count):
                policy = Policy(eager=eager, eager_eot_threshold=0.5)
                talk = VirtualCall(
                    lambda turn, notes: ["Fine."],
                    Wording(greeting=Say("")),
                    policy,
                    think_s=0.35,
                    speak_s=0.25,
                )
                talk.run(1 + dice.random())
                talk.caller("a small latte please", eot_s=2 * early, eager=eager != "off")
                ended = talk.now
                talk.run(3)
                waits.append(talk.played_words()[0][1] - ended)
            times.append(percentile(waits, 0.5))
        print(f"{early:>16.1f} s{times[0]:>10.2f} s{times[1]:>8.2f} s{times[0] - times[1]:>6.2f} s")


def _p(values: Sequence[float], share: float) -> str:
    return f"{percentile(values, share):.2f}" if values else "-"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="without the local engine")
    parser.add_argument("--at-once", type=int, default=2, help="calls at a time")
    parser.add_argument("--all", action="store_true", help="all recorded calls")
    args = parser.parse_args()
    on_virtual_time(10 if args.quick else 100)
    if not args.quick:
        print()
        asyncio.run(with_the_local_engine(None if args.all else SOME, args.at_once))


if __name__ == "__main__":
    main()
