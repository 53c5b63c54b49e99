"""Mu-law at 8 kHz -> linear16 at 16 kHz, for many callers in one piece of arithmetic. PURE.

The filter of `resampler.Resampler`, with the same result. One caller's chunk of 80 ms is so little work that
calling numpy for it costs several times the work itself; chunks that are there together share the calls
(bench/README.md).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided

from telephony.audio.g711 import CHUNK_SAMPLES, PHONE_RATE, ULAW_SILENCE, ulaw_to_linear16
from telephony.audio.resampler import polyphase

_MOST = 32
"""Chunks at once: more gain nothing, and their arrays leave the cache."""
_GROUP = 32
"""Inputs for each row of the product."""
_ROWS = CHUNK_SAMPLES // _GROUP

_filter = polyphase(PHONE_RATE, 2 * PHONE_RATE)
_BEHIND = _filter.reach - 1
_LEAD = _filter.taps - 1
"""A chunk's filter begins so many samples before it. It comes out by `reach` samples, 1.5 ms, later."""
_SPAN = _GROUP + _LEAD

# The outputs that fall between two inputs. Those that fall on one are that input, as it is.
_between = np.zeros((_SPAN, _GROUP))
for _column in range(_GROUP):
    _between[_column : _column + _filter.taps, _column] = _filter.phases[1]


class UpsamplerStream:
    """One caller's sound so far: what the filter looks back at."""

    __slots__ = ("_lead",)

    def __init__(self) -> None:
        self._lead = bytes([ULAW_SILENCE]) * _LEAD

    def with_lead(self, chunk: bytes) -> bytes:
        """The next 80 ms of mu-law -> what `Upsampler` takes for them."""
        sound = self._lead + chunk
        self._lead = sound[-_LEAD:]
        return sound


class Upsampler:
    """The arithmetic, in arrays that are laid out once. Not for two threads at once."""

    def __init__(self) -> None:
        size = _LEAD + CHUNK_SAMPLES
        self._given = np.zeros((_MOST, size))
        self._windows = as_strided(
            self._given, (_MOST, _ROWS, _SPAN), (size * 8, _GROUP * 8, 8), writeable=False
        )
        self._rows = np.zeros((_MOST * _ROWS, _SPAN))
        self._laid_out = self._rows.reshape(_MOST, _ROWS, _SPAN)
        self._product = np.zeros((_MOST * _ROWS, _GROUP))
        self._made = np.zeros((_MOST, CHUNK_SAMPLES, 2), np.int16)

    def __call__(self, chunks: Sequence[bytes]) -> list[bytes]:
        """Chunks with their leads, any number of them -> for each one 80 ms of linear16 at 16 kHz."""
        if len(chunks) > _MOST:
            return self(chunks[:_MOST]) + self(chunks[_MOST:])
        count = len(chunks)
        linear = np.frombuffer(ulaw_to_linear16(b"".join(chunks)), np.int16).reshape(count, -1)
        self._given[:count] = linear
        self._laid_out[:count] = self._windows[:count]
        product = self._product[: count * _ROWS]
        np.dot(self._rows[: count * _ROWS], _between, out=product)
        np.rint(product, out=product)
        # ringing beside a full-scale step overshoots: clip, or it would wrap round
        np.minimum(product, 32767.0, out=product)
        np.maximum(product, -32768.0, out=product)
        made = self._made[:count]
        made[:, :, 0] = linear[:, _BEHIND : _BEHIND + CHUNK_SAMPLES]
        made[:, :, 1] = product.reshape(count, CHUNK_SAMPLES)
        sound, size = made.tobytes(), 4 * CHUNK_SAMPLES
        return [sound[at : at + size] for at in range(0, count * size, size)]
