"""What a connection to `/v2/listen` may ask for, checked exactly as the service checks it. PURE."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from telephony.deepgram.flux_messages import Configure
from telephony.errors import BadInput

DEFAULT_EOT_THRESHOLD = 0.7
DEFAULT_EOT_TIMEOUT_MS = 5000

MODELS = ("flux-general-en", "flux-general-multi")
ENCODINGS = ("linear16", "linear32", "mulaw", "alaw", "opus", "ogg-opus")
SAMPLE_RATES = (8000, 16000, 24000, 44100, 48000)
LANGUAGES = ("en", "es", "fr", "de", "hi", "ru", "pt", "ja", "it", "nl")
REDACTIONS = ("numbers", "aggressive_numbers")
MAX_KEYTERM_WORDS = 500
"""The service counts 500 tokens of its own; words are the nearest count that can be made here."""
MAX_CONFIGURED_KEYTERMS = 100
"""Entries of a Configure."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why the service would refuse a connection or a Configure."""

    parameter: str
    reason: str
    status: int = 400
    """HTTP status of the refused handshake."""
    code: str = "INVALID_QUERY_PARAMETER"
    """`err_code` of its body, or the code of the ConfigureFailure."""

    def __str__(self) -> str:
        return f"{self.parameter}: {self.reason}"


