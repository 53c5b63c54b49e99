"""What is always understood, whatever a script says: again, a moment, a person, "are you a robot?". PURE.

A wish is read with what negates it and with what only asks: "please don't transfer me" and "are you a human?"
are not a wish for a person. What is unclear is not a wish: a transfer costs money and cannot be undone.
"""

from __future__ import annotations

import re
from enum import Enum

from telephony.reply.persons import END, POLITE, asks_about, clauses_of, wants_person
from telephony.reply.polarity_words import expanded
from telephony.reply.understanding import plain


class BuiltinIntent(Enum):
    """What a caller may want from any line."""

    REPEAT = "repeat"
    WAIT = "wait"
    PERSON = "person"
    ABOUT = "about"
    """To know whether they speak with a machine."""


# ---- again, a moment

_ASKING = (
    r"(?:(?:can|could|would|will) you (?:please )?(?:just )?|(?:can|could|may) i |i would like (?:to )?"
    r"|i (?:want|need) (?:to |you to )?|let me )?"
)
_REPEAT = (
    r"(?:(?:say|repeat)(?: (?:that|it|this|yourself|the (?:last (?:thing|bit|part)|question)))?"
    r"(?: again| one more time| once more)?"
    r"|what(?: did you say| was that| is that| were you saying)?|pardon(?: me)?|come again|again"
    r"|i beg your pardon|run that by me(?: again)?|huh|(?:hear|have) that again"
    r"|(?:i )?(?:did not|could not|can not) (?:quite )?(?:hear|catch|get|understand)"
    r"(?: (?:that|you|it|what you said))?)"
)
_MOMENT = r"(?:(?:a|one|just a|just one|another) )?(?:second|sec|moment|minute|min|bit)"
_WAIT = (
    rf"(?:(?:hold on|hang on|hold the line|wait|bear with me|stay there|give me)(?: (?:for )?{_MOMENT})?"
    r"|(?:just )?(?:a|one) (?:second|sec|moment|minute)"
    r"|(?:let me|i need to) (?:think|check|see|look)(?: about it)?)"
)
_WHOLE = tuple(
    (wish, re.compile(rf"(?:{POLITE})*{_ASKING}{said}{END}"))
    for wish, said in ((BuiltinIntent.REPEAT, _REPEAT), (BuiltinIntent.WAIT, _WAIT))
)
_AMONG = (
    (BuiltinIntent.REPEAT, re.compile(r"\b(?:say|repeat) (?:that|it)\b|\bpardon\b|\bsay again\b")),
    (BuiltinIntent.WAIT, re.compile(r"\b(?:hold|hang) on\b|\b(?:one|a) (?:second|sec|moment|minute)\b")),
)


_SORRY = re.compile(
    r"(?:(?:i'm|uh|um|oh),? )?sorry,?(?: what| what was that)?\s*\?|sorry,? what(?: was that)?"
)
"""Asked, it is not an excuse."""


def wish_of(text: str) -> BuiltinIntent | None:
    """The wish that is the whole meaning of what was heard; None: there is none."""
    words = expanded(plain(text))
    if _SORRY.fullmatch(text.strip().lower()):
        return BuiltinIntent.REPEAT
    for wish, whole in _WHOLE:
        if whole.fullmatch(words):
            return wish
    if asks_about(text):
        return BuiltinIntent.ABOUT
    return BuiltinIntent.PERSON if wants_person(text) else None


def wish_among(text: str) -> BuiltinIntent | None:
    """The wish that stands among words which mean nothing else; none that cannot be undone."""
    for clause, _ in clauses_of(text):
        for wish, among in _AMONG:
            found = among.search(clause)
            if found and not re.search(r"\b(?:not|never)\b", clause[: found.start()]):
                return wish
    return None
