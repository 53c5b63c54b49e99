"""Named deadlines on a clock that is passed in. PURE."""

from __future__ import annotations


class Timers:
    """At most one deadline a name; setting a name again moves it."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def set(self, name: str, at: float) -> None:
        self._at[name] = at

    def set_if_unset(self, name: str, at: float) -> None:
        self._at.setdefault(name, at)

    def clear(self, *names: str) -> None:
        for name in names:
            self._at.pop(name, None)

    def clear_all(self) -> None:
        self._at.clear()

    def __contains__(self, name: str) -> bool:
        return name in self._at

    def pop_due(self, now: float) -> list[str]:
        """The names whose deadline has come, earliest first; they are set no more."""
        if not self._at or min(self._at.values()) > now:
            return []
        due = sorted((at, name) for name, at in self._at.items() if at <= now)
        for _, name in due:
            del self._at[name]
        return [name for _, name in due]

    def next(self) -> float | None:
        """The earliest deadline, if there is one."""
        return min(self._at.values(), default=None)