class BadFluxOptions(BadInput):
    """Parameters that the service refuses; each problem names its parameter."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class FluxOptions:
    """The query of a connection. None leaves the choice to the service."""

    model: str = "flux-general-en"
    encoding: str | None = None
    """Of raw audio; None for a container (WAV, Ogg, WebM)."""
    sample_rate: int | None = None
    """Hertz; with `encoding` only."""
    eot_threshold: float | None = None
    """0.5 to 1.0, 0.7 by default; 1.0 keeps the model from ending turns."""
    eager_eot_threshold: float | None = None
    """0.3 to 0.9, not above eot_threshold; None: no eager events."""
    eot_timeout_ms: int | None = None
    """Milliseconds of silence after speech, 500 to 60000, 5000 by default."""
    keyterms: tuple[str, ...] = ()
    language_hints: tuple[str, ...] = ()
    """flux-general-multi only."""
    profanity_filter: bool | None = None
    numerals: bool | None = None
    redact: tuple[str, ...] = ()
    mip_opt_out: bool | None = None
    tags: tuple[str, ...] = ()

    @property
    def eot(self) -> float:
        """The end-of-turn threshold in force."""
        return DEFAULT_EOT_THRESHOLD if self.eot_threshold is None else self.eot_threshold

    @property
    def timeout_ms(self) -> int:
        """The end-of-turn time-out in force."""
        return DEFAULT_EOT_TIMEOUT_MS if self.eot_timeout_ms is None else self.eot_timeout_ms

    def validate(self) -> list[Problem]:
        """What the service would refuse, each naming its parameter; empty when nothing."""
        return [
            *_check_model(self),
            *_check_audio(self),
            *_check_thresholds(self),
            *_check_terms(self),
            *_check_choices(self),
        ]

    def to_query(self) -> list[tuple[str, str]]:
        """The parameters as the service reads them, in their order; nothing that was left to the service."""
        query: list[tuple[str, str]] = []
        for name, (field, _) in _PARAMETERS.items():
            value = getattr(self, field)
            if isinstance(value, tuple):
                query += [(name, item) for item in value]
            elif value is not None:
                query.append((name, _written(value)))
        return query

    @classmethod
    def from_query(cls, query: Iterable[tuple[str, str]]) -> FluxOptions:
        """Read and check a query. Raises BadFluxOptions with every problem."""
        values: dict[str, Any] = {"model": ""}
        problems: list[Problem] = []
        seen: set[str] = set()
        for name, text in query:
            if name not in _PARAMETERS:
                problems.append(Problem(name, "unknown parameter"))
                continue
            field, read = _PARAMETERS[name]
            if field in seen and field not in _REPEATABLE:
                problems.append(Problem(name, "given twice"))
                continue
            seen.add(field)
            try:
                value = read(text)
            except ValueError as error:
                problems.append(Problem(name, str(error)))
                continue
            values[field] = (*values.get(field, ()), value) if field in _REPEATABLE else value
        options = cls(**values)
        named = {problem.parameter for problem in problems}
        problems += [problem for problem in options.validate() if problem.parameter not in named]
        if problems:
            raise BadFluxOptions(problems)
        return options

    def configured(self, change: Configure) -> FluxOptions:
        """These options after a Configure: all of it or, raising BadFluxOptions, nothing."""
        changes = {
            field.name: value
            for field in fields(change)
            if (value := getattr(change, field.name)) is not None
        }
        changed = replace(self, **changes)
        problems = [replace(p, code=_CONFIGURE_CODES.get(p.parameter, p.code)) for p in changed.validate()]
        if len(change.keyterms or ()) > MAX_CONFIGURED_KEYTERMS:
            problems.append(
                Problem("keyterm", f"more than {MAX_CONFIGURED_KEYTERMS} entries", code="INVALID_KEYTERMS")
            )
        if problems:
            raise BadFluxOptions(problems)
        return changed


_CONFIGURE_CODES = {
    "eot_threshold": "INVALID_THRESHOLD",
    "eager_eot_threshold": "INVALID_THRESHOLD",
    "eot_timeout_ms": "INVALID_THRESHOLD",
    "keyterm": "INVALID_KEYTERMS",
    "language_hint": "INVALID_LANGUAGE_HINTS",
}


def _check_model(o: FluxOptions) -> list[Problem]:
    if not o.model:
        return [Problem("model", f"required: one of {', '.join(MODELS)}")]
    if o.model not in MODELS:
        # a misspelt model and one that the project may not use are answered alike
        reason = f"{o.model!r} does not exist or may not be used: one of {', '.join(MODELS)}"
        return [Problem("model", reason, 403, "INSUFFICIENT_PERMISSIONS")]
    return []


def _check_audio(o: FluxOptions) -> list[Problem]:
    problems = []
    if o.encoding is not None and o.encoding not in ENCODINGS:
        problems.append(Problem("encoding", f"{o.encoding!r} is not one of {', '.join(ENCODINGS)}"))
    if o.sample_rate is not None and o.sample_rate not in SAMPLE_RATES:
        rates = ", ".join(map(str, SAMPLE_RATES))
        problems.append(Problem("sample_rate", f"{o.sample_rate} is not one of {rates}"))
    # Ogg is a container: its header says the rate.
    if o.encoding not in (None, "ogg-opus") and o.sample_rate is None:
        problems.append(Problem("sample_rate", "required with encoding"))
    if o.encoding is None and o.sample_rate is not None:
        problems.append(Problem("encoding", "required with sample_rate"))
    return problems


def _check_thresholds(o: FluxOptions) -> list[Problem]:
    problems = []
    eager = o.eager_eot_threshold
    if not 0.5 <= o.eot <= 1.0:
        problems.append(Problem("eot_threshold", f"{o.eot} is not between 0.5 and 1.0"))
    if eager is not None and not 0.3 <= eager <= 0.9:
        problems.append(Problem("eager_eot_threshold", f"{eager} is not between 0.3 and 0.9"))
    elif eager is not None and eager > o.eot:
        whose = "default " if o.eot_threshold is None else ""
        reason = f"{eager} is above the {whose}eot_threshold, {o.eot}"
        problems.append(Problem("eager_eot_threshold", reason))
    if not 500 <= o.timeout_ms <= 60000:
        problems.append(Problem("eot_timeout_ms", f"{o.timeout_ms} is not between 500 and 60000"))
    return problems


def _check_terms(o: FluxOptions) -> list[Problem]:
    problems = []
    if any(not term.strip() for term in o.keyterms):
        problems.append(Problem("keyterm", "empty"))
    if sum(len(term.split()) for term in o.keyterms) > MAX_KEYTERM_WORDS:
        words = sum(len(term.split()) for term in o.keyterms)
        reason = f"Keyterm limit exceeded: {words} words, {MAX_KEYTERM_WORDS} tokens are allowed"
        problems.append(Problem("keyterm", reason))
    if o.language_hints and o.model == "flux-general-en":
        problems.append(Problem("language_hint", "only flux-general-multi takes hints"))
    problems += [
        Problem("language_hint", f"{hint!r} is not one of {', '.join(LANGUAGES)}")
        for hint in o.language_hints
        if hint not in LANGUAGES
    ]
    return problems


def _check_choices(o: FluxOptions) -> list[Problem]:
    problems = [
        Problem("redact", f"{kind!r} is not one of {', '.join(REDACTIONS)}")
        for kind in o.redact
        if kind not in REDACTIONS
    ]
    if "" in o.tags:
        problems.append(Problem("tag", "empty"))
    return problems


def _read_number(text: str) -> float:
    # float() also takes "0_7", " 0.7" and other scripts' digits
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a number")
    return float(text)


def _read_whole(text: str) -> int:
    # int() also takes "5_000", " 5000" and other scripts' digits
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def _read_flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text == "true"


def _written(value: float | bool | str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

_PARAMETERS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "model": ("model", str),
    "encoding": ("encoding", str),
    "sample_rate": ("sample_rate", _read_whole),
    "eot_threshold": ("eot_threshold", _read_number),
    "eager_eot_threshold": ("eager_eot_threshold", _read_number),
    "eot_timeout_ms": ("eot_timeout_ms", _read_whole),
    "keyterm": ("keyterms", str),
    "language_hint": ("language_hints", str),
    "profanity_filter": ("profanity_filter", _read_flag),
    "numerals": ("numerals", _read_flag),
    "redact": ("redact", str),
    "mip_opt_out": ("mip_opt_out", _read_flag),
    "tag": ("tags", str),
}
"""Name in the query -> our field and its reader."""

_REPEATABLE = frozenset({"keyterms", "language_hints", "redact", "tags"})
