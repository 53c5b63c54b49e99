"""The demo's call, placed once by the command itself and then examined: what was heard, measured."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from telephony import events as ev
from telephony.audio.g711 import linear16_to_ulaw, ulaw_to_linear16
from telephony.audio.wav import read_wav
from telephony.config.settings import Settings
from telephony.deepgram.flux_codec import END_OF_TURN
from telephony.engine.models import catalogue
from telephony.engine.process import EngineProcess
from telephony.record import tape
from telephony.speak.deepgram import VoiceClient
from telephony.speak.phrase_cache import PhraseAudioCache
from telephony.speak.presynthesis import phrases_of, prepare_phrases

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.xdist_group("recorded call")]

RECORDING = Path(__file__).resolve().parents[1] / "telephony" / "simulator" / "demo" / "caller.wav"


@dataclass(frozen=True)
class PlacedCall:
    """One call placed by `telephony call --json`."""

    status: int
    report: dict[str, Any]
    told: str
    """What the terminal showed."""

    @property
    def turns(self) -> list[dict[str, Any]]:
        turns: list[dict[str, Any]] = self.report["turns"]
        return turns

    def entries(self) -> list[tape.TapeEntry]:
        with open(self.report["files"]["tape"], "rb") as file:
            return list(tape.read(file)[2])


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> PlacedCall:
    """The demo's call, with the local engine."""
    for name in catalogue.MODEL_NAMES:
        if catalogue.path(name) is None:
            pytest.skip(f"the model {name} is not here: python -m telephony.engine.models fetches it")
    out = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-m", "telephony", "--ignore-environment", "call", str(RECORDING), "--json",
         "--out", str(out)],
        capture_output=True, text=True, timeout=200, check=False, cwd=out,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return PlacedCall(done.returncode, json.loads(done.stdout), done.stderr)


def channel(path: str) -> Any:
    """A recording's mu-law bytes."""
    sound = read_wav(Path(path).read_bytes())
    return np.frombuffer(linear16_to_ulaw(sound.linear16), np.uint8)


def test_the_call_is_good(demo: PlacedCall) -> None:
    """No rule of the carrier's is broken, and the agent ends the call with its goodbye."""
    assert demo.status == 0, demo.told
    assert demo.report["violations"] == []
    assert demo.report["ended_by"] == "agent"


def test_every_turn_is_answered_after_its_end_and_at_once(demo: PlacedCall) -> None:
    """Whatever the machine is doing: after the end of a turn only the voice is waited for."""
    turns = [turn for turn in demo.turns if turn["caller"]]
    assert len(turns) == 5
    for turn in turns:
        assert turn["agent"]["first_audio_s"] > turn["caller"]["end_s"], turn
    entries = demo.entries()
    ends = [at for at, entry in enumerate(entries) if ends_a_turn(entry.event)]
    assert len(ends) == 5
    for at in ends:
        later = range(at, len(entries))
        first = next(entry for entry in later if played(entries[entry]) is not None)
        lay_there = [entry for entry in range(at, first) if sounded(entries[entry]) == played(entries[first])]
        assert lay_there == [], "its sound was there, and was not played"


def ends_a_turn(event: ev.Event) -> bool:
    return isinstance(event, ev.TurnInfoReceived) and event.info.event == END_OF_TURN


def played(entry: tape.TapeEntry) -> int | None:
    """The reply that begins or goes on to be played here."""
    return next((command.reply for command in entry.commands if isinstance(command, ev.Play)), None)


def sounded(entry: tape.TapeEntry) -> int | None:
    """The reply whose sound comes here from the voice."""
    return entry.event.reply if isinstance(entry.event, ev.ReplyAudio) else None


def test_the_agent_falls_silent_for_the_caller_and_the_record_says_what_was_heard(demo: PlacedCall) -> None:
    cut = [turn["agent"] for turn in demo.turns if turn["agent"] and turn["agent"]["interrupted"]]
    assert len(cut) == 1 and demo.report["clears_s"]
    assert cut[0]["text"].startswith(cut[0]["heard"])
    assert cut[0]["heard"] != cut[0]["text"]
    assert "interrupted:" in demo.told


def test_the_terminal_shows_the_conversation_and_a_summary(demo: PlacedCall) -> None:
    for words in (
        "agent   Hi, this is the coffee line",
        "response:",
        "call.wav",
        "tape.jsonl",
    ):
        assert words in demo.told


def test_the_callers_channel_is_the_source_sample_by_sample(demo: PlacedCall) -> None:
    source = channel(str(RECORDING))
    assert np.array_equal(channel(demo.report["files"]["caller"])[: len(source)], source)


def test_both_channels_of_the_stereo_recording_are_the_two_legs(demo: PlacedCall) -> None:
    files = demo.report["files"]
    with wave.open(files["stereo"]) as sound:
        assert (sound.getnchannels(), sound.getframerate(), sound.getsampwidth()) == (2, 8000, 2)
        both = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").reshape(-1, 2)
    for side, name in enumerate(("caller", "agent")):
        leg = np.frombuffer(ulaw_to_linear16(channel(files[name]).tobytes()), "<i2")
        assert np.array_equal(both[: len(leg), side], leg)


def audible_spans(demo: PlacedCall) -> list[Any]:
    """The agent's linear samples, from the first to the last sound of each of its turns."""
    heard = np.frombuffer(ulaw_to_linear16(channel(demo.report["files"]["agent"]).tobytes()), "<i2").astype(
        int
    )
    spans = [(t["agent"]["first_audio_s"], t["agent"]["last_audio_s"]) for t in demo.turns if t["agent"]]
    return [heard[round(first * 8000) : round(last * 8000)] for first, last in spans if last - first > 0.3]


def longest_zero_run(samples: Any) -> int:
    borders = np.flatnonzero(np.concatenate(([True], samples != 0, [True])))
    return int(np.diff(borders).max()) - 1


def largest_step(samples: Any) -> int:
    return int(np.abs(np.diff(samples)).max())


async def test_the_agents_channel_has_no_gap_and_no_step_that_the_voice_lacks(demo: PlacedCall) -> None:
    """20 ms of zeros would be an underrun; a step, a click where pieces or phrases meet."""
    texts = [c.text for e in demo.entries() for c in e.commands if isinstance(c, ev.Speak)]
    memory = PhraseAudioCache()
    engine = await EngineProcess.start(Settings.load({}))
    client = VoiceClient(engine.url, "local", Settings.load({}).voice)
    try:
        async with asyncio.timeout(60):
            await prepare_phrases(client, memory, texts)
    finally:
        await client.close()
        await engine.stop()
    spoken = [memory.get(phrase) for text in texts for phrase in phrases_of(text)]
    made = [np.frombuffer(ulaw_to_linear16(p.ulaw), "<i2").astype(int) for p in spoken if p is not None]
    assert len(made) >= len(texts)
    # The voice is not the same twice to the last bit, so its steps are compared by size.
    step = max(largest_step(audio) for audio in made)
    zeros = max(160, *(longest_zero_run(audio) for audio in made))
    for span in audible_spans(demo):
        assert longest_zero_run(span) <= zeros
        assert largest_step(span) <= 1.25 * step


def test_the_tape_run_again_gives_the_same_commands(demo: PlacedCall) -> None:
    with open(demo.report["files"]["tape"], "rb") as file:
        wording, policy, rows = tape.read(file)
        entries = list(rows)
    assert len(entries) > 300
    assert tape.run_again(wording, policy, entries) == [entry.commands for entry in entries]
