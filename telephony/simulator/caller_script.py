"""What a scripted caller does, as data; read from YAML. PURE but for reading the file.

    name: changes their mind
    voice: slt                        # who speaks; default: a local voice other than the agent's
    line: {loss: 2, jitter_ms: 60, echo: {delay_ms: 120, db: -20}}
    steps:
      - wait_for: agent_silent        # or agent_speaking, or {words: "anything else", within_s: 10}
      - say: A large latte, please.   # or {file: latte.wav}, or {text: ..., voice: ...}
      - interrupt: {after_ms: 800, say: "Sorry, a small one."}
      - backchannel: {after_ms: 600, say: "uh-huh"}
      - noise: {file: cafe.wav, snr_db: 10}       # from here on; `noise: off` ends it
      - dtmf: "42#"
      - wait: 1.5
      - expect: {says: "thank you"}   # of the agent, within_s (10) from now
      - expect: {ended_by: agent}     # this and all others: of the whole call
      - hangup

A mistake is a BadScript, `file:line: what is wrong`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from telephony.config.yaml_file import Value, read_yaml
from telephony.simulator.network import EchoPath, Impairments

WITHIN_S = 15.0
"""How long a wait may take before the caller gives up."""
EXPECT_WITHIN_S = 10.0
SILENT_FOR_S = 0.7
"""Longer than the pauses between an agent's sentences."""
SCRIPT_SUFFIXES = (".yaml", ".yml")
KEYS = "0123456789*#ABCD"
MAX_STEPS = 1000


@dataclass(frozen=True, slots=True)
class SpokenSound:
    """Words in a voice."""

    text: str
    voice: str = ""
    """A local voice; empty: one that is not the agent's."""


@dataclass(frozen=True, slots=True)
class RecordedSound:
    """Sound from a file."""

    path: Path


Sound = SpokenSound | RecordedSound


@dataclass(frozen=True, slots=True)
class SayStep:
    """Say something, to the end."""

    sound: Sound


@dataclass(frozen=True, slots=True)
class WaitStep:
    """Say nothing for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class WaitFor:
    """Say nothing until something is heard."""

    what: str
    """agent_speaking, agent_silent, words"""
    pattern: re.Pattern[str] | None = None
    within_s: float = WITHIN_S
    for_s: float = SILENT_FOR_S
    """How long silence must last."""
    gives_up: bool = True
    """Whether the caller hangs up when it does not come."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Say something while the agent speaks: an interruption, or a mere "uh-huh"."""

    after_s: float
    """Counted from the beginning of the agent's speech."""
    sound: Sound
    within_s: float = WITHIN_S


