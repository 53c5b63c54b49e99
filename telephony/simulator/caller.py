"""The person at the other end of a simulated call: what they say, and when they hang up. PURE.

A caller is asked for 20 ms of sound at a time and reports what it hears; times are seconds of the
call's clock, which begins with the first frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from telephony.audio.dtmf import find_keys
from telephony.audio.g711 import FRAME_SAMPLES, PHONE_RATE, ULAW_SILENCE, ulaw_to_linear16
from telephony.simulator.playout import Playout

FRAME_S = FRAME_SAMPLES / PHONE_RATE
SILENT_FRAME = bytes([ULAW_SILENCE]) * FRAME_SAMPLES
HANG_UP_AFTER_S = 5.0
"""How long a caller waits in silence: longer than an answer may take, shorter than "are you still there?"."""
PATIENCE_S = 60.0
"""A caller who has said everything stays no longer than this, even with an agent that never stops."""


class Caller(Protocol):
    """What the simulator asks of a caller, in this order, once each 20 ms."""

    def observe(self, now: float, playout: Playout) -> None:
        """What is heard at this moment; `ear` also knows when sound began, ended, and was cleared."""

    def frame(self, index: int) -> bytes:
        """The caller's sound from index * 20 ms on: 160 bytes of mu-law."""

    def keys(self, now: float) -> str:
        """Keys whose press has become known since the last time."""

    def hangs_up(self, now: float) -> bool:
        """Whether the caller has had enough."""

    def learn(self, record: Mapping[str, Any]) -> None:
        """What the server says was said so far; a few times a second where it says anything."""

    def broken(self, report: Mapping[str, Any]) -> list[str]:
        """What the caller expected and did not get, in words, given the call's JSON object."""


class RecordingCaller:
    """Plays a recording, then listens in silence until the agent has been quiet for a while."""

    def __init__(self, ulaw: bytes, hang_up_after_s: float = HANG_UP_AFTER_S) -> None:
        self.ulaw = ulaw
        self.duration_s = len(ulaw) / PHONE_RATE
        self._hang_up_after_s = hang_up_after_s
        self._quiet_since = 0.0
        self._keys = find_keys(ulaw_to_linear16(ulaw))

    def observe(self, now: float, playout: Playout) -> None:
        self._quiet_since = max(self.duration_s, min(now, playout.heard_until))

    def frame(self, index: int) -> bytes:
        at = index * FRAME_SAMPLES
        piece = self.ulaw[at : at + FRAME_SAMPLES]
        return piece if len(piece) == FRAME_SAMPLES else piece + SILENT_FRAME[len(piece) :]

    def keys(self, now: float) -> str:
        known = []
        while self._keys and self._keys[0].known_s <= now:
            known.append(self._keys.pop(0).digit)
        return "".join(known)

    def learn(self, record: Mapping[str, Any]) -> None:
        return

    def broken(self, report: Mapping[str, Any]) -> list[str]:
        return []

    def hangs_up(self, now: float) -> bool:
        if now < self.duration_s:
            return False
        return now - self._quiet_since >= self._hang_up_after_s or now - self.duration_s >= PATIENCE_S
