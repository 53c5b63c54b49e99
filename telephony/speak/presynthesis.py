"""Has the agent's standing sentences spoken in advance, so that they are heard at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from telephony.deepgram.refusals import remedy
from telephony.deepgram.retry import FINAL_STATUSES
from telephony.errors import BadSetting, PeerRefused
from telephony.events import WordTime
from telephony.reply.agent import Wording
from telephony.speak.aloud import aloud, is_english
from telephony.speak.client import SpeakClient
from telephony.speak.events import PhraseAudio, PhraseDone, PhraseFailed, VoiceDisconnected, VoiceEvent
from telephony.speak.phrase_cache import PhraseAudioCache
from telephony.speak.phrases import Phraser
from telephony.speak.pronunciations import NONE, Pronunciations

log = logging.getLogger(__name__)

GREETING_READY_S = 15.0
"""How long the start of the server waits for the greeting's audio; after that it is made in the call."""
BAD_REQUEST, NOT_FOUND = 400, 404
"""A speech service has no such model; there is no speech service."""
PHRASE_DEADLINE_S = 10.0
DOWNS = 3
"""Lost connections in one phrase, more than one bad phrase causes: the service is not there."""


def phrases_of(text: str, voice: str = "", pronunciations: Pronunciations = NONE) -> list[str]:
    """The phrases that a whole line is spoken in, as a voice of this name is given them."""
    phraser = Phraser()
    english = is_english(voice)
    return [
        aloud(phrase, english, pronunciations).spoken for phrase in (*phraser.feed(text), *phraser.finish())
    ]


def standing_lines(wording: Wording) -> list[str]:
    """What the agent says by itself, the most urgent first."""
    lines = [wording.greeting.text, *wording.reask, *wording.fillers, wording.bridge]
    lines += [step.say for step in wording.silence]
    lines += [wording.farewell, wording.warning, *wording.acknowledge]
    return [line for line in lines if line]


async def prepare_phrases(client: SpeakClient, cache: PhraseAudioCache, lines: list[str]) -> None:
    """Speak `lines` into `cache`, one phrase after another. A phrase that fails is left out.

    Raises PeerRefused where the speech service refuses for good. One that is not there, or is busy, is left
    alone: it may speak when the first call comes.
    """
    wanted = list(
        dict.fromkeys(p for line in lines for p in phrases_of(line, client.model, client.pronunciations))
    )
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
            cache.put(text, *spoken)
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


@asynccontextmanager
async def presynthesized(
    client: SpeakClient, cache: PhraseAudioCache, wording: Wording, where: str = "VOICE"
) -> AsyncIterator[None]:
    """The standing phrases are spoken in advance, the greeting before anything else goes on.

    Raises BadSetting, naming `where` the voice was chosen, when the speech service has no such voice.
    """
    lines = standing_lines(wording)
    preparing = asyncio.create_task(prepare_phrases(client, cache, lines))
    try:
        greeting = []
        if lines:
            greeting = phrases_of(lines[0], client.model, client.pronunciations)
        await _greeting_ready(cache, greeting, preparing)
        _check_voice(preparing, client, where)
        yield
    finally:
        preparing.cancel()
        await asyncio.gather(preparing, return_exceptions=True)


async def _greeting_ready(cache: PhraseAudioCache, wanted: list[str], preparing: asyncio.Task[None]) -> None:
    """Wait until the greeting can be heard at once; a voice that fails now may yet work in the call."""
    try:
        async with asyncio.timeout(GREETING_READY_S):
            while not preparing.done() and not all(cache.get(p) for p in wanted):
                await asyncio.wait((preparing,), timeout=0.02)
    except TimeoutError:
        log.warning(
            "the greeting is not ready after %g s: the first caller may wait for it", GREETING_READY_S
        )


def _check_voice(preparing: asyncio.Task[None], client: SpeakClient, where: str) -> None:
    """Raises BadSetting when the speech service has no such voice, or does not synthesize speech."""
    refused = preparing.exception() if preparing.done() and not preparing.cancelled() else None
    if not isinstance(refused, PeerRefused):
        return
    if refused.status == BAD_REQUEST:
        allowed = f"{refused.reason} (the local engine's voices: telephony engine --voices)"
        raise BadSetting(where, client.model, allowed) from refused
    if refused.status == NOT_FOUND:
        allowed = f"it serves no speech ({refused.reason})"
        raise BadSetting("DEEPGRAM_URL", client.url, allowed) from refused
    log.error(
        "speech synthesis is unavailable, callers will hear silence: %s. %s", refused, remedy(refused.status)
    )
