"""The callers' chunks on their way to Flux: transcoded into the encoding it expects, all calls' together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from telephony.audio.g711 import PHONE_RATE, ulaw_to_linear16
from telephony.audio.resampler import Resampler
from telephony.base.tasks import guarded
from telephony.listen.upsampler import Upsampler, UpsamplerStream

log = logging.getLogger(__name__)

Listen = Callable[[bytes], None]


class Transcoder:
    """One process's: what comes within one turn of the event loop is transcoded at its end, or by `flush`."""

    def __init__(self) -> None:
        self._upsampler: Upsampler | None = None
        self._waiting: list[bytes] = []
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
        if self._upsampler is None:
            self._upsampler = Upsampler()
        with_lead = UpsamplerStream().with_lead
        waiting, listeners = self._waiting, self._listeners
        loop = asyncio.get_running_loop()

        def put(ulaw: bytes) -> None:
            if not waiting:
                loop.call_soon(self.flush)
            waiting.append(with_lead(ulaw))
            listeners.append(listen)

        return put

    def flush(self) -> None:
        """Transcode what is there, and hand it on."""
        if self._upsampler is None or not self._waiting:
            return
        sounds = self._upsampler(self._waiting)
        self._waiting.clear()
        listeners = self._listeners.copy()
        self._listeners.clear()
        for listen, sound in zip(listeners, sounds, strict=True):
            guarded(_not_sent, listen, sound)


def _not_sent(error: Exception) -> None:
    """The audio of one call fails; that of the others goes on."""
    log.error("a call's audio could not be given to listening", exc_info=error)
