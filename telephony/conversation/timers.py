"""One call's deadlines, on a clock that is passed in. PURE."""

from __future__ import annotations

from enum import IntEnum


class Timer(IntEnum):
    """What a deadline is for. Of those that are due at the same moment, the one listed first goes first."""

    BRIDGE = 1
    """It is later still: say a bridging sentence."""
    TURN_NOT_CARRIED = 2
    """A new listening connection has not heard the open turn again."""
    DEAD_LISTENING = 3
    """Not even a forced end of turn came."""
    DTMF_PAUSE = 4
    """No further key was pressed: the entry is complete."""
    FILLER = 5
    """The answer is late: say something meanwhile."""
    GIVE_UP = 6
    """The answer will not come: ask again."""
    GO_ON = 7
    """The caller was silent for long enough after words that ask nothing."""
    GOODBYE = 8
    """A goodbye should have been heard by now."""
    PLAYED_OUT = 9
    """All that was sent counts as heard, even if its last mark is lost."""
    PAUSE = 10
    """No word followed a StartOfTurn: our words go on."""
    DTMF_ANSWER = 11
    """The turn that a complete entry waits for has not ended."""
    LENGTH = 12
    """It has reached it."""
    NO_SPEECH = 13
    """The call began without listening, or without a voice."""
    SILENCE = 14
    """Nobody speaks: the next step of the silence ladder."""
    STUCK_TURN = 15
    """The caller's turn should have ended."""
    LISTENING_MISSING = 16
    """Listening was lost and is not back."""
    LENGTH_WARNING = 17
    """The call is about to reach its greatest length."""


class Timers:
    """At most one deadline a timer; setting it again moves it.

    Asked for the earliest with every event of a call, and set far less often: so the earliest is kept.
    """

    def __init__(self) -> None:
        self._at: dict[Timer, float] = {}
        self._next: float | None = None
        self._known = True
        """Whether `_next` is the earliest deadline."""

    def set(self, timer: Timer, at: float) -> None:
        before = self._at.get(timer)
        self._at[timer] = at
        if self._next is None or at < self._next:
            self._next = at
        elif before == self._next:
            self._known = False

    def set_if_unset(self, timer: Timer, at: float) -> None:
        if timer not in self._at:
            self.set(timer, at)

    def clear(self, *timers: Timer) -> None:
        for timer in timers:
            if self._at.pop(timer, None) == self._next:
                self._known = False

    def clear_all(self) -> None:
        self._at.clear()
        self._next, self._known = None, True

    def __contains__(self, timer: object) -> bool:
        return timer in self._at

    def pop_due(self, now: float) -> list[Timer]:
        """The timers whose deadline has come, earliest first; they are set no longer."""
        earliest = self._next if self._known else self.next()
        if earliest is None or earliest > now:
            return []
        due = [timer for _, timer in sorted((at, timer) for timer, at in self._at.items() if at <= now)]
        self.clear(*due)
        return due

    def next(self) -> float | None:
        """The earliest deadline, if there is one."""
        if not self._known:
            self._next, self._known = min(self._at.values(), default=None), True
        return self._next
