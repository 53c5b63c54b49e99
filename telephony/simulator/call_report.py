"""What a simulated call was: the contract's JSON object, the recordings, the lines that people read. PURE.

Moments of sound are the carrier's own, from what it played; what was said, meant and decided is the server's,
and null where the server does not tell.
"""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from telephony.audio.g711 import PHONE_RATE, ulaw_to_linear16
from telephony.audio.wav import write_wav
from telephony.base.terminal import CYAN, DIM, RED, YELLOW, paint
from telephony.simulator.phone import Flag, Phone
from telephony.simulator.playout import Playout

Json = dict[str, Any]

SNAP_S = 0.35
"""How far the server's estimate of a moment may lie from the wire's: it does not see the caller's ear."""
CONTIGUOUS_S = 0.02
SILENT_CALL_S = 2.0


@dataclass(frozen=True, slots=True)
class AudibleSpan:
    """Sound that played without a pause."""

    start_s: float
    end_s: float
    cut: bool = False
    """A `clear` ended it, or the end of the stream."""


@dataclass(slots=True)
class CallResult:
    """One placed call."""

    call_sid: str
    source: str
    ended_by: str = "error"
    """caller, agent, refused, or error"""
    why: str = ""
    duration_s: float = 0.0
    flags: list[Flag] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Expectations of a caller script that did not come true, and speech that was not there."""
    verbs: list[Json] = field(default_factory=list)
    """The TwiML that was carried out: verb, at_s."""
    record: Json | None = None
    """What the server's /api/calls/{id} said last."""
    phone: Phone | None = None
    files: dict[str, str | None] = field(
        default_factory=lambda: dict.fromkeys(("caller", "agent", "stereo", "tape", "report"))
    )

    @property
    def good(self) -> bool:
        """Whether no rule and no expectation was broken."""
        return not self.flags and not self.broken and self.ended_by in ("caller", "agent")

    def as_json(self) -> Json:
        """The object that `telephony call --json` prints."""
        phone, record = self.phone, self.record or {}
        playout = phone.playout if phone else Playout()
        facts = phone.facts if phone else None
        return {
            "call_id": record.get("call_id"),
            "call_sid": self.call_sid,
            "source": self.source,
            **{name: record.get(name) for name in ("from", "to", "started", "agent", "route")},
            "duration_s": round(self.duration_s, 3),
            "ended_by": self.ended_by,
            "violations": [{"code": f.code, "reason": f.reason, "at_s": f.at_s} for f in self.flags],
            "turns": turns(self.record, playout),
            "notes": record.get("notes"),
            "clears_s": [round(at, 3) for at in playout.clears],
            "marks": {
                "sent": playout.marks_sent,
                "played": (facts.marks_back if facts else 0) - playout.marks_cleared,
                "cleared": playout.marks_cleared,
            },
            "dtmf": [{"digit": digit, "at_s": at} for digit, at in (facts.keys if facts else ())],
            "files": self.files,
            "verbs": self.verbs,
            "broken": self.broken,
            "frames_lost": facts.frames_lost if facts else 0,
            "lateness_ms": lateness_ms(facts.lateness_s if facts else ()),
        }


def speech_problems(result: CallResult) -> list[str]:
    """What could not be heard or said, in the server's words if it says so; also after a polite goodbye."""
    if result.phone is None or result.ended_by not in ("caller", "agent"):
        return []  # it was not a call, which is reported elsewhere
    if result.record is None:
        silent = not result.phone.playout.segments and result.phone.duration_s > SILENT_CALL_S
        apology = any(verb["verb"] == "Say" for verb in result.verbs)
        return ["the agent made no sound: is its speech service there?"] if silent and apology else []
    speech = result.record.get("speech") or {}
    return [str(speech[key]) for key in ("listening", "voice") if speech.get(key)]


def audible_spans(playout: Playout) -> list[AudibleSpan]:
    """The agent's sound, pauses longer than a frame cutting it up."""
    found: list[AudibleSpan] = []
    for segment in playout.segments:
        start, end = segment.start / PHONE_RATE, segment.end / PHONE_RATE
        if found and start - found[-1].end_s <= CONTIGUOUS_S:
            found[-1] = AudibleSpan(found[-1].start_s, end)
        else:
            found.append(AudibleSpan(start, end))
    resolution = 2 / PHONE_RATE
    return [
        AudibleSpan(s.start_s, s.end_s, any(abs(at - s.end_s) <= resolution for at in playout.clears))
        for s in found
    ]


