"""How what a scripted agent knows is said: items, summaries, what is read back. PURE."""

from __future__ import annotations

from telephony.reply.default_intents import count_in_words
from telephony.reply.script import Intent, Script, Slot, Values, fill, listed, spoken
from telephony.reply.script_state import GIVEN, SKIPPED, Item, State


class ScriptWording:
    """Fills a script's templates."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def item(self, intent: Intent, found: Item) -> Item:
        """What an intent adds to the order: its slots, and how it is said in full and in brief."""
        slots = {
            name: value
            for name, value in found.items()
            if name in self._script.slots and value not in (SKIPPED, GIVEN)
        }
        said = self._spoken(slots)
        brief = fill(intent.brief or intent.item, said, capital=False)
        full = fill(intent.item, said, capital=False)
        return {**slots, "intent": intent.name, "item": full, "brief": brief}

    def filled(self, template: str, found: Item, state: State) -> str:
        """A template with what was found, and what is known of the call."""
        latest = state.items[-1] if state.items else {}
        slots = {**latest, **state.partial, **found}
        values = self._spoken({name: value for name, value in slots.items() if value not in (SKIPPED, GIVEN)})
        items = [item["item"] for item in state.items]
        values |= {"items": listed(items), "count": count_in_words(len(items))}
        values["item"] = found.get("item") or latest.get("brief", "")
        values["summary"] = self._summary(values, len(items))
        return fill(template, values)

    def _summary(self, values: Values, count: int) -> str:
        summary = self._script.summary
        if not count:
            return fill(summary.empty, values)
        return fill(summary.say if count <= summary.at_most else summary.many, values)

    def _spoken(self, slots: Item) -> dict[str, str]:
        known = self._script.slots
        return {name: spoken(known[name], value) for name, value in slots.items() if name in known}


def read_back(slot: Slot, value: str) -> str:
    """The question whether a value was understood."""
    return f"I have {spoken(slot, value)}. Is that right?"
