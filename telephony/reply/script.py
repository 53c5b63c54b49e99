"""A conversation script as data, and what can be made of its slots and templates. Nothing here reads a file.

Text in a script may hold `{slot}` (filled in), `{slot?}` (left out when unknown) and `[with {slot}]` (the
whole bracket is left out when a slot in it is unknown).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, TypeAlias

from telephony.reply.agent import Expect, Said, Wording
from telephony.reply.understanding import digits, letters

Values: TypeAlias = Mapping[str, str]
SlotKind: TypeAlias = Literal["words", "digits", "spelling", "text", "llm"]
SLOT_KINDS: tuple[SlotKind, ...] = ("words", "digits", "spelling", "text", "llm")

MADE_UP = ("item", "items", "count", "summary")
"""What a template may name besides slots: what was just ordered, all that was, how many, and the summary."""

_FIELD = re.compile(r"\{(\w+)(\??)\}")
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_MARK = "\x00"  # stands before a filled-in value until its article is right


class Do(Enum):
    """What a step does besides speaking."""

    REPEAT = "repeat"  # say the last thing again
    WAIT = "wait"  # keep quiet until the caller speaks
    TRANSFER = "transfer"  # hand the caller to a person
    HANG_UP = "hang_up"  # end the call when this has been heard
    CHANGE = "change"  # what the caller named replaces that part of the last item
    FORGET = "forget"  # drop what was ordered so far
    BACK = "back"  # hand the caller back to the model that handed them to this script


@dataclass(frozen=True, slots=True)
class Slot:
    """Something to listen for."""

    name: str
    kind: SlotKind = "words"
    forms: Mapping[str, str] = field(default_factory=dict)
    """For words: each way to say it, and what it means."""
    least: int = 1
    """For digits and spelling: fewest characters that count."""
    most: int = 64
    about: str = ""
    """For llm: what a model must look for in the caller's words."""
    confirm: bool = False
    """Its value is read back, and used when the caller has said that it is right."""

    @property
    def options(self) -> tuple[str, ...]:
        """What may be answered, without the other ways to say it."""
        return tuple(dict.fromkeys(self.forms.values()))


@dataclass(frozen=True, slots=True)
class ModelSays:
    """Words that a model must find."""

    told: str
    otherwise: str = ""
    """What is said where it has none."""


Scripted: TypeAlias = Said | ModelSays
"""What a script comes to."""


@dataclass(frozen=True, slots=True)
class Understood:
    """What a model takes the caller's words for."""

    intent: str = ""
    """One of the script's, `yes`, `no`, a BuiltinIntent's value, or empty: nothing of these."""
    slots: Mapping[str, str] = field(default_factory=dict)
    """As the script has them."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One thing a caller may say."""

    regex: re.Pattern[str]
    slots: tuple[str, ...] = ()
    """The slots that it must contain."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A question for a slot that is still missing."""

    slot: str
    say: str
    expect: Expect


@dataclass(frozen=True, slots=True)
class ScriptStep:
    """What is said and done."""

    say: tuple[str, ...] = ()
    """Several: taken in turn."""
    interruptible: bool = True
    expect: Expect | None = None
    do: Do | None = None
    to: str = ""
    """For a transfer: whom to; empty when nobody can be reached."""
    otherwise: str = ""
    """What is said when `say` comes out empty, or when a transfer can reach nobody."""
    then: str | None = None
    """Go on as if this intent had been matched."""
    model: str = ""
    """The instruction to a model, in the place of `say`."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What a caller may want, and the answer to it."""

    name: str
    step: ScriptStep
    match: tuple[Pattern, ...] = ()
    means: str = ""
    """What a caller who wants it means, in words for a model."""
    keys: tuple[str, ...] = ()
    """Keypad digits that mean the same."""
    asks: tuple[Ask, ...] = ()
    item: str = ""
    """Template of what is added to the order; empty: nothing is."""
    brief: str = ""
    """The same in few words, for the confirmation."""
    on_yes: ScriptStep | None = None
    on_no: ScriptStep | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """The slots without which there is no answer."""
        made = dict.fromkeys(
            name for text in (self.item, self.step.model, *self.step.say) for name in required(text)
        )
        return tuple(name for name in made if name not in MADE_UP)


SPELLED_OUT = 2  # items: a longer list is tiring to hear


