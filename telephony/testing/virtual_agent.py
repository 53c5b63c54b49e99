"""A user's agent on virtual time: its `reply`, run without an event loop. PURE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from telephony.reply.agent import Agent, Said, Turn

AgentLines = Callable[[Turn, Mapping[str, Any]], Iterable[Said]]
"""What an agent yields for a turn, by a plain function."""


class AgentWaited(Exception):
    """An agent awaited something that virtual time cannot bring: a socket, a timer, another task."""


def lines_of(agent: AgentLines | Agent) -> AgentLines:
    """The replies of an agent as a plain function; a plain function as it is."""
    if callable(agent):
        return agent
    return lambda turn, notes: _lines(agent, turn, notes)


def _lines(agent: Agent, turn: Turn, notes: Mapping[str, Any]) -> Iterator[Said]:
    """What the agent yields for a turn. Raises AgentWaited."""
    reply = agent.reply(turn, notes)
    while True:
        try:
            next(iter(reply.__anext__().__await__()))
        except StopIteration as item:
            yield item.value
        except StopAsyncIteration:
            return
        else:
            raise AgentWaited("in a VirtualCall an agent must not wait for anything")
