"""Makes what a scripted caller says: words by a local voice that is not the agent's, files as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from telephony.audio.agc import AutomaticGain
from telephony.audio.g711 import PHONE_RATE, linear16_to_ulaw
from telephony.audio.resampler import Resampler
from telephony.errors import BadInput, MissingModel, VoiceFailed
from telephony.simulator.caller_script import RecordedSound, Sound, SpokenSound
from telephony.simulator.recording_source import read_recording

if TYPE_CHECKING:
    from telephony.engine.speak.voice import Voices


def make_sounds(sounds: Collection[Sound], agent_voice: str) -> Mapping[Sound, bytes]:
    """Every sound as mu-law. `agent_voice` is the server's VOICE. Raises BadInput."""
    made: dict[Sound, bytes] = {s: read_recording(s.path) for s in sounds if isinstance(s, RecordedSound)}
    spoken = [sound for sound in sounds if isinstance(sound, SpokenSound)]
    if spoken:
        made |= asyncio.run(_speak(spoken, agent_voice))
    return made


async def _speak(sounds: Collection[SpokenSound], agent_voice: str) -> Mapping[Sound, bytes]:
    from telephony.engine.speak.voice import Voices  # here, because most calls are recordings

    voices = Voices()
    try:
        await voices.start()
        return {sound: await _render(voices, sound, agent_voice) for sound in sorted(sounds, key=repr)}
    except (MissingModel, VoiceFailed) as error:
        raise BadInput(f"the caller's words cannot be spoken: {error}") from error
    finally:
        await voices.close()


async def _render(voices: Voices, sound: SpokenSound, agent_voice: str) -> bytes:
    voice = sound.voice or _other_than(agent_voice, voices)
    if voice not in voices.names:
        raise BadInput(f"{voice!r} is not a voice of this machine; it has {', '.join(voices.names)}")
    linear, rate = b"", PHONE_RATE
    async for chunk in voices.render(sound.text, voice):
        linear, rate = linear + chunk.linear16, chunk.rate
    if not linear:
        raise BadInput(f"there is nothing to say in {sound.text!r}")
    resampler, gain = Resampler(rate, PHONE_RATE), AutomaticGain(PHONE_RATE)
    phone = resampler.feed(linear) + resampler.flush()
    gain.feed(phone)  # once to learn the voice, so that the first word has its level, too
    gain.flush()
    return linear16_to_ulaw(gain.feed(phone) + gain.flush())


def _other_than(agent_voice: str, voices: Voices) -> str:
    try:
        agent = voices.resolve(agent_voice)
    except KeyError:  # a voice of the cloud that has no stand-in here: any will do
        agent = ""
    # The last is made of the first, the natural one. A synthesizer that this system happens to have stands
    # between them, and is heard wrong so often that a script would pass on one machine and fail on another.
    return next((name for name in (voices.names[-1], *voices.names) if name != agent), voices.names[0])
