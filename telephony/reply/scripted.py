"""The default agent: it follows a script and needs no key.

Nothing is kept between turns but the notes: the order so far, the question that is open, how often the caller
was not understood. Some requests always work, whatever the script says: to hear the last thing again,
to wait a moment, to speak to a person, to know whether this is a machine. What cannot be undone is done when
an utterance as a whole means it, and never on a word in it; a correction replaces what it names.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

from telephony.reply import understanding
from telephony.reply.acts import lasting
from telephony.reply.agent import Notes, Said, Turn, Wording
from telephony.reply.builtin_intents import BuiltinIntent, wish_among, wish_of
from telephony.reply.corrections import Correction, correction
from telephony.reply.matching import Match
from telephony.reply.mentions import meant
from telephony.reply.numbers import spoken_digits
from telephony.reply.polarity import YesNo, answered
from telephony.reply.polarity_words import expanded
from telephony.reply.replies import MAX_ASKS, Replies
from telephony.reply.script import (
    Ask,
    Do,
    Intent,
    ModelSays,
    Script,
    Scripted,
    Understood,
    dictated,
    find_slots,
)
from telephony.reply.script_state import Item, State

_BEHIND_ANSWER = re.compile(r"^(?:(?:yes|yeah|yep|yup|sure|okay|ok|oh|um|uh|well|please) )+")
_BUILTIN = frozenset(one.value for one in BuiltinIntent)
_DENIES = re.compile(r"\b(?:not|never|no|nor|without|before|unless)\b")
START = "start"
"""The intent with which a script begins that a model hands the caller to."""
_OPERATOR = "0"  # the key that callers press to reach a person


class ScriptedAgent:
    """Follows a script. `reply` has no effect of its own, so that it may be drafted and thrown away."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.wording: Wording = script.wording
        self._vocabulary = {
            word for slot in script.slots.values() for form in slot.forms for word in form.split()
        }

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        """As `agent.Agent.reply`."""
        for said in self.answer(turn, notes):
            yield said

    def answer(self, turn: Turn, notes: Notes) -> list[Said]:
        """All that is said and done in answer to a turn; where a model should speak, what is said without."""
        said = self.scripted(turn, notes)
        return [one.otherwise if isinstance(one, ModelSays) else one for one in said]

    def scripted(self, turn: Turn, notes: Notes, understood: Understood | None = None) -> list[Scripted]:
        """The same, with what a model has understood, and with what it must say."""
        return list(_Answer(self.script, turn, State.of(notes), self._vocabulary, understood).make())

    def begin(self, turn: Turn) -> list[Said]:
        """What is said first when a model hands the caller to it: its intent `start`, or its greeting."""
        intent = self.script.intents.get(START)
        if intent is None:
            return [self.wording.greeting, State().note()]
        said = _Answer(self.script, turn, State(), self._vocabulary).begin(intent)
        return [one.otherwise if isinstance(one, ModelSays) else one for one in said]

    def open_slot(self, notes: Notes) -> str:
        """The slot that the caller was asked for; empty: none."""
        _, _, slot = State.of(notes).asked.partition(".")
        return slot if slot in self.script.slots else ""

    def needs_understanding(self, turn: Turn, notes: Notes) -> bool:
        """Whether a model has to find out what this turn means: no rule decides it, and one may be asked."""
        slot = self.script.slots.get(self.open_slot(notes))
        if self.script.understand != "llm" and (slot is None or slot.kind != "llm"):
            return False
        return _Answer(self.script, turn, State.of(notes), self._vocabulary).undecided


