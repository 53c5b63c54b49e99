"""Which resampler? One row for each candidate: delay, images, pass-band, CPU.

    python bench/resampler.py
    python bench/resampler.py --quick    only 8 -> 16 kHz, the way of every caller's sound

delay: the longest time for which audio that was fed had not come out yet.
images: of tones at 300 to 3,400 Hz upwards, at 4,600 Hz and above downwards: the strongest thing that comes
out where nothing should be, in dB below the tone. pass-band: the largest error of level, 300 to 3,400 Hz.
cuts: whether the output is the same, byte by byte, when the input is cut in another way.
"""

from __future__ import annotations

import argparse
import audioop
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import soxr

from telephony.audio.resampler import Resampler

Feed = Callable[[bytes], bytes]


def ratecv(a: int, b: int) -> Feed:
    state: list[Any] = [None]

    def feed(chunk: bytes) -> bytes:
        out, state[0] = audioop.ratecv(chunk, 2, 1, a, b, state[0])
        return out

    return feed


def soxr_quality(quality: str) -> Callable[[int, int], Feed]:
    def make(a: int, b: int) -> Feed:
        stream = soxr.ResampleStream(a, b, 1, dtype="int16", quality=quality)
        return lambda chunk: stream.resample_chunk(np.frombuffer(chunk, np.int16)).tobytes()

    return make


CANDIDATES: dict[str, Callable[[int, int], Feed]] = {
    "ratecv": ratecv,
    **{f"soxr {name}": soxr_quality(name) for name in ("QQ", "LQ", "MQ", "HQ", "VHQ")},
    "polyphase (ours)": lambda a, b: Resampler(a, b).feed,
}


def run(feed: Feed, audio: bytes, sizes: list[int]) -> tuple[bytes, list[int]]:
    out, given, at, turn = [], [], 0, 0
    while at < len(audio):
        size = sizes[turn % len(sizes)]
        out.append(feed(audio[at : at + size]))
        given.append(sum(map(len, out[-1:])))
        at, turn = at + size, turn + 1
    return b"".join(out), given


def tone(rate: int, hertz: float, seconds: float = 1.5) -> bytes:
    return (
        (10_000 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate))
        .astype(np.int16)
        .tobytes()
    )


def spectrum(audio: bytes) -> Any:
    samples = np.frombuffer(audio, np.int16).astype(float)[-8192:]
    return np.abs(np.fft.rfft(samples * np.blackman(len(samples)))) / (len(samples) * 0.42 / 2)


def quality(make: Callable[[int, int], Feed], a: int, b: int) -> tuple[float, float]:
    chunk, worst_image, worst_level = a * 80 // 1000 * 2, -200.0, 0.0
    tones = [300, 700, 1000, 1700, 2300, 2900, 3200, 3400]
    for hertz in tones:
        seen = spectrum(run(make(a, b), tone(a, hertz), [chunk])[0])
        here = round(hertz * 8192 / b)
        ideal = spectrum(tone(b, hertz))  # measured in the same way, so that the window's own error cancels
        worst_level = max(worst_level, abs(20 * np.log10(seen[here - 3 : here + 4].max() / ideal.max())))
        if b > a:
            seen[max(0, here - 40) : here + 41] = 0
            worst_image = max(worst_image, 20 * np.log10(seen.max() / 10_000))
    if b < a:
        for high in (h for h in (4600, 5200, 6100, 7300, 9000, 10_400) if h < a / 2):
            seen = spectrum(run(make(a, b), tone(a, high), [chunk])[0])
            worst_image = max(worst_image, 20 * np.log10(max(seen.max(), 1e-6) / 10_000))
    return -worst_image, worst_level


def delay_ms(make: Callable[[int, int], Feed], a: int, b: int, chunk: int) -> float:
    noise = np.random.default_rng(1).normal(0, 3000, a * 4).astype(np.int16).tobytes()
    _, given = run(make(a, b), noise, [chunk])
    fed = np.minimum(np.arange(1, len(given) + 1) * chunk, len(noise)) / 2 / a
    return float(1000 * np.max(fed - np.cumsum(given) / 2 / b))


def cpu_us(make: Callable[[int, int], Feed], a: int, b: int, chunk: int) -> float:
    noise = np.random.default_rng(2).normal(0, 3000, a * 4).astype(np.int16).tobytes()
    pieces = [noise[at : at + chunk] for at in range(0, len(noise) - chunk, chunk)]
    best = 1e9
    for _ in range(5):
        feed = make(a, b)
        start = time.process_time()
        for piece in pieces:
            feed(piece)
        best = min(best, time.process_time() - start)
    return best / (len(pieces) * chunk / 2 / a) * 1e6


def same_however_cut(make: Callable[[int, int], Feed], a: int, b: int, chunk: int) -> bool:
    noise = np.random.default_rng(3).normal(0, 3000, a).astype(np.int16).tobytes()
    one, _ = run(make(a, b), noise, [chunk])
    other, _ = run(make(a, b), noise, [2, 666, 34, 5000])
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def main() -> None:
    parser = argparse.ArgumentParser(description="Which resampler? One row for each candidate.")
    parser.add_argument("--quick", action="store_true", help="only 8 -> 16 kHz")
    pairs = ((8000, 16000, 80), (16000, 8000, 20), (22050, 8000, 20), (24000, 8000, 20))
    for a, b, chunk_ms in pairs[:1] if parser.parse_args().quick else pairs:
        print(f"\n{a} -> {b} Hz in {chunk_ms} ms chunks")
        print(f"{'candidate':18}{'delay ms':>10}{'images dB':>11}{'pass-band dB':>14}{'CPU us/s':>10}  cuts")
        chunk = a * chunk_ms // 1000 * 2
        for name, make in CANDIDATES.items():
            images, level = quality(make, a, b)
            delay, cpu = delay_ms(make, a, b, chunk), cpu_us(make, a, b, chunk)
            cuts = "same" if same_however_cut(make, a, b, chunk) else "differ"
            print(f"{name:18}{delay:10.1f}{-images:11.1f}{level:14.2f}{cpu:10.0f}  {cuts}")


if __name__ == "__main__":
    main()
