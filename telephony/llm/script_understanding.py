"""What a model is asked when it understands for a script, and what its answer means. PURE."""

from __future__ import annotations

import json
from typing import Any

from telephony.llm.chat import JsonSchema
from telephony.llm.history import bracketed
from telephony.reply.agent import Turn
from telephony.reply.builtin_intents import BuiltinIntent
from telephony.reply.script import Intent, Script, Slot, Understood

OTHER = "other"
USUAL = {
    "yes": "yes to the question of the line",
    "no": "no to the question of the line",
    BuiltinIntent.REPEAT.value: "hear the last words again",
    BuiltinIntent.WAIT.value: "a moment to think",
    BuiltinIntent.PERSON.value: "speak to a person: staff, customer support, a representative, an operator",
    BuiltinIntent.ABOUT.value: "know whether this is a machine",
    OTHER: "anything else, or what cannot be understood",
}
"""What callers of every line may mean."""
PLAIN = "A-Za-z0-9 .,:'+@-"
"""What a slot of free text may hold, as a character class."""
MOST_TEXT = 80
SAID_CHARS = 300
"""Of what the line said last: its end holds the question."""


def schema_of(script: Script) -> JsonSchema:
    """The JSON schema of an understanding: one intent, and each slot's value or null."""
    slots = {name: _slot_schema(slot) for name, slot in script.slots.items()}
    names = list(dict.fromkeys([*script.intents, *USUAL]))
    return {
        "type": "object",
        "properties": {"intent": {"type": "string", "enum": names}, **slots},
        "required": ["intent", *slots],
        "additionalProperties": False,
    }


def _slot_schema(slot: Slot) -> dict[str, Any]:
    if slot.kind == "words":
        return {"enum": [*slot.options, None]}
    letters, least, most = {
        "digits": ("0-9", slot.least, slot.most),
        "spelling": ("A-Za-z0-9", slot.least, slot.most),
        "text": (PLAIN, 1, MOST_TEXT),
        "llm": (PLAIN, 1, MOST_TEXT),
    }[slot.kind]
    said = {"type": "string", "pattern": f"^[{letters}]{{{least},{most}}}$"}  # else a model may never end
    return {"anyOf": [said, {"type": "null"}]}


def instructions_of(script: Script) -> str:
    """What the model is told, the same for every turn of every call."""
    usual = [f"- {name}: {text}" for name, text in USUAL.items() if name not in script.intents]
    lines = [
        "You understand what callers of a telephone line mean. You never answer them.",
        "The words come from speech recognition, and may be misheard. Choose the one intent that the caller",
        f"means, or {OTHER}. Give a slot the value that the caller named, or null when they named none.",
        "",
        "Intents:",
        *(f"- {intent.name}: {_meaning(intent)}" for intent in script.intents.values()),
        *usual,
        "",
        "Slots:",
        *(f"- {slot.name}: {_values(slot)}" for slot in script.slots.values()),
        "",
        "Answer with one JSON object and nothing else:",
        json.dumps({"intent": "...", **dict.fromkeys(script.slots)}),
    ]
    return "\n".join(lines)


def _meaning(intent: Intent) -> str:
    """What a caller means by it, in the script's own words where it says so."""
    if intent.means:
        return intent.means
    answered = intent.step.say[0] if intent.step.say else intent.step.model
    name = intent.name.replace("_", " ")
    return f'{name}; the line answers "{bracketed(answered)}"' if answered else name


def _values(slot: Slot) -> str:
    if slot.kind == "words":
        return ", ".join(slot.options)
    return {
        "digits": "a number that the caller says, as digits",
        "spelling": "letters that the caller spells",
        "text": "the caller's own words, as they said them",
        "llm": slot.about,
    }[slot.kind]


def question_of(turn: Turn, slot: str) -> str:
    """The turn as it is put before the model; `slot`: what the caller was asked for."""
    asked = f" It asked for the slot {slot}." if slot else ""
    line = (
        f'The line said: "{bracketed(turn.heard[-SAID_CHARS:])}"{asked}' if turn.heard else "The call begins."
    )
    return f'{line}\nThe caller says: "{bracketed(turn.text)}"'


def understood(script: Script, text: str) -> Understood | None:
    """What the model answered; None: it does not follow the schema."""
    begin, end = text.find("{"), text.rfind("}")
    try:
        found = json.loads(text[begin : end + 1])
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    intent = found.get("intent")
    if not isinstance(intent, str) or intent not in (*script.intents, *USUAL):
        return None
    slots: dict[str, str] = {}
    for name, slot in script.slots.items():
        value = found.get(name)
        if value is None or value == "":
            continue
        if not isinstance(value, str | int) or isinstance(value, bool):
            return None
        if slot.kind == "words" and str(value) not in slot.options:
            return None
        slots[name] = str(value)
    return Understood("" if intent == OTHER else intent, slots)
