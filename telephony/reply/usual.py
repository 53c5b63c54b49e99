"""What a scripted agent says and does when its script does not say otherwise. PURE."""

from __future__ import annotations

from collections.abc import Sequence

from .agent import Line
from .script import Do, Script, Step

WAIT_STEP = Step(say=("Sure, take your time.",), do=Do.WAIT)
TRANSFER_STEP = Step(
    say=("One moment.",),
    do=Do.TRANSFER,
    otherwise="I'm sorry, nobody else is free right now. Can I help you?",
)
YES_OR_NO = "Please say yes or no, or press 1 for yes or 2 for no."
LEFT = "Let's leave that. What can I do for you?"
"""Said when a question of yes or no was not answered however it was asked: nothing follows from it."""
YES_STEP = Step(say=("Okay, go ahead.",))
NO_STEP = Step(say=("Okay.",))


def last_said(history: Sequence[Line], script: Script) -> str:
    """The last thing the agent said that had a meaning of its own: not "are you still there?"."""
    manners = script.manners
    empty = {step.say for step in manners.silence} | {*manners.fillers, manners.bridge, *manners.reask}
    wait = script.by_action(Do.WAIT)
    empty |= {*script.fallback, *(wait.step.say if wait else WAIT_STEP.say), *manners.acknowledge}
    said = (line.text for line in reversed(history) if line.who == "agent" and line.text not in empty)
    return next((text for text in said if text.strip()), manners.greeting.text or manners.reask[0])


def count_in_words(number: int) -> str:
    words = "no one two three four five six seven eight nine ten".split()
    return words[number] if number < len(words) else str(number)
