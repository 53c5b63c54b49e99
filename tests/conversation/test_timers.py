"""Deadlines: what is due, in order, and the earliest of the rest."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from telephony.conversation.timers import Timer, Timers

SOME = (Timer.FILLER, Timer.SILENCE, Timer.GOODBYE)
TIMERS = st.sampled_from(SOME)
MOMENTS = st.integers(0, 9).map(float)


class AsAPlainDict(RuleBasedStateMachine):
    """Whatever is set, moved and cleared, it answers as a dict would that is searched each time."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = Timers()
        self.at: dict[Timer, float] = {}

    @rule(timer=TIMERS, at=MOMENTS)
    def set(self, timer: Timer, at: float) -> None:
        self.timers.set(timer, at)
        self.at[timer] = at

    @rule(timer=TIMERS, at=MOMENTS)
    def set_if_unset(self, timer: Timer, at: float) -> None:
        self.timers.set_if_unset(timer, at)
        self.at.setdefault(timer, at)

    @rule(timers=st.lists(TIMERS))
    def clear(self, timers: list[Timer]) -> None:
        self.timers.clear(*timers)
        self.at = {timer: at for timer, at in self.at.items() if timer not in timers}

    @rule()
    def clear_all(self) -> None:
        self.timers.clear_all()
        self.at = {}

    @rule(now=MOMENTS)
    def pop_due(self, now: float) -> None:
        due = sorted((at, timer) for timer, at in self.at.items() if at <= now)
        assert self.timers.pop_due(now) == [timer for _, timer in due]
        self.at = {timer: at for timer, at in self.at.items() if at > now}

    @invariant()
    def the_earliest(self) -> None:
        assert self.timers.next() == min(self.at.values(), default=None)
        assert all((timer in self.timers) == (timer in self.at) for timer in SOME)


TestTimers = AsAPlainDict.TestCase
