"""How fast and how rightly the agent falls silent.

    python bench/barge_in.py            all parts; the local engine's take nine minutes
    python bench/barge_in.py --quick    without the local engine, and few of the rest: for correctness

Three parts. On virtual time: 1,000 interruptions and 1,000 backchannels at random moments over clean and bad
lines: media that follows its `clear`, words lost or said again when going on. On the wire, with stand-ins:
how long `clear` takes. With the local engine: scripted callers in two voices and the recorded calls, against
an agent that talks and talks.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import local_calls
from bench.ledger import IMPAIRED, Line
from bench.load.figures import percentile
from bench.load.load import Load
from bench.load.process import ServerProcess, our_server
from bench.local_calls import Placed
from telephony import events as ev
from telephony.conversation.policy import Policy
from telephony.record.tape import TapeEntry
from telephony.reply.agent import Say, Wording
from telephony.testing.virtual_call import VirtualCall

QUIET = Wording(greeting=Say(""), silence=())
TEXT = (
    "The quick brown fox jumps over the lazy dog while the band plays on, and nobody in the old house "
    "by the river seems to mind. Later in the evening a small crowd gathers to listen. Then it rains."
)
BACKCHANNELS = (
    "Uh-huh.",
    "Yeah.",
    "Okay.",
    "Right.",
    "Mm-hmm.",
    "I see.",
    "Yeah, yeah.",
    "Oh, okay.",
    "Sure.",
    "Got it.",
)
INTERRUPTIONS = (
    "Stop, please.", "Wait a second.", "No, no.", "Hold on.", "Excuse me.", "Can I ask something?",
    "Not that story.", "Another one, please.", "I want to order.", "What was his name?",
)  # fmt: skip
TWO_PEOPLE, ONE_PERSON = ("slt", "joe-high"), ("joe", "joe-high")
CALLS = 20
"""On the wire, at once."""


def table(title: str, rows: Sequence[tuple[str, str, str]]) -> None:
    """Print figures beside what is to be reached."""
    print(f"\n{title}")
    for name, figure, goal in rows:
        print(f"  {name:<58}{figure:>16}   {goal}")


# ---- on virtual time


def start_call(line: Line, seed: int) -> tuple[VirtualCall, random.Random]:
    """A call in which the agent is in the middle of something long."""
    dice = random.Random(seed)
    talk = VirtualCall(
        lambda turn, notes: [TEXT] if turn.index == 0 else ["All right."],
        QUIET,
        Policy(),
        way_out=line.way(dice),
        way_back=line.way(dice),
        lose_frame=lambda: dice.random() < line.lost_frames,
        return_mark=lambda name: line.mark(dice),
        drift_ppm=line.drift_ppm,
        speak_s=lambda phrase: 0.05 + 0.4 * phrase * (seed % 2),
    )
    talk.run(2)
    talk.caller("tell me")
    talk.run(dice.uniform(0.3, 9.0))
    return talk, dice


def media_after_clear(talk: VirtualCall) -> int:
    """Media written between a `clear` and the next Play, and media of replies that were given up."""
    stale, stopped, given_up = 0, False, set()
    for _, event, commands in talk.tape:
        if isinstance(event, ev.Sent):
            stale += stopped or event.reply in given_up
        for command in commands:
            if isinstance(command, ev.ClearAudio):
                stopped = True
            elif isinstance(command, ev.Play):
                stopped = False
            elif isinstance(command, ev.CancelReply):
                given_up.add(command.reply)
    return stale


def interrupted(line: Line, seed: int) -> int:
    talk, dice = start_call(line, seed)
    talk.flux("StartOfTurn", "please stop")
    talk.run(dice.uniform(0.1, 0.8))
    talk.flux("EndOfTurn", "please stop now", quiet_s=0.3)
    talk.run(3)
    return media_after_clear(talk)


def went_on(line: Line, seed: int) -> tuple[int, int, int]:
    """A backchannel: stale media, words that were lost, words that were said again though wholly heard."""
    talk, dice = start_call(line, seed)
    talk.flux("StartOfTurn", "uh-huh")
    talk.run(dice.uniform(0.2, 0.8))
    talk.flux("EndOfTurn", "uh-huh", quiet_s=0.3)
    talk.run(20)
    whole: dict[int, int] = {}
    for word, samples in talk.truly_heard():
        whole[word.number] = whole.get(word.number, 0) + (samples >= word.samples - 200)
    mine = [word.number for word in talk.voice.words if word.reply == 1]
    lost = sum(not whole.get(number) for number in mine)
    again = sum(whole.get(number, 0) > 1 for number in mine)
    return media_after_clear(talk), lost, again


def on_virtual_time(count: int) -> None:
    clean, bad = Line("clean"), replace(IMPAIRED, name="impaired")
    stale = sum(interrupted(line, seed) for line in (clean, bad) for seed in range(count // 2))
    rows = [(f"media after its clear, in {count} interruptions", str(stale), "0")]
    for line in (clean, bad):
        results = [went_on(line, seed) for seed in range(count // 2)]
        changed = [lost + again for _, lost, again in results]
        rows += [
            (
                f"{line.name}: backchannels after which a word was lost",
                str(sum(lost > 0 for _, lost, _ in results)),
                "",
            ),
            (
                f"{line.name}: after which one was said again",
                str(sum(again > 0 for _, _, again in results)),
                "",
            ),
            (f"{line.name}: words lost or said again, at most", str(max(changed)), "1, the one that was cut"),
        ]
    table(f"virtual time, {count} interruptions and {count} backchannels", rows)


# ---- on the wire


async def on_the_wire(calls: int, seconds: float) -> None:
    load = Load(eager=False)
    speech = await load.start()
    try:
        server = await ServerProcess.start(our_server(), speech, None, AGENT="bench.load.agent:Instant")
        try:
            async with aiohttp.ClientSession() as session:
                for _ in range(calls):
                    await load.call(session, server.url)
                await asyncio.sleep(seconds)
        finally:
            await server.stop()
    finally:
        await load.close()
    f = load.figures
    late = f"{percentile(f.late, 0.99) * 1000:.1f} ms"
    p50, p99 = (percentile(f.clear, share) * 1000 for share in (0.5, 0.99))
    table(
        f"the wire, {calls} calls, {len(f.clear)} interruptions (callers' own lateness p99 {late})",
        [
            (
                "StartOfTurn to clear, p50 / p99",
                f"{p50:.1f} / {p99:.1f} ms",
                "p99 <= 5 ms on an idle machine",
            ),
            ("media between a clear and the next answer", str(f.stale), "0"),
        ],
    )


# ---- with the local engine


@dataclass(frozen=True)
class Outcome:
    """What became of one thing that the caller said while the agent spoke."""

    kind: str
    stop_s: float | None
    """From its onset until StartOfTurn's audio; None: the agent did not stop."""
    wall_s: float | None
    """From its onset until the agent was silent."""
    cut: bool
    went_on_s: float | None
    """The agent's silence until it went on."""


