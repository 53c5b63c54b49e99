"""A voice for tests of the wire: each word is a quarter of a second of tone, each sentence a chunk."""

from __future__ import annotations

import asyncio
import math
import re
import struct
from collections.abc import AsyncIterator

from telephony.engine.speak.voice_chunk import SpokenWord, VoiceChunk
from tests.pacing import loop_turn

RATE = 16000
WORD_S = 0.25
_WORD = re.compile(r"\S+")
_TONE = b"".join(struct.pack("<h", round(9000 * math.sin(0.2 * n))) for n in range(int(RATE * WORD_S)))


class ToneVoices:
    """Speaks at once, or sentence by sentence as the test lets it (`hold`)."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.rendered: list[str] = []
        self.speeds: list[float] = []

    async def start(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to end."""

    def resolve(self, model: str) -> str:
        if model.startswith(("flux-", "aura-")) or model == "tone":
            return "tone"
        raise KeyError(model)

    async def render(self, text: str, voice: str, speed: float = 1.0) -> AsyncIterator[VoiceChunk]:
        self.rendered.append(text)
        self.speeds.append(speed)
        if text.startswith("crash"):
            raise OSError("the voice is gone")
        at = 0.0
        for found in _WORD.finditer(text):
            if not re.search(r"\w", found[0]):
                continue
            if "wait" in found[0]:
                await self.go.wait()
            word = SpokenWord(found[0], at, at + WORD_S, found.start(), found.end())
            at += WORD_S
            yield VoiceChunk(_TONE, RATE, (word,))
            await loop_turn()
