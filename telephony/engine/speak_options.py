"""What a speaking client may ask for in its query, on `/v2/speak` and `/v1/speak`. PURE."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from telephony.errors import BadInput

ENCODINGS = ("linear16", "mulaw", "alaw")
LINEAR_RATES = (8000, 16000, 24000, 32000, 44100, 48000)
G711_RATES = (8000, 16000)
SPEED_LEAST, SPEED_MOST, SPEED_STEP = 0.5, 1.5, 0.05
CONTAINERS = ("wav", "none")

_KNOWN = {
    "model", "encoding", "sample_rate", "speed", "expressivity", "mip_opt_out", "tag", "container",
    "bit_rate", "word_times",
}  # fmt: skip


class BadSpeakOptions(BadInput):
    """A query that the service refuses; `parameter` is what is wrong."""

    def __init__(self, parameter: str, reason: str, code: str = "INVALID_QUERY_PARAMETER") -> None:
        super().__init__(f"{parameter}: {reason}")
        self.parameter = parameter
        self.code = code


@dataclass(frozen=True, slots=True)
class SpeakOptions:
    """A checked query."""

    model: str = ""
    encoding: str = "linear16"
    sample_rate: int = 24000
    """Hertz; 8000 by default with mu-law and A-law."""
    speed: float = 1.0
    """0.5 to 1.5."""
    container: str = "wav"
    """Of an answer by REST; a websocket's audio is always bare."""
    word_times: bool = False
    """Ours: SpeechMetadata also says when each word is heard."""

    @classmethod
    def from_query(cls, query: Iterable[tuple[str, str]]) -> SpeakOptions:
        """Reads a query. Raises BadSpeakOptions for the first thing in it that is wrong."""
        given = dict(query)
        for name in given:
            if name not in _KNOWN:
                raise BadSpeakOptions(name, "unknown parameter")
        encoding = _one_of(given, "encoding", ENCODINGS, "linear16")
        rates = LINEAR_RATES if encoding == "linear16" else G711_RATES
        usual = "24000" if encoding == "linear16" else "8000"
        rate = _one_of(given, "sample_rate", tuple(map(str, rates)), usual)
        if "expressivity" in given and given["expressivity"] not in ("-2", "-1", "0", "1", "2"):
            raise BadSpeakOptions("expressivity", "one of -2, -1, 0, 1, 2", "EXPRESSIVITY_OUT_OF_RANGE")
        if not given.get("model"):
            raise BadSpeakOptions("model", "required")
        return cls(
            given["model"],
            encoding,
            int(rate),
            _speed(given["speed"]) if "speed" in given else 1.0,
            _one_of(given, "container", CONTAINERS, "wav"),
            _one_of(given, "word_times", ("true", "false"), "false") == "true",
        )

    def at_speed(self, speed: float) -> SpeakOptions:
        """The same at another speed."""
        return replace(self, speed=speed)


def check_speed(speed: float) -> tuple[str, str] | None:
    """What is wrong with a speed, as the service's code and a sentence; None when nothing is."""
    if not SPEED_LEAST <= speed <= SPEED_MOST:
        return "SPEED_OUT_OF_RANGE", f"speed must be from {SPEED_LEAST} to {SPEED_MOST}"
    if abs(speed / SPEED_STEP - round(speed / SPEED_STEP)) > 1e-6:
        return "SPEED_INCREMENT_INVALID", f"speed must be a multiple of {SPEED_STEP}"
    return None


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        raise BadSpeakOptions("speed", f"{text!r} is not a number") from None
    if wrong := check_speed(speed):
        raise BadSpeakOptions("speed", wrong[1], wrong[0])
    return speed


def _one_of(given: dict[str, str], name: str, allowed: tuple[str, ...], usual: str) -> str:
    value = given.get(name, usual)
    if value not in allowed:
        raise BadSpeakOptions(name, f"{value!r} is not one of {', '.join(allowed)}")
    return value
