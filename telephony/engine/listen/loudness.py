"""Turn detection by loudness, without models and words: what is left when models are missing. PURE."""

from __future__ import annotations

import audioop
from collections.abc import AsyncIterator, Callable

from telephony.engine.listen.recognized import BLOCK_S, Block, RecognitionOptions, RecognizedWord

UNKNOWN_WORD = "(speech)"
"""Stands for whatever was said: the wire wants a text in every turn."""

_BLOCK_BYTES = int(BLOCK_S * 8000) * 2
_SPEECH_RMS = 600
"""Linear16: about -35 dBFS, above the noise of a quiet phone line."""
_ABOVE_FLOOR = 2.8
"""9 dB over the running noise floor (the level gate of speech.md section 8)."""
_START_S = 0.24
"""Speech needed for a turn; three blocks, since a single click must not start one."""
_SURE_S = 0.96
"""Silence after which a turn is as likely over as this can tell."""
_MOST = 0.95


class LoudnessStream:
    """Detects that somebody speaks, and when they stop."""

    def __init__(self, options: RecognitionOptions) -> None:
        self.options = options
        self._rest = b""
        self._at_s = 0.0
        self._floor = 60.0
        self._run_s = 0.0
        self._in_turn = False
        self._start_s = 0.0
        self._end_s = 0.0

    async def recognize(self, linear16: bytes, waited: bool = False) -> AsyncIterator[Block]:
        """Audio at 8000 Hz; a block for each 80 ms completed."""
        data = self._rest + linear16
        whole = len(data) - len(data) % _BLOCK_BYTES
        self._rest = data[whole:]
        for at in range(0, whole, _BLOCK_BYTES):
            yield self._block(data[at : at + _BLOCK_BYTES])

    async def flush(self) -> Block | None:
        """What is known of the open turn."""
        return self._state(0.0) if self._in_turn else None

    def end_turn(self) -> None:
        """The turn is over."""
        self._in_turn, self._run_s = False, 0.0

    def configure(self, options: RecognitionOptions) -> None:
        """Thresholds are the session's; nothing here depends on them."""
        self.options = options

    def when_lost(self, tell: Callable[[], None]) -> None:
        """Nothing here can break down."""

    def close(self) -> None:
        """Nothing waits here."""

    def _block(self, audio: bytes) -> Block:
        self._at_s = round(self._at_s + BLOCK_S, 4)
        level = audioop.rms(audio, 2)
        loud = level > max(_SPEECH_RMS, self._floor * _ABOVE_FLOOR)
        # The floor follows quiet at once and loudness slowly, so that a steady noise becomes the floor.
        self._floor = max(20.0, min(level, self._floor * 1.02))
        self._run_s = self._run_s + BLOCK_S if loud else 0.0
        if loud:
            self._end_s = self._at_s
        if not self._in_turn and self._run_s >= _START_S - 1e-9:
            self._in_turn, self._start_s = True, self._at_s - self._run_s
        return self._state(1.0 if loud else 0.0)

    def _state(self, speech: float) -> Block:
        if not self._in_turn:
            return Block(self._at_s, speech, False, "", (), 0.0, 0.0, False)
        silence = self._at_s - self._end_s
        word = RecognizedWord(UNKNOWN_WORD, 0.0, self._start_s, max(self._end_s, self._start_s))
        confidence = min(_MOST, silence / _SURE_S * _MOST)
        return Block(self._at_s, speech, True, UNKNOWN_WORD, (word,), confidence, silence, silence > 0)


class LoudnessPool:
    """As many as are asked for: they cost next to nothing."""

    notes: tuple[str, ...] = ()
    state = "loudness"

    async def open(self, options: RecognitionOptions) -> LoudnessStream:
        """The recognizer of a new stream."""
        return LoudnessStream(options)

    async def close(self) -> None:
        """Nothing waits here."""
