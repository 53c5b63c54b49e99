"""How well the local voices are understood on the phone, and how soon they speak.

    python bench/voices.py [--voice NAME ...] [--all]

Fifty sentences with numbers, times, prices, names and addresses are spoken by each voice, go through mu-law
at 8 kHz, and are heard by the engine's own listening, turn detection and all. What a person would say is
written beside each by hand. The phrase cache is not used; a loaded machine shows in the times.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.turn_scores import normal_words, word_errors
from bench.turns import load_models, recognize
from telephony.audio.agc import AutomaticGain
from telephony.audio.g711 import linear16_to_ulaw, ulaw_to_linear16
from telephony.audio.resampler import Resampler
from telephony.deepgram.flux_codec import FluxOptions
from telephony.engine.listen.recognition import RecognitionModels
from telephony.engine.speak.phrase_cache import PhraseCache
from telephony.engine.speak.voice import Voices

RATE: Final = 8000
MOST_WER: Final = 0.15
WRITTEN_SHORT: Final = {
    "dr": "doctor",
    "mr": "mister",
    "mrs": "missus",
    "vs": "versus",
    "etc": "et cetera",
    "e\\.g": "for example",
    "km": "kilometers",
    "kg": "kilograms",
}

# As written, and as said; None where both are the same.
SENTENCES: Final[tuple[tuple[str, str | None], ...]] = (
    ("Your total is $4.50.", "Your total is four dollars and fifty cents."),
    ("That comes to $12.99 with tax.", "That comes to twelve dollars and ninety-nine cents with tax."),
    ("The deposit is $1,250.", "The deposit is one thousand two hundred fifty dollars."),
    ("A refill is only 99¢.", "A refill is only ninety-nine cents."),
    ("They raised $3.5 million last year.", "They raised three point five million dollars last year."),
    ("We open at 9:30 a.m. on weekdays.", "We open at nine thirty a.m. on weekdays."),
    ("Your table is booked for 7pm.", "Your table is booked for seven p.m."),
    ("The train leaves at 10:05.", "The train leaves at ten oh five."),
    ("Lunch is served at 12:00.", "Lunch is served at twelve o'clock."),
    ("Our hours are 9am-5pm.", "Our hours are nine a.m. to five p.m."),
    ("Your appointment is on May 3rd.", "Your appointment is on May third."),
    ("It arrives on 12/25 in the morning.", "It arrives on December twenty-fifth in the morning."),
    (
        "She was born on June 14, 1984 in Boston.",
        "She was born on June fourteenth nineteen eighty-four in Boston.",
    ),
    ("The shop was opened in 2005.", "The shop was opened in two thousand five."),
    ("Music of the 1990s plays all day.", "Music of the nineteen nineties plays all day."),
    ("Please call 555-0123.", "Please call five five five zero one two three."),
    (
        "Our number is (415) 555-0199.",
        "Our number is four one five five five five zero one nine nine.",
    ),
    ("Your order number is 4521.", "Your order number is four five two one."),
    ("The code is 90210, thank you.", "The code is nine zero two one zero thank you."),
    ("You are number 3 in the line.", "You are number three in the line."),
    ("There are 42 people before you.", "There are forty-two people before you."),
    ("This is the 21st call today.", "This is the twenty-first call today."),
    ("We have 1,500 books in stock.", "We have one thousand five hundred books in stock."),
    ("The room is 3.5 meters wide.", "The room is three point five meters wide."),
    ("It is 72°F and sunny outside.", "It is seventy-two degrees Fahrenheit and sunny outside."),
    ("You save 15% on every order.", "You save fifteen percent on every order."),
    ("The package weighs 5kg.", "The package weighs five kilograms."),
    ("It is about 10 km from here.", "It is about ten kilometers from here."),
    ("Add 1/2 cup of sugar.", "Add one half cup of sugar."),
    ("Delivery takes 2-3 days.", "Delivery takes two to three days."),
    ("Dr. Lee will see you on Thursday.", "Doctor Lee will see you on Thursday."),
    ("Mr. and Mrs. Johnson are waiting.", "Mister and Missus Johnson are waiting."),
    ("We are at 25 Main St. in Dallas.", "We are at twenty-five Main Street in Dallas."),
    ("Turn left on Fifth Ave. and stop.", "Turn left on Fifth Avenue and stop."),
    ("Thank you, Michael, and goodbye.", None),
    ("May I speak with Sarah Williams?", None),
    ("Jennifer Brown called from Chicago.", None),
    ("A message for Robert Miller came in.", None),
    ("So that's two lattes for Emma, right?", None),
    ("Please write to info@example.com.", "Please write to info at example dot com."),
    ("Visit example.org for details.", "Visit example dot org for details."),
    ("Bring milk, bread, eggs, etc.", "Bring milk, bread, eggs, et cetera."),
    ("Bring some fruit, e.g. an apple.", "Bring some fruit, for example an apple."),
    ("Enter your PIN and press the pound key.", "Enter your pin and press the pound key."),
    ("We are open 24/7 all year.", "We are open twenty-four seven all year."),
    ("Today it is cats vs. dogs.", "Today it is cats versus dogs."),
    ("Sure, I can do that for you right now.", None),
    ("Would you like anything else with your coffee?", None),
    ("I'm sorry, could you say that once more?", None),
    ("Thanks for calling, and have a great day!", None),
)


@dataclass(slots=True)
class Result:
    """What one voice came to."""

    errors: int = 0
    words: int = 0
    audio_s: float = 0.0
    wall_s: float = 0.0
    first_s: list[float] = field(default_factory=list)
    misheard: list[str] = field(default_factory=list)


def as_said(text: str) -> str:
    """Recognizers write "Dr." and "info@example.com" for what was said: the same words, so the same here."""
    text = re.sub(r"(?<=\w)\.(?=[a-z]{2,})", " dot ", text).replace("@", " at ")
    for written, said in WRITTEN_SHORT.items():
        text = re.sub(rf"\b{written}\b\.?", said, text, flags=re.IGNORECASE)
    return text


async def speak(voices: Voices, voice: str, text: str, result: Result) -> bytes:
    """A sentence as the caller's ear gets it: mu-law at 8 kHz, here as linear16."""
    began = time.perf_counter()
    audio, resampler = b"", None
    async for chunk in voices.render(text, voice):
        if resampler is None:
            result.first_s.append(time.perf_counter() - began)
            resampler = Resampler(chunk.rate, RATE)
        audio += resampler.feed(chunk.linear16)
        result.audio_s += chunk.seconds
    result.wall_s += time.perf_counter() - began
    gain = AutomaticGain(RATE)
    audio = gain.feed(audio + (resampler.flush() if resampler else b"")) + gain.flush()
    return ulaw_to_linear16(linear16_to_ulaw(audio))


