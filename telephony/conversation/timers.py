"""Named deadlines on a clock that is passed in. PURE."""

from __future__ import annotations


class Timers:
    """At most one deadline a name; setting a name again moves it.

    Asked for the earliest with every event of a call, and set far less often: so the earliest is kept.
    """

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._next: float | None = None
        self._known = True
        """Whether `_next` is the earliest deadline."""

    def set(self, name: str, at: float) -> None:
        before = self._at.get(name)
        self._at[name] = at
        if self._next is None or at < self._next:
            self._next = at
        elif before == self._next:
            self._known = False

    def set_if_unset(self, name: str, at: float) -> None:
        if name not in self._at:
            self.set(name, at)

    def clear(self, *names: str) -> None:
        for name in names:
            if self._at.pop(name, None) == self._next:
                self._known = False

    def clear_all(self) -> None:
        self._at.clear()
        self._next, self._known = None, True

    def __contains__(self, name: str) -> bool:
        return name in self._at

    def pop_due(self, now: float) -> list[str]:
        """The names whose deadline has come, earliest first; they are set no more."""
        earliest = self._next if self._known else self.next()
        if earliest is None or earliest > now:
            return []
        due = sorted((at, name) for name, at in self._at.items() if at <= now)
        self.clear(*[name for _, name in due])
        return [name for _, name in due]

    def next(self) -> float | None:
        """The earliest deadline, if there is one."""
        if not self._known:
            self._next, self._known = min(self._at.values(), default=None), True
        return self._next