def turns(record: Json | None, playout: Playout) -> list[Json]:
    """The server's turns with the wire's moments of sound; without a server's, what the wire shows."""
    heard = audible_spans(playout)
    if record is None:
        return [
            {
                "index": index,
                "caller": None,
                "agent": {
                    "text": None,
                    "heard": None,
                    "first_audio_s": round(span.start_s, 3),
                    "last_audio_s": round(span.end_s, 3),
                    "interrupted": span.cut,
                },
                "latency_ms": None,
            }
            for index, span in enumerate(heard)
        ]
    turns: list[Json] = []
    for turn in record.get("turns") or []:
        agent = turn.get("agent")
        if isinstance(agent, dict) and agent.get("first_audio_s") is not None:
            agent = {**agent, **_moments(agent, playout, heard)}
        turns.append({**turn, "agent": agent})
    return turns


def _moments(agent: Json, playout: Playout, heard: Sequence[AudibleSpan]) -> Json:
    """The wire's own first and last moment of a reply that the server placed roughly."""
    first, last = agent["first_audio_s"], agent.get("last_audio_s")
    starts = [s.start_s for s in heard]
    first = (
        _nearest(first, starts) or _nearest(first, [p.start / PHONE_RATE for p in playout.segments]) or first
    )
    if last is not None:
        ends = [s.end_s for s in heard]
        last = _nearest(last, ends) or _nearest(last, [p.end / PHONE_RATE for p in playout.segments]) or last
    return {"first_audio_s": round(first, 3), "last_audio_s": None if last is None else round(last, 3)}


def _nearest(moment: float, moments: Sequence[float]) -> float | None:
    best = min(moments, key=lambda other: abs(other - moment), default=None)
    return best if best is not None and abs(best - moment) <= SNAP_S else None


def lateness_ms(lateness_s: Sequence[float]) -> Json | None:
    """How late the simulator itself was: p50, p99 and the worst frame."""
    if not lateness_s:
        return None
    ordered = np.sort(np.asarray(lateness_s)) * 1000
    return {
        name: round(float(ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]), 1)
        for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
    }


def recordings(phone: Phone) -> dict[str, bytes]:
    """The call's three WAV files by name: linear16 at 8,000 Hz, both channels on the call's clock."""
    caller = ulaw_to_linear16(bytes(phone.said))
    agent = ulaw_to_linear16(phone.playout.window(0, len(phone.said)))
    both = np.stack([np.frombuffer(caller, "<i2"), np.frombuffer(agent, "<i2")], axis=1)
    return {
        "caller.wav": write_wav(caller),
        "agent.wav": write_wav(agent),
        "call.wav": write_wav(both.tobytes(), channels=2),
    }


BEHIND_S = 0.001
"""Notes stand behind the words that they were kept with."""


class CallReporter:
    """Turns what becomes known of a conversation into lines, each once, in the order of time.

    A line waits while something is still being said that began before it.
    """

    def __init__(self, *, verbose: bool = False) -> None:
        """`verbose`: also what was decided and why, and what the agent noted."""
        self._verbose = verbose
        self._reported: set[tuple[int, str, str]] = set()
        self._notes: dict[str, Any] = {}
        self._waiting: list[tuple[float, str]] = []

    def lines(self, record: Mapping[str, Any]) -> list[str]:
        """The lines that are new since the last look and have nothing before them any more."""
        open_since = math.inf
        for turn in record.get("turns") or []:
            index, caller, agent = turn.get("index", 0), turn.get("caller"), turn.get("agent")
            if caller and caller.get("eot_s") is None and caller.get("start_s") is not None:
                open_since = min(open_since, caller["start_s"])
            elif caller and caller.get("eot_s") is not None and caller.get("text"):
                self._add(index, "caller", caller.get("start_s"), caller["text"], "")
            if agent and agent.get("last_audio_s") is None and agent.get("first_audio_s") is not None:
                open_since = min(open_since, agent["first_audio_s"])  # its text is known when it is over
            elif agent and agent.get("last_audio_s") is not None and agent.get("text"):
                self._add(index, "agent", agent.get("first_audio_s"), agent["text"], _interruption(agent))
            if self._verbose:
                self._explain(index, turn)
        if self._verbose:
            self._noted(record)
        if not record.get("live", record.get("ended_by") is None):
            open_since = math.inf
        self._waiting.sort(key=lambda waiting: waiting[0])
        due = [line for at, line in self._waiting if at <= open_since]
        del self._waiting[: len(due)]
        return due

    def _explain(self, index: int, turn: Mapping[str, Any]) -> None:
        """Decisions with their reasons."""
        for decision in turn.get("decisions") or []:
            what = f"{decision.get('what', '')}: {decision.get('reason', '')}"
            self._add(index, "why", decision.get("at_s"), what, "")

    def _noted(self, record: Mapping[str, Any]) -> None:
        """What the agent has noted that is new, behind the words with which it was kept."""
        known = record.get("notes") or {}
        new = {name: value for name, value in known.items() if self._notes.get(name, ...) != value}
        if new:
            self._notes |= new
            began = [(turn.get("agent") or {}).get("first_audio_s") for turn in record.get("turns") or []]
            at = max((one for one in began if one is not None), default=0.0)
            line = f"{clock(at)}  notes   {json.dumps(new, ensure_ascii=False)}"
            self._waiting.append((at + BEHIND_S, line))

    def _add(self, index: int, who: str, at: float | None, text: str, note: str) -> None:
        key = (index, who, text + note)
        if key not in self._reported:
            self._reported.add(key)
            self._waiting.append((-1.0 if at is None else at, f"{clock(at)}  {who:6}  {text}{note}"))


