"""For benches: calls to our own server with the local engine, and what their recordings and tapes say."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from telephony import events as ev
from telephony.audio.g711 import linear16_to_ulaw, ulaw_to_linear16
from telephony.audio.wav import read_wav
from telephony.config.settings import Settings
from telephony.record import tape
from telephony.simulator.call_options import CallOptions
from telephony.simulator.call_report import CallResult
from telephony.simulator.caller_source import make_caller
from telephony.simulator.network import Impairments
from telephony.simulator.server_process import ServerProcess
from telephony.simulator.simulator import place_call

ROOT = Path(__file__).resolve().parents[1]
OPEN_CALLS = ROOT.parent / "shared" / "calls" / "open"
RATE = 8000
CALLER_PAUSE_S, AGENT_PAUSE_S = 0.9, 0.3
"""A longer pause ends an utterance."""
LOUD = 10 ** (-45 / 20) * 32768
"""Sound that counts as speech."""


@dataclass(frozen=True)
class Placed:
    """One call: the object of `telephony call --json`, both channels, the tape."""

    name: str
    told: dict[str, Any]
    caller: np.ndarray[Any, np.dtype[np.int16]]
    agent: np.ndarray[Any, np.dtype[np.int16]]
    entries: tuple[tape.TapeEntry, ...]
    record: dict[str, Any]
    """What the server wrote down."""

    def said(self) -> list[tuple[float, float]]:
        """When the caller spoke, in seconds of the call."""
        return utterances(self.caller, CALLER_PAUSE_S)

    def heard(self) -> list[tuple[float, float]]:
        """When the agent was heard."""
        return utterances(self.agent, AGENT_PAUSE_S)

    def stream_offset(self) -> float:
        """Our clock minus the caller's stream clock."""
        stamps = [
            e.at - e.event.stream_ms / 1000 for e in self.entries if isinstance(e.event, ev.MediaTimestamp)
        ]
        return min(stamps, default=0.0)


def utterances(sound: np.ndarray[Any, np.dtype[np.int16]], pause_s: float) -> list[tuple[float, float]]:
    """Stretches of sound, in seconds."""
    size = RATE // 100
    frames = sound[: len(sound) // size * size].astype(np.float64).reshape(-1, size)
    loud = np.flatnonzero(np.sqrt((frames**2).mean(axis=1)) > LOUD) if len(frames) else np.zeros(0, int)
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) > pause_s * 100)
    firsts, lasts = loud[np.concatenate(([0], breaks + 1))], loud[np.concatenate((breaks, [len(loud) - 1]))]
    return [(float(a) / 100, float(b + 1) / 100) for a, b in zip(firsts, lasts, strict=True)]


def open_calls() -> list[Path]:
    """The recorded calls with ground truth; empty where they are not."""
    return sorted(OPEN_CALLS.glob("*.wav"))


def truth_of(recording: Path) -> dict[str, Any]:
    """A recording's ground truth."""
    truth: dict[str, Any] = json.loads(recording.with_suffix(".json").read_text())
    return truth


async def place_calls(
    sources: Sequence[Path], settings: Mapping[str, str], *, at_once: int = 2, hang_up_after_s: float = 5.0
) -> list[Placed]:
    """Call a server of our own with each source."""
    checked = Settings.load(dict(settings))
    makers = [
        await asyncio.to_thread(make_caller, source, Impairments(), hang_up_after_s, checked.voice)
        for source in sources
    ]
    gate = asyncio.Semaphore(at_once)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        environ = {"DEEPGRAM_URL": "local", "DATA_DIR": folder, "PYTHONPATH": str(ROOT), **settings}

        async def one(number: int, url: str) -> Placed:
            make, impairments = makers[number]
            out = Path(folder) / f"call-{number}"
            out.mkdir()
            options = CallOptions(
                server=url,
                source=sources[number].name,
                out_dir=out,
                impairments=impairments,
                data_dir=Path(folder),
            )
            async with gate:
                placed = await place_call(make(), options)
            return _read(sources[number].stem, placed)

        async with ServerProcess(environ=environ, max_calls=at_once) as url:
            return list(await asyncio.gather(*(one(n, url) for n in range(len(sources)))))


def _read(name: str, placed: CallResult) -> Placed:
    told = placed.as_json()
    files = told["files"]
    channels = [_channel(files[side]) for side in ("caller", "agent")]
    entries: tuple[tape.TapeEntry, ...] = ()
    if files["tape"]:
        with open(files["tape"], "rb") as file:
            entries = tuple(tape.read(file)[2])
    return Placed(name, told, channels[0], channels[1], entries, placed.record or {})


def _channel(path: str) -> np.ndarray[Any, np.dtype[np.int16]]:
    sound = read_wav(Path(path).read_bytes()).linear16
    return np.frombuffer(ulaw_to_linear16(linear16_to_ulaw(sound)), "<i2")
