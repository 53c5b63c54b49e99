"""What a scripted agent says and does when its script does not say otherwise. PURE."""

from __future__ import annotations

from collections.abc import Sequence

from telephony.reply.agent import Message
from telephony.reply.script import Do, Script, ScriptStep

WAIT_STEP = ScriptStep(say=("Sure, take your time.",), do=Do.WAIT)
TRANSFER_STEP = ScriptStep(
    say=("One moment.",),
    do=Do.TRANSFER,
    otherwise="I'm sorry, nobody else is free right now. Can I help you?",
)
YES_OR_NO = "Please say yes or no, or press 1 for yes or 2 for no."
LEFT = "Let's leave that. What can I do for you?"
"""Said when a question of yes or no was not answered however it was asked: nothing follows from it."""
YES_STEP = ScriptStep(say=("Okay, go ahead.",))
NO_STEP = ScriptStep(say=("Okay.",))


def last_said(history: Sequence[Message], script: Script) -> str:
    """The last thing the agent said that had a meaning of its own: not "are you still there?"."""
    wording = script.wording
    empty = {step.say for step in wording.silence} | {*wording.fillers, wording.bridge, *wording.reask}
    wait = script.by_action(Do.WAIT)
    empty |= {*script.fallback, *(wait.step.say if wait else WAIT_STEP.say), *wording.acknowledge}
    said = (line.text for line in reversed(history) if line.who == "agent" and line.text not in empty)
    return next((text for text in said if text.strip()), wording.greeting.text or wording.reask[0])


def count_in_words(number: int) -> str:
    words = "no one two three four five six seven eight nine ten".split()
    return words[number] if number < len(words) else str(number)
