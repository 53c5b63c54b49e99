"""Whether a carrier reads what it is sent, by what the kernel says of its connection, and by asking. PURE.

Two signs. Its window is shut and nothing was taken for 2 s: its kernel's buffer is full. Or the window only
shrank while speech went in, four seconds of it, or two within six: its kernel takes them, and nobody reads
them there. A network that stands still shows neither: then the window stays as it was, and nothing is
acknowledged.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SHUT_S = 2.0
"""A window that is shut for longer is a fault of the peer."""
SHUT_SHARE, MESSAGE_BYTES = 0.1, 1500
"""A window is shut below this share of the widest one seen, or when not one message of ours fits into it."""
LOOKS = 8
"""Looks at which more had been taken, and the window had become smaller each time; one each half second.
A carrier that stands still for three seconds and then reads on is not given up."""
FEW_LOOKS, SPAN_S = 4, 6.0
"""So few do when they are so far apart: an agent that speaks now and then."""
FALL_SHARE, LEAST_FALL = 0.4, 12_000
"""Of what was taken meanwhile, that the window lost: buffers grow while they fill, so it is not all of it.
And a second of speech in bytes, at least: a carrier that reads has no more than our lead in its buffer."""

OVERDUE_S = 2.5
"""A mark that is overdue for so long makes us ask whether anybody reads."""
PONG_S = 4.0
"""Who reads has answered a ping by then: every websocket's peer must (RFC 6455, 5.5.2 and 5.5.3)."""
ASK_AGAIN_S = 10.0
"""Who answers and gives no marks back is asked again after so long."""


@dataclass(frozen=True, slots=True)
class TcpState:
    """One look at a connection."""

    taken: int
    """Bytes that the peer's kernel has acknowledged, since the beginning."""
    waiting: bool
    """Something of ours was not acknowledged yet, or not even sent."""
    window: int
    """Bytes that the peer's kernel would take now: what it holds and its owner does not read is missing."""


class ReaderWatch:
    """Looks at one carrier's connection about twice a second."""

    def __init__(self) -> None:
        self._last: TcpState | None = None
        self._widest = 0
        self._first: TcpState | None = None
        """The look at which the window began to do nothing but shrink."""
        self._first_at = 0.0
        self._falls = 0
        self._moved_at = 0.0

    def reads_nothing(self, state: TcpState, now: float) -> bool:
        """Take one more look; whether the peer must be given up."""
        last, self._last = self._last, state
        self._widest = max(self._widest, state.window)
        if last is None or state.taken != last.taken or not state.waiting:
            self._moved_at = now
        shut = max(SHUT_SHARE * self._widest, MESSAGE_BYTES)
        if state.window < shut and now - self._moved_at > SHUT_S:
            return True
        if last is None or state.taken == last.taken:
            return False
        if self._first is None or state.window >= last.window:
            self._first, self._first_at, self._falls = state, now, 0
            return False
        self._falls += 1
        lost, taken = self._first.window - state.window, state.taken - self._first.taken
        long = self._falls >= LOOKS or (self._falls >= FEW_LOOKS and now - self._first_at >= SPAN_S)
        return long and lost >= max(LEAST_FALL, FALL_SHARE * taken)


class Asking(Enum):
    """What a look at the marks that did not come back asks for."""

    NOTHING = "nothing"
    PING = "ping"
    GIVE_UP = "give up"


class AnswerWatch:
    """Asks a carrier whose marks stay out whether it reads; looked at about twice a second.

    An agent that says little fills no buffer, so its carrier's kernel shows nothing for long. A carrier that
    gives its marks back is never pinged: whether Twilio answers pings is not documented.
    """

    def __init__(self) -> None:
        self._asked_at: float | None = None
        self._pongs = 0
        self._next_at = 0.0

    def look(self, overdue_s: float, pongs: int, now: float) -> Asking:
        """`overdue_s`: how late the next mark is; `pongs`: how many came in all. All times in seconds."""
        if self._asked_at is not None and pongs != self._pongs:
            self._asked_at, self._next_at = None, now + ASK_AGAIN_S
        if overdue_s < OVERDUE_S:
            self._asked_at = None
        elif self._asked_at is None:
            if now >= self._next_at:
                self._asked_at, self._pongs = now, pongs
                return Asking.PING
        elif now - self._asked_at >= PONG_S:
            return Asking.GIVE_UP
        return Asking.NOTHING