def script(voice: str, backchannels: Sequence[str], interruptions: Sequence[str], seed: int) -> str:
    dice = random.Random(seed)
    lines = [f"voice: {voice}", "steps:", "  - wait_for: agent_silent", "  - say: Tell me a story, please."]
    for text in backchannels:
        lines += [
            f"  - wait: {dice.uniform(1.5, 3.0):.2f}",
            f"  - backchannel: {{after_ms: {dice.randint(900, 1600)}, say: {text!r}}}",
        ]
    for text in interruptions:
        lines += [
            f"  - wait: {dice.uniform(1.5, 2.5):.2f}",
            f"  - interrupt: {{after_ms: {dice.randint(900, 1800)}, say: {text!r}}}",
        ]
    return "\n".join([*lines, "  - wait: 3", "  - hangup", ""])


def outcome(call: Placed, kind: str, begin: float, end: float) -> Outcome:
    """What the tape and the recording say of what was said from `begin` to `end`."""
    began, decided = None, ""
    held_at: float | None = None
    went_on_s: float | None = None
    offset = call.stream_offset()
    for entry in call.entries:
        at = entry.at - offset
        if at < begin or at > end + 6.0:
            continue
        if began is None and _starts(entry) and at < end + 1.5:
            began = entry.event.info.audio_window_end - begin  # type: ignore[union-attr]
        if decided == "cut" or (went_on_s is not None and at > end + 1.5):
            break
        for command in entry.commands:
            if isinstance(command, ev.ClearAudio) and held_at is None and began is not None:
                held_at = at
            elif (
                isinstance(command, ev.DecisionLogged)
                and began is not None
                and command.what in (ev.Decision.CUT, ev.Decision.GO_ON)
            ):
                decided = command.what
            elif (
                isinstance(command, ev.Play)
                and decided == "go on"
                and held_at is not None
                and went_on_s is None
            ):
                went_on_s = at - held_at
    stops = [at for at in call.told["clears_s"] if begin <= at <= end + 2.5]
    stopped = began is not None and held_at is not None
    return Outcome(
        kind, began if stopped else None, stops[0] - begin if stops else None, decided == "cut", went_on_s
    )


