"""The default agent: it follows a script and needs no key.

Nothing is kept between turns but the notes: the order so far, the question that is open, how often the caller
was not understood. Some wishes are always understood, whatever the script says: to hear the last thing again,
to wait a moment, to speak to a person, to know whether this is a machine. What cannot be undone is done when
an utterance as a whole means it, and never on a word in it; a correction replaces what it names.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

from . import heard
from .acts import lasting
from .agent import Expect, HangUp, Manners, Notes, Said, Say, Transfer, Turn, Wait
from .corrections import Correction, ask_for, correction
from .matching import Finder, Match
from .polarity import Answer, answered
from .script import Ask, Do, Intent, Script, Step, Values, dictated, fill, find_slots, listed, spoken
from .script_state import Item, State
from .usual import NO_STEP, TRANSFER_STEP, WAIT_STEP, YES_STEP, count_in_words, last_said
from .wishes import Wish, wish_among, wish_of

_MAX_ASKS = 2  # a question for a slot is asked again once; then the order goes on without it
_MAX_THEN = 8  # `then` to `then`: a bound for scripts that go in circles
SKIPPED = "-"  # stands in a slot that the caller would not or could not fill
GIVEN = "(given)"  # stands for a sensitive answer: notes are stored with the call
_OPERATOR = "0"  # the key that callers press to reach a person


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
        self.finder = Finder(script, turn.text, state)
        self.intent, self.ask = self._open_question()

    def _open_question(self) -> tuple[Intent | None, Ask | None]:
        name, _, slot = self.state.asked.partition(".")
        intent = self.script.intents.get(name)
        known = self.script.slots.get(slot)
        return intent, ask_for(intent, known) if intent and known else None

    # ---- what was meant

    def make(self) -> Iterator[Said]:
        if self.turn.digits:
            yield from self._keys(self.turn.digits)
            return
        if wish := wish_of(self.turn.text):
            yield from self._wish(wish)
            return
        if self.ask and (value := self._dictation(self.ask)):
            yield from self._answered(self.ask, value)
            return
        answer = answered(self.turn.text, self._question(), self._expects_yes_no)
        if wrong := self._correction(answer):
            yield from self._correct(wrong)
        elif self._may_branch(answer) and answer.whole and answer.yes is not None:
            yield from self._run_branch(answer.yes)
        else:
            yield from self._meaning(answer)

    def _meaning(self, answer: Answer) -> Iterator[Said]:
        """As `make`, for more than a yes or no: the script's intents, then looser readings of the words."""
        as_heard = self.text, heard.corrected(self.text, self.vocabulary)
        matches = [match for text in dict.fromkeys(as_heard) for match in self.finder.matches(text)]
        if complete := next((match for match in matches if match.complete), None):
            yield from self._run(complete, closing=self.finder.closing(matches, complete))
        elif self.ask and (value := self._chosen(as_heard[1], self.ask)):
            yield from self._answered(self.ask, value)
        elif self.ask and (answer.yes is False or heard.NO_PREFERENCE.search(self.text)):
            yield from self._answered(self.ask, "")
        elif self._goes_on(answer) and answer.yes is not None:
            yield from self._run_branch(answer.yes)
        elif wish := wish_among(self.turn.text):
            yield from self._wish(wish)
        elif matches:
            yield from self._run(matches[0])
        else:
            yield from self._not_understood()

    def _may_branch(self, answer: Answer) -> bool:
        """Whether a yes or no has something to answer."""
        if self.ask or answer.yes is None or self.state.mending:
            return False
        return self._expects_yes_no or bool(self._named(answer.yes))

    def _goes_on(self, answer: Answer) -> bool:
        """A yes or no with more behind it answers, unless what follows from it cannot be undone."""
        if answer.yes is None or not self._expects_yes_no or self.ask or answer.wrong:
            return False
        return not lasting(self._resolved(self._branch(answer.yes)))

    def _question(self) -> str:
        """The words of the question that is open."""
        if self.ask:
            return self.ask.say
        return " ".join(self.intent.step.say) if self.intent else ""

    # ---- corrections

    def _correction(self, answer: Answer) -> Correction | None:
        ends = self._expects_yes_no and lasting(self._resolved(self._branch(False)))
        ends = ends and not any(match.complete for match in self.finder.matches(self.text))
        question = self.intent, self.ask
        return correction(self.script, self.state, self.turn.text, answer, question, ends)

    def _correct(self, wrong: Correction) -> Iterator[Said]:
        if wrong.named:
            yield from self._replace(wrong.intent, wrong.values, wrong.dropped)
        elif wrong.part:
            yield from self._ask_again(wrong.intent, wrong.part)
        elif wrong.nothing:
            yield from self._read_back(wrong.intent, self.state)
        else:
            yield self.script.correct
            yield from self._still_open()
            yield replace(self.state, mending=True).note()

    def _ask_again(self, intent: Intent, ask: Ask) -> Iterator[Said]:
        """The last item is open again, without the part that is to change."""
        *before, last = self.state.items
        slots = {name: value for name, value in last.items() if name in self.script.slots}
        slots.pop(ask.slot, None)
        asked = f"{intent.name}.{ask.slot}"
        yield ask.say
        yield ask.expect
        yield replace(
            self.state, items=tuple(before), partial=slots, mending=False, tries=1, asked=asked
        ).note()

    def _replace(self, latest: Intent, found: Item, dropped: frozenset[str]) -> Iterator[Said]:
        """What was named takes the place of what was understood, and is read back."""
        if self.ask and self.intent:
            partial = {name: value for name, value in self.state.partial.items() if name not in dropped}
            yield from self._run(Match(self.intent, ({**partial, **found},)), new=False)
            return
        *before, last = self.state.items
        kept = {name: value for name, value in last.items() if name not in dropped - set(latest.needs)}
        item = self._item(latest, {**kept, **found})
        state = replace(self.state, items=(*before, item), asked="", partial={}, tries=0)
        own = self.script.by_action(Do.CHANGE)
        yield from self._read_back(own if own and own.step.say else latest, state, item, {*found, *dropped})

    def _read_back(
        self, intent: Intent, state: State, item: Item | None = None, changed: set[str] | None = None
    ) -> Iterator[Said]:
        item = item or state.items[-1]
        brief = self.script.intents[item["intent"]].brief
        in_brief = not brief or all(f"{{{name}" in brief for name in changed or ())
        found = {**item, "item": item["brief"] if in_brief else item["item"]}
        yield from self._perform(intent.step, replace(state, mending=False), found, intent)

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
            yield from self._wish(Wish.PERSON)
        else:
            yield from self._not_understood()

    def _keyed(self, keys: str, ask: Ask) -> str:
        slot = self.script.slots[ask.slot]
        if slot.kind == "words":
            options = ask.expect.options or slot.options
            return options[int(keys) - 1] if keys.isdecimal() and 1 <= int(keys) <= len(options) else ""
        return keys if slot.kind == "digits" and slot.least <= len(keys) <= slot.most else ""

    # ---- what is said and done

    def _wish(self, wish: Wish) -> Iterator[Said]:
        if wish is Wish.REPEAT:
            yield from self._again()
        elif wish is Wish.ABOUT:
            asked = re.findall(r"[^.?!]*\?", last_said(self.turn.history, self.script))
            yield f"{self.script.about} {asked[-1].strip() if asked else ''}".strip()
            yield from self._still_open()
        else:
            do, usual = (Do.WAIT, WAIT_STEP) if wish is Wish.WAIT else (Do.TRANSFER, TRANSFER_STEP)
            own = self.script.by_action(do)
            yield from self._perform(own.step if own else usual, self.state, keep_question=True)

    def _again(self) -> Iterator[Said]:
        yield last_said(self.turn.history, self.script)
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

    def _branch(self, answer: bool) -> Step:
        """What a yes or no runs."""
        own = self.intent and (self.intent.on_yes if answer else self.intent.on_no)
        named = self._named(answer)
        return own or (named.step if named else YES_STEP if answer else NO_STEP)

    def _run_branch(self, answer: bool) -> Iterator[Said]:
        step, named = self._branch(answer), self._named(answer)
        yield from self._perform(
            step, self._settled(), intent=named if named and step is named.step else None
        )

    def _resolved(self, step: Step) -> Step:
        """The step that `then` leads to."""
        for _ in range(_MAX_THEN):
            if not step.then:
                break
            step = self.script.intents[step.then].step
        return step

    def _named(self, answer: bool) -> Intent | None:
        """The intent that a yes or no runs when the question has no branch for it: `yes`, `no`, a goodbye."""
        named = self.script.intents.get("yes" if answer else "no")
        closing = None if answer or not self._expects_yes_no else self.script.by_action(Do.HANG_UP)
        return named or closing

    def _settled(self) -> State:
        """The state when the caller has gone on: what was ordered stands, even without all the details."""
        state = replace(self.state, asked="", partial={}, tries=0, mending=False)
        intent = self.intent
        if intent and intent.item and all(self.state.partial.get(slot) for slot in intent.needs):
            state = replace(state, items=(*state.items, self._item(intent, self.state.partial)))
        return state

    def _run(self, match: Match, new: bool = True, closing: Intent | None = None) -> Iterator[Said]:
        intent, state = (
            match.intent,
            self._settled() if new else replace(self.state, asked="", partial={}, mending=False),
        )
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
        values |= {"items": listed(items), "count": count_in_words(len(items))}
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
