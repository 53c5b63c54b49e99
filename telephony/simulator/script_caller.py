"""A scripted caller at work: listens, waits, speaks, interrupts, and judges. PURE."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from telephony.audio.dtmf import tones
from telephony.audio.g711 import FRAME_SAMPLES, PHONE_RATE, linear16_to_ulaw, ulaw_to_linear16
from telephony.simulator.call_report import response_times
from telephony.simulator.caller import HANG_UP_AFTER_S, PATIENCE_S, SILENT_FRAME
from telephony.simulator.caller_script import (
    Action,
    CallerScript,
    ExpectStep,
    HangUpStep,
    Interrupt,
    Noise,
    PressKeys,
    SayStep,
    Sound,
    WaitFor,
    WaitStep,
)
from telephony.simulator.playout import Playout

KEY_S, KEY_GAP_S = 0.12, 0.1
KEY_KNOWN_S = 0.06
"""A key is reported this long after its tone's onset."""
SPEECH_LEVEL = 32768 * 10 ** (-20 / 20)
"""Active level of what a caller says, against which noise is measured."""
WAS_SILENT_S = 0.3
"""Shorter pauses do not begin a new speech of the agent."""


class ScriptCaller:
    """Carries out a script. `sounds` are all of its sounds as mu-law."""

    def __init__(
        self,
        script: CallerScript,
        sounds: Mapping[Sound, bytes],
        hang_up_after_s: float = HANG_UP_AFTER_S,
    ) -> None:
        self._script = script
        self._sounds = sounds
        self._hang_up_after_s = hang_up_after_s
        self._steps = list(script.steps)
        self._entered: float | None = None
        self._saying = b""
        self._said_until = 0.0
        self._pressed: list[tuple[float, str]] = []
        self._noise: np.ndarray[Any, np.dtype[np.float64]] | None = None
        self._hung_up = False
        self._done_at: float | None = None
        self._broken: list[str] = []
        self._speech_began = 0.0
        self._heard_until = -1.0
        self._texts: list[str] = []
        self._texts_known = 0
        self._performers: Mapping[type, Callable[[Any, float, bool], bool]] = {
            SayStep: self._say,
            WaitStep: lambda action, now, first: now - (self._entered or 0.0) >= action.seconds,
            WaitFor: self._wait_for,
            Interrupt: self._interrupt,
            PressKeys: self._press,
            Noise: self._begin_noise,
            HangUpStep: self._hang_up,
            ExpectStep: lambda action, now, first: True,
        }

    # ---- what the simulator asks

    def learn(self, record: Mapping[str, Any]) -> None:
        """What the server says was said: `words` are looked for in it."""
        turns = record.get("turns") or []
        agents = [turn.get("agent") or {} for turn in turns]
        self._texts = [str(agent.get("text") or "") for agent in agents if agent.get("text")]

    def observe(self, now: float, playout: Playout) -> None:
        """Hear what plays, and go on with the script as far as it goes at this moment."""
        if playout.audible(now):
            if now - self._heard_until > WAS_SILENT_S:
                self._speech_began = now
            self._heard_until = now
        while self._steps and not self._hung_up:
            step, first = self._steps[0], self._entered is None
            if first:
                self._entered = now
            if not self._performers[type(step.action)](step.action, now, first):
                return
            self._steps.pop(0)
            self._entered = None
        if self._done_at is None:
            self._done_at = now

    def frame(self, index: int) -> bytes:
        """The next 20 ms of what is being said, with the noise behind it."""
        piece, self._saying = self._saying[:FRAME_SAMPLES], self._saying[FRAME_SAMPLES:]
        frame = piece + SILENT_FRAME[len(piece) :]
        if self._noise is None:
            return frame
        at = np.arange(index * FRAME_SAMPLES, (index + 1) * FRAME_SAMPLES) % len(self._noise)
        mixed = np.frombuffer(ulaw_to_linear16(frame), "<i2") + self._noise[at]
        return linear16_to_ulaw(np.clip(np.rint(mixed), -32768, 32767).astype("<i2").tobytes())

    def keys(self, now: float) -> str:
        """Keys whose tones have begun."""
        due = [digit for at, digit in self._pressed if at <= now]
        self._pressed = [(at, digit) for at, digit in self._pressed if at > now]
        return "".join(due)

    def hangs_up(self, now: float) -> bool:
        """After `hangup`, or once all is done and the agent has been quiet for a while."""
        if self._hung_up:
            return True
        if self._done_at is None:
            return False
        quiet_since = max(self._done_at, self._heard_until)
        return now - quiet_since >= self._hang_up_after_s or now - self._done_at >= PATIENCE_S

    def broken(self, report: Mapping[str, Any]) -> list[str]:
        """What did not come true, given the call's JSON object."""
        found = list(self._broken)
        for step in self._script.steps:
            if isinstance(step.action, ExpectStep):
                wrong = _JUDGES[step.action.what](step.action.value, report)
                if wrong:
                    found.append(f"{step.where}: {step.action.what}: {wrong}")
        missed = next((step for step in self._steps if not self._met_at_the_end(step.action)), None)
        if missed is not None and not self._broken:
            found.append(f"{missed.where}: the call was over before")
        return found

    def _met_at_the_end(self, action: Action) -> bool:
        """Of a step that was not reached: whether the end of the call made it true anyway."""
        if isinstance(action, WaitFor) and action.what == "words":
            return self._comes(action, self._heard_until)
        return isinstance(action, ExpectStep | HangUpStep)

    # ---- one step; each returns whether it is done

    def _say(self, action: SayStep, now: float, first: bool) -> bool:
        if first:
            self._begin(action.sound, now)
        return now >= self._said_until

    def _begin(self, sound: Sound, now: float) -> None:
        self._saying = self._sounds[sound]
        # The frame of this moment goes out first: its last sample is said one frame from now.
        self._said_until = now + len(self._saying) / PHONE_RATE
        self._texts_known = len(self._texts)

    def _wait_for(self, action: WaitFor, now: float, first: bool) -> bool:
        if self._comes(action, now):
            return True
        if now - (self._entered or 0.0) < action.within_s:
            return False
        what = f"/{action.pattern.pattern}/" if action.pattern else action.what
        self._fail(f"{what} did not come within {action.within_s:g} s", hang_up=action.gives_up)
        return True

    def _comes(self, action: WaitFor, now: float) -> bool:
        if action.what == "agent_speaking":
            return self._heard_until >= now
        if action.what == "agent_silent":
            spoke = self._heard_until > self._said_until or (self._said_until == 0 and self._heard_until >= 0)
            return spoke and now - self._heard_until >= action.for_s
        new = self._texts[self._texts_known :]
        return action.pattern is not None and any(action.pattern.search(text) for text in new)

    def _interrupt(self, action: Interrupt, now: float, first: bool) -> bool:
        if self._said_until > (self._entered or 0.0):
            return now >= self._said_until
        speaking = self._heard_until >= now
        if speaking and now - self._speech_began >= action.after_s:
            self._begin(action.sound, now)
            return False
        if now - (self._entered or 0.0) >= action.within_s:
            self._fail(f"the agent did not speak for {action.after_s:g} s within {action.within_s:g} s", True)
            return True
        return False

    def _press(self, action: PressKeys, now: float, first: bool) -> bool:
        if first:
            gap = SILENT_FRAME * round(KEY_GAP_S * PHONE_RATE / FRAME_SAMPLES)
            pieces = [linear16_to_ulaw(tones(digit, KEY_S)) + gap for digit in action.digits]
            each = len(pieces[0]) / PHONE_RATE
            self._pressed += [(now + n * each + KEY_KNOWN_S, digit) for n, digit in enumerate(action.digits)]
            self._saying = b"".join(pieces)
            self._said_until = now + len(self._saying) / PHONE_RATE
            self._texts_known = len(self._texts)
        return now >= self._said_until

    def _begin_noise(self, action: Noise, now: float, first: bool) -> bool:
        self._noise = None
        if action.sound is not None:
            sound = np.frombuffer(ulaw_to_linear16(self._sounds[action.sound]), "<i2").astype(np.float64)
            level = float(np.sqrt((sound**2).mean())) or 1.0
            self._noise = sound * (SPEECH_LEVEL * 10 ** (-action.snr_db / 20) / level)
        return True

    def _hang_up(self, action: HangUpStep, now: float, first: bool) -> bool:
        self._hung_up = True
        return True

    def _fail(self, what: str, hang_up: bool) -> None:
        self._broken.append(f"{self._steps[0].where}: {what}")
        self._hung_up = self._hung_up or hang_up


