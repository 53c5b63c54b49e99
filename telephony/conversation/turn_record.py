"""The record of a call's turns: who said what, what was heard, how long it took. PURE.

Moments are kept as seconds of the call's clock and written as seconds of the caller's own stream clock
(first inbound frame = 0), so that they can be laid beside a recording.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

REDACTED = "(redacted)"
"""Written in place of a sensitive answer."""


class StreamClock:
    """Converts moments of the call's clock to the caller's stream clock.

    The least offset seen so far counts: it is the line at its quickest.
    """

    def __init__(self) -> None:
        self._offset: float | None = None

    def frame(self, stream_ms: int, now: float) -> None:
        """A media frame with this timestamp came at `now`."""
        offset = now - stream_ms / 1000
        if self._offset is None or offset < self._offset:
            self._offset = offset

    def when(self, stream_s: float) -> float:
        """The call's moment of this second of the caller's stream; a guess before the first frame."""
        return stream_s + (self._offset or 0.0)

    def at(self, now: float | None) -> float | None:
        """Seconds of the caller's stream at the call's moment `now`; None if either is unknown."""
        if now is None or self._offset is None:
            return None
        return round(now - self._offset, 3)


@dataclass(slots=True)
class CallerPart:
    """What the caller said. Times ending in `_audio` are already on the stream's clock."""

    text: str
    start_audio: float | None = None
    end_audio: float | None = None
    eot_audio: float | None = None
    eot_at: float | None = None
    eager_at: float | None = None
    trigger: str | None = None
    digits: bool = False
    """Keys were pressed: which ones is not recorded."""
    asked_digits: bool = False
    """These keys were asked for, and are not sensitive."""
    redacted: bool = False
    """It answers a sensitive question: what was said or keyed in must not be written down."""


@dataclass(slots=True)
class AgentPart:
    """What we said."""

    text: str = ""
    heard: str = ""
    kind: str = ""
    first_text_at: float | None = None
    first_sound_at: float | None = None
    """When the first of its audio lay in the store."""
    first_sent_at: float | None = None
    last_audio_at: float | None = None
    interrupted: bool = False
    uncertain: tuple[str, ...] = ()
    """Words of an interrupted reply that may or may not have been heard."""
    bound_ms: float | None = None
    """How far off, at most, the position may be at which it was interrupted."""
    paused: int = 0
    """How often it paused and went on."""

    def sent(self, now: float, text_at: float | None, sound_at: float | None) -> None:
        """Some of it went out at `now`; the first time counts. `text_at`, `sound_at`: as their fields."""
        if self.first_sent_at is None:
            self.first_sent_at, self.first_text_at, self.first_sound_at = now, text_at, sound_at

    def went_on(self) -> None:
        """It had paused for the caller, and goes on."""
        self.paused += 1

    def settle(self, text: str, heard: str, last_audio_at: float) -> None:
        """It is over: all its words, those that were heard, and when the last of its audio was played."""
        self.text, self.heard, self.interrupted = text, heard, False
        if self.first_sent_at is not None:
            self.last_audio_at = last_audio_at

    def interrupt(self, uncertain: tuple[str, ...], bound_ms: float) -> None:
        """It was interrupted."""
        self.interrupted, self.uncertain, self.bound_ms = True, uncertain, bound_ms

    def correct(self, heard: str) -> None:
        """The voice reported what was heard."""
        self.heard = heard


@dataclass(slots=True)
class TurnRecord:
    """One turn: what the caller said (None: we began), and our answer (None: there was none)."""

    index: int
    caller: CallerPart | None = None
    agent: AgentPart | None = None
    decisions: list[dict[str, Any]] = field(default_factory=list)
    saved_ms: float | None = None
    """What an eager draft saved."""
    wasted: dict[str, int] = field(default_factory=dict)
    """What discarded drafts cost: drafts, characters."""

    def begin_agent(self, kind: str) -> AgentPart:
        """Where our answer is written down."""
        if self.agent is None:
            self.agent = AgentPart(kind=kind)
        return self.agent

    def decided(self, what: str, reason: str, now: float) -> None:
        """A decision was made in this turn."""
        self.decisions.append({"at_s": now, "what": what, "reason": reason})

    def draft_saved(self, saved_ms: int) -> None:
        """The answer was drafted so long before the turn's end; the least that is reported counts."""
        self.saved_ms = saved_ms if self.saved_ms is None else min(self.saved_ms, saved_ms)

    def drafts_wasted(self, wasted: dict[str, int]) -> None:
        """What the drafts cost that were discarded before this turn's answer."""
        self.wasted = wasted


def turn_json(turn: TurnRecord, clock: StreamClock, line_s: float) -> dict[str, Any]:
    """One turn as JSON; `line_s` is the estimated delay from us to the caller's ear, in seconds."""
    caller, agent = turn.caller, turn.agent
    row: dict[str, Any] = {"index": turn.index, "caller": None, "agent": None, "latency_ms": None}
    if caller is not None:
        row["caller"] = {
            "text": caller.text,
            "start_s": _round(caller.start_audio),
            "end_s": _round(caller.end_audio),
            "eot_s": clock.at(caller.eot_at),
            "eot_audio_s": _round(caller.eot_audio),
            "eager_s": clock.at(caller.eager_at),
            "trigger": caller.trigger,
        }
    if agent is not None and caller is not None and agent.first_sent_at is None:
        row["unspoken"] = agent.text  # an answer of which no sound was sent is not one
    elif agent is not None:
        first = clock.at(agent.first_sent_at)
        last = clock.at(agent.last_audio_at)
        row["agent"] = {
            "text": agent.text,
            "heard": agent.heard,
            "first_audio_s": first if first is None else round(first + line_s, 3),
            "last_audio_s": last if last is None else round(last + line_s, 3),
            "interrupted": agent.interrupted,
            "uncertain": list(agent.uncertain),
            "bound_ms": agent.bound_ms,
            "kind": agent.kind,
            "paused": agent.paused,
        }
    if caller is not None and agent is not None:
        row["latency_ms"] = _latency(caller, agent, clock, line_s)
    row["decisions"] = [{**d, "at_s": clock.at(d["at_s"])} for d in turn.decisions]
    row["eager"] = {"saved_ms": turn.saved_ms, "wasted": turn.wasted}
    return row


def _latency(
    caller: CallerPart, agent: AgentPart, clock: StreamClock, line_s: float
) -> dict[str, int] | None:
    """From the caller's last sound to our first, in ms, and the parts that it is the sum of."""
    eot, first = clock.at(caller.eot_at), clock.at(agent.first_sent_at)
    if caller.end_audio is None or eot is None or first is None:
        return None
    end = caller.end_audio
    text = max(eot, min(clock.at(agent.first_text_at) or eot, first))
    sound = max(text, min(clock.at(agent.first_sound_at) or text, first))
    cuts = [end, eot, text, sound, first, first + line_s]
    names = ("listen", "think", "speak", "pace", "line")
    parts = {name: round((b - a) * 1000) for name, a, b in zip(names, cuts[:-1], cuts[1:], strict=True)}
    return {"mouth_to_ear": sum(parts.values()), **parts}


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
