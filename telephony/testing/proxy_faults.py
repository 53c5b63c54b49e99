"""What a proxy can do to a connection, in words: `flux: stall at 8s for 5s`. PURE.

    [SERVICE:] KIND [AMOUNT] [retry-after SECONDS] [at SECONDS] [for SECONDS]

Seconds are counted from `FaultProxy.begin`; without `at`, from the start of each connection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

KINDS: Mapping[str, tuple[str, float, str]] = {
    "latency": ("s", 0.2, "everything is later by so much"),
    "jitter": ("s", 0.1, "everything is later by up to so much, in order"),
    "stall": ("", 0, "nothing passes, then everything at once"),
    "reset": ("", 0, "the connection is reset"),
    "half-open": ("", 0, "nothing passes any more, and nobody is told"),
    "stop-reading": ("", 0, "what the client sends is not read"),
    "slice": ("bytes", 7, "everything comes in pieces of at most so many bytes"),
    "garbage": ("bytes", 64, "so many random bytes come to the client"),
    "refuse": ("", 0, "a new connection is reset at once"),
    "status": ("", 503, "a request is answered with this HTTP status"),
}
"""Each kind: the unit of its amount, the amount where none is given, and what it does."""
SPELT = {"half open": "half-open", "stop reading": "stop-reading", "slicing": "slice"}
OF_THE_MOMENT = frozenset({"stall", "reset", "half-open", "stop-reading", "garbage"})
"""With `at`, these befall the connections that are open at that moment, and no later ones."""
SERVICES: Mapping[str, tuple[str, ...]] = {
    "flux": ("/v2/listen", "/v1/listen"),
    "speak": ("/v2/speak", "/v1/speak"),
    "chat": ("/chat/completions",),
    "twilio": ("/2010-04-01/",),
}
"""What the path of each service's requests contains."""

_SECONDS = r"(\d+(?:\.\d+)?) ?(ms|s)?"
_FAULT = re.compile(
    r"(?:(?P<service>[a-z]+): ?)?"
    rf"(?P<kind>{'|'.join([*KINDS, *SPELT])})"
    r"(?: (?P<amount>\d+(?:\.\d+)?) ?(?P<unit>ms|s|bytes?)?)?"
    r"(?: retry-after (?P<retry_after>\d+))?"
    rf"(?: at {_SECONDS})?(?: for {_SECONDS})?"
)
_REQUEST = re.compile(rb"[A-Z]{3,7} (/\S*) HTTP/1\.[01]\r\n")


@dataclass(frozen=True, slots=True)
class ProxyFault:
    """One fault of a proxy."""

    kind: str
    """One of KINDS."""
    service: str = ""
    """Only connections of this one of SERVICES; empty: all."""
    amount: float = 0.0
    """Seconds, bytes or a status, by the kind."""
    at_s: float | None = None
    """Seconds from `begin`; None: from the start of each connection."""
    for_s: float | None = None
    """None: it stays."""
    retry_after: str = ""
    """The header of a status, in seconds."""

    def concerns(self, service: str) -> bool:
        """Whether a connection of this service has it."""
        return self.service in ("", service)

    def until(self, opened: float, now: float) -> float | None:
        """When it ends for a connection opened at `opened`; None: it is not on now. In seconds from begin."""
        start = opened if self.at_s is None else self.at_s
        if self.at_s is not None and self.kind in OF_THE_MOMENT and opened > start:
            return None
        end = float("inf") if self.for_s is None else start + self.for_s
        return end if start <= now < end else None


def request_path(data: bytes) -> str:
    """The path of the HTTP request that begins here; empty: none does."""
    found = _REQUEST.match(data)
    return found[1].decode("latin-1") if found else ""


def service_of(path: str) -> str:
    """Which of SERVICES a request is for; empty: none of them."""
    for name, parts in SERVICES.items():
        if any(part in path for part in parts):
            return name
    return ""


def read_fault(text: str) -> ProxyFault:
    """A fault from its words. Raises ValueError(what is allowed)."""
    found = _FAULT.fullmatch(" ".join(text.split()))
    if found is None:
        raise ValueError(
            f"it must be like `flux: stall at 8s for 5s` or `latency 200ms`; the kinds are {', '.join(KINDS)}"
        )
    service, kind = found["service"] or "", SPELT.get(found["kind"], found["kind"])
    if service and service not in SERVICES:
        raise ValueError(f"{service} must be one of {', '.join(SERVICES)}")
    *_, at, at_unit, how_long, long_unit = found.groups()
    return ProxyFault(
        kind,
        service,
        _amount(kind, found["amount"], found["unit"]),
        _in_seconds(at, at_unit),
        _in_seconds(how_long, long_unit),
        _retry_after(kind, found["retry_after"]),
    )


def _amount(kind: str, amount: str | None, unit: str | None) -> float:
    wanted, usual, _ = KINDS[kind]
    if amount is None:
        return usual
    if not wanted and kind != "status":
        raise ValueError(f"{kind} takes no amount")
    if (unit or "").rstrip("s") not in {"s": ("", "m"), "bytes": ("", "byte"), "": ("",)}[wanted]:
        raise ValueError(f"{kind} does not take {unit}")
    value = float(amount) / (1000 if unit == "ms" else 1)
    if kind == "status" and not (200 <= value < 600 and value.is_integer()):
        raise ValueError("a status is a number from 200 to 599")
    if wanted == "bytes" and not (1 <= value <= 65_536 and value.is_integer()):
        raise ValueError(f"{kind} takes a number of bytes from 1 to 65536")
    return value


def _retry_after(kind: str, seconds: str | None) -> str:
    if seconds is not None and kind != "status":
        raise ValueError(f"{kind} takes no retry-after: only status does")
    return seconds or ""


def _in_seconds(number: str | None, unit: str | None) -> float | None:
    return None if number is None else float(number) / (1000 if unit == "ms" else 1)
