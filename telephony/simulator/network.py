"""What a real line does to a media stream: loss, jitter, stalls, marks that go astray, echo, drift. PURE.

Everything is drawn from one seed, so that a call that went wrong can be placed again. Sound is lost before
it reaches the carrier, so a loss is a jump in `timestamp`; the websocket is TCP: nothing changes its order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from telephony.audio.g711 import FRAME_SAMPLES, PHONE_RATE, linear16_to_ulaw, ulaw_to_linear16
from telephony.simulator.playout import Playout

BURST_FRAMES = 3.0
"""Mean length of a loss: packets are lost in bursts, not singly (Gilbert's model)."""


@dataclass(frozen=True, slots=True)
class EchoPath:
    """The agent's own voice coming back, as from a speakerphone."""

    delay_ms: float
    db: float
    """Level of the echo against the agent's voice: -20 is a poor speakerphone."""


@dataclass(frozen=True, slots=True)
class Impairments:
    """How bad a line is. The default is a clean one."""

    seed: int = 1
    loss: float = 0.0
    """Share of the caller's frames that never arrive."""
    jitter_ms: float = 0.0
    """Each frame is late by up to this; the lateness does not add up."""
    stalls: tuple[tuple[float, float], ...] = ()
    """(at_s, seconds): nothing arrives, then everything at once."""
    marks_lost: float = 0.0
    marks_late_ms: float = 0.0
    """Each mark comes back late by up to this."""
    marks_twice: float = 0.0
    drift_ppm: float = 0.0
    """The line's clock against ours; above zero the caller's second is longer."""
    echo: EchoPath | None = None
    drop_at_s: float | None = None
    """The connection is cut at this moment, without `stop` and without a closing handshake."""
    frame_ms: float = 20.0
    """Sound in one media message: 20 is Twilio's; other carriers send up to a second at a time."""

    @property
    def clean(self) -> bool:
        """Whether the caller's channel arrives as it was sent."""
        return self == Impairments(seed=self.seed, frame_ms=self.frame_ms)


@dataclass(slots=True)
class NetworkModel:
    """One call's line."""

    impairments: Impairments
    lost_frames: int = 0
    lost_marks: int = 0
    _random: Callable[[], float] = field(init=False, repr=False)
    _losing: bool = False
    _last: float = 0.0

    def __post_init__(self) -> None:
        # Not the random module: what is drawn must be a function of the seed alone, on every Python.
        self._random = np.random.Generator(np.random.PCG64(self.impairments.seed)).random

    def frame(self, at: float) -> float | None:
        """When a frame that was sent at `at` arrives; None when it is lost."""
        line = self.impairments
        if self._lost():
            self.lost_frames += 1
            return None
        arrival = at
        if line.jitter_ms:
            arrival += self._random() * line.jitter_ms / 1000
        arrival = self._after_stall(arrival)
        self._last = max(self._last, arrival)
        return self._last

    def mark(self, at: float) -> list[float]:
        """When a mark that is due at `at` comes back: usually once, perhaps never, perhaps twice."""
        line = self.impairments
        if line.marks_lost and self._random() < line.marks_lost:
            self.lost_marks += 1
            return []
        late = self._random() * line.marks_late_ms / 1000 if line.marks_late_ms else 0.0
        twice = bool(line.marks_twice) and self._random() < line.marks_twice
        at = self._after_stall(at + late)
        return [at, at] if twice else [at]

    def mix_echo(self, frame: bytes, index: int, playout: Playout) -> bytes:
        """The caller's frame with the agent's voice that comes back in it."""
        echo = self.impairments.echo
        if echo is None:
            return frame
        first = index * FRAME_SAMPLES - round(echo.delay_ms / 1000 * PHONE_RATE)
        if first + FRAME_SAMPLES <= 0:
            return frame
        heard = playout.window(max(0, first), first + FRAME_SAMPLES)
        back = np.frombuffer(ulaw_to_linear16(heard), "<i2") * 10 ** (echo.db / 20)
        said = np.frombuffer(ulaw_to_linear16(frame), "<i2").astype(np.float64)
        said[len(said) - len(back) :] += back
        return linear16_to_ulaw(np.clip(np.rint(said), -32768, 32767).astype("<i2").tobytes())

    def _after_stall(self, at: float) -> float:
        for start, seconds in self.impairments.stalls:
            if start <= at < start + seconds:
                at = start + seconds
        return at

    def _lost(self) -> bool:
        """Gilbert's two states: a loss lasts BURST_FRAMES on average, and the share lost is `loss`."""
        loss = self.impairments.loss
        if not loss:
            return False
        leave = 1 / BURST_FRAMES
        enter = min(1.0, leave * loss / (1 - loss)) if loss < 1 else 1.0
        self._losing = self._random() >= leave if self._losing else self._random() < enter
        return self._losing or loss >= 1
