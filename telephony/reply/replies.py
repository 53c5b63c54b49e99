"""What a scripted agent says and does, once it is known what was meant. PURE."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from telephony.reply import understanding
from telephony.reply.agent import Expect, HangUp, Note, Say, Transfer, Turn, Wait
from telephony.reply.builtin_intents import BuiltinIntent
from telephony.reply.corrections import ask_for
from telephony.reply.default_intents import (
    LEFT,
    NO_STEP,
    TRANSFER_STEP,
    WAIT_STEP,
    YES_OR_NO,
    YES_STEP,
    last_said,
)
from telephony.reply.matching import Finder, Match
from telephony.reply.script import (
    Ask,
    Do,
    Intent,
    ModelSays,
    Script,
    Scripted,
    ScriptStep,
    Understood,
    listed,
)
from telephony.reply.script_state import ACTIVE_SCRIPT, GIVEN, SKIPPED, Item, State
from telephony.reply.script_wording import ScriptWording, read_back

MAX_ASKS = 2  # a question for a slot is asked again once; then the order goes on without it
_MAX_THEN = 8  # `then` to `then`: a bound for scripts that go in circles


class Replies:
    """Says and does things in answer to one turn."""

    def __init__(
        self,
        script: Script,
        turn: Turn,
        state: State,
        vocabulary: set[str],
        understood: Understood | None = None,
    ) -> None:
        self.understood = understood
        self.script, self.turn, self.state, self.vocabulary = script, turn, state, vocabulary
        self.text = understanding.plain(turn.text)
        self.finder = Finder(script, turn.text, state)
        self.wording = ScriptWording(script)
        self.intent, self.ask = self._open_question()

    def _open_question(self) -> tuple[Intent | None, Ask | None]:
        name, _, slot = self.state.asked.partition(".")
        intent = self.script.intents.get(name)
        known = self.script.slots.get(slot)
        return intent, ask_for(intent, known) if intent and known else None

    def _question(self) -> str:
        """The words of the question that is open."""
        if self.ask and self.state.checking:
            return read_back(self.script.slots[self.ask.slot], self.state.partial.get(self.ask.slot, ""))
        if self.ask:
            return self.ask.say
        if self.intent and self.intent.step.expect:
            return " ".join(self.intent.step.say)
        return last_said(self.turn.history, self.script)  # it may ask without waiting for a certain answer

    def _to_check(self, found: Item) -> str:
        """The slot whose value must be read back before it is used."""
        slots = self.script.slots
        names = (name for name in found if name in slots and slots[name].confirm)
        given = (name for name in names if found[name] not in ("", SKIPPED, GIVEN))
        return next((name for name in given if name not in self.state.checked), "")

    @property
    def _expects_yes_no(self) -> bool:
        expect = self._open_expect()
        return expect is not None and expect.kind == "yes_no"

    def _open_expect(self) -> Expect | None:
        if self.state.checking:
            return Expect("yes_no")
        if self.ask:
            return self.ask.expect
        return self.intent.step.expect if self.intent else None

    # ---- what is said and done

    def _wish(self, wish: BuiltinIntent) -> Iterator[Scripted]:
        if wish is BuiltinIntent.REPEAT:
            yield from self._again()
        elif wish is BuiltinIntent.ABOUT:
            yield f"{self.script.about} {self._last_question()}".strip()
            yield from self._still_open()
        else:
            do, usual = (Do.WAIT, WAIT_STEP) if wish is BuiltinIntent.WAIT else (Do.TRANSFER, TRANSFER_STEP)
            own = self.script.by_action(do)
            yield from self._perform(own.step if own else usual, self.state, keep_question=True)

    def _again(self) -> Iterator[Scripted]:
        yield last_said(self.turn.history, self.script)
        yield from self._still_open()

    def _still_open(self) -> Iterator[Scripted]:
        if expect := self._open_expect():
            yield expect

    def _not_understood(self) -> Iterator[Scripted]:
        state = replace(self.state, misses=self.state.misses + 1)
        if self.ask and self.state.tries >= MAX_ASKS and not self.state.checking:
            yield from self._answered(self.ask, "")
            return
        line = self.script.fallback[self.state.misses % len(self.script.fallback)]
        state = replace(state, tries=self.state.tries + 1)
        if self.script.model_fallback and not self.ask:
            yield ModelSays(self.script.model_fallback, line)
            yield from self._still_open()
            yield state.note()
            return
        if self.ask:
            line = f"{line} {self._question()}"
        elif self._expects_yes_no and state.tries > MAX_ASKS + 1:
            yield LEFT
            yield replace(state, asked="", tries=0, mending=False).note()
            return
        elif self._expects_yes_no and state.tries > 1 and not state.mending:
            line = f"{line if state.tries == MAX_ASKS else YES_OR_NO} {self._last_question()}".strip()
        yield line
        yield from self._still_open()
        yield state.note()

    def _last_question(self) -> str:
        """The question that was asked last, without what was said before it."""
        asked = re.findall(r"[^.?!]*\?", last_said(self.turn.history, self.script))
        return asked[-1].strip() if asked else ""

    def _answered(self, ask: Ask, value: str) -> Iterator[Scripted]:
        """The open question for a slot has its answer; an empty one means to go on without it."""
        assert self.intent is not None  # it is what asked
        if not value and ask.slot in self.intent.needs:
            yield from self._given_up()
            return
        if value and ask.expect.sensitive:
            value = GIVEN
        found = {**self.state.partial, ask.slot: value or SKIPPED}
        yield from self._run(Match(self.intent, (found,)), new=False)

    def _given_up(self) -> Iterator[Scripted]:
        """Without this answer there is nothing to do: the question is dropped."""
        state = replace(
            self.state,
            asked="",
            partial={},
            tries=0,
            checking=False,
            checked=(),
            misses=self.state.misses + 1,
        )
        yield self.script.fallback[self.state.misses % len(self.script.fallback)]
        yield state.note()

    def _branch(self, answer: bool) -> ScriptStep:
        """What a yes or no runs."""
        own = self.intent and (self.intent.on_yes if answer else self.intent.on_no)
        named = self._named(answer)
        return own or (named.step if named else YES_STEP if answer else NO_STEP)

    def _run_branch(self, answer: bool) -> Iterator[Scripted]:
        step, named = self._branch(answer), self._named(answer)
        yield from self._perform(
            step, self._settled(), intent=named if named and step is named.step else None
        )

    def _resolved(self, step: ScriptStep) -> ScriptStep:
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
        state = replace(self.state, asked="", partial={}, tries=0, mending=False, checking=False, checked=())
        intent = self.intent
        if intent and intent.item and all(self.state.partial.get(slot) for slot in intent.needs):
            state = replace(state, items=(*state.items, self.wording.item(intent, self.state.partial)))
        return state

    def _run(self, match: Match, new: bool = True, closing: Intent | None = None) -> Iterator[Scripted]:
        intent, state = (
            match.intent,
            self._settled()
            if new
            else replace(self.state, asked="", partial={}, mending=False, checking=False),
        )
        last = match.found[-1]
        check = self._to_check(last)
        missing = next((ask for ask in intent.asks if not last.get(ask.slot)), None)
        if intent.item:
            done = match.found[:-1] if missing or check else match.found
            items = tuple(self.wording.item(intent, found) for found in done)
            state = replace(state, items=(*state.items, *items))
            last = {**last, "item": listed([item["brief"] for item in items])}
        if check or missing:
            yield from self._halt(match, state, last, check, missing)
            return
        state = replace(state, tries=0, checked=())
        if intent.step.do is Do.CHANGE:
            state = self._changed(state, last)
            last = {**last, "item": self._as_changed(state.items[-1], last)}
        step = (closing or intent).step
        keep = step.do in (Do.WAIT, Do.REPEAT, Do.TRANSFER)
        if step.do is Do.REPEAT and not step.say:
            yield from self._again()
        else:
            yield from self._perform(step, self.state if keep else state, last, intent, keep)

    def _halt(
        self, match: Match, state: State, last: Item, check: str, missing: Ask | None
    ) -> Iterator[Scripted]:
        """A value is read back, or one that is missing is asked for, before the intent goes on."""
        again = self.ask and self.ask.slot == (check or (missing and missing.slot))
        state = replace(state, partial=dict(match.found[-1]), tries=state.tries + 1 if again else 1)
        if check:
            asked = f"{match.intent.name}.{check}"
            yield read_back(self.script.slots[check], match.found[-1][check])
            yield Expect("yes_no")
            yield replace(state, asked=asked, checking=True).note()
        elif missing:
            yield self.wording.filled(missing.say, last, state)
            yield missing.expect
            yield replace(state, asked=f"{match.intent.name}.{missing.slot}").note()

    def _changed(self, state: State, found: Item) -> State:
        *before, last = state.items
        intent = self.script.intents[last["intent"]]
        return replace(state, items=(*before, self.wording.item(intent, {**last, **found})))

    def _perform(
        self,
        step: ScriptStep,
        state: State,
        found: Item | None = None,
        intent: Intent | None = None,
        keep_question: bool = False,
    ) -> Iterator[Scripted]:
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
        otherwise = self.wording.filled(step.otherwise, found or {}, state)
        text = self.wording.filled(say, found or {}, state) or otherwise
        if step.model:
            yield ModelSays(self.wording.filled(step.model, found or {}, state), otherwise)
        elif text:
            yield text if step.interruptible else Say(text, interruptible=False)
        if keep_question:
            yield from self._still_open()
        elif step.expect:
            state = replace(state, asked=intent.name if intent else self.state.asked)
            yield step.expect
        yield state.note()
        yield from _actions(step)

    def _ask_again(self, intent: Intent, ask: Ask) -> Iterator[Scripted]:
        """The last item is open again, without the part that must change."""
        *before, last = self.state.items
        slots = {name: value for name, value in last.items() if name in self.script.slots}
        slots |= {each.slot: GIVEN for each in intent.asks if each.expect.sensitive}
        slots.pop(ask.slot, None)
        checked = tuple(name for name in slots if self.script.slots[name].confirm)
        yield ask.say
        yield ask.expect
        yield replace(
            self.state,
            items=tuple(before),
            partial=slots,
            mending=False,
            tries=1,
            asked=f"{intent.name}.{ask.slot}",
            checked=checked,
        ).note()

    def _replace(
        self, latest: Intent, found: Item, dropped: frozenset[str], at: int = -1
    ) -> Iterator[Scripted]:
        """What was named takes the place of what was understood, and is read back."""
        if self.ask and self.intent:
            partial = {name: value for name, value in self.state.partial.items() if name not in dropped}
            if changed := ", ".join(found.values()):
                yield f"{changed[0].upper()}{changed[1:]}."
            yield from self._run(Match(self.intent, ({**partial, **found},)), new=False)
            return
        before = list(self.state.items)
        last = before.pop(at)
        kept = {name: value for name, value in last.items() if name not in dropped - set(latest.needs)}
        item = self.wording.item(latest, {**kept, **found})
        state = replace(self.state, items=(*before, item), asked="", partial={}, tries=0)
        own = self.script.by_action(Do.CHANGE)
        yield from self._read_back(own if own and own.step.say else latest, state, item, {*found, *dropped})

    def _read_back(
        self, intent: Intent, state: State, item: Item | None = None, changed: set[str] | None = None
    ) -> Iterator[Scripted]:
        item = item or state.items[-1]
        found = {**item, "item": self._as_changed(item, changed or ())}
        yield from self._perform(intent.step, replace(state, mending=False), found, intent)

    def _as_changed(self, item: Item, changed: Iterable[str]) -> str:
        """How an item is said when these slots of it were changed: in full, if the brief form lacks one."""
        brief = self.script.intents[item["intent"]].brief
        in_brief = not brief or all(f"{{{name}" in brief for name in changed)
        return item["brief"] if in_brief else item["item"]


def _actions(step: ScriptStep) -> Iterator[Scripted]:
    if step.do is Do.BACK:
        yield Note(**{ACTIVE_SCRIPT: ""})
    if step.do is Do.WAIT:
        yield Wait()
    elif step.do is Do.HANG_UP:
        yield HangUp()
    elif step.do is Do.TRANSFER and step.to:
        yield Transfer(step.to)
