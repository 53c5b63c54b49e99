"""How well the ledger knows what was heard: 500 interruptions at random moments, over clean and bad lines.

The ear is the pure playout on virtual time; its truth is how many samples it played before `clear` took
effect. Printed for each line: the error of the ledger's position in ms and in words, and how many errors were
larger than the bound that the ledger stated.

    python bench/ledger.py            about half a minute
    python bench/ledger.py --quick    30 interruptions a line: for correctness, not for figures
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from telephony.audio.g711 import PHONE_RATE
from telephony.conversation.policy import Policy
from telephony.events import Play
from telephony.reply.agent import Say, Wording
from telephony.testing.virtual_call import VirtualCall, VirtualVoice

TEXT = (
    "The quick brown fox jumps over the lazy dog while the band plays on, and nobody in the old house "
    "by the river seems to mind. Later in the evening a small crowd gathers to listen. Then it rains."
)
QUIET = Wording(greeting=Say(""), silence=())


@dataclass(frozen=True)
class Line:
    """A line's impairments: delays in s, of each message, in order."""

    name: str
    base_s: float = 0.03
    jitter_s: float = 0.0
    lost_frames: float = 0.0
    """Frames of the caller that never come: jumps in the timestamps."""
    lost_marks: float = 0.0
    late_marks_s: float = 0.0
    twice: float = 0.0
    drift_ppm: float = 0.0
    stall_s: tuple[float, float] = (0.0, 0.0)
    """Both ways stand still once, for a time between these."""
    exact: bool = True

    def way(self, dice: random.Random) -> Callable[[float], float]:
        """One direction's delay. Its stall comes at another moment than the other direction's."""
        begins, lasts = dice.uniform(2.0, 12.0), dice.uniform(*self.stall_s)

        def delay(now: float) -> float:
            stalled = begins + lasts - now if begins < now < begins + lasts else 0.0
            return self.base_s + dice.uniform(0, self.jitter_s) + stalled

        return delay

    def mark(self, dice: random.Random) -> tuple[float, ...]:
        """How late a mark comes back, each time that it does."""
        if dice.random() < self.lost_marks:
            return ()
        late = dice.uniform(0, self.late_marks_s)
        return (late, late + 0.3) if dice.random() < self.twice else (late,)


IMPAIRED = Line("", jitter_s=0.06, lost_frames=0.02, lost_marks=0.1, drift_ppm=300.0)
LINES = (
    Line("clean"),
    Line("clean, word times estimated", exact=False),
    replace(IMPAIRED, name="impaired: 2 % loss, 60 ms jitter, 10 % of marks lost, 300 ppm"),
    replace(IMPAIRED, name="  and word times estimated", exact=False),
    replace(IMPAIRED, name="  and marks 200 ms late, 10 % twice", late_marks_s=0.2, twice=0.1),
    replace(IMPAIRED, name="  and 500 ppm, stalls of 0.1 to 1 s", drift_ppm=500.0, stall_s=(0.1, 1.0)),
    Line("a stall of 0.8 s, 500 ppm", jitter_s=0.02, drift_ppm=500.0, stall_s=(0.8, 0.8)),
    Line("no marks return at all", jitter_s=0.02, lost_marks=1.0),
)


@dataclass(frozen=True)
class Miss:
    """One interruption's error."""

    ms: float
    words: int
    bound_ms: float

    @property
    def outside(self) -> bool:
        return self.ms > self.bound_ms + 0.5


def interrupt(line: Line, seed: int) -> Miss:
    """One call: a long answer, interrupted at a random moment."""
    dice = random.Random(seed)
    talk = VirtualCall(
        lambda turn, notes: [TEXT],
        QUIET,
        Policy(),
        voice=VirtualVoice(exact=line.exact),
        way_out=line.way(dice),
        way_back=line.way(dice),
        lose_frame=lambda: dice.random() < line.lost_frames,
        return_mark=lambda name: line.mark(dice),
        drift_ppm=line.drift_ppm,
    )
    talk.run(2)
    talk.caller("tell me")
    talk.run(dice.uniform(0.3, 11.0))
    talk.flux("StartOfTurn", "wait please")
    reply = max(command.reply for command in talk.commands if isinstance(command, Play))
    talk.run(0.6)
    claimed = talk.conversation.ledger.heard(reply, talk.now)
    talk.run(3.0)
    truth = sum(len(segment.payload) for segment in talk.playout.segments)
    borders = talk.word_ends(reply)
    words = abs(sum(end <= claimed.samples for end in borders) - sum(end <= truth for end in borders))
    return Miss(abs(claimed.samples - truth) * 1000 / PHONE_RATE, words, claimed.bound_ms)


def percentile(values: list[float], share: float) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, round(share * (len(ranked) - 1)))]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="30 interruptions a line")
    count = 30 if parser.parse_args().quick else 500
    print(f"{count} interruptions a line; error of the heard position\n")
    print(
        f"{'line':<66}{'p50 ms':>8}{'p95':>6}{'p99':>6}{'max':>6}"
        f"{'words p99':>11}{'bound p50':>11}{'outside':>9}"
    )
    for line in LINES:
        misses = [interrupt(line, seed) for seed in range(count)]
        ms = [miss.ms for miss in misses]
        row = [percentile(ms, share) for share in (0.5, 0.95, 0.99, 1.0)]
        words = percentile([float(miss.words) for miss in misses], 0.99)
        bound = percentile([miss.bound_ms for miss in misses], 0.5)
        outside = sum(miss.outside for miss in misses)
        print(
            f"{line.name:<66}{row[0]:>8.0f}{row[1]:>6.0f}{row[2]:>6.0f}{row[3]:>6.0f}{words:>11.0f}"
            f"{bound:>11.0f}{outside:>9}"
        )
    print("\nto reach: clean p99 <= 60 ms and <= 1 word; impaired p99 <= 150 ms; outside = 0")


if __name__ == "__main__":
    main()
