"""Which of a script's intents an utterance can mean, with the slots found for each. PURE."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from telephony.reply.acts import LASTING, means
from telephony.reply.mentions import meant
from telephony.reply.script import Do, Intent, Pattern, Script, find_slots
from telephony.reply.script_state import Item, State

_ANOTHER = re.compile(
    r"\b(?:and|plus|also)\b(?= (?:also )?(?:a|an|one|another) )"
    r"|(?=\b(?:can|could|may) i (?:get|have)\b|\bi(?:'?d| would) like\b|\bi want\b|\b(?:give|get"
    r"|make) me\b)"
)
"""Where another thing begins to be ordered, within what was said in one turn."""
_WEAK = frozenset(
    "i i'd id we we'd would like want wanna need to can could may might get have make give bring take me us a"
    " an some please let do you i'll ill will just".split()
)
"""A pattern that only found such words says that something is wanted, and not what."""
_VAGUE = frozenset(
    "something anything order place buy some one thing things of for the my please um uh er well now today hi"
    " hello hey yes yeah okay ok so and then thanks thank more else another also too what drink food".split()
)


_ONLY_TOLD = re.compile(r"\b(?:yesterday|\w+ ago|last (?:week|time|night|month|year|\w+day)|earlier today)\b")
_ONLY_ASKED = re.compile(
    r"^(?:(?:and|so|but|well|oh|um|uh|okay|ok|hey|sorry|wait|no|yes) )*"
    r"(?:(?:why(?! not)|when|where|who|which|whose|what(?!'?s? (?:about|if))|how (?!about))\b"
    r"|(?!is it (?:possible|okay|ok|all right)|is there (?:a|any) (?:chance|way))"
    r"(?:did|was|were|is|are|isn't|does|doesn't|has|hasn't)"
    r" (?:i|you|it|this|that|there|the|my|your|a|an)\b)"
)
""" "Did you get the latte?", "what is in a mocha?": things are spoken of, and none is ordered."""
_NOT_WANTED = re.compile(
    r"(?<!why )\b(?:don't|dont|do not|never|didn't|did not|wouldn't|rather not|no need to|not)"
    r"(?: (?:want|need|like|wish|mean|going|trying|asking)(?: (?:you|me))?)*"
    r"(?: to)?(?: (?:a|an|the|my|any))? $"
)
"""Before what a pattern found: "I don't want to cancel" does not ask for it."""


@dataclass(frozen=True, slots=True)
class Match:
    """An intent with the slots found for it, one set for each thing ordered."""

    intent: Intent
    found: tuple[Item, ...]

    @property
    def complete(self) -> bool:
        return all(self.found[-1].get(slot) for slot in self.intent.needs)


class Finder:
    """Looks for a script's intents in one utterance."""

    def __init__(self, script: Script, said: str, state: State) -> None:
        self._script, self._said, self._state = script, said, state

    def matches(self, text: str) -> Iterator[Match]:
        """All intents that `text`, what was said in plain words, can mean, in the script's order."""
        words = meant(self._said, text, self._script.slots).text
        found = find_slots(words, self._script.slots)
        for intent in self._script.intents.values():
            groups = self._matched(intent, text, found)
            if groups is None or (intent.step.do is Do.CHANGE and not self._changes(found)):
                continue
            parts = self._parts(words, intent) if intent.item else [found]
            yield Match(intent, tuple({**part, **groups} for part in parts))

    def closing(self, matches: list[Match], first: Match) -> Intent | None:
        """A goodbye in the same breath as an order: "a small coffee, no, that's all, goodbye"."""
        if not first.intent.item and first.intent.step.do is not Do.CHANGE:
            return None
        return next((m.intent for m in matches if m.intent.step.do is Do.HANG_UP), None)

    def _matched(self, intent: Intent, text: str, found: Item) -> Item | None:
        """The named groups of the first pattern that fits and is meant, None when none does."""
        for pattern in intent.match:
            match = pattern.regex.search(text) or pattern.regex.search(self._said.lower())
            groups = {name: value.strip() for name, value in match.groupdict("").items()} if match else {}
            if not match or not all(found.get(slot) or groups.get(slot) for slot in pattern.slots):
                continue
            if self._is_meant(intent, pattern, match) and not self._is_too_weak(
                intent, pattern, match, {**found, **groups}
            ):
                return groups
        return None

    def _is_meant(self, intent: Intent, pattern: Pattern, match: re.Match[str]) -> bool:
        """An act that cannot be undone needs an utterance that means it, or questions first."""
        do = intent.step.do
        if (
            intent.item
            and pattern.slots
            and (_ONLY_TOLD.search(match.string) or _ONLY_ASKED.match(match.string))
        ):
            return False
        if do is Do.FORGET and len(self._state.items) > 1 and find_slots(match.string, self._script.slots):
            return False  # "cancel the latte" is about one of several
        if do not in LASTING and _NOT_WANTED.search(match.string[: match.start()]):
            return False
        return do not in LASTING or bool(intent.asks) or means(do, self._said, match)

    def _is_too_weak(self, intent: Intent, pattern: Pattern, match: re.Match[str], found: Item) -> bool:
        """ "I'd like" alone is not an order if what is wanted is unknown to the script."""
        if pattern.slots or set(match.group().split()) - _WEAK:
            return False
        own = {ask.slot for ask in intent.asks}
        if not intent.needs or any(found.get(name) for name in own):
            return False
        rest = f"{match.string[: match.start()]} {match.string[match.end() :]}".split()
        return not set(rest) <= _WEAK | _VAGUE | self._vocabulary(intent)

    def _vocabulary(self, intent: Intent) -> set[str]:
        """The words with which an intent speaks of what it needs."""
        texts = [
            intent.name,
            *intent.needs,
            *(ask.say for ask in intent.asks),
            *(ask.slot for ask in intent.asks),
        ]
        texts += [form for ask in intent.asks for form in self._script.slots[ask.slot].forms]
        words = {word for text in texts for word in re.findall(r"[a-z']+", text.lower())}
        return words | {f"{word}s" for word in words}

    def _parts(self, text: str, intent: Intent) -> list[Item]:
        """The things ordered in one breath: "a small latte and a large mocha" is two."""
        found: list[Item] = []
        before = ""
        for piece in filter(None, map(str.strip, _ANOTHER.split(text))):
            alone = find_slots(piece, self._script.slots)
            if found and (_lacks(intent, alone) or _lacks(intent, found[-1])):
                before = f"{before} {piece}"
                found[-1] = find_slots(before, self._script.slots)
            else:
                before = piece
                found.append(alone)
        return found or [{}]

    def _changes(self, found: Item) -> bool:
        return bool(self._state.items or self._state.partial) and bool(found)


def _lacks(intent: Intent, found: Item) -> bool:
    return not all(found.get(name) for name in intent.needs)
