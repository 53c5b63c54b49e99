"""Who answers which number: the first route that fits the called number, the caller and the hour. PURE."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from telephony.base.phone_numbers import address

PORT = re.compile(r":[0-9]+$")
NOT_TOLD = "anonymous"  # a caller of whom Twilio says nothing at all


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of the day, on some days of the week."""

    opens: int = 0
    """Minutes after midnight."""
    closes: int = 24 * 60
    """Minutes after midnight, not included; before `opens` it is on the next day."""
    days: frozenset[int] = frozenset(range(7))
    """0 is Monday. Of hours that pass midnight, the day on which they begin."""
    zone: tzinfo = UTC

    def include(self, now: float) -> bool:
        """Whether this Unix time lies within them."""
        local = datetime.fromtimestamp(now, self.zone)
        minute, today = local.hour * 60 + local.minute, local.weekday()
        if self.opens < self.closes:
            return today in self.days and self.opens <= minute < self.closes
        evening = today in self.days and minute >= self.opens
        return evening or ((today - 1) % 7 in self.days and minute < self.closes)


@dataclass(frozen=True, slots=True)
class Route:
    """One way to answer. What is empty is as the settings say."""

    name: str = ""
    """What goes into the media stream's parameters; empty for the default."""
    to: tuple[str, ...] = ()
    """Called numbers, as `phone_numbers.address` gives them; one that ends in * stands for all that begin so.
    Empty: any."""
    callers: tuple[str, ...] = ()
    hours: Hours = field(default_factory=Hours)
    agent: str = ""
    voice: str = ""
    language: str = ""
    """A language code, `de` or `en-GB`."""
    greeting: str = ""
    prompt: str = ""
    """Of `agent: llm`: a file, or the text itself."""

    def fits(self, to: str, caller: str, now: float) -> bool:
        """Whether this route answers such a call (two addresses) at this Unix time."""
        return _one_of(self.to, to) and _one_of(self.callers, caller) and self.hours.include(now)


@dataclass(frozen=True, slots=True)
class Routes:
    """All routes of a line."""

    routes: tuple[Route, ...] = ()
    default: Route = field(default_factory=Route)
    blocked: tuple[str, ...] = ()
    """Callers that nobody answers."""
    country: str = ""
    """Whose national numbers are understood, as `US`."""

    def choose(self, to: str, caller: str, now: float) -> Route | None:
        """The route of a call, given as Twilio says To and From; None when its caller is blocked."""
        if not self.routes and not self.blocked:
            return self.default
        to, caller = address(to, self.country), address(caller, self.country) or NOT_TOLD
        if self.blocked and _one_of(self.blocked, caller):
            return None
        return next((route for route in self.routes if route.fits(to, caller, now)), self.default)

    def named(self, name: str) -> Route:
        """The route of this name; the default for one that is gone, after a restart with another file."""
        return next((route for route in self.routes if route.name == name), self.default)


def covers(pattern: str, other: str) -> bool:
    """Whether a pattern fits whatever another one, or an address, fits."""
    if pattern.endswith("*"):
        return other.startswith(pattern[:-1])
    return pattern == other or (pattern == _portless(other) and not other.endswith("*"))


def _one_of(patterns: tuple[str, ...], who: str) -> bool:
    return not patterns or any(covers(pattern, who) for pattern in patterns)


def _portless(who: str) -> str:
    """A SIP address without its port: a pattern without one means any."""
    return PORT.sub("", who) if who.startswith("sip") else who
