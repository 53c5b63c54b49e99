"""How well the local engine hears: turns, texts and their cost, beside the real Flux where a trace has it.

    python bench/turns.py [--wall] [--keyterms TERM,TERM] [RECORDING.wav ...]

Recordings with ground truth (X.json beside X.wav) are taken from ../shared/calls/open. Every call is fed as
fast as it can be heard: its times are audio time, the same on any machine. `--wall` plays them again in
real time, four at once, and tells how long after their audio the events came. CPU is this process's, all
its threads.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.turn_scores import Event, Score, percentile, score_call
from telephony.audio.resampler import Resampler
from telephony.audio.wav import read_wav
from telephony.deepgram.flux_codec import FluxOptions, ServerMessage, TurnInfo
from telephony.engine.listen.flux_session import FluxSession
from telephony.engine.listen.recognition import ModelPaths, Recognition, RecognitionModels
from telephony.engine.models.catalogue import need, path

SHARED: Final = Path(__file__).resolve().parents[2] / "shared"
RATE: Final = 8000
CHUNK: Final = 1280  # bytes of linear16: 80 ms
AT_ONCE: Final = 4  # streams in real time: what 2 cores are said to carry
THRESHOLDS: Final = (0.5, 0.7, 0.9)
EAGER: Final = 0.5


def load_models() -> RecognitionModels:
    """All models of the `local` extra; what is missing is said."""
    models = RecognitionModels.load(
        ModelPaths(
            silero=need("silero-vad/silero_vad.onnx"),
            smart_turn=path("smart-turn/smart-turn-v3.2-cpu.onnx"),
            moonshine=path("moonshine-tiny-en"),
            whisper=path("whisper-base"),
        )
    )
    for line in models.missing:
        print(line)
    return models


def phone_audio(recording: Path) -> bytes:
    """A recording as linear16 at 8000 Hz; what is not WAV goes through ffmpeg."""
    if recording.suffix != ".wav":
        command = [
            "ffmpeg",
            "-v",
            "error",
            "-i",
            str(recording),
            "-ac",
            "1",
            "-ar",
            str(RATE),
            "-f",
            "s16le",
            "-",
        ]
        return subprocess.run(command, check=True, capture_output=True).stdout
    wav = read_wav(recording.read_bytes())
    resampler = Resampler(wav.rate, RATE)
    return resampler.feed(wav.linear16) + resampler.flush()


async def recognize(
    models: RecognitionModels, audio: bytes, options: FluxOptions, lags: list[float] | None = None
) -> list[Event]:
    """The turn events of a recording, and a last one by hand where the recording ends in mid-turn.

    With `lags` it is played in real time, and they tell how long after each chunk of audio it was dealt with.
    """
    session = FluxSession(options, "bench")
    recognition = Recognition(models, session.recognition_options(), live=lags is not None)
    loop = asyncio.get_running_loop()
    began = loop.time()
    events: list[Event] = []

    def note(messages: Sequence[ServerMessage]) -> None:
        for message in messages:
            if isinstance(message, TurnInfo):
                at_s, wall_s = message.audio_window_end, loop.time() - began
                events.append(
                    Event(message.event, at_s, message.transcript, None if lags is None else wall_s)
                )

    for start in range(0, len(audio), CHUNK):
        spoken = began + (start + CHUNK) / (2 * RATE)
        if lags is not None:
            await asyncio.sleep(max(0.0, spoken - loop.time()))
        async for block in recognition.recognize(audio[start : start + CHUNK]):
            note(session.block(block))
            if session.turn_ended:
                recognition.end_turn()
        if lags is not None:
            lags.append(loop.time() - spoken)
    note(session.force_end_turn(await recognition.flush()))
    recognition.close()
    return events


async def score_fast(
    models: RecognitionModels, recordings: Sequence[Path], options: FluxOptions
) -> dict[str, Score]:
    """Each call alone, as fast as it goes."""
    scores: dict[str, Score] = {}
    for recording in recordings:
        audio = phone_audio(recording)
        cpu = time.process_time()
        events = await recognize(models, audio, options)
        cpu = time.process_time() - cpu
        scores[recording.stem] = score_call(json.loads(recording.with_suffix(".json").read_text()), events)
        scores[recording.stem].cpu_s = cpu
    return scores


async def score_wall(
    models: RecognitionModels, recordings: Sequence[Path], options: FluxOptions
) -> dict[str, Score]:
    """All calls in real time, a few at once."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(recording: Path) -> tuple[str, Score]:
        lags: list[float] = []
        async with places:
            events = await recognize(models, phone_audio(recording), options, lags)
        score = score_call(json.loads(recording.with_suffix(".json").read_text()), events)
        score.lags = lags
        return recording.stem, score

    return dict(await asyncio.gather(*(one(recording) for recording in recordings)))


def pooled(scores: dict[str, Score]) -> Score:
    """All calls as one."""
    total = Score()
    for score in scores.values():
        total.add(score)
    return total


def row(name: str, score: Score) -> str:
    """One line of the table."""
    word_error_rate = f"{score.word_errors / score.words:.3f}" if score.words else "-"
    starts = ",".join(f"{count} {cause}" for cause, count in score.false_starts.items()) or "0"
    first = f"{sum(score.first_words)}/{len(score.first_words)}"
    return (
        f"{name:24} {percentile(score.latencies, 50):5.2f} {percentile(score.latencies, 95):5.2f}"
        f" {score.cut:4}+{score.cut_inserted} {score.missed:4}/{score.merged}"
        f" {percentile(score.start_delays, 50):5.2f} {percentile(score.start_delays, 95):5.2f} {first:>6}"
        f" {score.resumed / max(1, score.turns):5.2f} {score.with_eager / max(1, score.turns):5.2f}"
        f" {word_error_rate:>6} {score.cpu_s / max(0.01, score.audio_s):5.2f}  {starts}"
    )


