"""The local voices: text in, audio by the clause out, with the time of every word.

    voices = Voices()
    await voices.start()
    async for chunk in voices.render("Sure. Two lattes, $8.40.", "joe"):
        send(chunk.linear16)          # chunk.rate samples per second
    await voices.close()
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from telephony.engine.voice_chunk import SpokenWord, VoiceChunk

__all__ = ["SpokenWord", "VoiceChunk", "Voices"]


class Voices:
    """All voices of this machine, by name."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()

    async def start(self) -> None:
        """Find the voices and load them. Raises MissingModel where nothing here can speak."""
        raise NotImplementedError

    async def close(self) -> None:
        """End the voices' processes."""
        raise NotImplementedError

    def resolve(self, model: str) -> str:
        """The local voice that speaks for `model`: itself, or the one a cloud name is mapped onto.

        Raises KeyError for a name that is neither a local voice nor `flux-…`, `aura-…`.
        """
        raise NotImplementedError

    def render(self, text: str, voice: str, speed: float = 1.0) -> AsyncIterator[VoiceChunk]:
        """Speak `text`, clause by clause; `voice` is anything `resolve` takes; `speed` 0.5 to 1.5.

        Closing the iterator stops the work. Text with nothing to say gives no chunk.
        """
        raise NotImplementedError
