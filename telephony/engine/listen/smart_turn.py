"""smart-turn v3.2: does it sound as if the speaker were done? P(complete) from the last 8 s of a turn."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from telephony.engine.listen.features import FRAMES_PER_S, Floats, log_mel
from telephony.engine.listen.onnx import load_network

WINDOW_S: Final = 8
_FRAMES: Final = WINDOW_S * FRAMES_PER_S
_SAMPLES: Final = WINDOW_S * 8000


class SmartTurn:
    """The network, loaded once; it keeps nothing between calls."""

    def __init__(self, path: Path) -> None:
        self._session = load_network(path)

    def predict(self, samples: Floats, power: Floats) -> float:
        """P(the turn is complete), 0 to 1, from the turn's samples and their mel power; the end counts."""
        samples = samples[-_SAMPLES:]
        # It was trained on audio of unit variance, the padding before a short turn counted in.
        variance = float(np.sum(np.square(samples, dtype=np.float64))) / _SAMPLES
        gain = 1.0 / float(np.sqrt(variance + 1e-7))
        features = log_mel(power, _FRAMES, gain=gain, at_end=True)
        return float(self._session.run(None, {"input_features": features[None]})[0][0, 0])
