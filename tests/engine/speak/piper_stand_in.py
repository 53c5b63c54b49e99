"""A stand-in for piper at the process boundary: its stderr protocol, a tone a letter, silence at commas.

Special texts: "crash" dies (with "crash once" only the first time), "hang" never answers.
"""

from __future__ import annotations

import math
import os
import signal
import struct
import sys
import wave

RATE = 22050
LETTER = [int(8000 * math.sin(0.05 * n) * math.sin(math.pi * n / 1000) ** 0.25) for n in range(1000)]


def speak(line: str, path: str) -> None:
    samples = [0] * 3000
    for letter in line:
        samples += LETTER if letter.isalnum() else [0] * (6000 if letter == "," else 500)
    samples += [0] * 4000
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))


def main(folder: str) -> None:
    for number, text in enumerate(sys.stdin):
        line = text.strip()
        if "crash" in line and not (line == "crash once" and os.path.exists("crashed")):
            open("crashed", "w").close()
            sys.exit("Segmentation fault, say")
        if "hang" in line:
            signal.pause()
        phonemes = [list(" ".join(line.split()))]
        print(f"DEBUG:piper.voice:text={line}, phonemes={phonemes}", file=sys.stderr)
        path = os.path.join(folder, f"{number}.wav")
        speak(line, path)
        print("INFO:__main__:Wrote", path, file=sys.stderr, flush=True)


main(sys.argv[-1])
