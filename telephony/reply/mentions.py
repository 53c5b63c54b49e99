"""Which of a script's words an utterance means, of those it says. PURE.

"Not a latte, a mocha", "a small, no, a large one", "any day but Monday" and "Tuesday doesn't work" say words
that are not meant. They are taken out before anything is looked for: the opposite of what was meant is worse
than another question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from telephony.reply.script import Slot
from telephony.reply.understanding import clauses

STOP = "|"
"""Stands between clauses."""
_GONE = "\x01"
_NOT = (
    r"(?:(?<!why )(?<!if )not|never|cannot|dont|didnt|cant|wont|isnt|wasnt"
    r"|(?!could|would|should|why)\w+n't)"
)
_SOME = (
    r"(?: (?:to have|to be|to|a|an|the|any|with|that|this|my|for|on|of|in|at|it|your|for the"
    r"|next|more|really))*"
)
_VERBS = (
    r"(?:want(?:ed)?|need|like|say|said|order(?:ed)?|mean|meant|ask(?:ed)? for|take|have|do|make|made|manage"
    r"|come"
    r"|be|supposed|going|really|get|book(?:ed)?|fancy|care for|drink|even|interested)"
)
_DENIES = re.compile(
    rf"\b(?:{_NOT}(?: {_VERBS})*|(?:would|should|could)n't (?:be|want|like|say|take|have)(?: {_VERBS})*"
    r"|instead of|rather than|without|(?:any|every)(?:thing|body|one| \w+) (?:but|except(?: for)?)"
    r"|except(?: for)?|apart from|other than|no longer|hate|hold the|skip the|minus|leave (?:out|off)"
    rf"|(?:remove|delete|cancel|drop|take (?:out|off|away)))(?: {_VERBS})*{_SOME}$"
)
_NO = re.compile(r"\bno(?: (?:more|of the))?$")
_BEGINS = re.compile(
    r"^(?:(?:oh|um|uh|er|ah|well|sorry|wait|actually|yes|yeah|and|but|okay|ok|hey|no|nope) ?)*$"
)
"""A no behind such words begins a sentence, and does not belong to what follows it as in "with no sugar"."""
_FOR_ME = re.compile(r"^(?:for (?:me|us)|at all|any ?more)\b")
_CHANGES_FROM = re.compile(
    r"\b(?:change|changing|switch|swap|replace|exchange|move|reschedule|substitute)\b(?: \w+){0,4}$"
)
_TO = re.compile(r"^(?:\w+ ){0,2}?(?:to|for|with|into|by|from)\b")
_DENIED_BEHIND = re.compile(
    r"^(?:(?:one|is|was|are|morning|at all|really|that|which|just|unfortunately) )*"
    r"(?:is wrong|wrong|incorrect"
    r"|not (?:right|good|possible|okay|correct|available|great|for me|it|what)"
    r"|(?:isn't|isnt|wasn't|wasnt) (?:right|good|possible|okay|correct|available|great)"
    r"|(?:does not|doesn't|doesnt|will not|won't|wont|would not|wouldn't|did not|didn't)"
    r" (?:really )?(?:work|suit|do|fit)"
    r"|is no good|no good|is out|is impossible)\b"
)
_TAKES_BACK = re.compile(
    r"\b(?:no|nope|nah|not|sorry|wait|actually|mean|meant|make (?:that|it)|rather|scratch that"
    r"|correction|oops"
    r"|change (?:it|that)|strike that"
    r"|(?:should|ought to|supposed to|meant to|has to|needs to) (?:be|have been)"
    r"|excuse me|hang on|hold on|instead)\b"
)
_ADDS = re.compile(
    r"\b(?:also|too|another|plus|as well|add|and (?:a|an|another|one|the|two|can|could|i|for|on))\b"
)
_EITHER = re.compile(r"^(?:or|or maybe|or perhaps)(?: (?:a|an|the|on|with|in the))*$")


@dataclass(slots=True)
class _Mention:
    start: int
    end: int
    slot: str
    meaning: str
    meant: bool = True
    denied: bool = False


@dataclass(frozen=True, slots=True)
class Meant:
    """What is left of an utterance."""

    text: str
    """The plain words, without those of slots that are not meant."""
    denied: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """For each slot the values that are said not to be it."""


def meant(said: str, text: str, slots: Mapping[str, Slot]) -> Meant:
    """What `text`, the plain words of `said` or what they were corrected to, means of the slots."""
    words = _with_stops(said, text)
    mentions = list(_mentions(words, slots))
    if not mentions:
        return Meant(text)
    _deny(words, mentions)
    _take_back(words, mentions)
    denied: dict[str, frozenset[str]] = {}
    for each in mentions:
        if each.denied:
            denied[each.slot] = denied.get(each.slot, frozenset()) | {each.meaning}
        if not each.meant:
            words = words[: each.start] + _GONE * (each.end - each.start) + words[each.end :]
    kept = [word for word in words.split() if word != STOP and _GONE not in word]
    return Meant(text if all(each.meant for each in mentions) else " ".join(kept), denied)


def _with_stops(said: str, text: str) -> str:
    pieces = [words.split() for words, _ in clauses(said)]
    words = text.split()
    if sum(map(len, pieces)) != len(words):
        return text
    at, out = 0, []
    for piece in pieces:
        out.append(" ".join(words[at : at + len(piece)]))
        at += len(piece)
    return f" {STOP} ".join(out)


def _mentions(words: str, slots: Mapping[str, Slot]) -> Iterator[_Mention]:
    """As `script.find_slots`, but all of them, in order."""
    free = f" {words} "
    forms = [(form, meaning, slot.name) for slot in slots.values() for form, meaning in slot.forms.items()]
    found: list[_Mention] = []
    for form, meaning, name in sorted(forms, key=lambda each: -len(each[0])):
        for match in re.finditer(rf"(?<= ){re.escape(form)}(?:e?s)?(?= )", free):
            found.append(_Mention(match.start() - 1, match.end() - 1, name, meaning))
            free = free[: match.start()] + _GONE * len(match.group()) + free[match.end() :]
    return iter(sorted(found, key=lambda each: each.start))


def _deny(words: str, mentions: list[_Mention]) -> None:
    seen: set[str] = set()  # "not a large latte": what follows at once is denied, too
    for at, each in enumerate(mentions):
        before = words[mentions[at - 1].end if at else 0 : each.start].strip()
        behind = words[each.end : mentions[at + 1].start if at + 1 < len(mentions) else None].strip()
        clause = words[: each.start].rsplit(STOP, 1)[-1].strip()
        whole = words[: each.start].replace(STOP, "").strip()
        follows = at > 0 and mentions[at - 1].denied and not before and each.slot not in seen
        had = any(other.slot == each.slot and other.meant for other in mentions[:at])
        if not follows:
            seen = set()
        each.denied = (
            follows
            or bool(_DENIES.search(before.rsplit(STOP, 1)[-1].strip()))
            or (
                bool(_NO.search(before))
                and not had
                and (
                    _BEGINS.match(whole) is None
                    or bool(_FOR_ME.match(_behind_all(words, mentions, at)))
                    or _also_named(mentions[at:])
                )
            )
            or bool(_DENIED_BEHIND.match(behind))
            or bool(_CHANGES_FROM.search(clause) and _TO.match(behind) and _also_named(mentions[at:]))
        )
        each.meant = not each.denied
        seen.add(each.slot)


def _behind_all(words: str, mentions: list[_Mention], at: int) -> str:
    """What follows a mention and those that join it at once: "large latte"."""
    while at + 1 < len(mentions) and not words[mentions[at].end : mentions[at + 1].start].strip():
        at += 1
    return words[mentions[at].end :].strip()


def _also_named(mentions: list[_Mention]) -> bool:
    """Whether the first one's slot is named again: "change large to small", "no coffee for me, a tea"."""
    return any(
        other.slot == mentions[0].slot and other.meaning != mentions[0].meaning for other in mentions[1:]
    )


def _take_back(words: str, mentions: list[_Mention]) -> None:
    for at, later in enumerate(mentions):
        if later.denied:
            continue
        for earlier in mentions[:at]:
            if earlier.slot != later.slot or earlier.meaning == later.meaning or not earlier.meant:
                continue
            between = words[earlier.end : later.start].strip()
            if _EITHER.match(between.replace(STOP, "").strip()):
                earlier.meant = later.meant = False
            elif _TAKES_BACK.search(between) and not _ADDS.search(between):
                earlier.meant = False