class _Answer(Replies):
    """Finds what was meant, then says and does it."""

    # ---- what was meant

    def begin(self, intent: Intent) -> Iterator[Scripted]:
        """As if this intent had been matched."""
        return self._run(Match(intent, ({},)))

    def make(self) -> Iterator[Scripted]:
        decided = self._decided()
        yield from decided if decided is not None else self._undecided()

    @property
    def undecided(self) -> bool:
        """Whether no rule for whole utterances applies, so that the meaning of words has to be found."""
        return self._decided() is None

    def _decided(self) -> Iterator[Scripted] | None:
        """What is answered to keys, to what is always understood, and to the answer to a question."""
        if self.turn.digits:
            return self._keys(self.turn.digits)
        if wish := wish_of(self.turn.text):
            return self._wish(wish)
        if self.ask and self.state.checking:
            return self._check(self.ask)
        if self.ask and (value := self._dictation(self.ask)):
            return self._answered(self.ask, value)
        if self.ask and self._is_unclear(self.ask):
            return self._not_understood()
        answer = self._yes_no()
        if wrong := self._correction(answer):
            return self._correct(wrong)
        if self._may_branch(answer) and answer.whole and answer.yes is not None and not self._leaves():
            return self._run_branch(answer.yes)
        return None

    def _yes_no(self) -> YesNo:
        return answered(self.turn.text, self._question(), self._expects_yes_no)

    # ---- by a model

    def _undecided(self) -> Iterator[Scripted]:
        """What is answered to words whose meaning has to be found: by a model where there is one."""
        taken, answer = self.understood, self._yes_no()
        if taken is None:
            yield from self._meaning(answer)
            return
        found = self._believed(taken.slots)
        intent = self.script.intents.get(taken.intent)
        if self.ask and self.intent and self.ask.slot in found and intent in (None, self.intent):
            yield from self._run(Match(self.intent, ({**self.state.partial, **found},)), new=False)
        elif taken.intent in ("yes", "no") and self._may_run(taken.intent == "yes", answer):
            yield from self._run_branch(taken.intent == "yes")
        elif taken.intent in _BUILTIN and not (taken.intent == "person" and self._denied()):
            yield from self._wish(BuiltinIntent(taken.intent))
        elif intent is not None and self._may_do(intent, found):
            yield from self._run(self._most(intent, found))
        elif taken.intent:
            yield from self._meaning(answer)
        else:
            yield from self._not_understood()

    def _believed(self, slots: Item) -> dict[str, str]:
        """The slots that a model has found, without what it can have made up: a number that was not said."""
        believed = {}
        for name, value in slots.items():
            slot = self.script.slots[name]
            said = dictated(self.text, slot, alone=True) if slot.kind in ("digits", "spelling") else value
            if said and (slot.kind != "text" or understanding.plain(value) in self.text):
                believed[name] = said
        return believed

    def _may_run(self, yes: bool, answer: YesNo) -> bool:
        """Whether a yes or no that a model sees has something to answer, and rules see no other."""
        if self.ask or not (self._expects_yes_no or self._named(yes)):
            return False
        return answer.yes is yes or not lasting(self._resolved(self._branch(yes)))

    def _may_do(self, intent: Intent, found: Item) -> bool:
        """Whether an intent that a model sees is carried out.

        Not without the slots that it is about; and what cannot be undone only if nothing denies it.
        """
        about = [pattern.slots for pattern in intent.match]
        if about and not any(all(found.get(name) for name in names) for names in about):
            return False
        if intent.step.do is Do.CHANGE:
            return bool(found) and bool(self.state.items or self.state.partial)
        if not lasting(self._resolved(intent.step)):
            return True
        asks = intent.step.do is Do.HANG_UP and (self.turn.text.rstrip().endswith("?") or bool(found))
        return not asks and not self._denied()

    def _denied(self) -> bool:
        return bool(_DENIES.search(expanded(self.text)))

    def _most(self, intent: Intent, found: Item) -> Match:
        """The intent with its slots; several sets where rules see that several things are ordered."""
        by_rules = (m for m in self.finder.matches(self.text) if m.intent is intent and len(m.found) > 1)
        return next(by_rules, Match(intent, (found,)))

    # ---- by rules

    def _meaning(self, answer: YesNo) -> Iterator[Scripted]:
        """As `make`, for more than a yes or no: the script's intents, then looser readings of the words."""
        as_heard = [self.text, understanding.corrected(self.text, self.vocabulary)]
        if answer.yes is not None and (more := _BEHIND_ANSWER.sub("", self.text)):  # "yes, with milk"
            as_heard.append(more)
        matches = [match for text in dict.fromkeys(as_heard) for match in self.finder.matches(text)]
        if complete := next((match for match in matches if match.complete), None):
            yield from self._run(complete, closing=self.finder.closing(matches, complete))
        elif self.ask and (value := self._chosen(as_heard[1], self.ask)):
            yield from self._answered(self.ask, value)
        elif self.ask and self._said_of(self.ask):
            yield from self._not_understood()  # "not the small one", "small or large"
        elif self.ask and (answer.yes is False or understanding.NO_PREFERENCE.search(self.text)):
            yield from self._answered(self.ask, "")
        elif self._expects_yes_no and (open_ := next((m for m in matches if _names(m)), None)):
            yield from self._run(open_)  # "yes, a filling": more than the answer was said
        elif self._goes_on(answer) and answer.yes is not None:
            yield from self._run_branch(answer.yes)
        elif wish := wish_among(self.turn.text):
            yield from self._wish(wish)
        elif matches:
            yield from self._run(matches[0])
        else:
            yield from self._not_understood()

    def _may_branch(self, answer: YesNo) -> bool:
        """Whether a yes or no has something to answer."""
        if self.ask or answer.yes is None or self.state.mending:
            return False
        return self._expects_yes_no or bool(self._named(answer.yes))

    def _leaves(self) -> bool:
        """A goodbye where nothing was asked that it could be a no to."""
        return not self._expects_yes_no and any(
            match.intent.step.do is Do.HANG_UP for match in self.finder.matches(self.text)
        )

    def _goes_on(self, answer: YesNo) -> bool:
        """A yes or no with more behind it answers, unless what follows from it cannot be undone."""
        if answer.yes is None or not self._expects_yes_no or self.ask or answer.wrong:
            return False
        return not lasting(self._resolved(self._branch(answer.yes)))

    # ---- reading back

    def _check(self, ask: Ask, keys: str = "") -> Iterator[Scripted]:
        """The answer to "I have ... Is that right?"."""
        slot, had = self.script.slots[ask.slot], self.state.partial[ask.slot]
        now = self._keyed(keys, ask) if keys else find_slots(self.text, {ask.slot: slot}).get(ask.slot, "")
        answer = (
            answered(self.turn.text, self._question()).yes if not keys else {"1": True, "2": False}.get(keys)
        )
        assert self.intent is not None  # it is what asked
        if now and now != had and answer is not True:
            found = {**self.state.partial, ask.slot: now}
            yield from self._run(Match(self.intent, (found,)), new=False)
        elif answer is not True and (others := self._others(ask)):
            partial = {**self.state.partial, **others}
            changed = ", ".join(others.values())
            yield f"{changed[0].upper()}{changed[1:]}."
            yield from self._run(Match(self.intent, (partial,)), new=False)
        elif answer or (now and now == had):
            self.state = replace(self.state, checked=(*self.state.checked, ask.slot), checking=False)
            yield from self._run(Match(self.intent, (self.state.partial,)), new=False)
        elif self.state.tries > 2 * MAX_ASKS:
            yield from self._answered(ask, "")
        elif answer is False or self.state.tries >= MAX_ASKS + 1:
            partial = {name: value for name, value in self.state.partial.items() if name != ask.slot}
            state = replace(self.state, partial=partial, checking=False, tries=self.state.tries + 1)
            yield self.wording.filled(ask.say, partial, state)
            yield ask.expect
            yield state.note()
        else:
            yield from self._not_understood()

    def _others(self, ask: Ask) -> dict[str, str]:
        """Other parts of the item that are named while one is read back: "no, Wednesday"."""
        assert self.intent is not None  # it is what asked
        found = find_slots(
            meant(self.turn.text, self.text, self.script.slots).text,
            {
                name: slot
                for name, slot in self.script.slots.items()
                if name in self.state.partial and slot.kind == "words"
            },
        )
        return {name: value for name, value in found.items() if self.state.partial[name] != value}

    # ---- corrections

    def _correction(self, answer: YesNo) -> Correction | None:
        ends = self._expects_yes_no and lasting(self._resolved(self._branch(False)))
        ends = ends and not any(match.complete for match in self.finder.matches(self.text))
        question = self.intent, self.ask
        return correction(self.script, self.state, self.turn.text, answer, question, ends)

    def _correct(self, wrong: Correction) -> Iterator[Scripted]:
        if wrong.named:
            yield from self._replace(wrong.intent, wrong.values, wrong.dropped, wrong.item)
        elif wrong.part:
            yield from self._ask_again(wrong.intent, wrong.part)
        elif wrong.nothing:
            yield from self._read_back(wrong.intent, self.state)
        else:
            yield self.script.correct
            yield from self._still_open()
            yield replace(self.state, mending=True).note()

    def _dictation(self, ask: Ask) -> str:
        """The answer to a question for digits, letters or free text."""
        slot = self.script.slots[ask.slot]
        if slot.kind == "llm":
            return ""  # a model finds it
        return self.text if slot.kind == "text" else dictated(self.text, slot, alone=True)

    def _is_unclear(self, ask: Ask) -> bool:
        """Whether a number was said that could be another one."""
        return self.script.slots[ask.slot].kind == "digits" and spoken_digits(self.text) is None

    def _chosen(self, text: str, ask: Ask) -> str:
        words = meant(self.turn.text, text, self.script.slots).text
        return find_slots(words, {ask.slot: self.script.slots[ask.slot]}).get(ask.slot, "")

    def _said_of(self, ask: Ask) -> str:
        return find_slots(self.text, {ask.slot: self.script.slots[ask.slot]}).get(ask.slot, "")

    # ---- keys

    def _keys(self, keys: str) -> Iterator[Scripted]:
        if self.ask and self.state.checking and (keys in ("1", "2") or self._keyed(keys, self.ask)):
            yield from self._check(self.ask, keys)
        elif self.ask and (value := self._keyed(keys, self.ask)):
            yield from self._answered(self.ask, value)
        elif self._expects_yes_no and keys in ("1", "2"):
            yield from self._run_branch(keys == "1")
        elif intent := next((one for one in self.script.intents.values() if keys in one.keys), None):
            yield from self._run(Match(intent, ({},)))
        elif keys == _OPERATOR:
            yield from self._wish(BuiltinIntent.PERSON)
        else:
            yield from self._not_understood()

    def _keyed(self, keys: str, ask: Ask) -> str:
        slot = self.script.slots[ask.slot]
        if slot.kind == "words":
            options = ask.expect.options or slot.options
            return options[int(keys) - 1] if keys.isdecimal() and 1 <= int(keys) <= len(options) else ""
        return keys if slot.kind == "digits" and slot.least <= len(keys) <= slot.most else ""


def _names(match: Match) -> bool:
    """Whether what was said names a part of what the intent orders."""
    return bool(match.intent.item and match.found[-1])
