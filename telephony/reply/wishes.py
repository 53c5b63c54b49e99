"""Three wishes that are always understood, whatever a script says: again, a moment, a person."""

from __future__ import annotations

import re

from .script import Do

_POLITE = r"(?:(?:sorry|excuse me|please|um+|uh+|well|oh|no|hey|hi|hello|okay|ok|wait|but|and|so) )*"
_ASKING = (
    r"(?:(?:can|could|would|will) you |(?:can|could|may) i |i(?:'d| would) like (?:to )?"
    r"|i (?:want|need) (?:to )?|let me )?"
)
_END = r"(?: (?:please|again|for me|thanks|thank you|now|sorry|one more time|once more))*"
_REPEAT = (
    r"(?:(?:say|repeat)(?: (?:that|it|this|the last (?:thing|bit|part)))?(?: again| one more time)?"
    r"|what(?: did you say| was that| is that| were you saying)?|pardon(?: me)?|come again|again"
    r"|(?:i )?(?:didn't|did not|couldn't|can't) (?:hear|catch|get|understand)"
    r"(?: (?:that|you|it|what you said))?"
    r"|huh|(?:hear|have) that again)"
)
_MOMENT = r"(?:(?:a|one|just a|just one|another) )?(?:second|sec|moment|minute|min|bit)"
_WAIT = (
    rf"(?:(?:hold on|hang on|hold the line|wait|bear with me|stay there|give me)(?: {_MOMENT})?"
    r"|(?:just )?(?:a|one) (?:second|sec|moment|minute)"
    r"|(?:let me|i need to) (?:think|check|see|look)(?: about it)?)"
)
_SOMEBODY = r"(?:person|human|human being|operator|agent|representative|somebody|someone|real one|manager)"
_HUMAN = (
    r"(?:(?:speak|talk|be transferred|be connected|transfer me|connect me|put me through|get me|give me"
    r"|have|get)(?: (?:to|with))? )?(?:(?:a|an|the|some|another) )?(?:(?:real|live|actual|human) )?"
    + _SOMEBODY
    + r"(?: (?:real|human|else))?"
)


def _whole(wish: str) -> re.Pattern[str]:
    return re.compile(rf"{_POLITE}{_ASKING}{wish}{_END}")


WISHES: tuple[tuple[Do, re.Pattern[str], re.Pattern[str]], ...] = (
    # what, when it is all that was said, when it is said among other things that mean nothing to the script
    (Do.REPEAT, _whole(_REPEAT), re.compile(r"\b(?:say|repeat) (?:that|it)\b|\bpardon\b|\bsay again\b")),
    (Do.WAIT, _whole(_WAIT), re.compile(r"\b(?:hold|hang) on\b|\b(?:one|a) (?:second|sec|moment|minute)\b")),
    (Do.TRANSFER, _whole(_HUMAN), re.compile(rf"\b(?:real|live|human|a|an|the) {_SOMEBODY}\b|\boperator\b")),
)
"""What is always understood. The whole-utterance forms come before the script, the others after it."""
