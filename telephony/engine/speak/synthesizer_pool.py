"""Where the engine's speech comes from: behind this seam are the machine's voices (engine/speak/voice.py)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Protocol

from telephony.base.tasks import guarded_task
from telephony.engine.speak.voice_chunk import VoiceChunk
from telephony.errors import MissingModel

log = logging.getLogger(__name__)

READY_S = 15.0
"""Longest wait of a request for voices that are still being loaded."""


class VoiceSource(Protocol):
    """Voices by name (engine/speak/voice.py says what each method promises)."""

    async def start(self) -> None:
        """Loads. Raises MissingModel where nothing here can speak."""
        ...

    async def close(self) -> None:
        """Ends what was started."""
        ...

    def resolve(self, model: str) -> str:
        """The local voice for a model name. Raises KeyError."""
        ...

    def render(self, text: str, voice: str, speed: float = 1.0) -> AsyncIterator[VoiceChunk]:
        """Speaks a text, clause by clause."""
        ...


class NoVoice(Exception):
    """Nothing can be spoken here now; `str()` says why."""


class SynthesizerPool:
    """The voices, and whether they are ready."""

    def __init__(self, voices: VoiceSource) -> None:
        self.voices = voices
        self.trouble = ""
        """Why nothing can be spoken, once that is known."""
        self._loading: asyncio.Task[None] | None = None

    @property
    def state(self) -> str:
        """For /healthz: loading, ready, none."""
        if self.trouble:
            return "none"
        return "ready" if self._loading is not None and self._loading.done() else "loading"

    def start(self) -> None:
        """Begins to load."""
        self._loading = asyncio.create_task(self._load())

    async def ready(self) -> VoiceSource:
        """The voices, when they are loaded. Raises NoVoice."""
        if self._loading is None:
            self.start()
        assert self._loading is not None
        try:
            async with asyncio.timeout(READY_S):
                await asyncio.shield(self._loading)
        except TimeoutError:
            raise NoVoice("the voices are still being loaded") from None
        if self.trouble:
            raise NoVoice(self.trouble)
        return self.voices

    async def close(self) -> None:
        """Ends the voices."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        await self.voices.close()

    async def _load(self) -> None:
        began = asyncio.get_running_loop().time()
        await guarded_task(self._failed, self.voices.start())
        if not self.trouble:
            log.info("speaking is ready after %.1f s", asyncio.get_running_loop().time() - began)

    def _failed(self, error: Exception) -> None:
        """Listening goes on without a voice."""
        if isinstance(error, MissingModel):
            self.trouble = str(error)
            log.warning("nothing can be spoken: %s", error)
        else:
            self.trouble = f"the voices do not start: {type(error).__name__}"
            log.error("the voices do not start", exc_info=error)
