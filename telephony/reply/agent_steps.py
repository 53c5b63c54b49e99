"""Whose code may have blocked the event loop: the agents that are in a step, or just were. PURE.

A step is one `anext` of a reply: from when the agent's code is entered to when it yields or ends. The monitor
of the loop's lag asks for the names when the loop was late. Times are seconds of one clock, passed in.
"""

from __future__ import annotations

from collections import Counter

KEPT = 100
"""Names of agents that have left; a process has a handful."""


class AgentSteps:
    """The steps of one event loop."""

    def __init__(self) -> None:
        self._inside: Counter[str] = Counter()
        self._left: dict[str, float] = {}

    def enter(self, agent: str) -> None:
        """An agent's code is entered."""
        self._inside[agent] += 1

    def leave(self, agent: str, now: float) -> None:
        """It has yielded, ended or failed."""
        self._inside[agent] -= 1
        if not self._inside[agent]:
            del self._inside[agent]
        self._left.pop(agent, None)
        self._left[agent] = now
        if len(self._left) > KEPT:
            del self._left[next(iter(self._left))]

    def since(self, moment: float) -> list[str]:
        """The agents that were in a step at some time since this moment, by name."""
        left = [name for name, at in self._left.items() if at >= moment]
        return sorted({*self._inside, *left})
