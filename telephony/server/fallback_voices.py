"""The voices of VOICE_FALLBACK: clients of the same service, or of a local engine that runs beside it."""

from __future__ import annotations

from contextlib import AsyncExitStack

from telephony.config.settings import Settings, SpeechPeer
from telephony.config.speech_peer import local_voice
from telephony.engine.process import EngineProcess
from telephony.errors import BadSetting
from telephony.server.speech_check import BAD_REQUEST, ask, session, voice_question
from telephony.speak.client import SpeakClient
from telephony.speak.deepgram import VoiceClient
from telephony.speak.fallback import FallbackClient
from telephony.speak.voice_state import VoiceDeadlines

DEADLINES = VoiceDeadlines(next_audio_s=1.5)
"""Where another voice is there to go on, nobody waits longer for one that is stuck."""


async def with_fallbacks(
    voice: VoiceClient, settings: Settings, speech: SpeechPeer, stack: AsyncExitStack
) -> SpeakClient:
    """The voice, with those that speak in its place. Raises BadSetting for one that does not exist.

    `speech` is where the voice is: a local engine that was started already is used for local voices, too.
    """
    if not settings.voice_fallback:
        return voice
    voice.deadlines = DEADLINES
    engine: SpeechPeer | None = speech if settings.deepgram().local else None
    others = []
    for name in settings.voice_fallback:
        local = local_voice(name)
        if local is not None and engine is None:
            process = await EngineProcess.start(settings)
            stack.push_async_callback(process.stop)
            engine = SpeechPeer(process.url, speech.api_key, "VOICE_FALLBACK names a local voice")
        peer = engine if local is not None and engine is not None else speech
        if peer is engine:
            await _refuse_unknown(peer, local or name)
        other = VoiceClient(peer.url, peer.api_key.reveal(), local or name, deadlines=DEADLINES)
        stack.push_async_callback(other.close)
        others.append(other)
    return FallbackClient(voice, others)


async def _refuse_unknown(peer: SpeechPeer, voice: str) -> None:
    """Another service's voices were asked about before."""
    async with session() as http:
        refused = await ask(http, peer, voice_question(voice, "VOICE_FALLBACK"))
    if refused is not None and refused.status == BAD_REQUEST:
        allowed = f"{refused.reason} (the local engine's voices: telephony engine --voices)"
        raise BadSetting("VOICE_FALLBACK", voice, allowed)
