"""Whether an utterance corrects what was just understood, and what it names. PURE.

"No, I said small", "not a latte, a mocha", "actually, make it large": what was named replaces that part.
"And a mocha", "I'd also like a tea" do not correct. A correction that names nothing gets a question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from telephony.reply.agent import Expect
from telephony.reply.mentions import meant
from telephony.reply.polarity import YesNo
from telephony.reply.polarity_words import expanded
from telephony.reply.script import Ask, Intent, Script, Slot, find_slots
from telephony.reply.script_state import State
from telephony.reply.understanding import plain

_STRONG = re.compile(
    r"\bi (?:said|meant|mean|wanted|asked for|ordered|never said|did not say|did not order|did not"
    r" want|told you)\b"
    r"|\b(?:you )?(?:misheard|misunderstood)\b|\b(?:should|was supposed to|has to|is supposed to)"
    r" (?:be|have been|say)\b"
    r"|\binstead(?: of)?\b|\brather than\b|\bnot what i\b|\bcorrection\b|\bthat is (?:wrong|not"
    r" right|not correct|incorrect)\b"
    r"|\b(?:make|change|switch|correct|move|put|set|push|reschedule|bring) (?:it|that|this|the|mine|my|me)\b"
    r"|\b(?:change|switch|swap|replace|exchange|move) \w.* (?:to|for|with|into)\b|\bgot (?:it|that) wrong\b"
    r"|\bin place of\b"
    r"|\bi changed my mind\b|\bscratch that\b|\bno wait\b"
)
_OPENS = re.compile(
    r"^(?:(?:oh|um|uh|er|well|hmm|okay|ok|yes|yeah|but|and|hey|hold on|hang on) )*"
    r"(?:no|nope|nah|not|wait|sorry|actually|oops|wrong|my mistake|pardon|excuse me|rather|hold on)\b"
)
_NOT_THIS = re.compile(r"\bnot (?:a|an|the|with|in)?\b|\bit is not\b|\bthat is not\b")
_ALSO = re.compile(
    r"\b(?:also|too|as well|another|add|plus|in addition|on top|one more|two more|extra|and (?:a"
    r"|an|another|one))\b"
)
_WITHOUT = (
    r"(?:without|no|hold the|leave (?:out|off) the|take (?:out|off) the|remove the|drop the|skip the|minus)"
    r"(?: (?:any|the|more))*"
)


def corrects(text: str) -> bool:
    """Whether the words say that something should be different."""
    words = expanded(plain(text))
    if _STRONG.search(words):
        return True
    return bool((_OPENS.match(words) or _NOT_THIS.search(words)) and not _ALSO.search(words))


@dataclass(frozen=True, slots=True)
class Named:
    """What a correction speaks of."""

    values: dict[str, str]
    """The slots that it names, and their new values."""
    dropped: dict[str, str]
    """Those that it takes away, and what they are: "without milk"."""
    denied: set[str]
    """Those of which it only says what they are not: "not a latte"."""

    def __bool__(self) -> bool:
        return bool(self.values or self.dropped)


def named(text: str, slots: Mapping[str, Slot]) -> Named:
    """The slots that a correction names."""
    left = meant(text, plain(text), slots)
    found, denied = find_slots(left.text, slots), set(left.denied)
    stops = _with_stops(text)
    dropped = {
        slot.name: meaning
        for slot in slots.values()
        for form, meaning in slot.forms.items()
        if re.search(rf"\b{_WITHOUT} {re.escape(expanded(form))}(?:e?s)?\b", stops)
    }
    values = {name: value for name, value in found.items() if name in slots and name not in dropped}
    return Named(values, dropped, denied - set(values) - set(dropped))


def _with_stops(text: str) -> str:
    """Plain words with " | " between clauses, so that "no, milk" is not "no milk"."""
    return " | ".join(expanded(plain(part)) for part in re.split(r"[.,;:!?…—–]+", text))


# ---- in a script

_OF_A_PART = re.compile(
    r"\b(?:wrong|incorrect|not right|not correct|mistaken|different|another)\b"
    r"|\b(?:change|correct|fix|switch|update) "
    r"(?:the|my|that|its)\b"
)
""" "Change the size", "the wrong day": a part should be different, and it is not said how."""
_ONLY = re.compile(r"^(?:(?:no|nope|oh|well|um|uh|okay|yes|yeah) )*(?:just|only) (?:the|that|this|my)\b")
""" "Just the latte": what there is, and nothing besides it."""
_HOLD = re.compile(r"\b(?:hang up|leave|yet|wait|stop|stay|go|end (?:the|this) call|hold)\b")
"""A no about the call itself and not about what was understood: "no, don't hang up"."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What follows from something that was understood wrongly."""

    intent: Intent
    """Whose item it is."""
    values: Mapping[str, str]
    dropped: frozenset[str]
    part: Ask | None = None
    """The part that the caller wants to change, when they did not say to what."""
    nothing: bool = False
    """Nothing changes after all."""
    item: int = -1
    """Which of the items it is about."""

    @property
    def named(self) -> bool:
        """Whether it is clear what replaces what."""
        return bool(self.values or self.dropped)


