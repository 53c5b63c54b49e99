"""The tools of one agent: which there are in which state of a call, and for whom. PURE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from telephony.llm.chat import ToolSpec
from telephony.llm.tools import BadTool, Tool, tool_of

BUILT_IN = frozenset({"hang_up", "transfer", "press_keys", "hold", "note", "ask"})
"""What no tool of a user's may be called, whether the settings give a reason to have it or not."""
EVERY_STATE = "*"
"""Among the states of an allow-list: those that are not named."""


class Toolbox:
    """The tools of one agent."""

    def __init__(
        self,
        tools: Iterable[Callable[..., Any] | Tool] = (),
        allowed: Mapping[str, Iterable[str]] = MappingProxyType({}),
        builtin: Iterable[Tool] = (),
    ) -> None:
        """`allowed`: for a state of the call the names of the tools that may be used in it, "" being where it
        begins; a state that is not named allows what the tools themselves say. `builtin` come first.

        Raises BadTool for what cannot be a tool, two of one name, and names in `allowed` that no tool has.
        """
        self.tools: dict[str, Tool] = {one.name: one for one in builtin}
        self.limits: Toolbox | None = None
        """What limits it further."""
        for one in map(tool_of, tools):
            if one.name in BUILT_IN:
                raise BadTool(
                    f"tool {one.name}: a tool of this name is built in: rename it with @tool(name=...)"
                )
            if one.name in self.tools:
                raise BadTool(f"two tools are called {one.name}: rename one with @tool(name=...)")
            self.tools[one.name] = one
        self.allowed = {state: frozenset(names) for state, names in allowed.items()}
        self.check(self.allowed)

    def check(self, allowed: Mapping[str, Iterable[str]], where: str = "") -> None:
        """Raises BadTool for names in an allow-list that no tool has; `where` the list stands."""
        for state, names in allowed.items():
            if unknown := sorted(set(names) - self.tools.keys()):
                place = f"{where}: tools: " if where else ""
                named = f"{place}state {state or 'start'} allows {', '.join(unknown)}"
                raise BadTool(f"{named}: there is no such tool")

    def limited(self, allowed: Mapping[str, Iterable[str]]) -> Toolbox:
        """The same tools under one more allow-list: what it does not allow is not there."""
        if not allowed:
            return self
        box = Toolbox()
        box.tools, box.limits = self.tools, self
        box.allowed = {state: frozenset(names) for state, names in allowed.items()}
        return box

    def may_use(self, name: str, state: str, identity: str) -> bool:
        """Whether a tool may be used in a state of the call, by whom the caller has proven to be."""
        one = self.tools.get(name)
        if one is None or (one.options.identified and not identity):
            return False
        if one.options.states and state not in one.options.states:
            return False
        if self.limits is not None and not self.limits.may_use(name, state, identity):
            return False
        allowed = self.allowed.get(state, self.allowed.get(EVERY_STATE))
        return allowed is None or name in allowed

    def specs(self, state: str = "", identity: str = "") -> tuple[ToolSpec, ...]:
        """What the model is shown in a state of the call, always in the same order."""
        return tuple(one.spec for one in self.tools.values() if self.may_use(one.name, state, identity))
