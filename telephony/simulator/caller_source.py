"""A caller made of a source: a recording, or a script (YAML)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from telephony.simulator.caller import Caller, RecordingCaller
from telephony.simulator.caller_script import SCRIPT_SUFFIXES, read_script
from telephony.simulator.caller_sounds import make_sounds
from telephony.simulator.network import Impairments
from telephony.simulator.recording_source import read_recording
from telephony.simulator.script_caller import ScriptCaller


def make_caller(
    source: Path | str, line: Impairments, hang_up_after_s: float, agent_voice: str
) -> tuple[Callable[[], Caller], Impairments]:
    """What makes a new caller of a source for each call, and the line it is on. Raises BadInput."""
    if Path(source).suffix.lower() not in SCRIPT_SUFFIXES:
        return partial(RecordingCaller, read_recording(source), hang_up_after_s), line
    script = read_script(Path(source))
    sounds = make_sounds(script.sounds(), agent_voice)
    line = script.impairments if script.has_line else line
    return partial(ScriptCaller, script, sounds, hang_up_after_s), line
