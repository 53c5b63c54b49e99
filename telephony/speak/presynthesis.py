"""Has the line's standing sentences spoken beforehand, so that they are heard at once."""

from __future__ import annotations

import asyncio
import logging

from telephony.errors import PeerRefused
from telephony.events import WordTime
from telephony.reply.agent import Wording
from telephony.speak.aloud import aloud, is_english
from telephony.speak.channel import FINAL_STATUSES
from telephony.speak.deepgram import (
    PhraseAudio,
    PhraseDone,
    PhraseFailed,
    VoiceClient,
    VoiceDisconnected,
    VoiceEvent,
)
from telephony.speak.phrase_cache import PhraseMemory
from telephony.speak.phrases import Phraser

log = logging.getLogger(__name__)

PHRASE_DEADLINE_S = 10.0
DOWNS = 3
"""Lost connections in one phrase, more than one bad phrase causes: the service is not there."""


def phrases_of(text: str, voice: str = "") -> list[str]:
    """The phrases that a whole line is spoken in, as a voice of this name is given them."""
    phraser = Phraser()
    english = is_english(voice)
    return [aloud(phrase, english).spoken for phrase in (*phraser.feed(text), *phraser.finish())]


def standing_lines(wording: Wording) -> list[str]:
    """What the line says of its own accord, the most urgent first."""
    lines = [wording.greeting.text, *wording.reask, *wording.fillers, wording.bridge]
    lines += [step.say for step in wording.silence]
    lines += [wording.farewell, wording.warning, *wording.acknowledge]
    return [line for line in lines if line]


async def prepare_phrases(client: VoiceClient, memory: PhraseMemory, lines: list[str]) -> None:
    """Speak `lines` into `memory`, one phrase after another. A phrase that fails is left out.

    Raises PeerRefused where the speech service refuses for good. One that is not there, or is busy, is left
    alone: it may speak when the first call comes.
    """
    wanted = list(dict.fromkeys(p for line in lines for p in phrases_of(line, client.model)))
    results: asyncio.Queue[VoiceEvent] = asyncio.Queue()
    voice = client.open(results.put_nowait)
    running = asyncio.create_task(voice.run())
    failed = 0
    try:
        for number, text in enumerate(wanted):
            voice.speak(0, number, text)
            spoken = await _one(results, number)
            if isinstance(spoken, VoiceDisconnected):
                if spoken.status in FINAL_STATUSES:
                    raise PeerRefused("the voice", spoken.status, spoken.dg_error or spoken.reason)
                log.warning("the standing phrases are made in the calls: %s", spoken.reason)
                return
            if spoken is None:
                failed += 1
                continue
            memory.put(text, *spoken)
    finally:
        if failed:
            log.warning("%d of %d standing phrases could not be spoken yet", failed, len(wanted))
        voice.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _one(
    results: asyncio.Queue[VoiceEvent], number: int
) -> tuple[bytes, tuple[WordTime, ...]] | VoiceDisconnected | None:
    """A phrase as it was spoken; why nothing can be; or None where only this one failed."""
    audio, downs = bytearray(), 0
    try:
        async with asyncio.timeout(PHRASE_DEADLINE_S):
            while True:
                event = await results.get()
                if isinstance(event, PhraseAudio) and event.phrase == number:
                    audio += event.ulaw
                elif isinstance(event, PhraseDone) and event.phrase == number:
                    return bytes(audio), event.words
                elif isinstance(event, VoiceDisconnected):
                    downs += 1
                    if event.status in FINAL_STATUSES or downs == DOWNS:
                        return event
                elif isinstance(event, PhraseFailed) and event.phrase == number:
                    return None
    except TimeoutError:
        return None