def _starts(entry: TapeEntry) -> bool:
    return isinstance(entry.event, ev.TurnInfoReceived) and entry.event.info.event == "StartOfTurn"


def callers_voices() -> tuple[str, str]:
    """Two voices; where no second person is installed, one at two pitches, and that is said."""
    if shutil.which("flite"):
        return TWO_PEOPLE
    print("\nflite is not here (apt-get install flite): the scripted callers are one voice at two pitches")
    return ONE_PERSON


async def with_the_local_engine(each: int, at_once: int) -> None:
    voices = callers_voices()
    with tempfile.TemporaryDirectory() as folder:
        sources = []
        for voice in voices:
            for part in range(2):
                backchannels = [BACKCHANNELS[(n + 5 * part) % len(BACKCHANNELS)] for n in range(each)]
                said = [INTERRUPTIONS[(n + 5 * part) % len(INTERRUPTIONS)] for n in range(each)]
                path = Path(folder) / f"{voice}-{part}.yaml"
                path.write_text(script(voice, backchannels, said, part))
                sources.append(path)
        settings = {"AGENT": "bench.agents:Talkative", "EAGER": "off"}
        calls = await local_calls.place_calls(sources, settings, at_once=at_once)
        recorded = await local_calls.place_calls(local_calls.open_calls(), settings, at_once=at_once)
    outcomes: list[Outcome] = []
    for call in calls:
        said_at = call.said()[1:]
        kinds = ["backchannel"] * each + ["interruption"] * each
        outcomes += [outcome(call, kind, *span) for kind, span in zip(kinds, said_at, strict=False)]
    backchannelled = [o for o in outcomes if o.kind == "backchannel"]
    broke_in = [o for o in outcomes if o.kind == "interruption"]
    table(
        f"the local engine, scripted callers in the voices {' and '.join(voices)}",
        [
            ("backchannels", str(len(backchannelled)), ">= 40"),
            ("  replies ended by one", _share([o.cut for o in backchannelled]), "at most 1 in 4"),
            ("  unheard, or no word of them", _share([o.stop_s is None for o in backchannelled]), ""),
            ("  silence until going on, p50", _p([o.went_on_s for o in backchannelled], 0.5), "<= 0.9 s"),
            ("interruptions", str(len(broke_in)), ">= 40"),
            (
                "  taken for backchannels, or unheard",
                _share([not o.cut for o in broke_in]),
                "at most 1 in 20",
            ),
            *_stops("  ", broke_in),
        ],
    )
    over: list[Outcome] = []
    for call in recorded:
        truth = local_calls.truth_of(local_calls.OPEN_CALLS / f"{call.name}.wav")
        for turn in truth["turns"]:
            speaking = any(a + 0.2 <= turn["start_s"] <= b for a, b in call.heard())
            if speaking and not turn["backchannel"]:
                over.append(outcome(call, "interruption", turn["start_s"], turn["end_s"]))
    table(
        "the local engine, recorded calls",
        [("turns that began while the agent spoke", str(len(over)), ""), *_stops("  ", over)],
    )


def _stops(indent: str, outcomes: Sequence[Outcome]) -> list[tuple[str, str, str]]:
    audio = [o.stop_s for o in outcomes]
    wall = [o.wall_s for o in outcomes]
    return [
        (f"{indent}not stopped at all", _share([o.stop_s is None for o in outcomes]), ""),
        (f"{indent}stop after the onset, audio time, p50", _p(audio, 0.5), "<= 0.45 s"),
        (f"{indent}stop after the onset, audio time, p95", _p(audio, 0.95), "<= 0.8 s"),
        (f"{indent}silent after the onset, on this machine, p50", _p(wall, 0.5), ""),
    ]


def _share(what: Sequence[bool]) -> str:
    return f"{sum(what)} of {len(what)}"


def _p(values: Sequence[float | None], share: float) -> str:
    known = [value for value in values if value is not None]
    return f"{percentile(known, share):.2f} s" if known else "-"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="without the local engine, and few of the rest")
    parser.add_argument("--each", type=int, default=10, help="of both kinds a call (four calls)")
    parser.add_argument("--at-once", type=int, default=2, help="calls at a time with the local engine")
    parser.add_argument("--local", action="store_true", help="the local engine's part alone")
    args = parser.parse_args()
    if not args.local:
        on_virtual_time(40 if args.quick else 1000)
        asyncio.run(on_the_wire(3 if args.quick else CALLS, 8.0 if args.quick else 36.0))
    if not args.quick:
        asyncio.run(with_the_local_engine(args.each, args.at_once))


if __name__ == "__main__":
    main()
