"""What a stand-in can do wrong, on purpose. PURE."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RefusalFault:
    """A handshake answered with something else than 101."""

    status: int
    dg_error: str | None = None
    body: str = ""


@dataclass(frozen=True, slots=True)
class Faults:
    """One connection's faults; the seconds are of audio, received or sent, unless they say otherwise."""

    refuse: RefusalFault | None = None
    handshake_delay_s: float = 0.0
    """Seconds by the clock before the handshake is answered."""
    silent_after_s: float | None = None
    """It reads on, and says nothing more."""
    stops_reading_after_s: float | None = None
    """It stops reading, pings included."""
    reset_after_s: float | None = None
    """The connection is reset."""
    close_after_s: float | None = None
    """It closes, as if it were done."""
    error_after_s: float | None = None
    """It sends Error, and closes."""
    error_code: str = "INTERNAL_SERVER_ERROR"
    never_acknowledges: bool = False
    """A Configure gets no answer."""
    sends_junk: bool = False
    """Between its messages it sends unknown types, broken JSON and binary ones."""
    rubbish_after_s: float | None = None
    """From then on each of its messages is one of `rubbish`, in turn."""
    rubbish: tuple[str, ...] = ("not JSON at all",)
    odd: tuple[str, ...] = ()
    """Sent once, between its messages; SPEECH_ID stands for that of the speech under way."""
    odd_after_s: float = 0.0
    first_byte_delay_s: float = 0.0
    """Seconds by the clock from a Flush to the first audio."""
    garbage: bytes = b""
    """Sent in place of audio."""


NONE = Faults()
