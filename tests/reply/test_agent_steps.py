"""Which agents may have kept the event loop."""

from __future__ import annotations

from telephony.reply.agent_steps import KEPT, AgentSteps


def test_an_agent_is_named_from_its_entry_to_its_leaving() -> None:
    """Also when it has left since the moment that is asked for, not when it left before."""
    steps = AgentSteps()
    assert steps.since(0.0) == []
    steps.enter("a")
    assert steps.since(5.0) == ["a"]
    steps.leave("a", 2.0)
    assert steps.since(1.0) == ["a"] and steps.since(3.0) == []


def test_several_replies_of_one_agent_are_one_name() -> None:
    steps = AgentSteps()
    for name in ("b", "a", "a"):
        steps.enter(name)
    steps.leave("a", 1.0)
    assert steps.since(9.0) == ["a", "b"]
    steps.leave("a", 2.0)
    assert steps.since(9.0) == ["b"]


def test_the_names_are_bounded() -> None:
    steps = AgentSteps()
    for number in range(2 * KEPT):
        steps.enter(str(number))
        steps.leave(str(number), float(number))
    assert len(steps.since(0.0)) == KEPT
