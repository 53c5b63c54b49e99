"""What a speaking client may ask for in its query, on `/v2/speak` and `/v1/speak`. PURE."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from telephony.errors import BadInput

ENCODINGS = ("linear16", "mulaw", "alaw")
LINEAR_RATES = (8000, 16000, 24000, 32000, 44100, 48000)
G711_RATES = (8000, 16000)
SPEED_LEAST, SPEED_MOST, SPEED_STEP = 0.5, 1.5, 0.05
FLAGS = ("true", "false")
CONTAINERS = ("wav", "none")
COMPRESSED = ("mp3", "opus", "flac", "aac")
"""The service's encodings that need an encoder of a library: refused."""

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
    """A validated query."""

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
    def from_query(
        cls, query: Iterable[tuple[str, str]], *, streaming: bool = False, usual_model: str = ""
    ) -> SpeakOptions:
        """Reads a query. Raises BadSpeakOptions for the first thing in it that is wrong.

        `streaming`: for a websocket. `usual_model` is spoken where none is named; empty: one must be.
        """
        given = _once(query)
        encoding = _encoding(given)
        _check_rest(given, streaming)
        rates = LINEAR_RATES if encoding == "linear16" else G711_RATES
        usual = "24000" if encoding == "linear16" else "8000"
        rate = _one_of(given, "sample_rate", tuple(map(str, rates)), usual)
        model = given.get("model", usual_model)
        if not model:
            raise BadSpeakOptions("model", "required")
        return cls(
            model,
            encoding,
            int(rate),
            _speed(given["speed"]) if "speed" in given else 1.0,
            _one_of(given, "container", CONTAINERS, "wav"),
            _one_of(given, "word_times", FLAGS, "false") == "true",
        )

    def at_speed(self, speed: float) -> SpeakOptions:
        """The same at another speed."""
        return replace(self, speed=speed)


def _once(query: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The parameters by name; only tags may be repeated."""
    given: dict[str, str] = {}
    for name, value in query:
        if name not in _KNOWN:
            raise BadSpeakOptions(name, "unknown parameter")
        if name in given and name != "tag":
            raise BadSpeakOptions(name, "given twice")
        given[name] = value
    return given


def _encoding(given: dict[str, str]) -> str:
    encoding = given.get("encoding")
    if encoding in COMPRESSED:
        can = ", ".join(ENCODINGS)
        raise BadSpeakOptions("encoding", f"{encoding!r} is not supported by the local engine: {can}")
    return _one_of(given, "encoding", ENCODINGS, "linear16")


def _check_rest(given: dict[str, str], streaming: bool) -> None:
    """What changes nothing here, and must be right nevertheless."""
    _one_of(given, "mip_opt_out", FLAGS, "false")
    if "expressivity" in given and given["expressivity"] not in ("-2", "-1", "0", "1", "2"):
        raise BadSpeakOptions("expressivity", "one of -2, -1, 0, 1, 2", "EXPRESSIVITY_OUT_OF_RANGE")
    if "bit_rate" in given:
        raise BadSpeakOptions("bit_rate", "only compressed encodings have one")
    if streaming and given.get("container", "none") != "none":
        raise BadSpeakOptions("container", "a websocket's audio has none")


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
