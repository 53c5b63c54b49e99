"""Deadlines: what is due, in order, and the earliest of the rest."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from telephony.conversation.timers import Timers

NAMES = st.sampled_from("abc")
MOMENTS = st.integers(0, 9).map(float)


class AsAPlainDict(RuleBasedStateMachine):
    """Whatever is set, moved and cleared, it answers as a dict would that is searched each time."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = Timers()
        self.at: dict[str, float] = {}

    @rule(name=NAMES, at=MOMENTS)
    def set(self, name: str, at: float) -> None:
        self.timers.set(name, at)
        self.at[name] = at

    @rule(name=NAMES, at=MOMENTS)
    def set_if_unset(self, name: str, at: float) -> None:
        self.timers.set_if_unset(name, at)
        self.at.setdefault(name, at)

    @rule(names=st.lists(NAMES))
    def clear(self, names: list[str]) -> None:
        self.timers.clear(*names)
        self.at = {name: at for name, at in self.at.items() if name not in names}

    @rule()
    def clear_all(self) -> None:
        self.timers.clear_all()
        self.at = {}

    @rule(now=MOMENTS)
    def pop_due(self, now: float) -> None:
        due = sorted((at, name) for name, at in self.at.items() if at <= now)
        assert self.timers.pop_due(now) == [name for _, name in due]
        self.at = {name: at for name, at in self.at.items() if at > now}

    @invariant()
    def the_earliest(self) -> None:
        assert self.timers.next() == min(self.at.values(), default=None)
        assert all((name in self.timers) == (name in self.at) for name in "abc")


TestTimers = AsAPlainDict.TestCase
