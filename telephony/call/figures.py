"""What is counted of a call: plain values, which the server's metrics add up. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from telephony.events import EndReason


@dataclass(frozen=True, slots=True)
class Traffic:
    """Counts of one call, or of many."""

    frames_in: int = 0
    """Media messages taken, 20 ms each."""
    samples_out: int = 0
    """Of 1/8000 s, handed to the carrier's writer."""
    samples_lost: int = 0
    """Skipped by the caller's timestamps."""
    samples_late: int = 0
    """Of the caller, left out: they came twice, or after silence had taken their place."""
    underruns: int = 0
    """Times the caller heard silence within a reply, since its audio was not there in time."""
    stt_lost: int = 0
    """Listening connections that ended while the call went on."""
    stt_failed: int = 0
    """Listening handshakes that failed."""

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(
            self.frames_in + other.frames_in,
            self.samples_out + other.samples_out,
            self.samples_lost + other.samples_lost,
            self.samples_late + other.samples_late,
            self.underruns + other.underruns,
            self.stt_lost + other.stt_lost,
            self.stt_failed + other.stt_failed,
        )


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What a call was, reported once at its end."""

    dialled: bool
    """We called, rather than were called."""
    ended_by: EndReason | None
    """As in its record."""
    duration_s: float
    responses_s: Sequence[float]
    """Of each answered turn, from the caller's last sound to our first at the caller's ear; seconds."""


class Measured(Protocol):
    """A call, as far as it is measured."""

    def traffic(self) -> Traffic:
        """Its counts so far; cheap, and none ever falls."""

    def outcome(self) -> CallOutcome:
        """For the end of the call."""


class CallMetrics(Protocol):
    """What counts the calls of a process."""

    def began(self, call: Measured, /) -> None:
        """A stream has begun."""

    def ended(self, call: Measured, /) -> None:
        """It is over."""

    def barged_in(self, seconds: float, /) -> None:
        """The caller spoke, and so much later the order to fall silent was written to the carrier."""