def _agents(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [turn["agent"] for turn in report["turns"] if turn.get("agent")]


def _never_says(pattern: re.Pattern[str], report: Mapping[str, Any]) -> str:
    said = [agent["text"] for agent in _agents(report) if pattern.search(agent.get("text") or "")]
    return f"the agent said {said[0]!r}" if said else ""


def _hears(pattern: re.Pattern[str], report: Mapping[str, Any]) -> str:
    heard = [(turn.get("caller") or {}).get("text") or "" for turn in report["turns"]]
    return "" if any(pattern.search(text) for text in heard) else f"it heard {[h for h in heard if h]}"


def _ended_by(who: str, report: Mapping[str, Any]) -> str:
    return "" if report["ended_by"] == who else f"it was ended by {report['ended_by']}"


def _interrupted(count: float, report: Mapping[str, Any]) -> str:
    found = sum(bool(agent.get("interrupted")) for agent in _agents(report))
    return "" if found == count else f"{found} replies were interrupted"


def _response(limit: float, report: Mapping[str, Any]) -> str:
    slowest = max(response_times(report["turns"]), default=0.0)
    return "" if slowest <= limit else f"the slowest answer took {slowest:.2f} s"


def _caller_turns(count: float, report: Mapping[str, Any]) -> str:
    found = sum(1 for turn in report["turns"] if turn.get("caller"))
    return "" if found == count else f"there were {found}"


def _clears(count: float, report: Mapping[str, Any]) -> str:
    found = len(report["clears_s"])
    return "" if found == count else f"there were {found}"


_JUDGES: Mapping[str, Callable[[Any, Mapping[str, Any]], str]] = {
    "never_says": _never_says,
    "hears": _hears,
    "ended_by": _ended_by,
    "interrupted": _interrupted,
    "response_s": _response,
    "caller_turns": _caller_turns,
    "clears": _clears,
}
