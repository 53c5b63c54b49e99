"""Whether an utterance as a whole means an act that cannot be undone. PURE.

A script's patterns are looked for anywhere in what was said. That is not enough to end a call, to transfer it
or to drop an order: "don't hang up", "before you say goodbye", "my friend said bye" and "what if I cancel?"
hold the words and mean something else.
"""

from __future__ import annotations

import re

from telephony.reply.persons import names_person, wants_person
from telephony.reply.polarity_words import expanded
from telephony.reply.script import Do, ScriptStep
from telephony.reply.understanding import clauses, plain

LASTING = frozenset({Do.HANG_UP, Do.TRANSFER, Do.FORGET})
"""What cannot be undone."""

_NOT_MEANT = re.compile(
    r"\b(?:not|never|without|before|if|unless|until|when|while|after|once|instead of|rather than"
    r"|stop|avoid|hate"
    r"|said|says|say|saying|told|tell|heard|called|was|were|had|did|used|wonder|wondering|whether"
    r"|suppose|pretend"
    r"|imagine|afraid|worried|message|thank|thanks to|compliment|he|she|they|somebody|someone|who|which)\b"
)
_ASKS = re.compile(
    r"^(?:(?:and|so|but|well|oh|um|uh|okay|ok|hey|hi|hello|sorry) )*"
    r"(?:(?:what|why|when|where|who|which|whose)\b|how\b(?! about)"
    r"|(?:do|does|did|is|are|was|were|am|has|have|should|shall|must|will|would|can|could|may)(?: not)?"
    r" (?:i|you|it|this|that|there|we|they|he|she|the|your|my)\b)"
)
_REQUESTS = re.compile(
    r"^(?:(?:and|so|but|well|oh|um|uh|okay|ok|hey|hi|hello|sorry) )*"
    r"(?:(?:can|could|may) (?:i|we)|(?:can|could|would|will) you|is it possible|is there (?:a|any)"
    r" way|how (?:do|can) i"
    r"|do you mind if i|would you mind)\b"
)
_TAKEN_BACK = re.compile(
    r"^(?:(?:no|oh|well|actually|sorry|but) )*(?:wait|hold on|hang on|never mind|scratch that"
    r"|actually not|one more"
    r"|just kidding|only joking|not yet|do not|did not|one (?:second|moment)|just a|a question|i"
    r" have a|before you)\b"
)
_CLOSING = frozenset(
    """a about absolutely ah all alright also and appreciate appreciated anything at be bye call calling care
    cheers cool day do done else enough evening everything excellent fantastic fine for from get go goes
    going gone good goodbye gotta great guess guys ha have hang has help helpful her hey hi home i'd i'll
    i'm i've im i indeed is it it's just kind later leave let's lot love lovely lots ma'am man many me mm
    more morning most much must my nah need needed nice night nope no nothing now of oh okay ok one only
    perfect please pleasure pretty really right run see set sir so soon speak sure super sweet take talk
    thank thanks that that'd that'll that's thats the then there think this time to today tonight too true
    uh um up very want wanted wanna we we're week weekend well will with wonderful work would yeah yep yes
    you you'd you've your yours finished awesome hmm again off am off ya tomorrow next""".split()
)
_FAREWELL = re.compile(
    r"\b(?:good ?bye|bye|hang up|that(?:'s| is|s| will be|'ll be| would be) (?:all|it|everything)"
    r"|all done|farewell"
    r"|nothing (?:else|more)|i(?:'m| am) (?:done|good|finished|fine|all set)|no,? thank\w*|see you"
    r"|end (?:the|this) call"
    r"|good ?night|have a (?:nice|good|great)|i have to go|take care|no more|later)\b"
)
_GOES_ON = re.compile(
    r"(?:in|for|to|with|at|on|about|of|from|today|now|then|thanks|thank|please|everyone|all)\b"
)
_NEVER_ENDS = re.compile(
    r"\b(?:not|never) (?:\w+ )?(?:hang|go|leave|end|close|finish|done|finished|bye|goodbye)\b"
)


def lasting(step: ScriptStep | None) -> bool:
    """Whether what a step does cannot be undone."""
    return step is not None and step.do in LASTING


def means(do: Do, text: str, match: re.Match[str]) -> bool:
    """Whether `text`, in whose plain form the script's pattern found `match`, means this act as a whole."""
    before, after, others, asked = _around(text, match)
    found = match.group().strip()
    if match.end() < len(match.string) and re.match(r"(?!s\b)\w", match.string[match.end() :]):
        return False  # "cancelled" is not "cancel"
    lead = expanded(before)
    lead = re.sub(r"^(?:no|nope|nah|not that)\b ?", "", lead)
    whole = f"{lead} {expanded(found)} {expanded(after)}".strip()
    if _NOT_MEANT.search(lead) or re.search(r"\bno$", lead):
        return False
    if any(_TAKEN_BACK.match(expanded(words)) for words, _ in others) or _TAKEN_BACK.match(expanded(after)):
        return False
    if do is Do.HANG_UP:
        return _ends(found, lead, after, others, asked)
    asks = (asked or _ASKS.match(whole)) and not _REQUESTS.match(whole)
    if asks or re.search(r"\b(?:later|tomorrow|next (?:week|month))\b", after):
        return False
    return do is not Do.TRANSFER or not names_person(found) or wants_person(text)


def _ends(found: str, lead: str, after: str, others: list[tuple[str, bool]], asked: bool) -> bool:
    """A goodbye ends the call when it is all that its sentence says, and nothing else is asked."""
    if not _FAREWELL.search(found):
        return True  # the script's own words for what ends the call: a piece of information, a refusal
    if asked or any(question or _NEVER_ENDS.search(expanded(words)) for words, question in others):
        return False
    if set(lead.split()) - _CLOSING or re.search(r"\b(?:you|your|my|the|a)$", lead):
        return False
    rest = after.split()
    return (
        not rest
        or set(rest) <= _CLOSING
        or (bool(_GOES_ON.match(after)) and not _NOT_MEANT.search(expanded(after)))
    )


def _around(text: str, match: re.Match[str]) -> tuple[str, str, list[tuple[str, bool]], bool]:
    """The rest of the clauses that the match lies in, before it and after it, and the other clauses."""
    parts = clauses(text)
    if (
        " ".join(words for words, _ in parts) != match.string
    ):  # the pattern saw the words as they were written
        plain_text = plain(text)
        found = plain(match.group())
        start = plain_text.find(found)
        parts = [(plain_text, text.rstrip().endswith("?"))]
        start = max(start, 0)
        return plain_text[:start].strip(), plain_text[start + len(found) :].strip(), [], parts[0][1]
    at = 0
    before = after = ""
    asked = False
    others: list[tuple[str, bool]] = []
    for words, question in parts:
        end = at + len(words)
        if end <= match.start() or at >= match.end():
            others.append((words, question))
        else:
            asked = question
            before += match.string[at : max(at, match.start())]
            after = match.string[min(end, match.end()) : end]
        at = end + 1
    return before.strip(), after.strip(), others, asked
