"""Flux's part of a virtual call: turn news with indexes, sequence numbers and word times. PURE."""

from __future__ import annotations

from collections.abc import Sequence

from telephony.deepgram.flux_messages import END_OF_TURN, TurnInfo, Word

WORD_S = 0.3


class VirtualFlux:
    """Makes the messages of one connection after another."""

    def __init__(self) -> None:
        self._turn_index = 0
        self._window_start = 0.0
        self._sequence = 0

    def restart(self, now: float) -> None:
        """A new connection: turn index, sequence and clock begin again."""
        self._turn_index = self._sequence = 0
        self._window_start = now

    def turn_info(
        self,
        event: str,
        text: str,
        now: float,
        *,
        quiet_s: float = 0.0,
        trigger: str = "model",
        times: Sequence[tuple[float, float]] | None = None,
    ) -> TurnInfo:
        """One TurnInfo; `quiet_s`: how long ago the last word ended, unless `times` says it."""
        tokens = text.split()
        end = now - quiet_s
        count = len(tokens)
        times = times or [
            (end - WORD_S * (count - at), end - WORD_S * (count - at - 1)) for at in range(count)
        ]
        words = tuple(
            [Word(w, 0.95, max(0.0, a), max(0.0, b)) for w, (a, b) in zip(tokens, times, strict=True)]
        )
        self._sequence += 1
        ended = event == END_OF_TURN
        info = TurnInfo(
            event, self._turn_index, text, words, 0.8 if ended else 0.1, self._window_start, now,
            trigger if ended else None, self._sequence,
        )  # fmt: skip
        if ended:
            self._turn_index += 1
            self._window_start = now
        return info
