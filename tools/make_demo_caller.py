"""Makes telephony/simulator/demo/caller.wav, the caller of `make demo`, with Flite's rms voice.

    apt-get install flite && python tools/make_demo_caller.py

A recording plays in real time whatever the agent does, so each line has its second. Between two lines there
is room for the answer to the first; only the barge-in is placed where the agent must be speaking, whatever
between 0 and 3 seconds it took to begin.
"""

from __future__ import annotations

import struct
import subprocess
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from telephony.audio.g711 import linear16_to_ulaw

Samples = NDArray[np.float64]

TARGET = Path(__file__).parents[1] / "telephony" / "simulator" / "demo" / "caller.wav"
RATE = 8000
LENGTH_S = 31.5
SPEECH_DBFS = -20.0  # a usual level of speech on a telephone line
NOISE_DBFS = -66.0  # a line is never digitally silent
BAND_HZ = (300.0, 3400.0)  # what the telephone network passes on
PCM_FULL_SCALE = 32768.0


@dataclass(frozen=True, slots=True)
class Line:
    """Something the caller says."""

    at_s: float
    text: str
    """As Flite must read it: it says "latte" wrong unless it is spelled as it sounds."""


LINES = (
    Line(4.6, "Hi, can I get a large lah tay, please?"),
    Line(12.2, "Yes, please."),
    Line(17.0, "What do you have?"),
    Line(21.6, "A small coffee, please."),  # while the agent reads the menu, which takes 5 s
    Line(27.8, "No, that's all. Thank you. Goodbye."),
)


def spoken(text: str) -> Samples:
    """The text in Flite's voice, as a telephone passes it on, without the pauses around it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "line.wav"
        options = ["-voice", "rms", "--setf", "duration_stretch=1.05"]
        subprocess.run(["flite", *options, "-t", text, "-o", str(file)], check=True)
        with wave.open(str(file)) as recorded:
            rate = recorded.getframerate()
            pcm = np.frombuffer(recorded.readframes(recorded.getnframes()), "<i2")
    speech = telephone_band(soxr.resample(pcm / PCM_FULL_SCALE, rate, RATE))
    loud = np.flatnonzero(np.abs(speech) > 0.01)
    speech = speech[max(0, loud[0] - RATE // 20) : loud[-1] + RATE // 20]
    active = speech[np.abs(speech) > 0.02]
    gain = 10 ** (SPEECH_DBFS / 20) / float(np.sqrt(np.mean(active**2)))
    return np.multiply(speech, gain)


def telephone_band(samples: Samples) -> Samples:
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    spectrum *= np.clip((hertz - BAND_HZ[0] + 100) / 100, 0, 1) * np.clip(
        (BAND_HZ[1] + 100 - hertz) / 100, 0, 1
    )
    band: Samples = np.fft.irfft(spectrum, len(samples))
    return band


def caller() -> bytes:
    """The whole recording as mu-law."""
    line = np.random.default_rng(1).normal(0, 10 ** (NOISE_DBFS / 20), int(LENGTH_S * RATE))
    free_from = 0.0
    for said in LINES:
        if said.at_s < free_from:
            raise ValueError(
                f"{said.text!r} begins before the line before it has ended, at {free_from:.1f} s"
            )
        speech = spoken(said.text)
        start = int(said.at_s * RATE)
        line[start : start + len(speech)] += speech
        free_from = said.at_s + len(speech) / RATE
        print(f"{said.at_s:5.1f} - {free_from:4.1f} s  {said.text}")
    pcm = np.clip(np.round(line * PCM_FULL_SCALE), -PCM_FULL_SCALE, PCM_FULL_SCALE - 1)
    return linear16_to_ulaw(pcm.astype("<i2").tobytes())


def mulaw_wav(ulaw: bytes) -> bytes:
    """A WAV file of G.711 mu-law (format tag 7), which the standard library cannot write."""
    form = b"fmt " + struct.pack("<IHHIIHHH", 18, 7, 1, RATE, RATE, 1, 8, 0)
    fact = b"fact" + struct.pack("<II", 4, len(ulaw))
    data = b"data" + struct.pack("<I", len(ulaw)) + ulaw + b"\0" * (len(ulaw) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(form) + len(fact) + len(data)) + b"WAVE" + form + fact + data


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_bytes(mulaw_wav(caller()))
    print(TARGET)