async def listen(models: RecognitionModels, audio: bytes) -> str:
    """What the engine understands, its own turns joined."""
    quiet = ulaw_to_linear16(b"\xff\x7f" * (RATE // 4))  # half a second before, two behind
    events = await recognize(models, quiet + audio + quiet * 4, FluxOptions())
    return " ".join(event.text for event in events if event.name == "EndOfTurn")


async def examine(voices: Voices, models: RecognitionModels, voice: str) -> Result:
    """All sentences in one voice."""
    result = Result()
    for text, said in SENTENCES:
        heard = await listen(models, await speak(voices, voice, text, result))
        errors, words = word_errors(as_said(said or text), as_said(heard))
        result.errors += errors
        result.words += words
        if errors:
            result.misheard.append(f"{errors} of {words:2}: {text!r} -> {' '.join(normal_words(heard))!r}")
    return result


def print_result(voice: str, description: str, result: Result, details: bool) -> bool:
    wer = result.errors / result.words
    print(
        f"{voice:10} WER {wer:6.3f}   first audio p50 {statistics.median(result.first_s) * 1000:4.0f} ms,"
        f" worst {max(result.first_s) * 1000:4.0f} ms   s per second of audio"
        f" {result.wall_s / result.audio_s:.3f}   ({description})"
    )
    for line in result.misheard if details else ():
        print(f"    {line}")
    return wer <= MOST_WER


async def main(names: Sequence[str], details: bool) -> int:
    models = load_models()
    with tempfile.TemporaryDirectory() as folder:
        voices = Voices(cache=PhraseCache(Path(folder)))
        await voices.start()
        good = True
        try:
            print(
                f"{len(SENTENCES)} sentences, mu-law at {RATE} Hz, heard by the engine; at most {MOST_WER}:"
            )
            for name in names or voices.names:
                result = await examine(voices, models, name)
                good &= print_result(name, voices.descriptions[name], result, details)
        finally:
            await voices.close()
    return 0 if good else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--voice", action="append", default=[], help="this voice only")
    parser.add_argument("--all", action="store_true", help="print every sentence that was misheard")
    arguments = parser.parse_args()
    sys.exit(asyncio.run(main(arguments.voice, arguments.all)))
