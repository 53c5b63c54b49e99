"""The turns of a call, as they are told afterwards: who said what, what was heard, how long it took. PURE.

Moments are kept as seconds of the call's clock and told as seconds of the caller's own stream clock
(first inbound frame = 0), so that they can be laid beside a recording.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

REDACTED = "(redacted)"
"""Written in the place of a sensitive answer."""


class StreamClock:
    """Turns our moments into the caller's: the least offset seen is the line at its quickest."""

    def __init__(self) -> None:
        self._offset: float | None = None

    def frame(self, stream_ms: int, now: float) -> None:
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
    """Keys were pressed: their values are not kept."""
    asked_digits: bool = False
    """Those were asked for, and are not sensitive."""
    redacted: bool = False
    """It answers a sensitive question: what was said or keyed in is not written down."""


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
    """Of an interrupted reply, the words of which nobody can say whether they were heard."""
    bound_ms: float | None = None
    """How far off, at most, the position may be at which it was interrupted."""
    paused: int = 0
    """How often it was held and went on."""


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
    """What thrown-away drafts cost: drafts, characters."""


def turn_json(turn: TurnRecord, clock: StreamClock, line_s: float) -> dict[str, Any]:
    """The contract's JSON of one turn; `line_s` is the estimated way from us to the caller's ear."""
    caller, agent = turn.caller, turn.agent
    told: dict[str, Any] = {"index": turn.index, "caller": None, "agent": None, "latency_ms": None}
    if caller is not None:
        told["caller"] = {
            "text": caller.text,
            "start_s": _round(caller.start_audio),
            "end_s": _round(caller.end_audio),
            "eot_s": clock.at(caller.eot_at),
            "eot_audio_s": _round(caller.eot_audio),
            "eager_s": clock.at(caller.eager_at),
            "trigger": caller.trigger,
        }
    if agent is not None and caller is not None and agent.first_sent_at is None:
        told["unspoken"] = agent.text  # an answer of which not a sound was sent is none
    elif agent is not None:
        first = clock.at(agent.first_sent_at)
        last = clock.at(agent.last_audio_at)
        told["agent"] = {
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
        told["latency_ms"] = _latency(caller, agent, clock, line_s)
    told["decisions"] = [{**d, "at_s": clock.at(d["at_s"])} for d in turn.decisions]
    told["eager"] = {"saved_ms": turn.saved_ms, "wasted": turn.wasted}
    return told


def _latency(
    caller: CallerPart, agent: AgentPart, clock: StreamClock, line_s: float
) -> dict[str, int] | None:
    """From the caller's last sound to our first, cut where one part hands to the next; the parts add up."""
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
