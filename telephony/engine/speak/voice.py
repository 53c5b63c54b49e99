"""The local voices: text in, audio by the clause out, with the time of every word.

voices = Voices()
await voices.start()
async for chunk in voices.render("Sure. Two lattes, $8.40.", "joe"):
    send(chunk.linear16)          # chunk.rate samples per second
await voices.close()
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress

from telephony.engine.speak import clauses, voice_sound, word_times
from telephony.engine.speak.clauses import Clause
from telephony.engine.speak.phrase_cache import PhraseCache, cache_folder, key_of
from telephony.engine.speak.piper_process import Utterance
from telephony.engine.speak.voice_chunk import SpokenWord, VoiceChunk
from telephony.engine.speak.voice_list import VoiceEntry, find_voices, voice_for
from telephony.engine.speak.word_times import Weighed
from telephony.errors import VoiceFailed
from telephony.speak.text_normalization import spoken_form

__all__ = ["SpokenWord", "VoiceChunk", "Voices"]

logger = logging.getLogger(__name__)

MOST_CACHED = 400  # characters: a phrase that comes again is short, and what is collected here takes memory
SPEEDS = (0.5, 1.5)  # what /v2/speak allows


class Voices:
    """All voices of this machine, by name."""

    def __init__(self, voices: Sequence[VoiceEntry] | None = None, cache: PhraseCache | None = None) -> None:
        """`voices`: these and no others, the most natural first. Without them, what the machine has."""
        self._given = voices
        self._voices: dict[str, VoiceEntry] = {}
        self._cache = cache or PhraseCache(cache_folder())

    @property
    def names(self) -> tuple[str, ...]:
        """The voices that can be asked for, the most natural first; none before `start`."""
        return tuple(self._voices)

    @property
    def descriptions(self) -> dict[str, str]:
        """What speaks behind each name, for `telephony engine --voices`."""
        return {voice.name: voice.description for voice in self._voices.values()}

    async def start(self) -> None:
        """Find the voices and load the first. Raises MissingModel where nothing here can speak."""
        found = self._given if self._given is not None else await asyncio.to_thread(find_voices)
        self._voices = {voice.name: voice for voice in await _that_speak(found)}
        logger.info("voices: %s", "; ".join(f"{name} ({text})" for name, text in self.descriptions.items()))

    async def close(self) -> None:
        """End the voices' processes."""
        for voice in self._voices.values():
            await voice.renderer.close()

    def resolve(self, model: str) -> str:
        """The local voice that speaks for `model`: itself, or the one a cloud's name is mapped onto.

        Raises KeyError for a name that is neither a local voice nor `flux-…-…`, `aura-…-…`.
        """
        return voice_for(model, self.names)

    async def render(self, text: str, voice: str, speed: float = 1.0) -> AsyncGenerator[VoiceChunk, None]:
        """Speak `text`, clause by clause; `voice` is anything `resolve` takes; `speed` 0.5 to 1.5.

        Closing the iterator stops the work. Text with nothing to say gives no chunk. Raises VoiceFailed.
        """
        chosen = self._voices[self.resolve(voice)]
        speed = min(max(speed, SPEEDS[0]), SPEEDS[1])
        key = key_of(chosen.name, chosen.version, round(speed, 3), text)
        kept = await asyncio.to_thread(self._cache.get, key) if len(text) <= MOST_CACHED else None
        if kept is not None:
            for chunk in kept:
                yield chunk
            return
        made: list[VoiceChunk] = []
        async with aclosing(_Rendering(chosen, speed).chunks(text)) as chunks:
            async for chunk in chunks:
                if len(text) <= MOST_CACHED:
                    made.append(chunk)
                yield chunk
        if made:
            await asyncio.to_thread(self._cache.put, key, made)


async def _that_speak(found: Sequence[VoiceEntry]) -> Sequence[VoiceEntry]:
    """Without the voices of a program that does not work, unless it is the only one: the next text tries."""
    first = found[0]
    try:
        await first.renderer.render("Hello.")
    except VoiceFailed as error:
        others = [voice for voice in found if voice.renderer is not first.renderer]
        speaker = f"{others[0].name} speaks instead" if others else "the next text tries again"
        logger.warning("the voice %s did not start: %s: %s", first.name, error, speaker)
        if not others:
            return found
        await first.renderer.close()
        return others
    return found


def _clauses(text: str) -> list[Clause]:
    """The clauses in which there is something to say."""
    parts = clauses.clauses(spoken_form(text))
    return [part for part in parts if any(letter.isalnum() for letter in clauses.said(part))]


class _Rendering:
    """One text in one voice: the next clause is made while the last one is taken."""

    def __init__(self, voice: VoiceEntry, speed: float) -> None:
        self._voice = voice
        self._speed = speed
        self._said_s = 0.0

    async def chunks(self, text: str) -> AsyncGenerator[VoiceChunk, None]:
        todo = await asyncio.to_thread(_clauses, text)
        making: asyncio.Task[VoiceChunk] | None = None
        try:
            for number, clause in enumerate(todo):
                chunk = await (making or self._start(clause, number + 1 == len(todo)))
                following = todo[number + 1 : number + 2]
                making = self._start(following[0], number + 2 == len(todo)) if following else None
                yield self._later(chunk)
        finally:
            if making:
                making.cancel()
                with suppress(asyncio.CancelledError, VoiceFailed):
                    await making

    def _start(self, clause: Clause, last: bool) -> asyncio.Task[VoiceChunk]:
        return asyncio.create_task(self._make(clause, last))

    async def _make(self, clause: Clause, last: bool) -> VoiceChunk:
        utterance = await self._voice.renderer.render(clauses.said(clause))
        return await asyncio.to_thread(self._shape, clause, utterance, last)

    def _shape(self, clause: Clause, utterance: Utterance, last: bool) -> VoiceChunk:
        mark = next((token.pause for token in reversed(clause) if token.pause or token.spoken), "")
        pauses = voice_sound.LAST_PAUSE_S if last else voice_sound.PAUSE_S
        samples = voice_sound.shape(
            utterance.linear16, utterance.rate, self._voice.character, self._speed, pauses[mark]
        )
        words = _words(clause, utterance.phonemes, samples, utterance.rate)
        return VoiceChunk(voice_sound.to_linear16(samples), utterance.rate, words)

    def _later(self, chunk: VoiceChunk) -> VoiceChunk:
        """The chunk with its words timed from the text's first sample."""
        words = tuple(
            SpokenWord(
                word.text,
                round(self._said_s + word.start_s, 4),
                round(self._said_s + word.end_s, 4),
                word.char_start,
                word.char_end,
                word.estimated,
            )
            for word in chunk.words
        )
        self._said_s += chunk.seconds
        return VoiceChunk(chunk.linear16, chunk.rate, words)


def _words(clause: Clause, phonemes: str, samples: voice_sound.Samples, rate: int) -> tuple[SpokenWord, ...]:
    """The clause's written words with estimated times: a price of five spoken words is one word."""
    tokens = [token for token in clause if token.spoken]
    counts = [len(token.spoken.replace("-", " ").split()) for token in tokens]
    spoken = [word for token in tokens for word in token.spoken.replace("-", " ").split()]
    shares = iter(word_times.weights(spoken, phonemes))
    weighed = [
        Weighed(sum(next(shares) for _ in range(count)), bool(token.pause))
        for token, count in zip(tokens, counts, strict=True)
    ]
    times = word_times.place(weighed, samples, rate)
    return tuple(
        SpokenWord(token.text, start, end, token.start, token.end)
        for token, (start, end) in zip(tokens, times, strict=True)
    )