def correction(
    script: Script,
    state: State,
    said: str,
    answer: YesNo,
    open_question: tuple[Intent | None, Ask | None],
    ends: bool,
) -> Correction | None:
    """What an utterance corrects; None: it is not a correction.

    `ends`: a plain no would now lead to what cannot be undone, and what else was said has no other meaning.
    """
    asking, ask = open_question
    latest = asking if ask and asking and asking.item else None
    if latest is None and state.items:
        latest = script.intents.get(state.items[-1]["intent"])
    if latest is None or (ask and not state.partial):
        return None
    own = {name: slot for name, slot in script.slots.items() if f"{{{name}" in latest.item}
    found = named(said, own)
    current = state.partial if ask else state.items[-1]
    # "No small", without a stop, of a large one: there is nothing small to be left out.
    instead = {name: value for name, value in found.dropped.items() if current.get(name, value) != value}
    values = {**instead, **found.values}
    about = Correction(latest, values, frozenset(found.dropped) - set(values))
    if not ask:
        about = replace(about, item=_spoken_of(said, state, latest, about.values, own))
    words = expanded(plain(said))
    if state.mending:
        part = part_named(said, latest, script.slots)
        meant = about.named or part is not None or answer.yes is False
        return replace(about, part=part, nothing=not about.named and part is None) if meant else None
    if _ONLY.search(words) and values and all(current.get(each) == values[each] for each in values):
        return replace(about, values={}, nothing=True)
    if about.named:
        answers = ask is not None and set(values) == {ask.slot}
        return about if corrects(said) and not answers else None
    part = part_named(said, latest, script.slots) if not ask and _OF_A_PART.search(words) else None
    if part is not None:
        return replace(about, part=part)
    vague = ends and not ask and answer.yes is False and not answer.whole and not _HOLD.search(said.lower())
    return about if answer.wrong or (found.denied and not ask) or vague else None


def _spoken_of(
    said: str, state: State, latest: Intent, values: Mapping[str, str], slots: Mapping[str, Slot]
) -> int:
    """Which item "the latte" is, when it is not the last one."""
    words = plain(said)
    for name, value in values.items():
        forms = [form for form, meaning in slots[name].forms.items() if meaning == value]
        the = any(re.search(rf"\bthe (?:\w+ )?{re.escape(form)}\b", words) for form in forms)
        if not the or len(values) < 2 or name not in latest.needs or state.items[-1].get(name) == value:
            continue
        for at in reversed(range(len(state.items))):
            if state.items[at].get(name) == value and state.items[at]["intent"] == latest.name:
                return at - len(state.items)
    return -1


def part_named(said: str, intent: Intent, slots: Mapping[str, Slot]) -> Ask | None:
    """The question for the part that is named: "the size"."""
    words = set(plain(said).split())
    asked = {ask.slot for ask in intent.asks}
    own = [slot for slot in slots.values() if slot.name in asked or f"{{{slot.name}" in intent.item]
    slot = next((slot for slot in own if set(slot.name.split("_")) <= words), None)
    return ask_for(intent, slot) if slot else None


def ask_for(intent: Intent, slot: Slot) -> Ask:
    """An intent's own question for a slot, or a plain one."""
    own = {ask.slot: ask for ask in intent.asks}
    usual = Ask(slot.name, f"Which {slot.name.replace('_', ' ')}?", Expect("choice", slot.options))
    return own.get(slot.name, usual)