HEADER: Final = (
    f"{'':24} {'end of turn':>11} {'cut':>6} {'miss/':>6} {'start of turn':>11} {'first':>4}"
    f" {'resu-':>5} {'with':>5} {'WER':>6} {'CPU':>5}  false\n"
    f"{'':24} {'p50':>5} {'p95':>5} {'+ins':>6} {'merg':>6} {'p50':>5} {'p95':>5} {'word':>6}"
    f" {'med':>5} {'eager':>5} {'':>6} {'/s':>5}  starts"
)


def print_table(title: str, scores: dict[str, Score], notes: bool) -> None:
    print(f"\n{title}\n{HEADER}")
    for name, score in scores.items():
        print(row(name, score))
    print(row("all", pooled(scores)))
    clean = {name: scores[name] for name in scores if name[:7] in ("open_01", "open_02", "open_06")}
    if len(clean) == 3:
        print(row("01, 02, 06", pooled(clean)))
    if notes:
        for name, score in scores.items():
            for line in score.notes:
                print(f"  {name}: {line}")


def print_wall(scores: dict[str, Score]) -> None:
    total = pooled(scores)
    beyond, lags = total.wall_beyond, total.lags
    wall_p50 = percentile(total.latencies, 50) + percentile(beyond, 50)
    print(f"\nin real time, {AT_ONCE} streams at once:")
    print(
        f"  EndOfTurn after its audio p50 {percentile(beyond, 50):.2f} s, p95 {percentile(beyond, 95):.2f} s"
    )
    print(f"  end of turn in wall time p50 {wall_p50:.2f} s; cut {total.cut}+{total.cut_inserted}")
    print(f"  audio dealt with after p99 {percentile(lags, 99):.2f} s, at most {max(lags):.2f} s")


async def print_beside_flux(models: RecognitionModels, options: FluxOptions) -> None:
    """Ours and the service's events for the clips of which a real trace exists."""
    print("\nbeside the real Flux (settings of its traces not verified): start, end, text")
    for trace, recording in _traced_clips():
        if recording.suffix != ".wav" and shutil.which("ffmpeg") is None:
            print(f"  {recording.stem:20} left out: ffmpeg is not on this machine (apt-get install ffmpeg)")
            continue
        theirs = _service_events(json.loads(trace.read_text()))
        ours = await recognize(models, phone_audio(recording), options)
        for who, events in (("flux", theirs), ("ours", ours)):
            print(f"  {recording.stem:20} {who}  {_turns_line(events)}")


def _traced_clips() -> list[tuple[Path, Path]]:
    captures = SHARED / "facts/captures"
    clips = [(captures / "flux-frames.json", captures / "flux-preamble-16k.wav")]
    traces = sorted((SHARED / "calls/flux_traces").glob("*.flux.json"))
    clips += [(trace, trace.with_name(trace.name.replace(".flux.json", ".m4a"))) for trace in traces]
    return [(trace, recording) for trace, recording in clips if trace.exists() and recording.exists()]


def _service_events(trace: dict[str, Any]) -> list[Event]:
    """TurnInfos of either form of recording: frames as texts, or events with their arrival."""
    frames = [json.loads(text) for text in trace.get("frames", [])]
    frames += [event["data"] for event in trace.get("events", [])]
    return [
        Event(frame["event"], frame["audio_window_end"], frame["transcript"])
        for frame in frames
        if frame.get("type") == "TurnInfo"
    ]


def _turns_line(events: Sequence[Event]) -> str:
    shown = [e for e in events if e.name in ("StartOfTurn", "TurnResumed", "EndOfTurn")]
    short = {"StartOfTurn": "[", "TurnResumed": "~", "EndOfTurn": "]"}
    times = " ".join(f"{short[event.name]}{event.at_s:.2f}" for event in shown)
    return f"{times}  " + " | ".join(event.text for event in events if event.name == "EndOfTurn")


async def run(arguments: argparse.Namespace) -> None:
    recordings = arguments.recordings or sorted((SHARED / "calls/open").glob("*.wav"))
    models = load_models()
    keyterms = tuple(term for term in arguments.keyterms.split(",") if term)
    try:
        for threshold in [arguments.threshold] if arguments.threshold else THRESHOLDS:
            options = FluxOptions(
                eot_threshold=threshold, eager_eot_threshold=min(EAGER, threshold), keyterms=keyterms
            )
            scores = await score_fast(models, recordings, options)
            print_table(f"eot_threshold {threshold}, audio time", scores, arguments.notes)
        options = FluxOptions(eager_eot_threshold=EAGER, keyterms=keyterms)
        if not arguments.recordings:
            await print_beside_flux(models, options)
        if arguments.wall:
            print_wall(await score_wall(models, recordings, options))
    finally:
        models.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory {peak:.0f} MB")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recordings", nargs="*", type=Path, metavar="RECORDING.wav")
    parser.add_argument("--wall", action="store_true", help="also in real time (2 minutes)")
    parser.add_argument("--keyterms", default="", help="words to expect, separated by commas")
    parser.add_argument("--threshold", type=float, help="one eot_threshold only")
    parser.add_argument("--notes", action="store_true", help="say what went wrong in each call")
    asyncio.run(run(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