@dataclass(frozen=True, slots=True)
class Summary:
    """How the order is said at the end."""

    say: str = "That's {items}."
    many: str = "That's {count} items."
    """For more than `at_most` items."""
    at_most: int = SPELLED_OUT
    empty: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script."""

    name: str
    wording: Wording
    slots: Mapping[str, Slot]
    intents: Mapping[str, Intent]
    """In the script's order, which is the order of preference."""
    fallback: tuple[str, ...]
    summary: Summary = Summary()
    about: str = "I'm an automated assistant, not a person."
    """The answer to "are you a robot?"."""
    correct: str = "What should I change?"
    """Asked when something was wrong and the caller has not said what."""

    understand: Literal["rules", "llm"] = "rules"
    """Who finds out what a caller means."""
    model_fallback: str = ""
    """The instruction to a model for what no intent means; empty: `fallback` is said."""

    @property
    def needs_model(self) -> bool:
        """Whether anything in it is left to a model."""
        steps = (step for one in self.intents.values() for step in (one.step, one.on_yes, one.on_no))
        return (
            self.understand == "llm"
            or bool(self.model_fallback)
            or any(step is not None and step.model for step in steps)
            or any(slot.kind == "llm" for slot in self.slots.values())
        )

    @property
    def transfers(self) -> tuple[str, ...]:
        """Everybody whom a caller may be transferred to."""
        steps = (step for one in self.intents.values() for step in (one.step, one.on_yes, one.on_no))
        return tuple(step.to for step in steps if step is not None and step.to)

    def by_action(self, do: Do) -> Intent | None:
        """The first intent that does this."""
        return next((intent for intent in self.intents.values() if intent.step.do is do), None)


def fields_of(template: str) -> tuple[str, ...]:
    """All names that a template mentions."""
    return tuple(name for name, _ in _FIELD.findall(template))


def required(template: str) -> tuple[str, ...]:
    """The names that must be known before a template can be spoken."""
    return tuple(name for name, optional in _FIELD.findall(_BRACKET.sub("", template)) if not optional)


def fill(template: str, values: Values, capital: bool = True) -> str:
    """The template with its values; what is unknown is left out.

    "a" becomes "an" where the value asks for it; sentences begin with a capital unless `capital` is False.
    """

    def bracket(match: re.Match[str]) -> str:
        inside = match.group(1)
        return inside if all(values.get(name) for name in fields_of(inside)) else ""

    def value(match: re.Match[str]) -> str:
        found = values.get(match.group(1), "")
        return _MARK + found if found else ""

    text = " ".join(_FIELD.sub(value, _BRACKET.sub(bracket, template)).split())
    text = re.sub(rf"\b([Aa])n? {_MARK}+(?=[aeiouAEIOU])", r"\1n ", text)
    text = re.sub(rf"\b([Aa])n? {_MARK}+", r"\1 ", text).replace(_MARK, "")
    text = re.sub(r"\s+([.,;:!?])", r"\1", text).strip()
    if not capital:
        return text
    return re.sub(r"(^|[.!?]\s+)([a-z])", lambda m: m.group(1) + m.group(2).upper(), text)


def listed(parts: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def spoken(slot: Slot, value: str) -> str:
    """A value as it is said aloud: digits in groups, letters one by one."""
    if slot.kind == "digits":
        head = [value[at : at + 3] for at in range(0, max(len(value) - 4, 0), 3)] if len(value) > 5 else []
        done = sum(map(len, head))
        return ", ".join(" ".join(group) for group in [*head, value[done:]] if group)
    return " ".join(value.upper()) if slot.kind == "spelling" else value


def find_slots(text: str, slots: Mapping[str, Slot]) -> dict[str, str]:
    """The slots that (plain) `text` contains. Longer forms come first: "medium roast" is not a size."""
    found: dict[str, str] = {}
    free = f" {text} "
    forms = [(form, meaning, slot.name) for slot in slots.values() for form, meaning in slot.forms.items()]
    at: dict[str, int] = {}
    for form, meaning, name in sorted(forms, key=lambda each: -len(each[0])):
        for match in re.finditer(rf"(?<= ){re.escape(form)}(?:e?s)?(?= )", free):
            if name not in found or match.start() < at[name]:
                found[name], at[name] = meaning, match.start()
            free = free[: match.start()] + "\x01" * len(match.group()) + free[match.end() :]
    for slot in slots.values():
        value = dictated(text, slot)
        if value:
            found[slot.name] = value
    return found


def dictated(text: str, slot: Slot, alone: bool = False) -> str:
    """Digits or letters for this slot in (plain) `text`; empty when there are too few or too many.

    `alone`: the caller was asked for it, so that a single word may be a spelling run together.
    """
    value = ""
    if slot.kind == "digits":
        value = digits(text)
    elif slot.kind == "spelling":
        value = letters(text) or (text if alone and text.isalpha() else "")
    return value if slot.least <= len(value) <= slot.most else ""