def _interruption(agent: Mapping[str, Any]) -> str:
    return f'   [interrupted; heard: "{agent.get("heard") or ""}"]' if agent.get("interrupted") else ""


_PAINTED = (
    (re.compile(r"^\s*\S*  (?:why|notes) .*$"), DIM),
    (re.compile(r"(?<=   )\[interrupted; heard: .*\]$|^interrupted: .*$"), YELLOW),
    (re.compile(r"^(?:Twilio would flag|not as expected: |note: this machine).*$"), RED),
    (re.compile(r"(?<=\d  )caller(?=  )"), CYAN),
)


def painted(line: str) -> str:
    """A line for a terminal: interruptions yellow, what is wrong red, the caller set apart."""
    for pattern, colour in _PAINTED:
        line = pattern.sub(lambda found, colour=colour: paint(found[0], colour), line)  # type: ignore[misc]
    return line


def clock(at: float | None) -> str:
    """A moment of the call, for people: 0:06.2."""
    if at is None:
        return "      "
    tenths = max(0, round(at * 10))
    return f"{tenths // 600}:{tenths // 10 % 60:02}.{tenths % 10}"


def response_times(report: Sequence[Json]) -> list[float]:
    """From the caller's last sound to the agent's first, for every turn that was answered."""
    times = []
    for turn in report:
        caller, agent = turn.get("caller") or {}, turn.get("agent") or {}
        if caller.get("end_s") is not None and agent.get("first_audio_s") is not None:
            times.append(round(agent["first_audio_s"] - caller["end_s"], 3))
    return times


def summary(result: CallResult) -> list[str]:
    """The lines at a call's end."""
    report = result.as_json()
    lines = [f"{result.duration_s:.1f} s, ended by {_ENDED.get(result.ended_by, result.ended_by)}"]
    if result.why:
        lines[0] += f" ({result.why})"
    agent_turns = [turn["agent"] for turn in report["turns"] if turn["agent"]]
    caller_turns = sum(1 for turn in report["turns"] if turn["caller"])
    lines.append(f"turns: {caller_turns} of the caller, {len(agent_turns)} of the agent")
    times = sorted(response_times(report["turns"]))
    if times:
        count = f"{len(times)} answer{'s' if len(times) > 1 else ''}"
        lines.append(f"response: median {statistics.median(times):.2f} s, at most {times[-1]:.2f} s, {count}")
    lines += [
        f'interrupted: "{agent["text"]}", heard: "{agent["heard"]}"'
        for agent in agent_turns
        if agent["interrupted"] and agent["text"]
    ]
    if report["dtmf"]:
        lines.append("keys: " + " ".join(f"{key['digit']} at {key['at_s']:.2f} s" for key in report["dtmf"]))
    late = report["lateness_ms"]
    if late and late["p99"] > 10:
        lines.append(f"note: this machine was busy; frames left up to {late['max']:.0f} ms late")
    lines += [
        f"Twilio would flag {f['code']} at {f['at_s']:.2f} s: {f['reason']}" for f in report["violations"]
    ]
    lines += [f"not as expected: {what}" for what in result.broken]
    return lines + _files(result.files)


def _files(files: Mapping[str, str | None]) -> list[str]:
    """Where the call's files lie: one folder, and what is in it."""
    by_folder: dict[str, list[str]] = {}
    for name in ("stereo", "caller", "agent", "tape", "report"):
        path = files.get(name)
        if path:
            folder, _, file = path.rpartition("/")
            by_folder.setdefault(folder, []).append(f"{file} ({_FILES[name]})")
    return [f"files: {folder or '.'}: {', '.join(names)}" for folder, names in by_folder.items()]


_FILES = {
    "caller": "the caller",
    "agent": "the agent",
    "stereo": "both",
    "tape": "every decision",
    "report": "report",
}
_ENDED = {"caller": "the caller", "agent": "the agent", "refused": "a refusal", "error": "an error"}
