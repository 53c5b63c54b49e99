"""Which voices this machine has, in words for the log and for `telephony engine --voices`."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from telephony.engine import packages
from telephony.engine.models import catalogue
from telephony.engine.speak import piper_process, system_voice
from telephony.engine.speak.piper_process import PiperProcess, Utterance
from telephony.engine.speak.voice_sound import Character
from telephony.errors import MissingModel

logger = logging.getLogger(__name__)

_JOE = "joe/en_US-joe-medium.onnx"
_CLOUD_PREFIXES = ("flux-", "aura-")


class Renderer(Protocol):
    """A program that speaks."""

    async def render(self, text: str) -> Utterance:
        """Speak one clause. Raises VoiceFailed."""
        ...

    async def close(self) -> None:
        """End what runs."""
        ...


@dataclass(frozen=True, slots=True)
class VoiceEntry:
    """One voice that can be asked for by name."""

    name: str
    description: str
    """What speaks, for the log and for people who choose."""
    version: str
    """Changes when the same text would sound different: part of the phrase cache's key."""
    renderer: Renderer
    character: Character = field(default_factory=Character)


def find_voices() -> tuple[VoiceEntry, ...]:
    """The voices of this machine, the most natural first; at least two. Nothing is started.

    What is missing is logged in one line. Raises MissingModel where nothing can speak.
    """
    system = system_voice.find()
    joe = catalogue.path(_JOE)
    if joe and piper_process.available():
        first = VoiceEntry("joe", "piper with the joe voice", "joe-1.0.0", PiperProcess(joe))
        return (first, _of_system(system), _higher(first)) if system else (first, _higher(first))
    lack = "the joe voice is not here (telephony doctor says how)" if not joe else "piper is not installed"
    if system is None:
        raise MissingModel(
            f"nothing here can speak: {lack}, and neither is flite or espeak-ng. "
            f"Do: {packages.INSTALL} and {catalogue.FETCH_COMMAND}, or install flite"
        )
    first = _of_system(system)
    logger.warning("%s: %s speaks instead", lack, system.program)
    return first, _higher(first)


def _of_system(system: system_voice.SystemVoice) -> VoiceEntry:
    return VoiceEntry(system.name, f"{system.program}, a synthesizer of this system", system.program, system)


def _higher(first: VoiceEntry) -> VoiceEntry:
    """A voice that nobody takes for the first, made of it."""
    character = Character(pitch=1.22, pace=1.06)
    return VoiceEntry(
        f"{first.name}-high",
        f"{first.name} at another pitch and rate",
        f"{first.version} {character}",
        first.renderer,
        character,
    )


def voice_for(model: str, names: Sequence[str]) -> str:
    """The listed voice that speaks for a model name: itself, or for a cloud's name always the same one.

    Raises KeyError for any other name.
    """
    if model in names:
        return model
    if not model.startswith(_CLOUD_PREFIXES) or model.count("-") < 2:
        raise KeyError(model)
    person = model.removeprefix("aura-2-").removeprefix("flux-").removeprefix("aura-").split("-")[0]
    # Two voices share the names, so that a third does not move them. Shifted by one, the default VOICE,
    # flux-haley-en, gets the natural one.
    return names[(zlib.crc32(person.encode()) >> 1) % min(2, len(names))]
