"""The default agent: it follows a script and needs no key.

Nothing is kept between turns but the notes: the order so far, the question that is open, how often the caller
was not understood. Three wishes are always understood, whatever the script says: to hear the last thing
again, to wait a moment, and to speak to a person.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace

from . import heard
from .agent import Expect, HangUp, Line, Manners, Notes, Said, Say, Transfer, Turn, Wait
from .script import Ask, Do, Intent, Script, Step, Values, dictated, fill, find_slots, listed, spoken
from .script_state import Item, State
from .wishes import WISHES

_MAX_ASKS = 2  # a question for a slot is asked again once; then the order goes on without it
_MAX_THEN = 8  # `then` to `then`: a bound for scripts that go in circles
SKIPPED = "-"  # stands in a slot that the caller would not or could not fill
GIVEN = "(given)"  # stands for a sensitive answer: notes are stored with the call
_ANOTHER = re.compile(
    r"\b(?:and|plus|also)\b(?= (?:also )?(?:a|an|one|another) )"
    r"|(?=\b(?:can|could|may) i (?:get|have)\b|\bi(?:'?d| would) like\b|\bi want\b|\b(?:give|get|make) me\b)"
)
"""Where another thing begins to be ordered, within what was said in one turn."""
_OPERATOR = "0"  # the key that callers press to reach a person

WAIT_STEP = Step(say=("Sure, take your time.",), do=Do.WAIT)
TRANSFER_STEP = Step(
    say=("One moment.",),
    do=Do.TRANSFER,
    otherwise="I'm sorry, nobody else is free right now. Can I help you?",
)
YES_STEP = Step(say=("Okay, go ahead.",))
NO_STEP = Step(say=("Okay.",))


@dataclass(frozen=True, slots=True)
class Match:
    """An intent with the slots found for it, one set for each thing ordered."""

    intent: Intent
    found: tuple[Item, ...]

    @property
    def complete(self) -> bool:
        return all(self.found[-1].get(slot) for slot in self.intent.needs)


class ScriptedAgent:
    """Follows a script. `reply` has no effect of its own, so that it may be drafted and thrown away."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.manners: Manners = script.manners
        self._vocabulary = {
            word for slot in script.slots.values() for form in slot.forms for word in form.split()
        }

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        """As `agent.Agent.reply`."""
        for said in self.answer(turn, notes):
            yield said

    def answer(self, turn: Turn, notes: Notes) -> list[Said]:
        """All that is said and done in answer to a turn."""
        return list(_Answer(self.script, turn, State.of(notes), self._vocabulary).make())