@dataclass(frozen=True, slots=True)
class PressKeys:
    """Press keys, one after another."""

    digits: str


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise behind all that is said from now on; None: no more."""

    sound: RecordedSound | None
    snr_db: float = 0.0


@dataclass(frozen=True, slots=True)
class HangUpStep:
    """Hang up."""


@dataclass(frozen=True, slots=True)
class ExpectStep:
    """What must be true when the call is over."""

    what: str
    value: str | float | re.Pattern[str]


Action = SayStep | WaitStep | WaitFor | Interrupt | PressKeys | Noise | HangUpStep | ExpectStep


@dataclass(frozen=True, slots=True)
class CallerStep:
    """An action and where it is written."""

    action: Action
    where: str
    """`file:line: words`, for reports."""


@dataclass(frozen=True, slots=True)
class CallerScript:
    """A whole caller."""

    name: str
    steps: tuple[CallerStep, ...]
    impairments: Impairments = Impairments()
    has_line: bool = False
    """Whether the script itself says how bad the line is."""

    def sounds(self) -> set[Sound]:
        """All that must be made or read before the call."""
        found: set[Sound] = set()
        for step in self.steps:
            sound = getattr(step.action, "sound", None)
            if sound is not None:
                found.add(sound)
        return found


def read_script(path: Path) -> CallerScript:
    """Read a script. Raises BadScript."""
    return _CallerScriptReader(path.parent).script(read_yaml(path, what="the caller's script"))


class _CallerScriptReader:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._voice = ""
        self._steps: Mapping[str, Callable[[Value], Action]] = {
            "say": lambda value: SayStep(self._sound(value)),
            "wait": lambda value: WaitStep(value.number(0, 600)),
            "wait_for": self._wait_for,
            "interrupt": lambda value: self._interrupt(value, None),
            "backchannel": lambda value: self._interrupt(value, "Uh-huh."),
            "dtmf": self._keys,
            "noise": self._noise,
            "expect": self._expect,
            "hangup": lambda value: HangUpStep(),
        }

    def script(self, top: Value) -> CallerScript:
        fields = top.fields(("name", "voice", "line", "steps"), needed=("steps",))
        self._voice = fields["voice"].text() if "voice" in fields else ""
        values = fields["steps"].values()
        if len(values) > MAX_STEPS:
            fields["steps"].wrong(f"more than {MAX_STEPS} steps")
        steps = tuple(self._step(value) for value in values)
        name = fields["name"].text() if "name" in fields else Path(top.file).stem
        line = self._line(fields["line"]) if "line" in fields else Impairments()
        return CallerScript(name, steps, line, "line" in fields)

    def _step(self, value: Value) -> CallerStep:
        where = f"{value.file}:{value.node.start_mark.line + 1}"
        if value.is_text:  # `- hangup`, or `- backchannel`
            name = value.text()
            if name == "hangup":
                return CallerStep(HangUpStep(), f"{where}: hangup")
            value.wrong(f"{name!r} cannot stand alone as a step; must be one of {', '.join(self._steps)}")
        fields = value.fields(tuple(self._steps))
        if len(fields) != 1:
            value.wrong("a step is one `name: value`")
        ((name, inner),) = fields.items()
        return CallerStep(self._steps[name](inner), f"{where}: {name}")

    def _sound(self, value: Value) -> Sound:
        if value.is_text:
            return SpokenSound(value.text(), self._voice)
        fields = value.fields(("text", "voice", "file"))
        if ("text" in fields) == ("file" in fields):
            value.wrong("either `text` or `file` is needed here")
        if "file" in fields:
            return self._file(fields["file"])
        return SpokenSound(
            fields["text"].text(), fields["voice"].text() if "voice" in fields else self._voice
        )

    def _file(self, value: Value) -> RecordedSound:
        path = self._folder / value.text()
        if not path.is_file():
            value.wrong(f"{path}: no such file")
        return RecordedSound(path)

    def _wait_for(self, value: Value) -> Action:
        names = ("agent_speaking", "agent_silent")
        if value.is_text:
            return WaitFor(value.one_of(names))
        fields = value.fields(("agent", "words", "within_s", "for_ms"))
        if ("agent" in fields) == ("words" in fields):
            value.wrong("either `agent: speaking`, `agent: silent` or `words` is needed here")
        wait = WaitFor("words", _pattern(fields["words"])) if "words" in fields else WaitFor(names[0])
        if "agent" in fields:
            wait = replace(wait, what="agent_" + fields["agent"].one_of(("speaking", "silent")))
        if "within_s" in fields:
            wait = replace(wait, within_s=fields["within_s"].number(0, 600))
        if "for_ms" in fields:
            wait = replace(wait, for_s=fields["for_ms"].number(0, 60_000) / 1000)
        return wait

    def _interrupt(self, value: Value, default: str | None) -> Action:
        if value.is_text and default is not None:
            return Interrupt(0.6, SpokenSound(value.text(), self._voice))
        fields = value.fields(("after_ms", "say", "within_s"), needed=() if default else ("say",))
        sound = self._sound(fields["say"]) if "say" in fields else SpokenSound(default or "", self._voice)
        after_s = fields["after_ms"].number(0, 60_000) / 1000 if "after_ms" in fields else 0.6
        within_s = fields["within_s"].number(0, 600) if "within_s" in fields else WITHIN_S
        return Interrupt(after_s, sound, within_s)

    def _keys(self, value: Value) -> Action:
        digits = value.text()
        if not set(digits) <= set(KEYS):
            value.wrong(f"{digits!r}: only the keys {KEYS} can be pressed")
        return PressKeys(digits)

    def _noise(self, value: Value) -> Action:
        if value.is_text:
            if value.text().lower() not in ("off", "false", "no"):
                value.wrong("`{file: ..., snr_db: ...}` or `off` is needed here")
            return Noise(None)
        fields = value.fields(("file", "snr_db"), needed=("file",))
        snr = fields["snr_db"].number(-20, 60) if "snr_db" in fields else 15.0
        return Noise(self._file(fields["file"]), snr)

    def _expect(self, value: Value) -> Action:
        fields = value.fields((*EXPECTATIONS, "says", "within_s"))
        if "says" in fields:
            within = fields["within_s"].number(0, 600) if "within_s" in fields else EXPECT_WITHIN_S
            return WaitFor("words", _pattern(fields["says"]), within, gives_up=False)
        if len(fields) != 1:
            value.wrong("one expectation is needed here")
        ((name, inner),) = fields.items()
        return ExpectStep(name, EXPECTATIONS[name](inner))

    def _line(self, value: Value) -> Impairments:
        fields = value.fields(
            ("seed", "loss", "jitter_ms", "stalls", "marks_lost", "marks_late_ms", "marks_twice", "drift_ppm")
            + ("echo", "drop_at_s", "frame_ms")
        )
        known: dict[str, object] = {}
        for name, inner in fields.items():
            if name == "echo":
                echo = inner.fields(("delay_ms", "db"), needed=("delay_ms", "db"))
                known[name] = EchoPath(echo["delay_ms"].number(0, 2000), echo["db"].number(-80, 10))
            elif name == "stalls":
                stalls = [stall.fields(("at_s", "seconds"), ("at_s", "seconds")) for stall in inner.values()]
                known[name] = tuple(
                    (stall["at_s"].number(0, 86_400), stall["seconds"].number(0, 600)) for stall in stalls
                )
            elif name in ("loss", "marks_lost", "marks_twice"):  # in percent, as the flags
                known[name] = inner.number(0, 100) / 100
            elif name == "seed":
                known[name] = int(inner.number(0, 2**32))
            else:
                known[name] = inner.number(-100_000 if name == "drift_ppm" else 0, 100_000)
        return replace(Impairments(), **known)  # type: ignore[arg-type]


def _pattern(value: Value) -> re.Pattern[str]:
    try:
        return re.compile(value.text(), re.IGNORECASE)
    except re.error as error:
        value.wrong(f"no regular expression: {error}")


EXPECTATIONS: Mapping[str, Callable[[Value], str | float | re.Pattern[str]]] = {
    "never_says": _pattern,
    "hears": _pattern,
    "ended_by": lambda value: value.one_of(("caller", "agent", "refused", "error")),
    "interrupted": lambda value: value.number(0, 1000),
    "response_s": lambda value: value.number(0, 600),
    "caller_turns": lambda value: value.number(0, 1000),
    "clears": lambda value: value.number(0, 10_000),
}
"""What can be expected of a whole call; how each is judged stands in script_caller.py."""
