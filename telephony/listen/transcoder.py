"""The callers' chunks on their way to Flux: in the encoding it was promised, all calls' chunks together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from telephony.audio.g711 import PHONE_RATE, ulaw_to_linear16
from telephony.audio.resampler import Resampler
from telephony.audio.upsampler import Upsampler, UpsamplerStream

log = logging.getLogger(__name__)

Listen = Callable[[bytes], None]


class Transcoder:
    """One process's share: what comes in within one turn of the event loop is converted at its end, or when
    `convert` is called."""

    def __init__(self) -> None:
        self._doubler: Upsampler | None = None
        self._followed: list[bytes] = []
        self._listeners: list[Listen] = []

    def stream(self, encoding: str, sample_rate: int, listen: Listen) -> Listen:
        """Where one call puts its chunks of 80 ms mu-law; `listen` gets them as `encoding` at `sample_rate`.

        linear16 at any rate, or mulaw at 8000. Raises ValueError for anything else.
        """
        if (encoding, sample_rate) == ("mulaw", PHONE_RATE):
            return listen
        if encoding != "linear16":
            raise ValueError(f"the caller's audio cannot be given as {encoding} at {sample_rate}")
        if sample_rate != 2 * PHONE_RATE:
            resampler = Resampler(PHONE_RATE, sample_rate)
            return lambda ulaw: listen(resampler.feed(ulaw_to_linear16(ulaw)))
        if self._doubler is None:
            self._doubler = Upsampler()
        follow = UpsamplerStream().follow
        followed, listeners = self._followed, self._listeners
        loop = asyncio.get_running_loop()

        def put(ulaw: bytes) -> None:
            if not followed:
                loop.call_soon(self.convert)
            followed.append(follow(ulaw))
            listeners.append(listen)

        return put

    def convert(self) -> None:
        """Convert what is there, and hand it on."""
        if self._doubler is None or not self._followed:
            return
        sounds = self._doubler(self._followed)
        self._followed.clear()
        listeners = self._listeners.copy()
        self._listeners.clear()
        for listen, sound in zip(listeners, sounds, strict=True):
            try:
                listen(sound)
            except Exception:  # one call's trouble is not the others'
                log.exception("a call's audio could not be given to listening")