class _Answer:
    """Makes one answer: finds what was meant, then says and does it."""

    def __init__(self, script: Script, turn: Turn, state: State, vocabulary: set[str]) -> None:
        self.script, self.turn, self.state, self.vocabulary = script, turn, state, vocabulary
        self.text = heard.plain(turn.text)
        self.intent, self.ask = self._open_question()

    def _open_question(self) -> tuple[Intent | None, Ask | None]:
        name, _, slot = self.state.asked.partition(".")
        intent = self.script.intents.get(name)
        asks = intent.asks if intent else ()
        return intent, next((ask for ask in asks if ask.slot == slot), None)

    # ---- what was meant

    def make(self) -> Iterator[Said]:
        if self.turn.digits:
            yield from self._keys(self.turn.digits)
            return
        for do, whole, _ in WISHES:
            if whole.fullmatch(self.text):
                yield from self._wish(do)
                return
        if self.ask and (value := self._dictation(self.ask)):
            yield from self._answered(self.ask, value)
            return
        expects_yes_no = self._expects_yes_no
        answer = heard.yes_or_no(self.text, expects_yes_no)
        if answer is not None and (expects_yes_no or self._named(answer)) and not self.ask:
            yield from self._run_branch(answer)
        else:
            yield from self._meaning()

    def _meaning(self) -> Iterator[Said]:
        """As `make`, for more than a yes or no: the script's intents, then looser readings of the words."""
        as_heard = self.text, heard.corrected(self.text, self.vocabulary)
        matches = [match for text in dict.fromkeys(as_heard) for match in self._matches(text)]
        leading = heard.leading_yes_or_no(self.text)
        if complete := next((match for match in matches if match.complete), None):
            yield from self._run(complete, closing=self._closing(matches, complete))
        elif self.ask and (value := self._chosen(as_heard[1], self.ask)):
            yield from self._answered(self.ask, value)
        elif self.ask and (leading is False or heard.NO_PREFERENCE.search(self.text)):
            yield from self._answered(self.ask, "")
        elif leading is not None and self._expects_yes_no:
            yield from self._run_branch(leading)
        elif wish := next((do for do, _, among in WISHES if among.search(self.text)), None):
            yield from self._wish(wish)
        elif matches:
            yield from self._run(matches[0])
        else:
            yield from self._not_understood()

    def _closing(self, matches: list[Match], first: Match) -> Intent | None:
        """A goodbye in the same breath as an order: "a small coffee, no, that's all, goodbye"."""
        if not first.intent.item and first.intent.step.do is not Do.CHANGE:
            return None
        return next((m.intent for m in matches if m.intent.step.do is Do.HANG_UP), None)

    def _matches(self, text: str) -> Iterator[Match]:
        found = find_slots(text, self.script.slots)
        for intent in self.script.intents.values():
            groups = self._matched(intent, text, found)
            if groups is None or (intent.step.do is Do.CHANGE and not self._changes(found)):
                continue
            parts = self._parts(text, intent) if intent.item else [found]
            yield Match(intent, tuple({**part, **groups} for part in parts))

    def _matched(self, intent: Intent, text: str, found: Item) -> Item | None:
        """The named groups of the first pattern that fits, None when none does."""
        for pattern in intent.match:
            match = pattern.regex.search(text) or pattern.regex.search(self.turn.text.lower())
            groups = {name: value.strip() for name, value in match.groupdict("").items()} if match else {}
            if match and all(found.get(slot) or groups.get(slot) for slot in pattern.slots):
                return groups
        return None

    def _parts(self, text: str, intent: Intent) -> list[Item]:
        """The things ordered in one breath: "a small latte and a large mocha" is two."""
        found: list[Item] = []
        before = ""
        for piece in filter(None, map(str.strip, _ANOTHER.split(text))):
            alone = find_slots(piece, self.script.slots)
            if found and (_lacks(intent, alone) or _lacks(intent, found[-1])):
                before = f"{before} {piece}"
                found[-1] = find_slots(before, self.script.slots)
            else:
                before = piece
                found.append(alone)
        return found or [{}]

    def _changes(self, found: Item) -> bool:
        return bool(self.state.items or self.state.partial) and bool(found)

    @property
    def _expects_yes_no(self) -> bool:
        expect = self._open_expect()
        return expect is not None and expect.kind == "yes_no"

    def _open_expect(self) -> Expect | None:
        if self.ask:
            return self.ask.expect
        return self.intent.step.expect if self.intent else None

    def _dictation(self, ask: Ask) -> str:
        """The answer to a question for digits, letters or free text."""
        slot = self.script.slots[ask.slot]
        return self.text if slot.kind == "text" else dictated(self.text, slot, alone=True)

    def _chosen(self, text: str, ask: Ask) -> str:
        return find_slots(text, {ask.slot: self.script.slots[ask.slot]}).get(ask.slot, "")

    # ---- keys

    def _keys(self, keys: str) -> Iterator[Said]:
        if self.ask and (value := self._keyed(keys, self.ask)):
            yield from self._answered(self.ask, value)
        elif self._expects_yes_no and keys in ("1", "2"):
            yield from self._run_branch(keys == "1")
        elif intent := next((one for one in self.script.intents.values() if keys in one.keys), None):
            yield from self._run(Match(intent, ({},)))
        elif keys == _OPERATOR:
            yield from self._wish(Do.TRANSFER)
        else:
            yield from self._not_understood()

    def _keyed(self, keys: str, ask: Ask) -> str:
        slot = self.script.slots[ask.slot]
        if slot.kind == "words":
            options = ask.expect.options or slot.options
            return options[int(keys) - 1] if keys.isdecimal() and 1 <= int(keys) <= len(options) else ""
        return keys if slot.kind == "digits" and slot.least <= len(keys) <= slot.most else ""

    # ---- what is said and done

    def _wish(self, do: Do) -> Iterator[Said]:
        own = self.script.by_action(do)
        if do is Do.REPEAT:
            yield from self._again()
        elif do is Do.WAIT:
            yield from self._perform(own.step if own else WAIT_STEP, self.state, keep_question=True)
        else:
            yield from self._perform(own.step if own else TRANSFER_STEP, self.state, keep_question=True)

    def _again(self) -> Iterator[Said]:
        yield _last_said(self.turn.history, self.script)
        yield from self._still_open()

    def _still_open(self) -> Iterator[Said]:
        if expect := self._open_expect():
            yield expect

    def _not_understood(self) -> Iterator[Said]:
        state = replace(self.state, misses=self.state.misses + 1)
        if self.ask and self.state.tries >= _MAX_ASKS:
            yield from self._answered(self.ask, "")
            return
        line = self.script.fallback[self.state.misses % len(self.script.fallback)]
        if self.ask:
            line, state = f"{line} {self.ask.say}", replace(state, tries=self.state.tries + 1)
        yield line
        yield from self._still_open()
        yield state.note()

    def _answered(self, ask: Ask, value: str) -> Iterator[Said]:
        """The open question for a slot has its answer; an empty one means to go on without it."""
        assert self.intent is not None  # it is what asked
        if not value and ask.slot in self.intent.needs:
            yield from self._given_up()
            return
        if value and ask.expect.sensitive:
            value = GIVEN
        found = {**self.state.partial, ask.slot: value or SKIPPED}
        yield from self._run(Match(self.intent, (found,)), new=False)

    def _given_up(self) -> Iterator[Said]:
        """Without this answer there is nothing to do: the question is dropped."""
        state = replace(self.state, asked="", partial={}, tries=0, misses=self.state.misses + 1)
        yield self.script.fallback[self.state.misses % len(self.script.fallback)]
        yield state.note()

    def _run_branch(self, answer: bool) -> Iterator[Said]:
        own = self.intent and (self.intent.on_yes if answer else self.intent.on_no)
        named = self._named(answer)
        if own:
            yield from self._perform(own, self._settled())
        elif named:
            yield from self._perform(named.step, self._settled(), intent=named)
        else:
            yield from self._perform(YES_STEP if answer else NO_STEP, self._settled())

    def _named(self, answer: bool) -> Intent | None:
        """The intent that a yes or no runs when the question has no branch for it: `yes`, `no`, a goodbye."""
        named = self.script.intents.get("yes" if answer else "no")
        closing = None if answer or not self._expects_yes_no else self.script.by_action(Do.HANG_UP)
        return named or closing

    def _settled(self) -> State:
        """The state when the caller has gone on: what was ordered stands, even without all the details."""
        state = replace(self.state, asked="", partial={}, tries=0)
        intent = self.intent
        if intent and intent.item and all(self.state.partial.get(slot) for slot in intent.needs):
            state = replace(state, items=(*state.items, self._item(intent, self.state.partial)))
        return state

    def _run(self, match: Match, new: bool = True, closing: Intent | None = None) -> Iterator[Said]:
        intent, state = match.intent, self._settled() if new else replace(self.state, asked="", partial={})
        last = match.found[-1]
        missing = next((ask for ask in intent.asks if not last.get(ask.slot)), None)
        if intent.item:
            done = match.found[:-1] if missing else match.found
            items = tuple(self._item(intent, found) for found in done)
            state = replace(state, items=(*state.items, *items))
            last = {**last, "item": listed([item["brief"] for item in items])}
        if missing:
            tries = state.tries + 1 if missing is self.ask else 1
            asked = f"{intent.name}.{missing.slot}"
            state = replace(state, asked=asked, partial=dict(match.found[-1]), tries=tries)
            yield self._filled(missing.say, last, state)
            yield missing.expect
            yield state.note()
            return
        if intent.step.do is Do.CHANGE:
            state = self._changed(state, last)
        step = (closing or intent).step
        keep = step.do in (Do.WAIT, Do.REPEAT, Do.TRANSFER)
        if step.do is Do.REPEAT and not step.say:
            yield from self._again()
        else:
            yield from self._perform(step, self.state if keep else state, last, intent, keep)

    def _changed(self, state: State, found: Item) -> State:
        *before, last = state.items
        intent = self.script.intents[last["intent"]]
        return replace(state, items=(*before, self._item(intent, {**last, **found})))

    def _item(self, intent: Intent, found: Item) -> Item:
        slots = {
            name: value
            for name, value in found.items()
            if name in self.script.slots and value not in (SKIPPED, GIVEN)
        }
        said = self._spoken(slots)
        brief = fill(intent.brief or intent.item, said, capital=False)
        full = fill(intent.item, said, capital=False)
        return {**slots, "intent": intent.name, "item": full, "brief": brief}

    def _perform(
        self,
        step: Step,
        state: State,
        found: Item | None = None,
        intent: Intent | None = None,
        keep_question: bool = False,
    ) -> Iterator[Said]:
        for _ in range(_MAX_THEN):
            if not step.then:
                break
            intent = self.script.intents[step.then]
            step = intent.step
        if step.do is Do.FORGET:
            state = replace(state, items=())
        say = step.say[self.turn.index % len(step.say)] if step.say else ""
        if step.do is Do.TRANSFER and not step.to:
            say = step.otherwise or TRANSFER_STEP.otherwise
        text = self._filled(say, found or {}, state) or self._filled(step.otherwise, found or {}, state)
        if text:
            yield text if step.interruptible else Say(text, interruptible=False)
        if keep_question:
            yield from self._still_open()
        elif step.expect:
            state = replace(state, asked=intent.name if intent else self.state.asked)
            yield step.expect
        yield state.note()
        yield from _actions(step)

    def _filled(self, template: str, found: Item, state: State) -> str:
        latest = state.items[-1] if state.items else {}
        slots = {**latest, **state.partial, **found}
        values = self._spoken({name: value for name, value in slots.items() if value not in (SKIPPED, GIVEN)})
        items = [item["item"] for item in state.items]
        values |= {"items": listed(items), "count": _count(len(items))}
        values["item"] = found.get("item") or latest.get("brief", "")
        values["summary"] = self._summary(values, len(items))
        return fill(template, values)

    def _summary(self, values: Values, count: int) -> str:
        summary = self.script.summary
        if not count:
            return fill(summary.empty, values)
        return fill(summary.say if count <= summary.at_most else summary.many, values)

    def _spoken(self, slots: Item) -> dict[str, str]:
        known = self.script.slots
        return {name: spoken(known[name], value) for name, value in slots.items() if name in known}


def _lacks(intent: Intent, found: Item) -> bool:
    return not all(found.get(name) for name in intent.needs)


def _actions(step: Step) -> Iterator[Said]:
    if step.do is Do.WAIT:
        yield Wait()
    elif step.do is Do.HANG_UP:
        yield HangUp()
    elif step.do is Do.TRANSFER and step.to:
        yield Transfer(step.to)


def _last_said(history: Sequence[Line], script: Script) -> str:
    """The last thing the agent said that had a meaning of its own: not "are you still there?"."""
    manners = script.manners
    empty = {step.say for step in manners.silence} | {*manners.fillers, manners.bridge, *manners.reask}
    wait = script.by_action(Do.WAIT)
    empty |= {*script.fallback, *(wait.step.say if wait else WAIT_STEP.say), *manners.acknowledge}
    said = (line.text for line in reversed(history) if line.who == "agent" and line.text not in empty)
    return next((text for text in said if text.strip()), manners.greeting.text or manners.reask[0])


def _count(number: int) -> str:
    words = "no one two three four five six seven eight nine ten".split()
    return words[number] if number < len(words) else str(number)
